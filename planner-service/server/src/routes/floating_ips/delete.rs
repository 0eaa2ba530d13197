//! `DELETE /v1/floatingips/{id}`

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use planner_core::authority::Caller;

use super::check_offered;
use crate::body::PathId;
use crate::error::ApiError;
use crate::state::ApiState;

/// `DELETE /v1/floatingips/{id}`. Whether it exists and may be read is asked first, as upstream does.
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Result<StatusCode, ApiError> {
    check_offered(&state)?;
    state.service.floating_ip(&caller, &id).await?;
    state.service.delete_floating_ip(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
