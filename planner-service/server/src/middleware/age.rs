//! `Age`: how old an answer may be that was given while the database does not answer.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::state::ApiState;

/// States the age of answers to questions, in seconds, while they come from a snapshot that cannot be renewed.
pub(crate) async fn state_age(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let is_question = [Method::GET, Method::HEAD].contains(request.method());
    let mut response = next.run(request).await;
    if is_question && let Some(age) = state.service.snapshot_age() {
        response
            .headers_mut()
            .insert(header::AGE, HeaderValue::from(age.as_secs()));
    }
    response
}
