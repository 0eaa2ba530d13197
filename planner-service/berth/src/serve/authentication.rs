//! How callers prove who they are.

use std::sync::Arc;

use anyhow::{Context, bail};
use async_trait::async_trait;
use cloud::Identity;
use planner_core::authority::Caller;
use planner_core::ports::Clock;
use secrecy::SecretString;
use server::identity::Authenticator;
use server::identity::keystone::{CacheSettings, Keystone, TokenInfo, TokenValidator, ValidateError};
use server::identity::none::NoAuthentication;
use server::identity::tokens::Tokens;
use server::trusts::{TrustError, Trusts};
use tokio_util::sync::CancellationToken;

use crate::options::{AuthenticationKind, ServeArguments};

/// Makes the authenticator that the options name.
pub(super) fn choose(
    arguments: &ServeArguments,
    tokens: Option<&Arc<Tokens>>,
    identity: Option<&Arc<dyn Identity>>,
) -> anyhow::Result<Arc<dyn Authenticator>> {
    let loopback = arguments.listen.ip().is_loopback();
    match arguments.authentication() {
        AuthenticationKind::None if loopback => Ok(Arc::new(NoAuthentication::new("admin", "admin"))),
        AuthenticationKind::None => bail!(
            "--auth none makes everyone an administrator and is allowed on a loopback address only, not on {}; use --auth tokens or --auth keystone",
            arguments.listen
        ),
        AuthenticationKind::Tokens => {
            let tokens = tokens.context("--auth tokens needs --token-file FILE")?;
            Ok(Arc::<Tokens>::clone(tokens))
        }
        AuthenticationKind::Keystone => {
            let Some(identity) = identity else {
                bail!("--auth keystone needs the service's credentials")
            };
            let settings = CacheSettings {
                valid_seconds: arguments.token_cache_time,
                ..CacheSettings::default()
            };
            let url = arguments.os_auth_url.clone().unwrap_or_default();
            Ok(Arc::new(Keystone::new(
                Arc::new(Validator(Arc::clone(identity))),
                url,
                settings,
            )))
        }
    }
}

/// Says at once, and not with the first request, that nobody can be authenticated because Keystone does not answer.
pub(super) async fn say_whether_keystone_answers(
    identity: Option<Arc<dyn Identity>>,
    clock: impl Clock,
    shutdown: CancellationToken,
) {
    let Some(identity) = identity else { return };
    // Any answer will do; asking needs the service's own token first.
    let nobody = SecretString::from("nobody");
    let mut has_failed = false;
    loop {
        let asked = tokio::select! {
            asked = identity.validate(&nobody, false) => asked,
            () = shutdown.cancelled() => return,
        };
        match asked {
            Ok(_) if has_failed => {
                tracing::info!("Keystone answers now");
                return;
            }
            Ok(_) => return,
            Err(error) if !has_failed => {
                has_failed = true;
                tracing::error!(%error, "Keystone cannot be used; requests are answered with 503 until it can");
            }
            Err(error) => tracing::debug!(%error, "Keystone cannot be used yet"),
        }
        tokio::select! {
            () = clock.sleep_until(clock.now() + KEYSTONE_PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Seconds for which Keystone is left alone after it has not answered.
const KEYSTONE_PAUSE: i64 = 10;

/// Makes trusts for leases, if configured.
pub(super) fn trusts(arguments: &ServeArguments, identity: Option<&Arc<dyn Identity>>) -> Option<Arc<dyn Trusts>> {
    let identity = identity.filter(|_| arguments.trusts)?;
    Some(Arc::new(Trustor(Arc::clone(identity))))
}

/// The cloud's Keystone as the server's token validator.
struct Validator(Arc<dyn Identity>);

#[async_trait]
impl TokenValidator for Validator {
    async fn validate(&self, token: &SecretString, allow_expired: bool) -> Result<TokenInfo, ValidateError> {
        match self.0.validate(token, allow_expired).await {
            Ok(Some(info)) => Ok(TokenInfo {
                user_id: info.user_id,
                project_id: info.project_id,
                roles: info.roles,
                expires_at: info.expires_at,
            }),
            Ok(None) => Err(ValidateError::Invalid),
            Err(error) => Err(ValidateError::Unavailable(error.to_string())),
        }
    }
}

/// The cloud's Keystone as the maker of trusts.
struct Trustor(Arc<dyn Identity>);

#[async_trait]
impl Trusts for Trustor {
    async fn create(&self, token: &SecretString, caller: &Caller) -> Result<String, TrustError> {
        let trustor = cloud::TokenInfo {
            user_id: caller.user_id.clone(),
            project_id: Some(caller.project_id.clone()),
            roles: caller.roles.clone(),
            ..cloud::TokenInfo::default()
        };
        self.0.create_trust(token, &trustor).await.map_err(|error| match error {
            cloud::CloudError::Unavailable(_) | cloud::CloudError::Nonsense(_) => {
                TrustError::Unavailable(error.to_string())
            }
            cloud::CloudError::NotFound(_)
            | cloud::CloudError::Conflict(_)
            | cloud::CloudError::Unauthorized(_)
            | cloud::CloudError::Refused(_) => TrustError::Refused(error.to_string()),
        })
    }
}
