//! Acting for the owner of a lease.
//!
//! Invariant: a token for a trust lives for one purpose and is shown in no log.

use http_client::header::HeaderValue;
use http_client::{Method, Url};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use super::session::{Answer, Call, Service, Session, token_header};
use crate::CloudError;

/// A token for the project of a trust.
pub(super) struct Trusted {
    token: HeaderValue,
    project_id: String,
}

#[derive(Deserialize)]
struct Granted {
    token: GrantedToken,
}

#[derive(Deserialize)]
struct GrantedToken {
    project: GrantedProject,
}

#[derive(Deserialize)]
struct GrantedProject {
    id: String,
}

impl Session {
    /// Lets the service act in the project a trust is for. [`CloudError::Unauthorized`] or
    /// [`CloudError::NotFound`] if Keystone does not accept the trust (any more).
    pub(super) async fn trusted(&self, trust_id: &str, purpose: &Call) -> Result<Trusted, CloudError> {
        let operation = format!("use trust {trust_id} to {}", purpose.operation);
        let call = Call::new(Service::Keystone, Method::POST, "auth/tokens", operation);
        // The token of the login may have been refused meanwhile; a call of our own renews it.
        let probe = Call::new(Service::Keystone, Method::GET, "auth/projects", call.operation.clone());
        self.send(&probe).await?;
        let (login, url) = self.located(&call).await?;
        let call = call.json(json!({"auth": {
            "identity": {"methods": ["token"], "token": {"id": login.token.expose_secret()}},
            "scope": {"OS-TRUST:trust": {"id": trust_id}},
        }}));
        let response = self.exchange(token_header(&login.token, &call)?, &call, url).await?;
        let subject_token = response.subject_token.clone();
        let granted: Granted = response.classified(&call)?.read(&call)?;
        let mut token = subject_token.ok_or_else(|| call.nonsense(None, "there is no token in its answer"))?;
        token.set_sensitive(true);
        Ok(Trusted {
            token,
            project_id: granted.token.project.id,
        })
    }

    /// Makes a call in the project of a trust.
    pub(super) async fn send_for(&self, owner: &Trusted, call: &Call) -> Result<Answer, CloudError> {
        let (login, mut url) = self.located(call).await?;
        if let Some(own) = &login.project_id {
            name_project(&mut url, own, &owner.project_id);
        }
        let response = self.exchange(owner.token.clone(), call, url).await?;
        response.classified(call)
    }
}

/// Older catalogs name the project in the URL, ours our own.
fn name_project(url: &mut Url, own: &str, project: &str) {
    let parts: Vec<_> = url
        .path()
        .split('/')
        .map(|part| if part == own { project } else { part })
        .collect();
    let path = parts.join("/");
    url.set_path(&path);
}

#[cfg(test)]
mod tests {
    use super::{Url, name_project};

    #[test]
    fn a_url_that_names_our_project_names_the_owners() {
        for (before, after) in [
            (
                "http://nova/v2.1/ours/os-server-groups?x=1",
                "http://nova/v2.1/theirs/os-server-groups?x=1",
            ),
            (
                "http://nova/compute/v2.1/os-server-groups",
                "http://nova/compute/v2.1/os-server-groups",
            ),
            ("http://nova/v2.1/notours/a", "http://nova/v2.1/notours/a"),
        ] {
            let mut url: Url = before.parse().unwrap();
            name_project(&mut url, "ours", "theirs");
            assert_eq!(url.as_str(), after);
        }
    }
}
