//! Keystone tokens, validated through a port and remembered.
//!
//! Invariants: a token is never good beyond its own end, except where a service passes on a request
//! that began earlier; however many requests bring one unknown token at once, Keystone is asked
//! once; while Keystone is down, tokens it has once called valid stay good until their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use axum::http::HeaderMap;
use moka::future::Cache;
use planner_core::authority::Caller;
use planner_core::domain::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::{AUTH_TOKEN, AuthenticationError, Authenticator, SERVICE_TOKEN, TokenHash, token, token_sha256};

/// Role that marks the token of a service.
const SERVICE_ROLE: &str = "service";

/// What Keystone says about a valid token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenInfo {
    /// The user.
    pub user_id: String,
    /// The project it is scoped to, if any.
    pub project_id: Option<String>,
    /// Role names.
    pub roles: Vec<String>,
    /// Unix seconds from which it is no longer valid.
    pub expires_at: Timestamp,
}

/// Why a token was not found valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidateError {
    /// Keystone says that it is not valid.
    #[error("the token is not valid")]
    Invalid,
    /// Keystone did not say anything useful.
    #[error("{0}")]
    Unavailable(String),
}

/// Asks Keystone about tokens, and gives up on its own if it does not answer.
#[async_trait]
pub trait TokenValidator: Send + Sync {
    /// What Keystone says about the token; with `allow_expired` also about one that has ended lately.
    async fn validate(&self, token: &SecretString, allow_expired: bool) -> Result<TokenInfo, ValidateError>;
}

/// How long what is for how many tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// Seconds for which Keystone is not asked again about a valid token.
    pub valid_seconds: i64,
    /// Seconds for which Keystone is not asked again about an invalid token.
    pub invalid_seconds: i64,
    /// Seconds after Keystone has not answered for which it is not asked about tokens known from before.
    pub outage_seconds: i64,
    /// Most tokens remembered of each kind.
    pub tokens: u64,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            valid_seconds: 300,
            invalid_seconds: 10,
            outage_seconds: 10,
            tokens: 10_000,
        }
    }
}

/// A token's hash, and whether it was asked about with `allow_expired`.
type Key = (TokenHash, bool);

#[derive(Debug, Clone)]
struct Remembered {
    info: Arc<TokenInfo>,
    asked_at: Timestamp,
}

/// Authentication by Keystone.
pub struct Keystone {
    validator: Arc<dyn TokenValidator>,
    settings: CacheSettings,
    /// URL of Keystone for users, told in the challenge.
    authentication_url: String,
    valid: Cache<Key, Remembered>,
    invalid: Cache<Key, Timestamp>,
    /// When Keystone last did not answer.
    silent_at: AtomicI64,
    /// Only merges questions that are being asked; what was answered is in the other two.
    asking: Cache<Key, Arc<TokenInfo>>,
}

impl Keystone {
    /// Asks `validator`; `authentication_url` is where users get tokens.
    pub fn new(
        validator: Arc<dyn TokenValidator>,
        authentication_url: impl Into<String>,
        settings: CacheSettings,
    ) -> Self {
        Self {
            validator,
            authentication_url: authentication_url.into(),
            valid: Cache::new(settings.tokens),
            invalid: Cache::new(settings.tokens),
            silent_at: AtomicI64::new(Timestamp::MIN),
            asking: Cache::new(settings.tokens),
            settings,
        }
    }

