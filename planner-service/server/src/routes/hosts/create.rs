//! `POST /v1/os-hosts`

use api_types::host::HostBody;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use planner_core::authority::Caller;

use crate::body;
use crate::convert::host;
use crate::error::ApiError;
use crate::respond::json;
use crate::state::ApiState;

/// `POST /v1/os-hosts`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, ApiError> {
    state.service.may_register_host(&caller)?;
    let registration = host::registration(body::object(content).await?)?;
    let caller = state.with_trust(caller, &headers).await?;
    let registered = state.service.register_host(&caller, registration).await?;
    Ok(json(
        StatusCode::CREATED,
        &HostBody {
            host: presentation::host::write(&registered),
        },
    ))
}
