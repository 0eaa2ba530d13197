//! `PATCH /v1/os-hosts/properties/{name}`

use api_types::property::PropertyBody;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use planner_core::authority::Caller;

use crate::body::{self, PathId};
use crate::convert::property;
use crate::error::ApiError;
use crate::respond::json;
use crate::state::ApiState;

/// `PATCH /v1/os-hosts/properties/{name}`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(name): PathId,
    content: Body,
) -> Result<Response, ApiError> {
    let private = property::private(&body::object(content).await?)?;
    let updated = state.service.set_property_private(&caller, &name, private).await?;
    Ok(json(
        StatusCode::OK,
        &PropertyBody {
            resource_property: property::write(&updated),
        },
    ))
}
