//! `GET /capacity/v1/openapi.json`: this API, described.
//!
//! Invariant: the document has every route of `/capacity/v1` and no other; a test compares them.

use axum::http::StatusCode;
use axum::response::Response;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use crate::respond::json;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Berth: capacity",
        description = "Questions about capacity and reports on leases. The reservation API of OpenStack, /v1, is \
                       upstream's and not described here. Errors are RFC 9457 problem details, times RFC 3339.",
        version = "1",
        license(name = "Apache-2.0"),
    ),
    paths(super::availability::handle, super::what_if::handle, super::lease::handle, super::host::handle, handle),
    tags(
        (name = "questions", description = "About capacity; nothing is reserved by asking"),
        (name = "reports", description = "On what is going on"),
        (name = "hosts", description = "What works and what does not"),
    ),
    modifiers(&TokenHeader),
)]
struct Document;

/// Every call but that for this document takes a token.
struct TokenHeader;

impl utoipa::Modify for TokenHeader {
    fn modify(&self, document: &mut OpenApi) {
        use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
        let header = ApiKeyValue::with_description("X-Auth-Token", "Keystone's token, or one of the token file");
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::ApiKey(ApiKey::Header(header)));
        document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("token", [])]);
    }
}

/// The document.
pub(crate) fn document() -> OpenApi {
    Document::openapi()
}

/// This document.
#[utoipa::path(
    get,
    path = "/capacity/v1/openapi.json",
    operation_id = "openapi",
    tag = "reports",
    security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
pub(crate) async fn handle() -> Response {
    json(StatusCode::OK, &document())
}
