//! Parameters of reservations: the resource type and `physical:host`, in upstream's order and words.

use planner_core::domain::{
    FlavorReservation, FloatingIpReservation, HostReservation, InstanceReservation, ReservationSpec,
};
use planner_core::service::{ReservationDraft, ServiceError};
use serde_json::Value;

use super::expression::expression;
use super::parameter::{given, int_like, malformed, missing};
use super::{countable, flavor, floating_ip, instance, python};
use crate::body::Object;
use crate::error::ApiError;

/// The entry of `reservations` as what it reserves.
/// `offered` are the resource types that there are, those that the operator has named among them.
pub(crate) fn draft(entry: &Object, offered: &[&str]) -> Result<ReservationDraft, ApiError> {
    let complete = ReservationDraft::Complete;
    match entry.get("resource_type") {
        Some(Value::String(kind)) if kind == HostReservation::RESOURCE_TYPE => {
            host(entry).map(ReservationSpec::Host).map(complete)
        }
        Some(Value::String(kind)) if kind == InstanceReservation::RESOURCE_TYPE => {
            instance::read(entry).map(ReservationSpec::Instance).map(complete)
        }
        Some(Value::String(kind)) if kind == FlavorReservation::RESOURCE_TYPE => flavor::read(entry),
        Some(Value::String(kind)) if kind == FloatingIpReservation::RESOURCE_TYPE => {
            floating_ip::read(entry).map(ReservationSpec::FloatingIp).map(complete)
        }
        Some(Value::String(kind)) if offered.contains(&kind.as_str()) => countable::read(kind, entry)
            .map(ReservationSpec::Countable)
            .map(complete),
        Some(other) => Err(ServiceError::NotOffered {
            resource_type: python::str(other),
            offered: offered.join(", "),
        }
        .into()),
        None => Err(missing("resource_type")),
    }
}

fn host(entry: &Object) -> Result<HostReservation, ApiError> {
    let min = whole_number(entry, "min")?.ok_or_else(|| missing("min"))?;
    let max = whole_number(entry, "max")?.ok_or_else(|| missing("max"))?;
    let (min, max) = (count("min", min)?, count("max", max)?);
    if max < min {
        return Err(ApiError::invalid(RANGE));
    }
    let hypervisor_properties =
        expression(entry, "hypervisor_properties")?.ok_or_else(|| missing("hypervisor_properties"))?;
    let resource_properties =
        expression(entry, "resource_properties")?.ok_or_else(|| missing("resource_properties"))?;
    let before_end = before_end(entry)?.unwrap_or_else(|| HostReservation::DEFAULT_BEFORE_END.to_owned());
    Ok(HostReservation {
        min,
        max,
        hypervisor_properties,
        resource_properties,
        before_end,
    })
}

/// What to do before the end; absent: `None`.
pub(crate) fn before_end(entry: &Object) -> Result<Option<String>, ApiError> {
    match entry.get("before_end") {
        None => Ok(None),
        Some(Value::String(action)) if matches!(action.as_str(), "" | "default" | "snapshot") => {
            Ok(Some(action.clone()))
        }
        Some(_) => Err(malformed("before_end", "must be default, snapshot or an empty text")),
    }
}

/// Upstream's text for a range that is none.
const RANGE: &str = "Invalid values for min/max of hosts. Max must be equal to or larger than min.";

/// The bounds of a change, each of which may be left out.
pub(crate) fn changed_bounds(entry: &Object) -> Result<(Option<u32>, Option<u32>), ApiError> {
    let (min, max) = (whole_number(entry, "min")?, whole_number(entry, "max")?);
    let min = min.map(|min| count("min", min)).transpose()?;
    let max = max.map(|max| count("max", max)).transpose()?;
    if min.zip(max).is_some_and(|(min, max)| max < min) {
        return Err(ApiError::invalid(RANGE));
    }
    Ok((min, max))
}

fn whole_number(entry: &Object, name: &str) -> Result<Option<i64>, ApiError> {
    let value = given(entry, name)?;
    value
        .map(|value| int_like(value).ok_or_else(|| malformed(name, "must be a whole number of at least 1")))
        .transpose()
}

fn count(name: &str, value: i64) -> Result<u32, ApiError> {
    if value < 1 {
        return Err(malformed("min and max", "must be greater than or equal to 1"));
    }
    u32::try_from(value).map_err(|_| malformed(name, &format!("must be less than or equal to {}", u32::MAX)))
}
