//! `PUT /v1/leases/{id}`

use api_types::lease::LeaseBody;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use planner_core::authority::Caller;
use presentation::lease;

use crate::body::{self, PathId};
use crate::convert::lease_change;
use crate::error::ApiError;
use crate::respond::json;
use crate::state::ApiState;

/// `PUT /v1/leases/{id}`. Whether the lease exists and may be read is asked before the body is looked at.
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    content: Body,
) -> Result<Response, ApiError> {
    let service = &state.service;
    service.lease(&caller, &id).await?;
    let change = lease_change::read(&body::object(content).await?, service.now())?;
    let updated = service.update_lease(&caller, &id, change).await?;
    Ok(json(
        StatusCode::OK,
        &LeaseBody {
            lease: lease::write(&updated),
        },
    ))
}
