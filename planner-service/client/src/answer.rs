//! Members of answers.

use serde_json::Value;

use crate::error::ClientError;

/// Takes the member `name` out of an answer.
pub(crate) fn member(mut answer: Value, name: &'static str) -> Result<Value, ClientError> {
    answer.get_mut(name).map(Value::take).ok_or(ClientError::Answer(name))
}

/// Takes the list `name` out of an answer.
pub(crate) fn list(answer: Value, name: &'static str) -> Result<Vec<Value>, ClientError> {
    if let Value::Array(items) = member(answer, name)? {
        Ok(items)
    } else {
        Err(ClientError::Answer(name))
    }
}
