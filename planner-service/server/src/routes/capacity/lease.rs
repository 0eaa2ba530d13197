//! `GET /capacity/v1/leases/{id}`: a lease with the state of the work it causes.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use planner_core::authority::Caller;

use crate::body::PathId;
use crate::convert::report;
use crate::error::ProblemError;
use crate::respond::json;
use crate::state::ApiState;

/// `GET /capacity/v1/leases/{id}`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Result<Response, ProblemError> {
    let found = state.service.lease_report(&caller, &id).await?;
    Ok(json(StatusCode::OK, &report::write(&found)))
}
