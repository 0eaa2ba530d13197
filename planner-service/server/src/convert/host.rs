//! The bodies that register and change hosts, and what a failure changes.

use std::collections::BTreeMap;

use api_types::host::HostHealing;
use planner_core::domain::Host;
use planner_core::service::{HealingOutcome, ServiceError};
use plugin_api::HostRegistration;
use plugin_api::echo::shortened;
use serde_json::Value;

use super::parameter::{malformed, missing, printable};
use super::{capability, python};
use crate::body::Object;
use crate::error::ApiError;

/// Longest name or id of a host, in characters: Nova's columns are no wider.
const LONGEST_REFERENCE: usize = 255;

/// The body of `POST /v1/os-hosts`.
pub(crate) fn registration(mut body: Object) -> Result<HostRegistration, ApiError> {
    let references = [("id", body.shift_remove("id")), ("name", body.shift_remove("name"))];
    // Ownership and trusts come from the caller's token only.
    body.shift_remove("trust_id");
    let Some((member, reference)) = references
        .into_iter()
        .find_map(|(member, value)| value.filter(is_given).map(|value| (member, value)))
    else {
        let values = shortened(&python::repr(&Value::Object(body)));
        return Err(ServiceError::OutOfLimits(format!("Invalid values for host {values}")).into());
    };
    capability::check_keys(&body)?;
    if reference.is_boolean() {
        return Err(malformed(member, "must be a string or a number, not a boolean"));
    }
    if let Some(name) = reference.as_str() {
        printable(member, name)?;
    }
    let reference = capability::text(member, &reference)?;
    if reference.chars().count() > LONGEST_REFERENCE {
        return Err(malformed(
            member,
            &format!("must have at most {LONGEST_REFERENCE} characters"),
        ));
    }
    let values = body
        .iter()
        .map(|(key, value)| Ok((key.clone(), capability::text(key, value)?)))
        .collect::<Result<_, ApiError>>()?;
    Ok(HostRegistration { reference, values })
}

/// What Python takes for true.
fn is_given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(given) => *given,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// The body of `PUT /v1/os-hosts/{id}`: capabilities; `null` removes. A column may be sent back as it is shown, as the
/// dashboard does, but is not changed.
pub(crate) fn change(host: &Host, body: &Object) -> Result<BTreeMap<String, Option<String>>, ApiError> {
    if body.is_empty() {
        return Err(ApiError::NothingToUpdate);
    }
    capability::check_keys(body)?;
    let shown = serde_json::to_value(presentation::host::write(host).columns).unwrap_or_default();
    let mut values = BTreeMap::new();
    for (key, value) in body {
        let is_text =
            |shown: &Value| matches!(capability::text(key, shown), Ok(text) if value.as_str() == Some(&*text));
        match shown.get(key) {
            Some(column) if column == value || is_text(column) => {}
            Some(column) if !(value.is_null() && host.capabilities.contains_key(key)) => {
                let column = shortened(&python::repr(column));
                return Err(malformed(
                    key,
                    &format!("is a column of the host and stays {column}; only capabilities can be changed"),
                ));
            }
            _ if value.is_null() => {
                values.insert(key.clone(), None);
            }
            _ => {
                values.insert(key.clone(), Some(capability::text(key, value)?));
            }
        }
    }
    Ok(values)
}

/// The body of `PATCH /capacity/v1/hosts/{id}`; members that are not known are wrong.
pub(crate) fn reservable(body: &Object) -> Result<bool, ApiError> {
    if let Some(unknown) = body.keys().find(|name| *name != "reservable") {
        return Err(ApiError::invalid(format!(
            "{} is not known; allowed is reservable",
            shortened(unknown)
        )));
    }
    match body.get("reservable") {
        Some(Value::Bool(reservable)) => Ok(*reservable),
        Some(other) => Err(malformed(
            "reservable",
            &format!("must be true or false, not {}", shortened(&python::repr(other))),
        )),
        None => Err(missing("reservable")),
    }
}

/// What a failure or return did.
pub(crate) fn healing(outcome: &HealingOutcome, reservable: bool) -> HostHealing {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    HostHealing {
        reservable,
        moved: count(outcome.moved),
        lost: count(outcome.lost.len()),
        refilled: count(outcome.refilled.len()),
    }
}
