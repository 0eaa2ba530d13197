//! `GET /v1/floatingips`

use api_types::date::RecordTime;
use api_types::floating_ip::FloatingIpsBody;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use planner_core::authority::Caller;

use super::check_offered;
use crate::error::ApiError;
use crate::respond::json;
use crate::state::ApiState;

/// `GET /v1/floatingips`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    check_offered(&state)?;
    let found = state.service.floating_ips(&caller).await?;
    let floatingips = found
        .iter()
        .map(|entry| presentation::floating_ip::write(entry, RecordTime));
    Ok(json(
        StatusCode::OK,
        &FloatingIpsBody {
            floatingips: floatingips.collect(),
        },
    ))
}
