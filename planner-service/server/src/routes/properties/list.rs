//! `GET /v1/os-hosts/properties`: any value of `detail` and `all` but the empty one switches them on.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use planner_core::authority::Caller;

use crate::convert::allocation::first;
use crate::convert::property;
use crate::error::ApiError;
use crate::state::ApiState;

/// `GET /v1/os-hosts/properties`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let is_on = |name| first(query.as_deref(), name).is_some();
    let detail = is_on("detail");
    let properties = state.service.properties(&caller, is_on("all")).await?;
    let written = move || properties().map(move |listing| property::listing(listing, detail));
    state.lists.answer("resource_properties", written).await
}
