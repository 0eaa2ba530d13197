//! Property expressions, in upstream's words.

use planner_core::{amounts, properties};
use plugin_api::echo::shortened;
use serde_json::Value;

use super::parameter::malformed;
use super::python;
use crate::body::Object;
use crate::error::ApiError;

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
