//! What Keystone is sent for a login, and what its answer says.
//!
//! Invariant: secrets appear in the body alone.

use http_client::header::HeaderValue;
use openstack_sdk_core::auth::authtoken_scope::AuthTokenScope;
use openstack_sdk_core::catalog::Catalog;
use openstack_sdk_core::config::{Auth, CloudConfig};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::CredentialsError;

/// The body of `POST /v3/auth/tokens`.
pub(super) fn body(config: &CloudConfig) -> Result<Value, CredentialsError> {
    let auth = config.auth.as_ref().ok_or(CredentialsError::NoAuthUrl)?;
    let (method, credential) = match config.auth_type.as_deref() {
        None | Some("password" | "v3password") => {
            let mut user = user(auth)?;
            user.insert("password".to_owned(), secret(auth.password.as_ref(), "password")?);
            ("password", json!({"user": user}))
        }
        Some("token" | "v3token") => ("token", json!({"id": secret(auth.token.as_ref(), "token")?})),
        Some("applicationcredential" | "v3applicationcredential") => {
            ("application_credential", application_credential(auth)?)
        }
        Some(other) => return Err(CredentialsError::AuthType(other.to_owned())),
    };
    let mut body = json!({"auth": {"identity": {"methods": [method], method: credential}}});
    // An application credential carries its project; Keystone refuses a second scope.
    if method != "application_credential" {
        let scope = AuthTokenScope::try_from(config).map_err(|_| CredentialsError::NoAuthUrl)?;
        body["auth"]["scope"] = json!(scope);
    }
    Ok(body)
}

fn user(auth: &Auth) -> Result<Map<String, Value>, CredentialsError> {
    let mut user = Map::new();
    if let Some(id) = &auth.user_id {
        user.insert("id".to_owned(), json!(id));
        return Ok(user);
    }
    let name = auth
        .username
        .as_ref()
        .ok_or(CredentialsError::Missing("username (or user_id)"))?;
    let domain = match (&auth.user_domain_id, &auth.user_domain_name) {
        (Some(id), _) => json!({"id": id}),
        (None, Some(name)) => json!({"name": name}),
        (None, None) => return Err(CredentialsError::Missing("user_domain_name (or user_domain_id)")),
    };
    user.insert("name".to_owned(), json!(name));
    user.insert("domain".to_owned(), domain);
    Ok(user)
}

fn application_credential(auth: &Auth) -> Result<Value, CredentialsError> {
    let secret = secret(
        auth.application_credential_secret.as_ref(),
        "application_credential_secret",
    )?;
    match (&auth.application_credential_id, &auth.application_credential_name) {
        (Some(id), _) => Ok(json!({"id": id, "secret": secret})),
        (None, Some(name)) => Ok(json!({"name": name, "secret": secret, "user": user(auth)?})),
        (None, None) => Err(CredentialsError::Missing(
            "application_credential_id (or application_credential_name)",
        )),
    }
}

fn secret(given: Option<&SecretString>, name: &'static str) -> Result<Value, CredentialsError> {
    given
        .map(|secret| json!(secret.expose_secret()))
        .ok_or(CredentialsError::Missing(name))
}

/// A login: its token, whose it is, and where the services are.
pub(super) struct Login {
    pub(super) token: SecretString,
    pub(super) user_id: String,
    /// `None` if the token is for no project.
    pub(super) project_id: Option<String>,
    pub(super) catalog: Catalog,
}

#[derive(Deserialize)]
struct Granted {
    token: GrantedToken,
}

#[derive(Deserialize)]
struct GrantedToken {
    user: GrantedUser,
    project: Option<GrantedProject>,
    #[serde(default)]
    catalog: Vec<CatalogService>,
}

#[derive(Deserialize)]
struct GrantedUser {
    id: String,
}

#[derive(Deserialize)]
struct GrantedProject {
    id: String,
}

#[derive(Deserialize)]
struct CatalogService {
    #[serde(rename = "type")]
    service_type: String,
    #[serde(default)]
    endpoints: Vec<CatalogEndpoint>,
}

