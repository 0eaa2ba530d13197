//! Finds out who asks.
//!
//! Invariant: no token is kept, compared or logged as it is; only its SHA-256 is.

pub mod keystone;
pub mod none;
pub mod tokens;

use async_trait::async_trait;
use axum::http::{HeaderMap, HeaderName};
use planner_core::authority::Caller;
use planner_core::domain::Timestamp;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

/// Header with the caller's token.
pub const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
/// Header with the token of a service that passes a user's request on.
pub const SERVICE_TOKEN: HeaderName = HeaderName::from_static("x-service-token");

/// Why a request has no caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// No token, or one that is not valid.
    #[error("no valid token")]
    Unauthenticated,
    /// A valid token for no project.
    #[error("The token is not scoped to a project; every operation needs one that is.")]
    Unscoped,
    /// It could not be found out. Why not is logged: whoever asks has not shown who he is.
    #[error("The token could not be validated because the identity service does not answer; try again.")]
    Unavailable,
}

/// Finds out who asks.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// The caller named by the headers, at `now`.
    async fn authenticate(&self, headers: &HeaderMap, now: Timestamp) -> Result<Caller, AuthenticationError>;

    /// Value of `WWW-Authenticate` in an answer of 401.
    fn challenge(&self) -> String;
}

/// A token's SHA-256.
pub type TokenHash = [u8; 32];

/// The token in a header, if it can be one.
pub(crate) fn token(headers: &HeaderMap, name: &HeaderName) -> Option<SecretString> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then(|| SecretString::from(text))
}

/// The SHA-256 of a token.
pub fn token_sha256(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}
