//! `POST /v1/leases`

use api_types::lease::LeaseBody;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use planner_core::authority::Caller;
use presentation::lease;

use crate::body;
use crate::convert::lease_draft;
use crate::error::ApiError;
use crate::respond::json;
use crate::state::ApiState;

/// `POST /v1/leases`. The trust comes last before the decision, so that bad requests leave none behind.
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, ApiError> {
    let service = &state.service;
    service.may_create_lease(&caller)?;
    let content = body::object(content).await?;
    let offered: Vec<&str> = service.resource_types().collect();
    let draft = lease_draft::read(
        &content,
        service.now(),
        |start, end| service.check_window(start, end),
        &offered,
    )?;
    let draft = service.complete(&caller, draft).await?;
    let caller = state.with_trust(caller, &headers).await?;
    let created = service.create_lease(&caller, draft).await?;
    Ok(json(
        StatusCode::CREATED,
        &LeaseBody {
            lease: lease::write(&created),
        },
    ))
}
