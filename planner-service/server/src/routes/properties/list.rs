//! `GET /v1/os-hosts/properties`: any value of `detail` and `all` but the empty one switches them on.

use api_types::property::PropertiesBody;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use planner_core::authority::Caller;

use crate::convert::allocation::first;
use crate::convert::property;
use crate::error::ApiError;
use crate::respond::json;
use crate::state::ApiState;

/// `GET /v1/os-hosts/properties`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let is_on = |name| first(query.as_deref(), name).is_some();
    let detail = is_on("detail");
    let listings = state.service.properties(&caller, is_on("all")).await?;
    let resource_properties = listings
        .into_iter()
        .map(|listing| property::listing(listing, detail))
        .collect();
    Ok(json(StatusCode::OK, &PropertiesBody { resource_properties }))
}
