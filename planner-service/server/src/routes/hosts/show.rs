//! `GET /v1/os-hosts/{id}`

use api_types::host::HostBody;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use planner_core::authority::Caller;

use crate::body::PathId;
use crate::error::ApiError;
use crate::respond::json;
use crate::state::ApiState;

/// `GET /v1/os-hosts/{id}`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let found = state.service.host(&caller, &id).await?;
    Ok(json(
        StatusCode::OK,
        &HostBody {
            host: presentation::host::write(&found),
        },
    ))
}
