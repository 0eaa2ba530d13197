//! Single values of request bodies.

use api_types::date;
use api_types::name::is_steering;
use serde_json::Value;

use super::python;
use crate::body::Object;
use crate::error::ApiError;

/// Longest name of a lease in characters.
const MAX_NAME: usize = 80;
/// Longest text echoed in an error, in characters.
const MAX_ECHO: usize = 1000;

/// 400 `Missing parameter X`.
pub(crate) fn missing(names: &str) -> ApiError {
    ApiError::invalid(format!("Missing parameter {names}"))
}

/// Refuses a body without some of these members, naming all it lacks.
pub(crate) fn require(body: &Object, names: &[&str]) -> Result<(), ApiError> {
    let absent: Vec<&str> = names.iter().copied().filter(|name| !body.contains_key(*name)).collect();
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

/// The beginning of a text that may be long.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_ECHO) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
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
pub(crate) fn date_or_now(value: &Value, now: i64) -> Result<i64, ApiError> {
    if value.as_str() == Some("now") {
        Ok(now - now.rem_euclid(60))
    } else {
        minute(value)
    }
}

/// A date that is a minute.
pub(crate) fn minute(value: &Value) -> Result<i64, ApiError> {
    let bad = || {
        let shown = shortened(&python::str(value));
        ApiError::invalid(format!(
            "{shown} is an invalid date. Required format: {}",
            date::REQUEST_FORMAT
        ))
    };
    date::parse_request(value.as_str().ok_or_else(bad)?).map_err(|_| bad())
}

/// `before_end_date`; absent, null and `""` mean the default.
pub(crate) fn before_end_date(body: &Object) -> Result<Option<i64>, ApiError> {
    match body.get("before_end_date") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(value) => minute(value).map(Some),
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
