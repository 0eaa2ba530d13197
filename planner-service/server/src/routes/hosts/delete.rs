//! `DELETE /v1/os-hosts/{id}`

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use planner_core::authority::Caller;

use crate::body::PathId;
use crate::error::ApiError;
use crate::state::ApiState;

/// `DELETE /v1/os-hosts/{id}`. Whether the host exists and may be read is asked first, as upstream does.
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Result<StatusCode, ApiError> {
    state.service.host(&caller, &id).await?;
    state.service.delete_host(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
