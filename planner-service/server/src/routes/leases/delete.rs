//! `DELETE /v1/leases/{id}`: answered once the resources have been given back, for which it waits for some time; at once
//! with `Prefer: respond-async`.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use planner_core::authority::Caller;

use crate::body::PathId;
use crate::error::ApiError;
use crate::state::ApiState;

/// `DELETE /v1/leases/{id}`
pub(crate) async fn handle(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    if prefers_async(&headers) {
        state.service.begin_deletion(&caller, &id).await?;
    } else {
        state.service.delete_lease(&caller, &id).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Whether the caller would rather not wait, as RFC 7240 says it.
fn prefers_async(headers: &HeaderMap) -> bool {
    let preferred = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut preferences = preferred.flat_map(|value| value.split(','));
    preferences.any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"))
}