    async fn info(
        &self,
        token: &SecretString,
        allow_expired: bool,
        now: Timestamp,
    ) -> Result<Arc<TokenInfo>, AuthenticationError> {
        let key = (token_sha256(token.expose_secret()), allow_expired);
        if let Some(known) = self.fresh(&key, now).await {
            return known.map_err(|_| AuthenticationError::Unauthenticated);
        }
        if is_within(
            self.silent_at.load(Ordering::Relaxed),
            self.settings.outage_seconds,
            now,
        ) && let Some(info) = self.known_before(&key, now).await
        {
            return Ok(info);
        }
        let asked = self.asking.try_get_with(key, self.ask(token, key, now)).await;
        self.asking.invalidate(&key).await;
        match asked {
            Ok(info) if is_good(&info, allow_expired, now) => Ok(info),
            Ok(_) => Err(AuthenticationError::Unauthenticated),
            Err(error) => match error.as_ref() {
                ValidateError::Invalid => Err(AuthenticationError::Unauthenticated),
                ValidateError::Unavailable(reason) => {
                    tracing::warn!(reason, "Keystone does not validate tokens");
                    self.silent_at.fetch_max(now, Ordering::Relaxed);
                    self.known_before(&key, now)
                        .await
                        .ok_or(AuthenticationError::Unavailable)
                }
            },
        }
    }

    /// What is remembered and need not be asked again.
    async fn fresh(&self, key: &Key, now: Timestamp) -> Option<Result<Arc<TokenInfo>, ValidateError>> {
        if let Some(known) = self.valid.get(key).await
            && is_within(known.asked_at, self.settings.valid_seconds, now)
        {
            let good = is_good(&known.info, key.1, now);
            return Some(if good {
                Ok(known.info)
            } else {
                Err(ValidateError::Invalid)
            });
        }
        let asked_at = self.invalid.get(key).await?;
        is_within(asked_at, self.settings.invalid_seconds, now).then_some(Err(ValidateError::Invalid))
    }

    /// Asks Keystone, unless another request has just done so.
    async fn ask(&self, token: &SecretString, key: Key, now: Timestamp) -> Result<Arc<TokenInfo>, ValidateError> {
        if let Some(known) = self.fresh(&key, now).await {
            return known;
        }
        match self.validator.validate(token, key.1).await {
            Ok(info) => {
                let info = Arc::new(info);
                self.invalid.invalidate(&key).await;
                self.valid
                    .insert(
                        key,
                        Remembered {
                            info: Arc::clone(&info),
                            asked_at: now,
                        },
                    )
                    .await;
                Ok(info)
            }
            Err(error) => {
                if error == ValidateError::Invalid {
                    self.valid.invalidate(&key).await;
                    self.invalid.insert(key, now).await;
                }
                Err(error)
            }
        }
    }

    /// What Keystone said before it fell silent, as long as the token itself lasts.
    async fn known_before(&self, key: &Key, now: Timestamp) -> Option<Arc<TokenInfo>> {
        let known = self.valid.get(key).await?;
        (now < known.info.expires_at).then_some(known.info)
    }
}

const fn is_within(since: Timestamp, seconds: i64, now: Timestamp) -> bool {
    since <= now && now < since.saturating_add(seconds)
}

fn is_good(info: &TokenInfo, allow_expired: bool, now: Timestamp) -> bool {
    allow_expired || now < info.expires_at
}

#[async_trait]
impl Authenticator for Keystone {
    async fn authenticate(&self, headers: &HeaderMap, now: Timestamp) -> Result<Caller, AuthenticationError> {
        let user_token = token(headers, &AUTH_TOKEN).ok_or(AuthenticationError::Unauthenticated)?;
        let from_service = match token(headers, &SERVICE_TOKEN) {
            Some(service_token) => {
                let service = self.info(&service_token, false, now).await?;
                service.roles.iter().any(|role| role.eq_ignore_ascii_case(SERVICE_ROLE))
            }
            None => false,
        };
        let info = self.info(&user_token, from_service, now).await?;
        let project_id = info
            .project_id
            .clone()
            .filter(|id| !id.is_empty())
            .ok_or(AuthenticationError::Unscoped)?;
        Ok(Caller {
            user_id: info.user_id.clone(),
            project_id,
            roles: info.roles.clone(),
            is_admin: false,
            trust_id: None,
        })
    }

    fn challenge(&self) -> String {
        format!("Keystone uri=\"{}\"", self.authentication_url)
    }
}
