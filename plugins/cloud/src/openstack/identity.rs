//! Keystone over HTTP.
//!
//! Invariant: tokens appear in headers only, marked so that no log shows them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http_client::Method;
use http_client::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::OpenStack;
use super::session::{Call, Service};
use crate::{CloudError, Identity, TokenInfo};

#[derive(Deserialize)]
struct Validation {
    token: WireToken,
}

#[derive(Deserialize)]
struct WireToken {
    user: WireUser,
    project: Option<WireProject>,
    domain: Option<WireDomain>,
    system: Option<Value>,
    #[serde(default)]
    roles: Vec<WireRole>,
    is_admin_project: Option<bool>,
    expires_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct WireUser {
    id: String,
    name: String,
    domain: WireDomain,
}

#[derive(Deserialize)]
struct WireProject {
    id: String,
    name: String,
    domain: WireDomain,
}

#[derive(Deserialize, Default)]
struct WireDomain {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct WireRole {
    name: String,
}

#[derive(Deserialize)]
struct CreatedTrust {
    trust: WireTrust,
}

#[derive(Deserialize)]
struct WireTrust {
    id: String,
}

impl From<WireToken> for TokenInfo {
    fn from(wire: WireToken) -> Self {
        let all = |system: &Value| system.get("all").and_then(Value::as_bool) == Some(true);
        let mut info = Self {
            user_id: wire.user.id,
            user_name: wire.user.name,
            user_domain_id: wire.user.domain.id.unwrap_or_default(),
            user_domain_name: wire.user.domain.name.unwrap_or_default(),
            domain_id: wire.domain.and_then(|domain| domain.id),
            system_scope: wire
                .system
                .as_ref()
                .filter(|system| all(system))
                .map(|_| "all".to_owned()),
            roles: wire.roles.into_iter().map(|role| role.name).collect(),
            is_admin_project: wire.is_admin_project,
            expires_at: wire.expires_at.timestamp(),
            ..Self::default()
        };
        if let Some(project) = wire.project {
            info.project_id = Some(project.id);
            info.project_name = Some(project.name);
            info.project_domain_id = project.domain.id;
            info.project_domain_name = project.domain.name;
        }
        info
    }
}

/// The token as a header; `None` if it holds characters no token has.
fn header(token: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(token.expose_secret()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[async_trait]
impl Identity for OpenStack {
    async fn validate(&self, token: &SecretString, allow_expired: bool) -> Result<Option<TokenInfo>, CloudError> {
        let Some(subject) = header(token) else { return Ok(None) };
        let mut call = Call::new(Service::Keystone, Method::GET, "auth/tokens", "validate a token")
            .query("nocatalog", "")
            .header("X-Subject-Token", subject);
        if allow_expired {
            call = call.query("allow_expired", "1");
        }
        match self.session.send(&call).await {
            Ok(answer) => {
                let validation: Validation = answer.read(&call)?;
                Ok(Some(validation.token.into()))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn create_trust(&self, token: &SecretString, caller: &TokenInfo) -> Result<String, CloudError> {
        let operation = format!("create a trust of user {}", caller.user_id);
        let call = Call::new(Service::Keystone, Method::POST, "OS-TRUST/trusts", operation);
        let Some(token) = header(token) else {
            return Err(CloudError::of_status(
                "keystone",
                &call.operation,
                401,
                "the token is malformed".to_owned(),
            ));
        };
        let trustee = self.session.login(None, &call).await?.user_id.clone();
        let roles: Vec<_> = caller.roles.iter().map(|role| json!({"name": role})).collect();
        let call = call.json(json!({"trust": {
            "trustor_user_id": caller.user_id,
            "trustee_user_id": trustee,
            "project_id": caller.project_id,
            "impersonation": true,
            "allow_redelegation": false,
            "roles": roles,
        }}));
        let created: CreatedTrust = self.session.send_as(token, &call).await?.read(&call)?;
        Ok(created.trust.id)
    }
}