#[derive(Deserialize)]
struct CatalogEndpoint {
    interface: String,
    region: Option<String>,
    url: String,
}

/// Where the services are as far as the configuration says: before the login that is Keystone.
pub(super) fn configured_catalog(config: &CloudConfig, project_id: Option<&str>) -> Catalog {
    let mut catalog = Catalog::default();
    catalog.set_project_id(project_id);
    // Overrides that are malformed are left out, and logged, by the library; nothing else can fail.
    let _ = catalog.configure(config);
    catalog
}

impl Login {
    /// Reads the answer to a login.
    pub(super) fn read(config: &CloudConfig, token: &HeaderValue, body: &[u8]) -> Result<Self, String> {
        let token = token.to_str().map_err(|_| "its token is malformed".to_owned())?;
        let Granted { token: granted } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let project_id = granted.project.map(|project| project.id);
        let mut catalog = configured_catalog(config, project_id.as_deref());
        for service in &granted.catalog {
            for endpoint in &service.endpoints {
                let region = endpoint.region.as_deref();
                let interface = Some(endpoint.interface.as_str());
                let known = catalog.register_catalog_endpoint(&service.service_type, &endpoint.url, region, interface);
                if let Err(error) = known {
                    // A service of a kind Berth does not use may well be no HTTP service.
                    tracing::debug!(%error, service = service.service_type, "an endpoint of the catalog is left out");
                }
            }
        }
        Ok(Self {
            token: SecretString::from(token),
            user_id: granted.user.id,
            project_id,
            catalog,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(auth_type: Option<&str>, auth: Auth) -> Result<Value, CredentialsError> {
        body(&CloudConfig {
            auth: Some(auth),
            auth_type: auth_type.map(str::to_owned),
            ..CloudConfig::default()
        })
    }

    #[test]
    fn each_way_to_log_in_makes_the_body_keystone_reads() {
        let password = Auth {
            username: Some("u".to_owned()),
            user_domain_name: Some("D".to_owned()),
            password: Some(SecretString::from("p")),
            project_name: Some("x".to_owned()),
            project_domain_id: Some("d".to_owned()),
            ..Auth::default()
        };
        let expected = json!({"auth": {
            "identity": {"methods": ["password"], "password": {
                "user": {"name": "u", "domain": {"name": "D"}, "password": "p"}}},
            "scope": {"project": {"domain": {"id": "d"}, "name": "x"}}}});
        for kind in [None, Some("password"), Some("v3password")] {
            assert_eq!(with(kind, password.clone()).unwrap(), expected);
        }
        let token = Auth {
            token: Some(SecretString::from("t")),
            ..Auth::default()
        };
        assert_eq!(
            with(Some("v3token"), token).unwrap(),
            json!({"auth": {"identity": {"methods": ["token"], "token": {"id": "t"}}, "scope": "unscoped"}})
        );
        let by_id = Auth {
            application_credential_id: Some("i".to_owned()),
            application_credential_secret: Some(SecretString::from("s")),
            project_name: Some("left over from another login".to_owned()),
            ..Auth::default()
        };
        assert_eq!(
            with(Some("v3applicationcredential"), by_id).unwrap(),
            json!({"auth": {"identity": {
                "methods": ["application_credential"], "application_credential": {"id": "i", "secret": "s"}}}})
        );
        let by_name = Auth {
            application_credential_name: Some("n".to_owned()),
            application_credential_secret: Some(SecretString::from("s")),
            user_id: Some("u".to_owned()),
            ..Auth::default()
        };
        assert_eq!(
            with(Some("v3applicationcredential"), by_name).unwrap(),
            json!({"auth": {"identity": {"methods": ["application_credential"],
                "application_credential": {"name": "n", "secret": "s", "user": {"id": "u"}}}}})
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        for (kind, expected) in [
            (None, "username"),
            (Some("v3token"), "token"),
            (Some("v3applicationcredential"), "application_credential_secret"),
            (Some("v3websso"), "'v3websso'"),
        ] {
            let error = with(kind, Auth::default()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
