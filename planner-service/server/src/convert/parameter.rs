//! Single values of request bodies.

use api_types::date;
use api_types::name::is_steering;
use plugin_api::echo::shortened;
use serde_json::Value;

use super::python;
use crate::body::Object;
use crate::error::ApiError;

/// Longest name of a lease in characters.
const MAX_NAME: usize = 80;
/// Members whose value may be null: no rule of affinity, no condition.
const NULLABLE: [&str; 3] = ["affinity", "hypervisor_properties", "resource_properties"];

/// 400 `Missing parameter X`.
pub(crate) fn missing(names: &str) -> ApiError {
    ApiError::invalid(format!("Missing parameter {names}"))
}

/// The value of a member that may be left out.
///
/// # Errors
/// 400 `Missing parameter X` if it is null though it has to have a value, as upstream has it.
pub(crate) fn given<'a>(body: &'a Object, name: &str) -> Result<Option<&'a Value>, ApiError> {
    match body.get(name) {
        Some(Value::Null) if !NULLABLE.contains(&name) => Err(missing(name)),
        value => Ok(value),
    }
}

/// Refuses a body without some of these members, naming all it lacks.
pub(crate) fn require(body: &Object, names: &[&str]) -> Result<(), ApiError> {
    let lacks = |name: &&str| !matches!(given(body, name), Ok(Some(_)));
    let absent: Vec<&str> = names.iter().copied().filter(lacks).collect();
    if absent.is_empty() {
        Ok(())
    } else {
        Err(missing(&absent.join(",")))
    }
}

/// 400 `Malformed parameter X (rule)`.
pub(crate) fn malformed(name: &str, rule: &str) -> ApiError {
    ApiError::invalid(format!("Malformed parameter {} ({rule})", shortened(name)))
}

/// Refuses what a store cannot keep.
pub(crate) fn storable(name: &str, text: &str) -> Result<(), ApiError> {
    if text.contains('\0') {
        Err(malformed(name, "must not contain the character U+0000"))
    } else {
        Ok(())
    }
}

/// Refuses a name that does more than name: the first character that steers a terminal is said.
pub(crate) fn printable(name: &str, text: &str) -> Result<(), ApiError> {
    match text.chars().find(|character| is_steering(*character)) {
        None => Ok(()),
        Some(found) => {
            let rule = format!(
                "must not contain control characters, line breaks or overrides of direction; it contains U+{:04X}",
                u32::from(found)
            );
            Err(malformed(name, &rule))
        }
    }
}

/// The name of a lease.
pub(crate) fn lease_name(value: &Value) -> Result<String, ApiError> {
    let Value::String(name) = value else {
        return Err(malformed(
            "name",
            &format!("must be a string, not {}", python::kind_of(value)),
        ));
    };
    if name.chars().count() > MAX_NAME {
        return Err(malformed("name", &format!("must have at most {MAX_NAME} characters")));
    }
    printable("name", name)?;
    Ok(name.clone())
}

/// A start or end date: a minute, or `now`.
pub(crate) fn date_or_now(name: &str, value: &Value, now: i64) -> Result<i64, ApiError> {
    if value.as_str() == Some("now") {
        Ok(now - now.rem_euclid(60))
    } else {
        minute(name, value, ", or now")
    }
}

/// A date that is a minute.
fn minute(name: &str, value: &Value, or: &str) -> Result<i64, ApiError> {
    let date = value.as_str().and_then(|text| date::parse_request(text).ok());
    date.ok_or_else(|| {
        ApiError::invalid(format!(
            "{} is an invalid date. Required format: {} ({name} must be a minute in UTC such as 2030-01-01 10:00{or})",
            shortened(&python::str(value)),
            date::REQUEST_FORMAT
        ))
    })
}

/// `before_end_date`; absent, null and `""` mean the default.
pub(crate) fn before_end_date(body: &Object) -> Result<Option<i64>, ApiError> {
    match body.get("before_end_date") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(value) => minute("before_end_date", value, "").map(Some),
    }
}

/// What Python calls int-like: a whole number, or its plain text.
///
/// Numbers outside `i64` are int-like too; they saturate, as every bound lies inside.
pub(crate) fn int_like(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) if !number.is_f64() => number.as_i64().or_else(|| number.as_u64().map(|_| i64::MAX)),
        Value::String(text) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit())
                && !digits.is_empty()
                && (digits == "0" || !digits.starts_with('0'))
                && text != "-0";
            let saturated = if text.starts_with('-') { i64::MIN } else { i64::MAX };
            plain.then(|| text.parse().unwrap_or(saturated))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
