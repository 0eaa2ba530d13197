//! Parameters of reservations: the resource type, `physical:host`, and expressions; in upstream's order and words.

use planner_core::domain::{
    FlavorReservation, FloatingIpReservation, HostReservation, InstanceReservation, ReservationSpec,
};
use planner_core::service::{ReservationDraft, ServiceError};
use planner_core::{amounts, properties};
use plugin_api::echo::shortened;
use serde_json::Value;

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

/// A property expression as text; absent: `None`. A real list is taken for its text.
pub(crate) fn expression(entry: &Object, name: &str) -> Result<Option<String>, ApiError> {
    let Some(value) = entry.get(name) else { return Ok(None) };
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(_) => value.to_string(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            return Err(requirements(
                name,
                &python::repr(value),
                "must be a string holding a JSON list",
            ));
        }
    };
    if text.len() > properties::MAX_EXPRESSION {
        return Err(malformed(
            name,
            &format!("must have at most {} bytes", properties::MAX_EXPRESSION),
        ));
    }
    let decoded = serde_json::from_str::<Value>(&text).ok();
    let checked = properties::parse(&text).and_then(|predicate| {
        decoded.as_ref().map_or(Ok(()), check_values)?;
        amounts::check(&predicate).map_err(|error| error.to_string())
    });
    match checked {
        Ok(()) => Ok(Some(text)),
        Err(reason) => {
            let shown = decoded.as_ref().map_or(text, python::str);
            Err(requirements(name, &shown, &reason))
        }
    }
}

/// Upstream takes only texts that are not empty for values, where the planner's own language also takes
/// numbers. The expression has been parsed, so its depth is bounded.
fn check_values(expression: &Value) -> Result<(), String> {
    let Some([Value::String(operator), operands @ ..]) = expression.as_array().map(Vec::as_slice) else {
        return Ok(());
    };
    if operator == "and" || operator == "or" {
        return operands.iter().try_for_each(check_values);
    }
    match operands.last() {
        // A property alone, which there is not to be.
        Some(_) if operands.len() == 1 => Ok(()),
        Some(Value::String(text)) if !text.is_empty() => Ok(()),
        Some(other) => Err(format!(
            "a value must be a string that is not empty, not {}",
            python::repr(other)
        )),
        None => Ok(()),
    }
}

fn requirements(name: &str, shown: &str, reason: &str) -> ApiError {
    ApiError::invalid(format!(
        "Malformed requirements {}: {name}: {}",
        shortened(shown),
        shortened(reason)
    ))
}
