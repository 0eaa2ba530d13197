//! `GET /v1/os-hosts/allocations`

use api_types::allocation::AllocationsBody;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use planner_core::authority::Caller;

use crate::convert::allocation;
use crate::error::ApiError;
use crate::respond::json;
use crate::state::ApiState;

/// `GET /v1/os-hosts/allocations`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let allocations = state
        .service
        .allocations(&caller, &allocation::filter(query.as_deref()))
        .await?;
    let allocations = allocations.into_iter().map(allocation::write).collect();
    Ok(json(StatusCode::OK, &AllocationsBody { allocations }))
}
