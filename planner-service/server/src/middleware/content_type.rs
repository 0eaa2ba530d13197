//! Bodies are JSON or are not looked at.

use axum::extract::Request;
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;

/// Refuses bodies of a type that is not read here.
pub(crate) async fn require_json(request: Request, next: Next) -> Response {
    if [Method::POST, Method::PUT, Method::PATCH].contains(request.method())
        && let Some(value) = request.headers().get(header::CONTENT_TYPE)
    {
        let text = String::from_utf8_lossy(value.as_bytes());
        let essence = text.split(';').next().unwrap_or_default().trim();
        if !essence.is_empty() && !essence.eq_ignore_ascii_case("application/json") {
            return ApiError::ContentType(text.into_owned()).into_response();
        }
    }
    next.run(request).await
}
