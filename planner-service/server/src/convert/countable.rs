//! Parameters of reservations of a resource type that the operator has named.

use planner_core::domain::CountableReservation;

use super::instance::amount;
use super::parameter::require;
use crate::body::Object;
use crate::error::ApiError;

/// The entry of `reservations` as what it reserves.
pub(crate) fn read(resource_type: &str, entry: &Object) -> Result<CountableReservation, ApiError> {
    require(entry, &["amount"])?;
    Ok(CountableReservation {
        resource_type: resource_type.to_owned(),
        amount: amount(entry, 1)?.unwrap_or(1),
    })
}
