//! Extra capabilities in bodies of `/v1/os-hosts`.

use plugin_api::echo::shortened;
use serde_json::Value;

use super::parameter::{malformed, printable, storable};
use super::python;
use crate::body::Object;
use crate::error::ApiError;

/// Most capabilities of a host.
const MAX_CAPABILITIES: usize = 1000;
/// Longest key in characters.
const MAX_KEY: usize = 64;
/// Longest value in bytes.
const MAX_VALUE: usize = 64 * 1024;

/// Refuses keys a host cannot have, and too many of them.
pub(crate) fn check_keys(values: &Object) -> Result<(), ApiError> {
    if values.len() > MAX_CAPABILITIES {
        return Err(ApiError::invalid(format!(
            "{} extra capabilities given, at most {MAX_CAPABILITIES} are allowed",
            values.len()
        )));
    }
    for key in values.keys() {
        if key.is_empty() {
            return Err(ApiError::invalid("Extra capability key must not be empty"));
        }
        if key.chars().count() > MAX_KEY {
            return Err(ApiError::invalid(format!(
                "Extra capability key too long: {} has more than {MAX_KEY} characters",
                shortened(key)
            )));
        }
        printable("extra capability key", key)?;
    }
    Ok(())
}

/// A value as the text that is kept: numbers as their text, booleans as `1` and `0`.
pub(crate) fn text(key: &str, value: &Value) -> Result<String, ApiError> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => python::number_text(number),
        Value::Bool(true) => "1".to_owned(),
        Value::Bool(false) => "0".to_owned(),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            let kind = python::kind_of(value);
            return Err(malformed(
                key,
                &format!("must be a string, a number or a boolean, not {kind}"),
            ));
        }
    };
    if text.len() > MAX_VALUE {
        return Err(malformed(key, &format!("must have at most {MAX_VALUE} bytes")));
    }
    storable(key, &text)?;
    Ok(text)
}
