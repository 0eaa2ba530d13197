//! `GET /v1/floatingips/{id}`

use api_types::date::RecordTime;
use api_types::floating_ip::FloatingIpBody;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use planner_core::authority::Caller;

use super::check_offered;
use crate::body::PathId;
use crate::error::ApiError;
use crate::respond::json;
use crate::state::ApiState;

/// `GET /v1/floatingips/{id}`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    check_offered(&state)?;
    let found = state.service.floating_ip(&caller, &id).await?;
    let floatingip = presentation::floating_ip::write(&found, RecordTime);
    Ok(json(StatusCode::OK, &FloatingIpBody { floatingip }))
}
