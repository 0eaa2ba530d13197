//! `GET /capacity/v1/availability`: how many hosts of a kind are free when.

use api_types::capacity::Availability;
use api_types::date::ZonedTime;
use api_types::error::Problem;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use planner_core::authority::Caller;

use crate::convert::{capacity, question};
use crate::error::ProblemError;
use crate::respond::json;
use crate::state::ApiState;

/// How many hosts of a kind are free at every instant of a range.
///
/// Numbers only: nothing tells whose leases use the others. An answer that has not changed since is
/// answered with 304 to whoever sends its `ETag` as `If-None-Match`.
#[utoipa::path(
    get,
    path = "/capacity/v1/availability",
    operation_id = "availability",
    tag = "questions",
    params(
        ("start" = Option<ZonedTime>, Query, description = "First second; not before the present minute, which is the default"),
        ("end" = Option<ZonedTime>, Query, description = "First second after; at most 732 days after start; default: 7 days after it"),
        ("hypervisor_properties" = Option<String>, Query, description = "Which hosts: a property expression, at most 64 KiB", example = json!("[\">=\", \"$vcpus\", \"64\"]")),
        ("resource_properties" = Option<String>, Query, description = "Which hosts: a property expression, at most 64 KiB", example = json!("[\"==\", \"$gpu\", \"True\"]")),
        ("limit" = Option<u32>, Query, description = "Most steps in the answer, 1 to 1000", minimum = 1, maximum = 1000),
        ("marker" = Option<ZonedTime>, Query, description = "`next_marker` of the answer before"),
    ),
    responses(
        (status = 200, description = "The step function", body = Availability,
            headers(("ETag" = String, description = "Changes when the answer may have")),
            example = json!({"epoch": 4711, "at": "2030-01-01T09:41:00Z", "start": "2030-01-01T10:00:00Z",
                "end": "2030-01-02T10:00:00Z", "hosts_matching": 40, "steps": [
                    {"start": "2030-01-01T10:00:00Z", "end": "2030-01-01T18:00:00Z", "in_service": 38, "free": 12, "free_with_moves": 15},
                    {"start": "2030-01-01T18:00:00Z", "end": "2030-01-02T10:00:00Z", "in_service": 38, "free": 30, "free_with_moves": 30}],
                "next_marker": null})),
        (status = 304, description = "As before"),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token"),
        (status = 403, description = "The rule berth:capacity:get forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many questions at once", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, ProblemError> {
    let questions = state.service.questions();
    let (epoch, at) = questions.state(&caller).await?;
    let asked = question::availability(query.as_deref(), state.service.now())?;
    if headers.get(header::IF_NONE_MATCH) == tag(epoch, at).as_ref() {
        return Ok(tagged(StatusCode::NOT_MODIFIED.into_response(), epoch, at));
    }
    let end = asked.question.end;
    let answer = questions.availability(&caller, asked.question).await?;
    let body = capacity::availability(&answer, asked.start, end);
    Ok(tagged(json(StatusCode::OK, &body), answer.epoch, answer.at))
}

/// Weak: the same state may be written otherwise by another version of the program.
fn tag(epoch: i64, at: i64) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("W/\"{epoch}-{at}\"")).ok()
}

fn tagged(mut response: Response, epoch: i64, at: i64) -> Response {
    if let Some(tag) = tag(epoch, at) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
