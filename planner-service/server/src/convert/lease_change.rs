//! The body of `PUT /v1/leases/{id}`. Members that are not known are ignored.

use std::collections::HashSet;

use planner_core::domain::Timestamp;
use planner_core::service::{LeaseChange, ReservationChange};
use plugin_api::echo::shortened;

use super::expression::expression;
use super::lease_draft::reservations;
use super::parameter::{before_end_date, date_or_now, lease_name, malformed, missing};
use super::reservation::{before_end, changed_bounds};
use super::{flavor, floating_ip, instance, python};
use crate::body::Object;
use crate::error::ApiError;

/// Reads a change of a lease.
pub(crate) fn read(body: &Object, now: Timestamp) -> Result<LeaseChange, ApiError> {
    let date = |name| body.get(name).map(|value| date_or_now(name, value, now)).transpose();
    let change = LeaseChange {
        name: body.get("name").map(lease_name).transpose()?,
        start: date("start_date")?,
        end: date("end_date")?,
        before_end: before_end_date(body)?,
        reservations: reservations(body)?
            .into_iter()
            .map(reservation)
            .collect::<Result<_, _>>()?,
    };
    let mut seen = HashSet::new();
    match change.reservations.iter().find(|change| !seen.insert(&change.id)) {
        Some(twice) => Err(malformed(
            "reservations",
            &format!("reservation {} is named twice", shortened(&twice.id)),
        )),
        None => Ok(change),
    }
}

fn reservation(entry: &Object) -> Result<ReservationChange, ApiError> {
    let id = entry
        .get("id")
        .map(python::str)
        .ok_or_else(|| missing("reservation ID"))?;
    let (min, max) = changed_bounds(entry)?;
    // Upstream checks it, and changes nothing about it.
    before_end(entry)?;
    let change = ReservationChange {
        id,
        resource_type: entry.get("resource_type").map(python::str),
        min,
        max,
        hypervisor_properties: expression(entry, "hypervisor_properties")?,
        resource_properties: expression(entry, "resource_properties")?,
        ..ReservationChange::default()
    };
    let change = flavor::changed(entry, instance::changed(entry, change)?)?;
    floating_ip::changed(entry, change)
}
