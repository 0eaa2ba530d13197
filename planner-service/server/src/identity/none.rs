//! No authentication: everybody is the administrator of one project. For loopback only.

use async_trait::async_trait;
use axum::http::HeaderMap;
use planner_core::authority::Caller;
use planner_core::domain::Timestamp;

use super::{AuthenticationError, Authenticator};

/// Takes everybody for one administrator.
#[derive(Debug, Clone)]
pub struct NoAuthentication {
    caller: Caller,
}

impl NoAuthentication {
    /// Everybody is user `user_id` of project `project_id`.
    pub fn new(user_id: impl Into<String>, project_id: impl Into<String>) -> Self {
        let caller = Caller {
            user_id: user_id.into(),
            project_id: project_id.into(),
            roles: ["admin", "member", "reader"].map(str::to_owned).to_vec(),
            is_admin: true,
            trust_id: None,
        };
        Self { caller }
    }
}

#[async_trait]
impl Authenticator for NoAuthentication {
    async fn authenticate(&self, _: &HeaderMap, _: Timestamp) -> Result<Caller, AuthenticationError> {
        Ok(self.caller.clone())
    }

    fn challenge(&self) -> String {
        String::new()
    }
}
