//! Port to Keystone's trusts: the owner lets the service act for them later.

use async_trait::async_trait;
use planner_core::authority::Caller;
use secrecy::SecretString;

/// Why there is no trust; the text is for the caller.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TrustError {
    /// Keystone refuses to make one for this token.
    #[error("{0}")]
    Refused(String),
    /// Keystone does not answer usefully.
    #[error("{0}")]
    Unavailable(String),
}

/// Makes trusts.
#[async_trait]
pub trait Trusts: Send + Sync {
    /// Makes a trust of the caller with all roles of the token and without end; answers its id.
    async fn create(&self, token: &SecretString, caller: &Caller) -> Result<String, TrustError>;
}
