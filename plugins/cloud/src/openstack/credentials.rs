//! Where the service's own credentials come from.
//!
//! Invariant: one source is chosen, sources are not mixed, and a password is never shown.

use openstack_sdk_core::config::{Auth, CloudConfig, ConfigFile};
use secrecy::SecretString;

/// Why there are no usable credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The configuration files cannot be read.
    #[error("clouds.yaml cannot be read: {0}")]
    File(String),
    /// There is no such entry.
    #[error("cloud '{0}' is not in clouds.yaml")]
    UnknownCloud(String),
    /// The variables make no credentials.
    #[error("the OS_* variables cannot be used: {0}")]
    Environment(String),
    /// There is no URL of Keystone.
    #[error("no auth_url is given: name a cloud of clouds.yaml, set the OS_* variables or configure it")]
    NoAuthUrl,
    /// A part of them is missing.
    #[error("{0} is not given")]
    Missing(&'static str),
    /// A way to log in that the service does not know.
    #[error("auth_type '{0}' is not supported; use v3password, v3token or v3applicationcredential")]
    AuthType(String),
    /// The CA bundle cannot be used.
    #[error("the CA bundle '{path}' cannot be used: {reason}")]
    CaBundle {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Client(#[from] http_client::ClientError),
}

/// User, password and project, as a service's configuration file names them.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_field_names,
    reason = "the password of a password login is its password"
)]
pub struct Password {
    /// Keystone, e.g. `http://keystone:5000/v3`.
    pub auth_url: String,
    /// The service's user.
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// The project in which it has its roles.
    pub project_name: String,
    /// Domain of the user.
    pub user_domain_name: String,
    /// Domain of the project.
    pub project_domain_name: String,
    /// Region whose endpoints are used, if the cloud has several.
    pub region_name: Option<String>,
    /// Which endpoints are used: `public`, `internal` or `admin`.
    pub interface: String,
    /// PEM file with the certificates of the cloud's authority.
    pub cafile: Option<String>,
}

/// A source of credentials.
#[derive(Debug, Clone)]
pub enum ServiceCredentials {
    /// An entry of `clouds.yaml` (with `secure.yaml`), in the places where OpenStack clients look.
    Cloud(String),
    /// `OS_CLOUD`, else the other `OS_*` variables.
    Environment,
    /// Given in full.
    Password(Password),
}

impl ServiceCredentials {
    pub(super) fn resolve(&self) -> Result<CloudConfig, CredentialsError> {
        let config = match self {
            Self::Cloud(name) => of_file(name)?,
            Self::Environment => match std::env::var("OS_CLOUD") {
                Ok(name) if !name.is_empty() => of_file(&name)?,
                _ => CloudConfig::from_env().map_err(|error| CredentialsError::Environment(error.to_string()))?,
            },
            Self::Password(password) => of_password(password),
        };
        let auth_url = match config.auth.as_ref().and_then(|auth| auth.auth_url.clone()) {
            Some(auth_url) if !auth_url.is_empty() => auth_url,
            _ => return Err(CredentialsError::NoAuthUrl),
        };
        Ok(with_keystone_at(config, &auth_url))
    }
}

/// Sends every call for Keystone to the URL the operator gave. The client library would look for it
/// among the public endpoints before the login, also where only others are to be used, and would
/// afterwards follow the links of a version document that proxies often get wrong.
fn with_keystone_at(mut config: CloudConfig, auth_url: &str) -> CloudConfig {
    let base = auth_url.trim_end_matches('/');
    let url = if base.ends_with("/v3") {
        format!("{base}/")
    } else {
        format!("{base}/v3/")
    };
    config
        .options
        .entry("identity_endpoint_override".to_owned())
        .or_insert_with(|| url.into());
    config.options.insert("identity_skip_discovery".to_owned(), true.into());
    config
}

fn of_file(name: &str) -> Result<CloudConfig, CredentialsError> {
    let files = ConfigFile::new().map_err(|error| CredentialsError::File(error.to_string()))?;
    files
        .get_cloud_config(name)
        .map_err(|error| CredentialsError::File(error.to_string()))?
        .ok_or_else(|| CredentialsError::UnknownCloud(name.to_owned()))
}

fn of_password(given: &Password) -> CloudConfig {
    CloudConfig {
        auth: Some(Auth {
            auth_url: Some(given.auth_url.clone()),
            username: Some(given.username.clone()),
            password: Some(given.password.clone()),
            project_name: Some(given.project_name.clone()),
            user_domain_name: Some(given.user_domain_name.clone()),
            project_domain_name: Some(given.project_domain_name.clone()),
            ..Auth::default()
        }),
        auth_type: Some("password".to_owned()),
        region_name: given.region_name.clone(),
        interface: Some(given.interface.clone()),
        cacert: given.cafile.clone(),
        ..CloudConfig::default()
    }
}
