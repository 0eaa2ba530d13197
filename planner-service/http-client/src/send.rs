//! Sending a request.

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{RequestBuilder, Response, StatusCode, Url};

use crate::deepest_cause;

/// Longest origin that is shown, in characters.
const LONGEST_ORIGIN: usize = 200;

/// Why there is no answer to use.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The URL or a header is malformed; nothing was sent.
    #[error("the request cannot be put together: {}", deepest_cause(.0))]
    Request(#[source] reqwest::Error),
    /// No connection, or no answer in time.
    #[error("{}", deepest_cause(.0))]
    NoAnswer(#[source] reqwest::Error),
    /// The server wants somebody else to be asked.
    #[error("it answered {status}, a redirect to {to}; redirects are not followed, give the final address instead")]
    Redirected {
        /// 3xx
        status: StatusCode,
        /// Scheme, host and port of the target. Its path and query are left out: they can carry secrets of the URL.
        to: String,
    },
}

/// Sends a request and waits for the head of the answer.
///
/// # Errors
/// [`SendError`]; an answer with a status of 3xx is one.
pub async fn send(request: RequestBuilder) -> Result<Response, SendError> {
    let answer = request.send().await.map_err(|error| {
        let error = error.without_url();
        if error.is_builder() {
            SendError::Request(error)
        } else {
            SendError::NoAnswer(error)
        }
    })?;
    let status = answer.status();
    if status.is_redirection() {
        let to = target(answer.url(), answer.headers());
        return Err(SendError::Redirected { status, to });
    }
    Ok(answer)
}

/// The origin that `Location` points to, seen from the address that was asked.
fn target(asked: &Url, headers: &HeaderMap) -> String {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| asked.join(location).ok());
    match target {
        // An origin holds no user, password, path or query, and is ASCII.
        Some(target) if target.has_host() => {
            let origin = target.origin().ascii_serialization();
            origin.chars().take(LONGEST_ORIGIN).collect()
        }
        Some(_) | None => "no address".to_owned(),
    }
}
