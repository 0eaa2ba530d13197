//! `GET /v1/leases/{id}`

use api_types::lease::LeaseBody;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use planner_core::authority::Caller;
use presentation::lease;

use crate::body::PathId;
use crate::error::ApiError;
use crate::respond::json;
use crate::state::ApiState;

/// `GET /v1/leases/{id}`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let found = state.service.lease(&caller, &id).await?;
    Ok(json(
        StatusCode::OK,
        &LeaseBody {
            lease: lease::write(&found),
        },
    ))
}
