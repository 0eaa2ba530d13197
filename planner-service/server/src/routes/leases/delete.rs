//! `DELETE /v1/leases/{id}`

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use planner_core::authority::Caller;

use crate::body::PathId;
use crate::error::ApiError;
use crate::state::ApiState;

/// `DELETE /v1/leases/{id}`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Result<StatusCode, ApiError> {
    state.service.delete_lease(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
