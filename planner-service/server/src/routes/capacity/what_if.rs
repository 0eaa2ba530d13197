//! `POST /capacity/v1/what-if`: what would become of a lease, or of all if the fleet changed.

use api_types::capacity::{WhatIf, WhatIfRequest};
use api_types::error::Problem;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use planner_core::authority::Caller;

use crate::body;
use crate::convert::{capacity, question};
use crate::error::ProblemError;
use crate::respond::json;
use crate::state::ApiState;

/// Asks what would be answered to a lease, with hosts added, removed or down. Nothing is reserved.
///
/// Everybody learns how many earlier promises would move; which ones only as far as they may read those
/// leases. When time runs out, answers say so instead of guessing.
#[utoipa::path(
    post,
    path = "/capacity/v1/what-if",
    operation_id = "what_if",
    tag = "questions",
    request_body(content = WhatIfRequest, description = "At most 1 MiB; a lease, changes of hosts, or both"),
    responses(
        (status = 200, description = "What would be", body = WhatIf,
            example = json!({"epoch": 4711, "at": "2030-01-01T09:41:00Z", "hosts": null, "lease": {
                "verdict": "refused",
                "conflict": {"reason": "capacity", "start": "2030-01-01T10:00:00Z", "end": "2030-01-01T18:00:00Z",
                    "hosts_needed": 37, "hosts_exist": 30,
                    "text": "at 2030-01-01T10:00Z, 37 hosts with gpu = True are needed by your request (12) and by earlier leases (25); 30 exist, so at most 5 can be yours (too few until 2030-01-01T18:00Z)",
                    "leases": [], "other_reservations": 3},
                "offers": [{"change": "start", "start": "2030-01-01T18:00:00Z", "end": "2030-01-02T18:00:00Z", "without_moves": true},
                    {"change": "amount", "reservation": 0, "amount": 5, "without_moves": false}],
                "moves": {"reservations": 0, "hosts": 0, "must": 0, "leases": []},
                "earliest_start": {"without_moves": {"start": "2030-01-01T18:00:00Z", "proved": true},
                    "with_moves": {"start": "2030-01-01T18:00:00Z", "proved": true}, "latest": "2030-04-01T10:00:00Z"},
                "most_hosts": [{"reservation": 0, "without_moves": {"hosts": 3, "at_most": 3}, "with_moves": {"hosts": 5, "at_most": 5}}]}})),
        (status = 400, description = "A member is wrong; the detail names it, its value and what is allowed", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token"),
        (status = 403, description = "The rule berth:capacity:what_if, or berth:capacity:what_if_hosts for changes of hosts, forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is larger than 1 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many questions at once", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    content: Body,
) -> Result<Response, ProblemError> {
    let questions = state.service.questions();
    questions.may_ask_what_if(&caller)?;
    let content = body::object(content).await?;
    let offered: Vec<&str> = state.service.resource_types().collect();
    let question = question::what_if(content, state.service.now(), &offered)?;
    let question = state.service.complete_question(&caller, question).await?;
    let answer = questions.what_if(&caller, question).await?;
    Ok(json(StatusCode::OK, &capacity::what_if(&answer)))
}
