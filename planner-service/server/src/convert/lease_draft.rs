//! The body of `POST /v1/leases`, checked in upstream's order.

use planner_core::domain::Timestamp;
use planner_core::service::{LeaseDraft, ReservationDraft, ServiceError};
use serde_json::Value;

use super::parameter::{before_end_date, date_or_now, lease_name, malformed, missing};
use super::{python, reservation};
use crate::body::Object;
use crate::error::ApiError;

/// Most reservations in one lease.
pub(crate) const MAX_RESERVATIONS: usize = 100;

/// Reads a lease that is asked for. `check_window` is asked between the dates and the reservations; `offered` are the
/// resource types that there are.
pub(crate) fn read(
    body: &Object,
    now: Timestamp,
    check_window: impl FnOnce(Timestamp, Timestamp) -> Result<(), ServiceError>,
    offered: &[&str],
) -> Result<LeaseDraft<ReservationDraft>, ApiError> {
    let absent: Vec<&str> = ["name", "start_date", "end_date"]
        .into_iter()
        .filter(|name| !body.contains_key(*name))
        .collect();
    let (Some(name), Some(start), Some(end)) = (body.get("name"), body.get("start_date"), body.get("end_date")) else {
        return Err(missing(&absent.join(", ")));
    };
    let name = lease_name(name)?;
    let entries = reservations(body)?;
    if entries.iter().any(|entry| !entry.contains_key("resource_type")) {
        return Err(missing("resource_type"));
    }
    let (start, end) = (
        date_or_now("start_date", start, now)?,
        date_or_now("end_date", end, now)?,
    );
    check_window(start, end)?;
    let reservations = entries
        .into_iter()
        .map(|entry| reservation::draft(entry, offered))
        .collect::<Result<_, _>>()?;
    Ok(LeaseDraft {
        name,
        start,
        end,
        before_end: before_end_date(body)?,
        reservations,
    })
}

/// The entries of `reservations`; absent: none.
pub(crate) fn reservations(body: &Object) -> Result<Vec<&Object>, ApiError> {
    let entries = match body.get("reservations") {
        None => return Ok(Vec::new()),
        Some(Value::Array(entries)) => entries,
        Some(other) => {
            return Err(malformed(
                "reservations",
                &format!("must be a list, not {}", python::kind_of(other)),
            ));
        }
    };
    if entries.len() > MAX_RESERVATIONS {
        return Err(malformed(
            "reservations",
            &format!("must have at most {MAX_RESERVATIONS} entries"),
        ));
    }
    entries
        .iter()
        .map(|entry| {
            entry.as_object().ok_or_else(|| {
                malformed(
                    "reservations",
                    &format!("every entry must be an object, not {}", python::kind_of(entry)),
                )
            })
        })
        .collect()
}
