//! `GET /v1/os-hosts/allocations`

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use planner_core::authority::Caller;

use crate::convert::allocation;
use crate::error::ApiError;
use crate::state::ApiState;

/// `GET /v1/os-hosts/allocations`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let filter = allocation::filter(query.as_deref());
    let allocations = state.service.allocations(&caller, filter).await?;
    let written = || allocations().map(allocation::write);
    state.lists.answer("allocations", written).await
}
