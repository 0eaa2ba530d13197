//! `GET /`, `GET /versions`, `GET /v1`: which versions there are and where.
//!
//! Clients look without a token. The addresses come from the configuration and never from the
//! request, whose headers anybody can choose.

use api_types::version::{Link, Version, VersionBody, VersionsBody};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::respond::json;
use crate::state::ApiState;

/// `GET /`, `GET /versions`
pub(super) async fn list(State(state): State<ApiState>) -> Response {
    json(
        StatusCode::MULTIPLE_CHOICES,
        &VersionsBody {
            versions: vec![version(&state)],
        },
    )
}

/// `GET /v1`
pub(super) async fn show(State(state): State<ApiState>) -> Response {
    json(
        StatusCode::OK,
        &VersionBody {
            version: version(&state),
        },
    )
}

fn version(state: &ApiState) -> Version {
    Version {
        id: "v1.0".to_owned(),
        status: "CURRENT".to_owned(),
        links: vec![Link {
            href: state.reservation_url(),
            rel: "self".to_owned(),
        }],
        min_version: "1.0".to_owned(),
        max_version: "1.0".to_owned(),
    }
}
