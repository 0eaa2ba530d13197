//! What Berth needs from Keystone.
//!
//! Invariant: only an answer that is certainly Keystone's makes a token valid or invalid; everything
//! else is an error, so that a broken proxy can neither let a caller in nor look like a bad password.

use async_trait::async_trait;
use secrecy::SecretString;

use crate::CloudError;

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenInfo {
    /// The user's id.
    pub user_id: String,
    /// The user's name.
    pub user_name: String,
    /// The domain of the user.
    pub user_domain_id: String,
    /// Name of the domain of the user.
    pub user_domain_name: String,
    /// The project it is scoped to, if any.
    pub project_id: Option<String>,
    /// Name of the project.
    pub project_name: Option<String>,
    /// The domain of the project.
    pub project_domain_id: Option<String>,
    /// Name of the domain of the project.
    pub project_domain_name: Option<String>,
    /// The domain it is scoped to, if it is a domain token.
    pub domain_id: Option<String>,
    /// `all` for a token of the whole system.
    pub system_scope: Option<String>,
    /// Names of the roles.
    pub roles: Vec<String>,
    /// Whether Keystone marks the project as its administrative one; absent in clouds without that.
    pub is_admin_project: Option<bool>,
    /// Unix seconds after which it is no longer valid.
    pub expires_at: i64,
}

/// The identity service.
#[async_trait]
pub trait Identity: Send + Sync {
    /// Asks who a token speaks for; `None` if Keystone does not know it or it is over. With
    /// `allow_expired` Keystone also answers for a token that ended lately (its `allow_expired_window`).
    async fn validate(&self, token: &SecretString, allow_expired: bool) -> Result<Option<TokenInfo>, CloudError>;

    /// Lets the service act for the caller in the caller's project and roles without end; answers
    /// the trust's id. Called with the caller's own token.
    async fn create_trust(&self, token: &SecretString, caller: &TokenInfo) -> Result<String, CloudError>;
}
