//! `GET /v1/leases`: query parameters are ignored, as upstream does.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use planner_core::authority::Caller;
use presentation::lease;

use crate::error::ApiError;
use crate::state::ApiState;

/// `GET /v1/leases`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    let leases = state.service.leases(&caller).await?;
    let written = || leases().map(|entry| lease::write(&entry));
    state.lists.answer("leases", written).await
}
