//! `GET /v1/floatingips`

use api_types::date::RecordTime;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use planner_core::authority::Caller;

use super::check_offered;
use crate::error::ApiError;
use crate::state::ApiState;

/// `GET /v1/floatingips`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    check_offered(&state)?;
    let addresses = state.service.floating_ips(&caller).await?;
    let written = || addresses().map(|entry| presentation::floating_ip::write(&entry, RecordTime));
    state.lists.answer("floatingips", written).await
}
