//! `POST /v1/floatingips`

use api_types::date::PlanTime;
use api_types::floating_ip::RegisteredFloatingIpBody;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use planner_core::authority::Caller;

use super::check_offered;
use crate::body;
use crate::convert::floating_ip;
use crate::error::ApiError;
use crate::respond::json;
use crate::state::ApiState;

/// `POST /v1/floatingips`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    content: Body,
) -> Result<Response, ApiError> {
    check_offered(&state)?;
    state.service.may_register_floating_ip(&caller)?;
    let (network_id, address) = floating_ip::registration(&body::object(content).await?)?;
    let registered = state
        .service
        .register_floating_ip(&caller, &network_id, address)
        .await?;
    let floatingip = presentation::floating_ip::write(&registered, PlanTime);
    Ok(json(StatusCode::CREATED, &RegisteredFloatingIpBody { floatingip }))
}
