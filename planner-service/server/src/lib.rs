//! The HTTP service: routes, middleware, identity.
//!
//! Walk of a request: [`middleware`] gives it an id, checks the microversion and finds out who asks;
//! a handler in [`routes`] reads it with [`convert`], asks the [`planner_core::service::Service`] and
//! writes the answer; whatever goes wrong becomes HTTP in [`error`] and nowhere else.
//!
//! Invariants: no input gives an answer of 500; ownership of new objects comes from the
//! authenticated caller; tokens appear in no log and no answer.

pub mod authorization;
pub mod body;
pub mod convert;
pub mod error;
pub mod identity;
mod list;
pub mod middleware;
pub mod respond;
pub mod routes;
pub mod serve;
pub mod state;
pub mod trusts;

pub use routes::{Access, RouteInfo, openapi, router, routes};
pub use serve::{ConnectionLimits, RESERVED, serve};
pub use state::{ApiParts, ApiState};
