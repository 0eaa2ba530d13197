//! `GET /v1/os-hosts/{id}/allocation`

use api_types::allocation::AllocationBody;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use planner_core::authority::Caller;

use crate::body::PathId;
use crate::convert::allocation;
use crate::error::ApiError;
use crate::respond::json;
use crate::state::ApiState;

/// `GET /v1/os-hosts/{id}/allocation`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let found = state
        .service
        .allocation(&caller, &id, allocation::filter(query.as_deref()))
        .await?;
    Ok(json(
        StatusCode::OK,
        &AllocationBody {
            allocation: allocation::write(found),
        },
    ))
}
