//! Tokens and trusts.
//!
//! Invariant: only tokens the test has named are valid.

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use super::{Answer, FakeCloud};
use crate::{CloudError, Identity, TokenInfo};

#[async_trait]
impl Identity for FakeCloud {
    async fn validate(&self, token: &SecretString, _allow_expired: bool) -> Result<Option<TokenInfo>, CloudError> {
        self.call("keystone", "validate a token", |state| {
            Ok(state.tokens.get(token.expose_secret()).cloned())
        })
    }

    async fn create_trust(&self, token: &SecretString, caller: &TokenInfo) -> Result<String, CloudError> {
        self.call("keystone", "create a trust", |state| {
            if !state.tokens.contains_key(token.expose_secret()) {
                return Err(Answer(401, "The request you have made requires authentication."));
            }
            state.trusts.push(caller.clone());
            Ok(format!("trust-{}", state.trusts.len()))
        })
    }
}
