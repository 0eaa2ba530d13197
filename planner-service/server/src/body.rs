//! Request bodies and the ids in paths.
//!
//! Invariant: reading a body takes bounded memory, stack and time, whatever arrives.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequestParts, MatchedPath, Path};
use axum::http::request::Parts;
use serde_json::{Map, Value};

use crate::convert::python::kind_of;
use crate::error::ApiError;

/// Longest body in bytes.
pub const MAX_BODY: usize = 1024 * 1024;
/// Seconds in which a body must arrive.
const BODY_SECONDS: u64 = 30;

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// Reads a JSON object; no body at all is an empty one.
pub(crate) async fn object(body: Body) -> Result<Object, ApiError> {
    let bytes = tokio::time::timeout(Duration::from_secs(BODY_SECONDS), collect(body))
        .await
        .map_err(|_| ApiError::BodyTimeout(BODY_SECONDS))??;
    if bytes.is_empty() {
        return Ok(Object::new());
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(ApiError::Body(format!(
            "The request body must be a JSON object, not {}.",
            kind_of(&other)
        ))),
        Err(error) => Err(ApiError::Body(format!("The request body is not valid JSON: {error}."))),
    }
}

async fn collect(mut body: Body) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| ApiError::Body("The request body could not be read.".to_owned()))?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > MAX_BODY {
                return Err(ApiError::BodyTooLarge(MAX_BODY));
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

/// The id in a path; as the last part of the path it may carry the suffix `.json`.
pub(crate) struct PathId(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let last = parts
            .extensions
            .get::<MatchedPath>()
            .is_some_and(|path| path.as_str().ends_with('}'));
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::NoRoute)?;
        Ok(Self(match id.strip_suffix(".json") {
            Some(stem) if last && !stem.is_empty() => stem.to_owned(),
            _ => id,
        }))
    }
}
