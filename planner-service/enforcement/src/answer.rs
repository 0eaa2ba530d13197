//! What the service's answers mean.
//!
//! Invariant: no more than [`LONGEST`] bytes of an answer are read, and only where they can matter.

use http_client::{BodyError, Response, StatusCode, body_up_to};
use serde_json::Value;

/// The text for the caller when the service says no without one, or says nothing that is understood.
pub(crate) const DENIED: &str = "External service enforcement filter denied the request.";

/// Most bytes of an answer.
const LONGEST: usize = 64 * 1024;
/// Most characters of the service's text that are passed on.
const LONGEST_TEXT: usize = 1000;

/// What the service says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It may be.
    Allowed,
    /// It may not be, for this reason.
    Denied(String),
}

/// Why an answer is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    /// A "no" that broke off or is longer than is read.
    #[error("its answer 403 cannot be read")]
    Body(#[from] BodyError),
    /// Neither "yes" nor "no".
    #[error("it answered {0}, where 204 means yes and 403 means no")]
    Status(StatusCode),
    /// A "no" without a reason.
    #[error("its answer 403 is not a JSON object with a text `message`")]
    NoMessage,
}

/// Reads an answer: 204 is a "yes", 403 with a JSON `message` is a "no" with that text.
pub(crate) async fn read(answer: Response) -> Result<Answer, AnswerError> {
    let status = answer.status();
    if status == StatusCode::NO_CONTENT {
        return Ok(Answer::Allowed);
    }
    if status != StatusCode::FORBIDDEN {
        return Err(AnswerError::Status(status));
    }
    let body = body_up_to(answer, LONGEST).await?;
    // A `Value`, because a struct would also be read from a list.
    let said: Value = serde_json::from_slice(&body).map_err(|_| AnswerError::NoMessage)?;
    match said.get("message").and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(Answer::Denied(text.chars().take(LONGEST_TEXT).collect())),
        Some(_) | None => Err(AnswerError::NoMessage),
    }
}
