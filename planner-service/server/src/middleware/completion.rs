//! A change that has begun is carried through, whether or not its client waits for the answer.
//!
//! Invariant: a handler of a changing method is dropped only when the program ends.

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use crate::error::ApiError;
use crate::state::ApiState;

/// Runs changing requests as tasks of their own.
pub(crate) async fn carry_through(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    if [Method::GET, Method::HEAD].contains(request.method()) {
        return next.run(request).await;
    }
    match state.tasks.spawn(next.run(request).in_current_span()).await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            Ok(payload) => std::panic::resume_unwind(payload),
            Err(_) => ApiError::Unavailable("The service is stopping.".to_owned()).into_response(),
        },
    }
}
