//! `PATCH /capacity/v1/hosts/{id}`: an operator says whether a host works.

use api_types::error::Problem;
use api_types::host::{HostHealing, Reservable};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use planner_core::authority::Caller;

use crate::body::{self, PathId};
use crate::convert::host;
use crate::error::ProblemError;
use crate::respond::json;
use crate::state::ApiState;

/// Takes a host that has failed out of planning, or one that works again back into it.
///
/// Everything that stands on a failed host is chosen anew in one decision with the fewest changes; what cannot be
/// replaced is flagged. What reservations lack is found again when a host comes back. Where a monitor is enabled, Nova
/// says which hosts work, and this is refused.
#[utoipa::path(
    patch,
    path = "/capacity/v1/hosts/{id}",
    operation_id = "set_host_reservable",
    tag = "hosts",
    params(("id" = String, Path, description = "The host's id")),
    request_body = Reservable,
    responses(
        (status = 200, description = "What that changed", body = HostHealing),
        (status = 400, description = "A member is wrong; the detail names it, its value and what is allowed", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token"),
        (status = 403, description = "The rule blazar:oshosts:put forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such host", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "A monitor says which hosts work", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    content: Body,
) -> Result<Response, ProblemError> {
    state.service.may_change_hosts(&caller)?;
    let reservable = host::reservable(&body::object(content).await?)?;
    let outcome = state.service.set_reservable(&caller, &id, reservable).await?;
    Ok(json(StatusCode::OK, &host::healing(&outcome, reservable)))
}
