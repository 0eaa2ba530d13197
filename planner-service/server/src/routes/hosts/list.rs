//! `GET /v1/os-hosts`

use api_types::host::HostsBody;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use planner_core::authority::Caller;

use crate::error::ApiError;
use crate::respond::json;
use crate::state::ApiState;

/// `GET /v1/os-hosts`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    let hosts = state.service.hosts(&caller).await?;
    Ok(json(
        StatusCode::OK,
        &HostsBody {
            hosts: hosts.iter().map(|entry| presentation::host::write(entry)).collect(),
        },
    ))
}
