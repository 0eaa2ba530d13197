//! Parameters of `virtual:instance` reservations, in upstream's order and words.

use planner_core::domain::{InstanceObjects, InstanceReservation, InstanceSize};
use planner_core::service::{NewAffinity, ReservationChange};
use serde_json::Value;

use super::expression::expression;
use super::parameter::{given, int_like, malformed, require};
use crate::body::Object;
use crate::error::ApiError;

/// Parameters without which there is no reservation.
const REQUIRED: [&str; 6] = [
    "vcpus",
    "memory_mb",
    "disk_gb",
    "amount",
    "affinity",
    "resource_properties",
];

/// Most instances in a reservation, and the most of anything an instance may take: upstream's columns are no wider.
const MOST: i64 = 2_147_483_647;

/// Words that mean yes, whatever their case.
const YES: [&str; 6] = ["true", "yes", "on", "t", "y", "1"];
/// Words that mean no, whatever their case.
const NO: [&str; 6] = ["false", "no", "off", "f", "n", "0"];

/// The entry of `reservations` as what it reserves.
pub(crate) fn read(entry: &Object) -> Result<InstanceReservation, ApiError> {
    require(entry, &REQUIRED)?;
    let size = InstanceSize {
        vcpus: size(entry, "vcpus")?.unwrap_or_default(),
        memory_mb: size(entry, "memory_mb")?.unwrap_or_default(),
        disk_gb: size(entry, "disk_gb")?.unwrap_or_default(),
    };
    size.check().map_err(ApiError::invalid)?;
    Ok(InstanceReservation {
        size,
        amount: amount(entry, 1)?.unwrap_or(1),
        affinity: affinity(entry)?.and_then(|NewAffinity(rule)| rule),
        resource_properties: expression(entry, "resource_properties")?.unwrap_or_default(),
        objects: InstanceObjects::default(),
    })
}

/// Members of a change of a reservation that are about instances.
pub(crate) fn changed(entry: &Object, change: ReservationChange) -> Result<ReservationChange, ApiError> {
    Ok(ReservationChange {
        // Of floating IPs there may be none; what an amount of instances must be is asked when its type is known.
        amount: amount(entry, 0)?,
        vcpus: size(entry, "vcpus")?,
        memory_mb: size(entry, "memory_mb")?,
        disk_gb: size(entry, "disk_gb")?,
        affinity: affinity(entry)?,
        ..change
    })
}

/// What one instance takes of something; absent: `None`.
fn size(entry: &Object, name: &str) -> Result<Option<u32>, ApiError> {
    let Some(value) = given(entry, name)? else {
        return Ok(None);
    };
    int_like(value)
        .filter(|size| (0..=MOST).contains(size))
        .and_then(|size| u32::try_from(size).ok())
        .map(Some)
        .ok_or_else(|| malformed(name, &format!("must be an integer from 0 to {MOST}")))
}

/// How many instances, at least `least`; absent: `None`.
pub(super) fn amount(entry: &Object, least: i64) -> Result<Option<u32>, ApiError> {
    let Some(value) = given(entry, "amount")? else {
        return Ok(None);
    };
    let Some(amount) = int_like(value) else {
        return Err(ApiError::invalid("amount must be an integer"));
    };
    if amount < least {
        return Err(ApiError::invalid(format!("amount must be >= {least}")));
    }
    let amount = u32::try_from(amount).ok().filter(|_| amount <= MOST);
    amount
        .map(Some)
        .ok_or_else(|| ApiError::invalid(format!("amount must be <= {MOST}")))
}

/// A rule of affinity; absent: `None`. An empty text is no rule: the dashboard sends it where nothing was chosen.
pub(super) fn affinity(entry: &Object) -> Result<Option<NewAffinity>, ApiError> {
    let Some(value) = entry.get("affinity") else {
        return Ok(None);
    };
    let word = match value {
        Value::Null => return Ok(Some(NewAffinity(None))),
        Value::Bool(rule) => return Ok(Some(NewAffinity(Some(*rule)))),
        Value::String(word) => word.to_lowercase(),
        Value::Number(number) => number.to_string(),
        Value::Array(_) | Value::Object(_) => return Err(malformed("affinity", "must be a bool value or None")),
    };
    let is = |words: &[&str]| words.contains(&word.as_str());
    match () {
        () if is(&["none", ""]) => Ok(Some(NewAffinity(None))),
        () if is(&YES) => Ok(Some(NewAffinity(Some(true)))),
        () if is(&NO) => Ok(Some(NewAffinity(Some(false)))),
        () => Err(malformed("affinity", "must be a bool value or None")),
    }
}
