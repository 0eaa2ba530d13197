//! Where the service's own credentials come from.
//!
//! Invariant: one source is chosen, sources are not mixed, and a password is never shown.

use openstack_sdk::config::{Auth, CloudConfig, ConfigFile};
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
    /// The CA bundle cannot be used.
    #[error("the CA bundle '{path}' cannot be used: {reason}")]
    CaBundle {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client cannot be made.
    #[error("no HTTP client: {0}")]
    Client(String),
}

/// User, password and project, as a service's configuration file names them.
#[derive(Debug, Clone)]
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
        match config.auth.as_ref().and_then(|auth| auth.auth_url.as_deref()) {
            None | Some("") => Err(CredentialsError::NoAuthUrl),
            Some(_) => Ok(config),
        }
    }
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
