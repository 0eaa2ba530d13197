//! `GET /healthcheck`: the process answers.

/// `GET /healthcheck`
pub(super) async fn show() -> &'static str {
    "OK"
}
