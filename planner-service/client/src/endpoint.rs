//! Where the service is.
//!
//! Invariant: an address given by the user wins over the catalog, and a token is only ever sent to
//! the service it was made or given for.

use std::fmt;

use url::Url;

use crate::ConnectionArguments;
use crate::http::without_password;
use crate::keystone::{self, Environment, KeystoneError};

/// Where a service started with `berth serve` and nothing else listens.
const DEFAULT_URL: &str = "http://127.0.0.1:1234";

/// A service to talk to.
#[derive(Clone)]
pub struct Endpoint {
    /// Its address without `/v1` and without a slash at the end.
    pub url: String,
    /// Sent as `X-Auth-Token`.
    pub token: Option<String>,
    /// Authorities to trust besides the system's, in PEM.
    pub certificates: Option<Vec<u8>>,
    /// Do not verify the service's certificate.
    pub insecure: bool,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Endpoint")
            .field("url", &without_password(&self.url))
            .finish_non_exhaustive()
    }
}

/// Why the service cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address is none.
    #[error("'{url}' is no address of a service: {reason}; write for example http://127.0.0.1:1234")]
    Address {
        /// As written.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Keystone did not lead there.
    #[error(transparent)]
    Keystone(#[from] KeystoneError),
}

impl Endpoint {
    /// A service at a known address, with or without `/v1`.
    ///
    /// # Errors
    /// [`EndpointError::Address`] when it is no `http` or `https` address.
    pub fn new(url: &str, token: Option<String>) -> Result<Self, EndpointError> {
        Ok(Self {
            url: root(url)?,
            token,
            certificates: None,
            insecure: false,
        })
    }

    /// Finds the service: the address of the command line or `BERTH_URL`; else the catalog of the
    /// Keystone that the `OS_*` variables name; else this machine's default address.
    ///
    /// # Errors
    /// [`EndpointError`] with the variable that is wrong or missing.
    pub async fn resolve(
        connection: &ConnectionArguments,
        environment: Environment<'_>,
    ) -> Result<Self, EndpointError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let trust = keystone::Trust::from_environment(environment)?;
        let mut endpoint = if let Some(url) = given(&connection.url) {
            Self::new(&url, given(&connection.token))?
        } else if environment("OS_AUTH_URL").is_some_and(|url| !url.is_empty()) {
            let (url, token) = keystone::locate(environment, &trust).await?;
            Self::new(&url, Some(token))?
        } else {
            Self::new(DEFAULT_URL, given(&connection.token))?
        };
        endpoint.certificates = trust.certificates;
        endpoint.insecure = trust.insecure;
        Ok(endpoint)
    }
}

/// The address without `/v1`, query and slashes at the end.
fn root(text: &str) -> Result<String, EndpointError> {
    let refuse = |reason: String| EndpointError::Address {
        url: without_password(text),
        reason,
    };
    let url = Url::parse(text).map_err(|error| refuse(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(refuse("it does not begin with http:// or https://".to_owned()));
    }
    let mut root = url;
    root.set_query(None);
    root.set_fragment(None);
    let plain = root.as_str().trim_end_matches('/');
    Ok(plain
        .strip_suffix("/v1")
        .unwrap_or(plain)
        .trim_end_matches('/')
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v26_an_address_is_shown_without_its_password() {
        let error = Endpoint::new("ftp://ann:SECRET@h", None).unwrap_err();
        assert!(!error.to_string().contains("SECRET"), "{error}");
        let endpoint = Endpoint::new("http://ann:SECRET@h", None).unwrap();
        assert!(!format!("{endpoint:?}").contains("SECRET"));
    }

    #[test]
    fn the_address_may_have_v1_or_not() {
        for (given, expected) in [
            ("http://h:1234", "http://h:1234"),
            ("http://h:1234/", "http://h:1234"),
            ("http://h:1234/v1", "http://h:1234"),
            ("https://h/reservation/v1/", "https://h/reservation"),
        ] {
            assert_eq!(Endpoint::new(given, None).unwrap().url, expected);
        }
        for wrong in ["h:1234", "127.0.0.1:1234", "ftp://h", ""] {
            assert!(
                matches!(Endpoint::new(wrong, None), Err(EndpointError::Address { .. })),
                "{wrong}"
            );
        }
    }
}
