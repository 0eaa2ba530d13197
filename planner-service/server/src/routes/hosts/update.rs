//! `PUT /v1/os-hosts/{id}`

use api_types::host::HostBody;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use planner_core::authority::Caller;

use crate::body::{self, PathId};
use crate::convert::host;
use crate::error::ApiError;
use crate::respond::json;
use crate::state::ApiState;

/// `PUT /v1/os-hosts/{id}`. Whether the host exists and may be read is asked before the body is looked at.
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    content: Body,
) -> Result<Response, ApiError> {
    let before = state.service.host(&caller, &id).await?;
    let values = host::change(&before, &body::object(content).await?)?;
    let updated = state.service.update_host(&caller, &id, values).await?;
    Ok(json(
        StatusCode::OK,
        &HostBody {
            host: presentation::host::write(&updated),
        },
    ))
}
