//! Who asks.
//!
//! Invariant: everything but the routes marked [`Access::Public`](crate::routes::Access::Public)
//! needs a valid token, paths without a route included.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::identity::AuthenticationError;
use crate::routes::access::is_public;
use crate::state::ApiState;

/// Puts the [`planner_core::authority::Caller`] into the request, or answers for the authenticator.
pub(crate) async fn authenticate(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    if is_public(request.method(), request.uri().path()) {
        return next.run(request).await;
    }
    match state
        .authenticator
        .authenticate(request.headers(), state.service.machine_time())
        .await
    {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => match error {
            AuthenticationError::Unauthenticated => ApiError::Unauthenticated {
                challenge: state.authenticator.challenge(),
            },
            AuthenticationError::Unscoped => ApiError::Forbidden(error.to_string()),
            AuthenticationError::Unavailable => ApiError::Unavailable(error.to_string()),
        }
        .into_response(),
    }
}
