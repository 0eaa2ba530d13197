//! The routes, in one list from which the router is built.
//!
//! Invariant: a route exists exactly if [`routes`] names it.

pub(crate) mod access;
mod allocations;
mod capacity;
mod floating_ips;
mod health;
mod hosts;
mod leases;
mod properties;
mod versions;

use axum::Router;
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use tower_http::catch_panic::CatchPanicLayer;

pub use self::access::Access;
use crate::body;
use crate::error::ApiError;
use crate::middleware::{age, authentication, completion, content_type, microversion, panic, request_id};
use crate::state::ApiState;

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// Its method.
    pub method: Method,
    /// Its path, parameters in braces.
    pub path: &'static str,
    /// Who may reach it.
    pub access: Access,
}

struct Endpoint {
    info: RouteInfo,
    handler: MethodRouter<ApiState>,
}

fn endpoint(method: Method, path: &'static str, access: Access, handler: MethodRouter<ApiState>) -> Endpoint {
    Endpoint {
        info: RouteInfo { method, path, access },
        handler,
    }
}

fn endpoints() -> Vec<Endpoint> {
    let public = |path, handler| endpoint(Method::GET, path, Access::Public, handler);
    let token = |method, path, handler| endpoint(method, path, Access::Token, handler);
    vec![
        public("/", get(versions::list)),
        public("/versions", get(versions::list)),
        public("/v1", get(versions::show)),
        public("/v1/", get(versions::show)),
        public("/healthcheck", get(health::check)),
        public("/livez", get(health::live)),
        public("/readyz", get(health::ready)),
        token(Method::GET, "/v1/leases", get(leases::list::handle)),
        token(Method::GET, "/v1/leases.json", get(leases::list::handle)),
        token(Method::POST, "/v1/leases", post(leases::create::handle)),
        token(Method::POST, "/v1/leases.json", post(leases::create::handle)),
        token(Method::GET, "/v1/leases/{id}", get(leases::show::handle)),
        token(Method::PUT, "/v1/leases/{id}", put(leases::update::handle)),
        token(Method::DELETE, "/v1/leases/{id}", delete(leases::delete::handle)),
        token(Method::GET, "/v1/os-hosts", get(hosts::list::handle)),
        token(Method::GET, "/v1/os-hosts.json", get(hosts::list::handle)),
        token(Method::POST, "/v1/os-hosts", post(hosts::create::handle)),
        token(Method::POST, "/v1/os-hosts.json", post(hosts::create::handle)),
        token(Method::GET, "/v1/os-hosts/{id}", get(hosts::show::handle)),
        token(Method::PUT, "/v1/os-hosts/{id}", put(hosts::update::handle)),
        token(Method::DELETE, "/v1/os-hosts/{id}", delete(hosts::delete::handle)),
        token(Method::GET, "/v1/os-hosts/allocations", get(allocations::list::handle)),
        token(
            Method::GET,
            "/v1/os-hosts/allocations.json",
            get(allocations::list::handle),
        ),
        token(
            Method::GET,
            "/v1/os-hosts/{id}/allocation",
            get(allocations::show::handle),
        ),
        token(
            Method::GET,
            "/v1/os-hosts/{id}/allocation.json",
            get(allocations::show::handle),
        ),
        token(Method::GET, "/v1/os-hosts/properties", get(properties::list::handle)),
        token(
            Method::GET,
            "/v1/os-hosts/properties.json",
            get(properties::list::handle),
        ),
        token(
            Method::PATCH,
            "/v1/os-hosts/properties/{id}",
            patch(properties::update::handle),
        ),
        token(Method::GET, "/v1/floatingips", get(floating_ips::list::handle)),
        token(Method::GET, "/v1/floatingips.json", get(floating_ips::list::handle)),
        token(Method::POST, "/v1/floatingips", post(floating_ips::create::handle)),
        token(Method::POST, "/v1/floatingips.json", post(floating_ips::create::handle)),
        token(Method::GET, "/v1/floatingips/{id}", get(floating_ips::show::handle)),
        token(
            Method::DELETE,
            "/v1/floatingips/{id}",
            delete(floating_ips::delete::handle),
        ),
        token(Method::GET, "/capacity/v1/leases/{id}", get(capacity::lease::handle)),
        token(
            Method::GET,
            "/capacity/v1/availability",
            get(capacity::availability::handle),
        ),
        token(Method::POST, "/capacity/v1/what-if", post(capacity::what_if::handle)),
        token(Method::PATCH, "/capacity/v1/hosts/{id}", patch(capacity::host::handle)),
        public("/capacity/v1/openapi.json", get(capacity::openapi::handle)),
    ]
}

/// All routes.
pub fn routes() -> Vec<RouteInfo> {
    endpoints().into_iter().map(|endpoint| endpoint.info).collect()
}

/// The description of `/capacity/v1` in `OpenAPI`, as indented JSON.
///
/// # Errors
/// When it cannot be written as JSON, which is a defect.
pub fn openapi() -> Result<String, serde_json::Error> {
    capacity::openapi::document().to_pretty_json()
}

/// The whole service.
pub fn router(state: ApiState) -> Router {
    endpoints()
        .into_iter()
        .fold(Router::new(), |router, endpoint| {
            router.route(endpoint.info.path, endpoint.handler)
        })
        .fallback(async || ApiError::NoRoute)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(from_fn_with_state(state.bodies.clone(), body::count))
        .layer(from_fn_with_state(state.clone(), age::state_age))
        .layer(from_fn_with_state(state.clone(), completion::carry_through))
        .layer(from_fn(content_type::require_json))
        .layer(from_fn_with_state(state.clone(), authentication::authenticate))
        .layer(from_fn(microversion::negotiate))
        .layer(CatchPanicLayer::custom(panic::answer))
        .layer(from_fn(request_id::identify))
        .with_state(state)
}
