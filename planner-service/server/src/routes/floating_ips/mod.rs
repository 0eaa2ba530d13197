//! `/v1/floatingips`
//!
//! Invariant: the routes are there only while a plugin serves reservations of floating IPs.

use planner_core::domain::FloatingIpReservation;

use crate::error::ApiError;
use crate::state::ApiState;

pub(super) mod create;
pub(super) mod delete;
pub(super) mod list;
pub(super) mod show;

fn check_offered(state: &ApiState) -> Result<(), ApiError> {
    if state.service.offers(FloatingIpReservation::RESOURCE_TYPE) {
        Ok(())
    } else {
        Err(ApiError::NoRoute)
    }
}
