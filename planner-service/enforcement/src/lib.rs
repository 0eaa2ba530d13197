//! The usage filter that asks an HTTP service of the operator.
//!
//! Invariants: only URLs of the configuration are called, and no answer leads elsewhere; an answer is read up to a bound and
//! waited for up to a limit; whatever is not a clear "yes" is a "no".

mod answer;
mod endpoints;
mod external;
mod message;

pub use endpoints::{EndpointError, Endpoints};
pub use external::{ExternalService, ExternalServiceConfig, StartError};
pub use message::Context;
