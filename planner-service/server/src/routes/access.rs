//! Who may reach a route.

use axum::http::Method;

/// Who may reach a route at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Callers with a valid token; policy decides further.
    Token,
}

/// Public paths; all of them are read only.
const PUBLIC_PATHS: [&str; 8] = [
    "/",
    "/versions",
    "/v1",
    "/v1/",
    "/healthcheck",
    "/livez",
    "/readyz",
    "/capacity/v1/openapi.json",
];

/// Whether a request needs no token.
pub(crate) fn is_public(method: &Method, path: &str) -> bool {
    [Method::GET, Method::HEAD].contains(method) && PUBLIC_PATHS.contains(&path)
}
