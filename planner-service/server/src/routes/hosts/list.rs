//! `GET /v1/os-hosts`

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use planner_core::authority::Caller;

use crate::error::ApiError;
use crate::state::ApiState;

/// `GET /v1/os-hosts`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    let hosts = state.service.hosts(&caller).await?;
    let written = || hosts().map(|entry| presentation::host::write(&entry));
    state.lists.answer("hosts", written).await
}
