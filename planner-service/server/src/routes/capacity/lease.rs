//! `GET /capacity/v1/leases/{id}`: a lease with the state of the work it causes.

use api_types::error::Problem;
use api_types::report::LeaseReport;
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

/// A lease with its hosts, what is due and why it waits.
#[utoipa::path(
    get,
    path = "/capacity/v1/leases/{id}",
    operation_id = "lease_report",
    tag = "reports",
    params(("id" = String, Path, description = "The lease's UUID")),
    responses(
        (status = 200, description = "The report", body = LeaseReport),
        (status = 401, description = "No valid token"),
        (status = 403, description = "The rule blazar:leases:get forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such lease", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Result<Response, ProblemError> {
    let found = state.service.lease_report(&caller, &id).await?;
    Ok(json(StatusCode::OK, &report::write(&found)))
}
