//! Parameters of `flavor:instance` reservations, in upstream's words.

use planner_core::service::{NewAffinity, ReservationChange, ReservationDraft, ServiceError};
use serde_json::Value;

use super::instance::{affinity, amount};
use super::parameter::{malformed, require};
use super::python;
use crate::body::Object;
use crate::error::ApiError;

/// Parameters without which there is no reservation.
const REQUIRED: [&str; 3] = ["flavor_id", "amount", "affinity"];

/// Longest id of a flavor, in characters: Nova's columns are no wider.
const LONGEST_ID: usize = 255;

/// The entry of `reservations`, whose flavor has to be looked up.
pub(crate) fn read(entry: &Object) -> Result<ReservationDraft, ApiError> {
    require(entry, &REQUIRED)?;
    let amount = amount(entry, 1)?.unwrap_or(1);
    let flavor_id = flavor_id(entry)?.unwrap_or_default();
    if affinity(entry)?.is_some_and(|NewAffinity(rule)| rule.is_some()) {
        return Err(ServiceError::Conflict("Affinity not supported yet (affinity must be null)".to_owned()).into());
    }
    Ok(ReservationDraft::Flavor { flavor_id, amount })
}

/// The member of a change of a reservation that is about a flavor.
pub(crate) fn changed(entry: &Object, change: ReservationChange) -> Result<ReservationChange, ApiError> {
    Ok(ReservationChange {
        flavor_id: flavor_id(entry)?,
        ..change
    })
}

/// The id of a flavor; absent: `None`. A number is the id that it is as a text.
fn flavor_id(entry: &Object) -> Result<Option<String>, ApiError> {
    let id = match entry.get("flavor_id") {
        None => return Ok(None),
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        Some(other) => {
            let found = format!("must be a string, not {}", python::kind_of(other));
            return Err(malformed("flavor_id", &found));
        }
    };
    if id.is_empty() || id.chars().count() > LONGEST_ID || id.chars().any(char::is_control) {
        let allowed = format!("must have 1 to {LONGEST_ID} printable characters");
        return Err(malformed("flavor_id", &allowed));
    }
    Ok(Some(id))
}
