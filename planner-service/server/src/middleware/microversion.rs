//! `OpenStack-API-Version`: there is one version, 1.0.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;

const API_VERSION: HeaderName = HeaderName::from_static("openstack-api-version");
const SERVICE_TYPE: &str = "reservation";

/// Refuses versions that do not exist and answers with the one that does.
pub(crate) async fn negotiate(request: Request, next: Next) -> Response {
    if !is_versioned(request.uri().path()) {
        return next.run(request).await;
    }
    let mut response = match check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(API_VERSION, HeaderValue::from_static("reservation 1.0"));
    headers.append(header::VARY, HeaderValue::from_static("OpenStack-API-Version"));
    response
}

fn is_versioned(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

fn check(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(version) = requested(headers) else {
        return Ok(());
    };
    if version == "latest" || version == "1.0" {
        Ok(())
    } else if is_well_formed(&version) {
        Err(ApiError::VersionNotSupported(version))
    } else {
        Err(ApiError::VersionMalformed(version))
    }
}

/// The version asked for; of several the last counts, other services' versions do not.
fn requested(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(API_VERSION)
        .iter()
        .flat_map(|value| {
            String::from_utf8_lossy(value.as_bytes())
                .split(',')
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter_map(|entry| {
            let version = entry.trim().strip_prefix(SERVICE_TYPE)?;
            (version.is_empty() || version.starts_with(char::is_whitespace)).then(|| version.trim().to_owned())
        })
        .next_back()
}

/// `^[1-9]\d*\.([1-9]\d*|0)$`
fn is_well_formed(version: &str) -> bool {
    let positive = |digits: &str| !digits.starts_with('0') && is_number(digits);
    version
        .split_once('.')
        .is_some_and(|(major, minor)| positive(major) && (minor == "0" || positive(minor)))
}

fn is_number(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
