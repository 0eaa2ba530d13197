//! Whether the process lives, and whether it can keep what it accepts.
//!
//! `/livez` says only that the process answers. `/readyz` and `/healthcheck` have the database carry out a transaction;
//! the first describes the service in JSON, the second has upstream's body.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use planner_core::condition::Condition;
use serde_json::{Value, json};

use crate::convert::capacity;
use crate::respond::json;
use crate::state::ApiState;

/// `GET /livez`
pub(super) async fn live() -> &'static str {
    "OK"
}

/// `GET /healthcheck`
pub(super) async fn check(State(state): State<ApiState>) -> Response {
    let condition = state.service.condition().await;
    match trouble(&condition) {
        None => "OK".into_response(),
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, trouble).into_response(),
    }
}

/// `GET /readyz`
pub(super) async fn ready(State(state): State<ApiState>) -> Response {
    let condition = state.service.condition().await;
    let status = if condition.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json(status, &document(&condition))
}

/// Why bookings cannot be kept now.
fn trouble(condition: &Condition) -> Option<String> {
    match &condition.database {
        Err(reason) => Some(format!("the book cannot be written: {reason}")),
        Ok(()) if let Err(error) = &condition.clock => Some(error.to_string()),
        Ok(()) if !condition.is_writer_running => Some("the writer of the book has stopped".to_owned()),
        Ok(()) => None,
    }
}

fn document(condition: &Condition) -> Value {
    let Condition { commits, .. } = condition;
    json!({
        "ready": condition.is_ready(),
        "database": {
            "writable": condition.database.is_ok(),
            "error": condition.database.as_ref().err(),
        },
        "clock": {
            "error": condition.clock.as_ref().err().map(ToString::to_string),
            "behind_seconds": condition.clock_behind,
        },
        "writer": {
            "running": condition.is_writer_running,
            "last_commit": commits.last.map(|(epoch, at)| json!({"epoch": epoch, "at": capacity::zoned(at)})),
            "last_failure": commits.failed.as_ref().map(|(reason, at)| json!({"error": reason, "at": capacity::zoned(*at)})),
        },
        "snapshot": {
            "epoch": condition.epoch,
            "age_seconds": condition.snapshot_age.map_or(0, |age| age.as_secs()),
        },
    })
}
