//! Login with Keystone v3 from the `OS_*` variables, and the way from its catalog to the service.
//!
//! Invariant: the variables mean what they mean to `openstackclient`; a variable that is missing is
//! named, and no secret is ever part of a message.

use std::path::Path;

use http_client::{Client, Method, beginning_of, body_up_to, deepest_cause, send};
use regular_file::{LONGEST, RegularFile};
use serde_json::{Map, Value, json};

use crate::http::{LONGEST_REFUSAL, http_client, message_of, without_password};

/// The service type under which reservation services are in the catalog.
const SERVICE_TYPE: &str = "reservation";

/// Longest answer to a login that is read, in bytes; catalogs of large clouds have some 100 KiB.
const LONGEST_LOGIN: usize = 4 << 20;

/// Reads an environment variable; the process's in the program, a table in tests.
pub type Environment<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// Why the login or the catalog did not lead to the service.
#[derive(Debug, thiserror::Error)]
pub enum KeystoneError {
    /// A variable is needed and not set.
    #[error("OS_AUTH_URL is set, but {names} is not")]
    Missing {
        /// The variable, or variables of which one is needed.
        names: &'static str,
    },
    /// `OS_AUTH_TYPE` or the version asks for something else.
    #[error("{name}={value} is not supported; use {allowed}")]
    Method {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// `OS_CACERT` cannot be read.
    #[error("OS_CACERT: cannot read {path}: {reason}")]
    Certificate {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The HTTP client cannot be made.
    #[error("cannot set up the connection to Keystone: {reason}")]
    Client {
        /// In the library's words.
        reason: String,
    },
    /// Keystone does not answer.
    #[error("no Keystone can be reached at {url}: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// The deepest cause.
        reason: String,
    },
    /// Keystone said no.
    #[error("Keystone refused the login: {message} (HTTP {status})")]
    Refused {
        /// HTTP status.
        status: u16,
        /// In Keystone's words.
        message: String,
    },
    /// Not Keystone v3.
    #[error("{0} did not answer as Keystone v3 does")]
    Answer(String),
    /// The catalog has no such endpoint.
    #[error("the catalog has no {interface} endpoint of type '{SERVICE_TYPE}'{}", region.as_ref().map(|region| format!(" in region {region}")).unwrap_or_default())]
    NotInCatalog {
        /// `OS_INTERFACE`
        interface: String,
        /// `OS_REGION_NAME`
        region: Option<String>,
    },
}

impl KeystoneError {
    /// What the user can do next.
    pub(crate) fn next_step(&self) -> String {
        match self {
            Self::Missing { .. } | Self::Method { .. } | Self::Certificate { .. } | Self::Client { .. } => {
                "Source your project's openrc file, or set BERTH_URL (and BERTH_TOKEN) instead.".to_owned()
            }
            Self::Unreachable { .. } | Self::Answer(_) => "Check OS_AUTH_URL, or set BERTH_URL instead.".to_owned(),
            Self::Refused { .. } => "Check user, password, project and domains in the OS_* variables.".to_owned(),
            Self::NotInCatalog { .. } => {
                "Check OS_REGION_NAME and OS_INTERFACE, have an operator add the endpoint, or set BERTH_URL.".to_owned()
            }
        }
    }
}

/// Whom to trust besides the system's authorities.
pub(crate) struct Trust {
    /// From `OS_CACERT`, in PEM.
    pub(crate) certificates: Option<Vec<u8>>,
    /// From `OS_INSECURE`.
    pub(crate) insecure: bool,
}

impl Trust {
    pub(crate) fn from_environment(environment: Environment<'_>) -> Result<Self, KeystoneError> {
        let certificates = match variable(environment, &["OS_CACERT"]) {
            None => None,
            Some(path) => match RegularFile::open(Path::new(&path)).and_then(|file| file.bytes(LONGEST)) {
                Ok(bytes) => Some(bytes),
                Err(error) => {
                    return Err(KeystoneError::Certificate {
                        path,
                        reason: error.to_string(),
                    });
                }
            },
        };
        let insecure = variable(environment, &["OS_INSECURE"])
            .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on"));
        Ok(Self { certificates, insecure })
    }
}

/// Logs in and finds the service; answers its address and the token.
pub(crate) async fn locate(environment: Environment<'_>, trust: &Trust) -> Result<(String, String), KeystoneError> {
    let url = tokens_url(environment)?;
    let http =
        http_client(&url, trust.certificates.as_deref(), trust.insecure).map_err(|error| KeystoneError::Client {
            reason: deepest_cause(&error),
        })?;
    let (token, catalog) = login(&http, &url, &login_body(environment)?).await?;
    let interface = variable(environment, &["OS_INTERFACE", "OS_ENDPOINT_TYPE"]).unwrap_or_else(|| "public".to_owned());
    // openstackclient also takes the names of Keystone v2 here.
    let interface = interface.trim_end_matches("URL").to_owned();
    let region = variable(environment, &["OS_REGION_NAME"]);
    match endpoint_in(&catalog, &interface, region.as_deref()) {
        Some(url) => Ok((url, token)),
        None => Err(KeystoneError::NotInCatalog { interface, region }),
    }
}

fn variable(environment: Environment<'_>, names: &[&str]) -> Option<String> {
    names
        .iter()
        .find_map(|name| environment(name).filter(|value| !value.is_empty()))
}

fn tokens_url(environment: Environment<'_>) -> Result<String, KeystoneError> {
    if let Some(value) = variable(environment, &["OS_IDENTITY_API_VERSION"])
        && !value.starts_with('3')
    {
        return Err(KeystoneError::Method {
            name: "OS_IDENTITY_API_VERSION",
            value,
            allowed: "3",
        });
    }
    let url = variable(environment, &["OS_AUTH_URL"]).ok_or(KeystoneError::Missing { names: "OS_AUTH_URL" })?;
    let base = url
        .trim_end_matches('/')
        .trim_end_matches("/v2.0")
        .trim_end_matches("/v3")
        .trim_end_matches('/');
    Ok(format!("{base}/v3/auth/tokens"))
}

/// The body of `POST /v3/auth/tokens`.
fn login_body(environment: Environment<'_>) -> Result<Value, KeystoneError> {
    let get = |names: &[&str]| variable(environment, names);
    let token = get(&["OS_TOKEN", "OS_AUTH_TOKEN"]);
    let application_credential = get(&["OS_APPLICATION_CREDENTIAL_ID"]).or(get(&["OS_APPLICATION_CREDENTIAL_NAME"]));
    let method = match get(&["OS_AUTH_TYPE"]) {
        None if application_credential.is_some() => "application_credential",
        None if token.is_some() && get(&["OS_PASSWORD"]).is_none() => "token",
        None => "password",
        Some(kind) => match kind.as_str() {
            "password" | "v3password" => "password",
            "token" | "v3token" => "token",
            "v3applicationcredential" => "application_credential",
            _ => {
                return Err(KeystoneError::Method {
                    name: "OS_AUTH_TYPE",
                    value: kind,
                    allowed: "password, token or v3applicationcredential",
                });
            }
        },
    };
    let mut identity = Map::new();
    identity.insert("methods".to_owned(), json!([method]));
    let credential = match method {
        "password" => {
            let mut user = user(environment)?;
            let password = get(&["OS_PASSWORD"]).ok_or(KeystoneError::Missing { names: "OS_PASSWORD" })?;
            user.insert("password".to_owned(), json!(password));
            json!({"user": user})
        }
        "token" => json!({"id": token.ok_or(KeystoneError::Missing { names: "OS_TOKEN" })?}),
        _ => {
            let secret = get(&["OS_APPLICATION_CREDENTIAL_SECRET"]).ok_or(KeystoneError::Missing {
                names: "OS_APPLICATION_CREDENTIAL_SECRET",
            })?;
            match (
                get(&["OS_APPLICATION_CREDENTIAL_ID"]),
                get(&["OS_APPLICATION_CREDENTIAL_NAME"]),
            ) {
                (Some(id), _) => json!({"id": id, "secret": secret}),
                (None, Some(name)) => json!({"name": name, "secret": secret, "user": user(environment)?}),
                (None, None) => {
                    return Err(KeystoneError::Missing {
                        names: "OS_APPLICATION_CREDENTIAL_ID or OS_APPLICATION_CREDENTIAL_NAME",
                    });
                }
            }
        }
    };
    identity.insert(method.to_owned(), credential);
    let mut auth = Map::new();
    auth.insert("identity".to_owned(), Value::Object(identity));
    // An application credential carries its project; Keystone refuses a second scope.
    if method != "application_credential"
        && let Some(scope) = scope(environment)?
    {
        auth.insert("scope".to_owned(), scope);
    }
    Ok(json!({"auth": auth}))
}

fn user(environment: Environment<'_>) -> Result<Map<String, Value>, KeystoneError> {
    let mut user = Map::new();
    if let Some(id) = variable(environment, &["OS_USER_ID"]) {
        user.insert("id".to_owned(), json!(id));
        return Ok(user);
    }
    let name = variable(environment, &["OS_USERNAME", "OS_USER_NAME"]).ok_or(KeystoneError::Missing {
        names: "OS_USERNAME (or OS_USER_ID)",
    })?;
    user.insert("name".to_owned(), json!(name));
    user.insert(
        "domain".to_owned(),
        domain(environment, "OS_USER_DOMAIN_ID", "OS_USER_DOMAIN_NAME"),
    );
    Ok(user)
}

fn domain(environment: Environment<'_>, id: &str, name: &str) -> Value {
    if let Some(id) = variable(environment, &[id]) {
        return json!({"id": id});
    }
    if let Some(name) = variable(environment, &[name]) {
        return json!({"name": name});
    }
    let default = variable(environment, &["OS_DEFAULT_DOMAIN", "OS_DEFAULT_DOMAIN_ID"]);
    json!({"id": default.unwrap_or_else(|| "default".to_owned())})
}

fn scope(environment: Environment<'_>) -> Result<Option<Value>, KeystoneError> {
    let get = |names: &[&str]| variable(environment, names);
    if let Some(value) = get(&["OS_SYSTEM_SCOPE"]) {
        return if value == "all" {
            Ok(Some(json!({"system": {"all": true}})))
        } else {
            Err(KeystoneError::Method {
                name: "OS_SYSTEM_SCOPE",
                value,
                allowed: "all",
            })
        };
    }
    if let Some(id) = get(&["OS_PROJECT_ID", "OS_TENANT_ID"]) {
        return Ok(Some(json!({"project": {"id": id}})));
    }
    if let Some(name) = get(&["OS_PROJECT_NAME", "OS_TENANT_NAME"]) {
        let domain = domain(environment, "OS_PROJECT_DOMAIN_ID", "OS_PROJECT_DOMAIN_NAME");
        return Ok(Some(json!({"project": {"name": name, "domain": domain}})));
    }
    if let Some(id) = get(&["OS_DOMAIN_ID"]) {
        return Ok(Some(json!({"domain": {"id": id}})));
    }
    Ok(get(&["OS_DOMAIN_NAME"]).map(|name| json!({"domain": {"name": name}})))
}

async fn login(http: &Client, url: &str, body: &Value) -> Result<(String, Value), KeystoneError> {
    let unreachable = |error: &dyn std::error::Error| KeystoneError::Unreachable {
        url: without_password(url),
        reason: error.to_string(),
    };
    let request = http.request(Method::POST, url).json(body);
    let response = send(request).await.map_err(|error| unreachable(&error))?;
    let status = response.status();
    let token = response
        .headers()
        .get("x-subject-token")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    if !status.is_success() {
        let answer = beginning_of(response, LONGEST_REFUSAL).await;
        let answer: Option<Value> = serde_json::from_slice(&answer).ok();
        let message = answer.as_ref().and_then(message_of);
        let message = message.unwrap_or_else(|| status.canonical_reason().unwrap_or("refused").to_owned());
        return Err(KeystoneError::Refused {
            status: status.as_u16(),
            message,
        });
    }
    let answer = body_up_to(response, LONGEST_LOGIN)
        .await
        .map_err(|error| unreachable(&error))?;
    let answer: Option<Value> = serde_json::from_slice(&answer).ok();
    let catalog = answer.and_then(|mut answer| answer.pointer_mut("/token/catalog").map(Value::take));
    match (token, catalog) {
        (Some(token), Some(catalog)) => Ok((token, catalog)),
        (Some(token), None) => Ok((token, json!([]))),
        (None, _) => Err(KeystoneError::Answer(without_password(url))),
    }
}

fn endpoint_in(catalog: &Value, interface: &str, region: Option<&str>) -> Option<String> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    catalog
        .as_array()?
        .iter()
        .filter(|service| text(service, "type").as_deref() == Some(SERVICE_TYPE))
        .filter_map(|service| service.get("endpoints")?.as_array())
        .flatten()
        .filter(|endpoint| text(endpoint, "interface").as_deref() == Some(interface))
        .find(|endpoint| {
            region.is_none_or(|region| {
                text(endpoint, "region_id")
                    .or_else(|| text(endpoint, "region"))
                    .as_deref()
                    == Some(region)
            })
        })
        .and_then(|endpoint| text(endpoint, "url"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(variables: &[(&str, &str)]) -> Result<Value, KeystoneError> {
        let environment = |name: &str| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        login_body(&environment)
    }

    #[test]
    fn each_way_to_log_in_makes_the_body_keystone_reads() {
        let password = [
            ("OS_USERNAME", "u"),
            ("OS_PASSWORD", "p"),
            ("OS_USER_DOMAIN_NAME", "D"),
            ("OS_PROJECT_NAME", "x"),
        ];
        assert_eq!(
            body(&password).unwrap(),
            json!({"auth": {
                "identity": {"methods": ["password"], "password": {
                    "user": {"name": "u", "domain": {"name": "D"}, "password": "p"}}},
                "scope": {"project": {"name": "x", "domain": {"id": "default"}}}}})
        );
        let credential = [
            ("OS_AUTH_TYPE", "v3applicationcredential"),
            ("OS_APPLICATION_CREDENTIAL_ID", "i"),
            ("OS_APPLICATION_CREDENTIAL_SECRET", "s"),
            ("OS_PROJECT_NAME", "left over from another login"),
        ];
        assert_eq!(
            body(&credential).unwrap(),
            json!({"auth": {"identity": {
                "methods": ["application_credential"], "application_credential": {"id": "i", "secret": "s"}}}})
        );
        assert_eq!(
            body(&[("OS_TOKEN", "t"), ("OS_PROJECT_ID", "x")]).unwrap(),
            json!({"auth": {"identity": {"methods": ["token"], "token": {"id": "t"}},
                "scope": {"project": {"id": "x"}}}})
        );
    }

    #[test]
    fn a_missing_variable_is_named() {
        assert_eq!(
            body(&[("OS_USERNAME", "u")]).unwrap_err().to_string(),
            "OS_AUTH_URL is set, but OS_PASSWORD is not"
        );
        assert!(
            body(&[("OS_AUTH_TYPE", "v3oidcpassword")])
                .unwrap_err()
                .to_string()
                .contains("v3applicationcredential")
        );
    }

    #[test]
    fn the_endpoint_is_the_one_of_interface_and_region() {
        let catalog = json!([
            {"type": "compute", "endpoints": [{"interface": "public", "region_id": "R1", "url": "no"}]},
            {"type": "reservation", "endpoints": [
                {"interface": "internal", "region_id": "R1", "url": "i1"},
                {"interface": "public", "region_id": "R1", "url": "p1"},
                {"interface": "public", "region_id": "R2", "url": "p2"}]}]);
        assert_eq!(endpoint_in(&catalog, "public", Some("R2")).as_deref(), Some("p2"));
        assert_eq!(endpoint_in(&catalog, "public", None).as_deref(), Some("p1"));
        assert_eq!(endpoint_in(&catalog, "internal", Some("R2")), None);
    }
}
