//! Every request gets an id, which is in its log lines and in the answer's header.
//!
//! Invariant: a caller's own id is only ever logged, and only in the one form that is safe to log.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// Puts the request into a span with its id and answers with the id.
pub(crate) async fn identify(request: Request, next: Next) -> Response {
    let id = format!("req-{}", Uuid::new_v4());
    let global = global_id(request.headers()).unwrap_or_default();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::info_span!("request", id, global, %method, path);
    let mut response = async {
        let response = next.run(request).await;
        tracing::info!(status = response.status().as_u16(), "answered");
        response
    }
    .instrument(span)
    .await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// `req-<uuid4>` of the caller, who follows one action through several services with it.
fn global_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let uuid = id.strip_prefix("req-")?;
    (uuid.len() == 36 && Uuid::parse_str(uuid).is_ok()).then(|| id.to_owned())
}
