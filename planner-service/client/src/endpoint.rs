//! Where the service is.
//!
//! Invariant: an address given by the user wins over the catalog, and a token is only ever sent to
//! the service it was made or given for.

use std::fmt;

use api_types::name::is_steering;
use url::Url;

use crate::ConnectionArguments;
use crate::hint::Hint;
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
    /// What was typed to reach it.
    pub(crate) typed: TypedConnection,
}

/// The options of the command line that lead to the service. Commands that are printed repeat them, because they would
/// go to another service without them. Secrets are not repeated.
#[derive(Debug, Clone, Default)]
pub struct TypedConnection {
    url: Option<String>,
    token: bool,
}

impl TypedConnection {
    /// What was typed.
    pub fn of(connection: &ConnectionArguments) -> Self {
        Self {
            url: connection.url.clone().filter(|url| !url.is_empty()),
            token: connection.token.as_ref().is_some_and(|token| !token.is_empty()),
        }
    }

    /// A command line for a shell, from its words without `berth`; `None` if a word holds what a terminal would take for
    /// something else.
    pub(crate) fn command<Word: AsRef<str>>(&self, words: &[Word]) -> Option<String> {
        let mut line = vec!["berth"];
        line.extend(words.iter().map(AsRef::as_ref));
        if let Some(url) = self.url.as_deref().filter(|url| !holds_password(url)) {
            // Before what is no option, which may stand after `--`.
            let options = line.iter().position(|word| word.starts_with('-'));
            let place = options.unwrap_or(line.len().min(3));
            line.splice(place..place, ["--url", url]);
        }
        if line.iter().any(|word| word.contains(is_steering)) {
            return None;
        }
        shlex::try_join(line).ok()
    }

    /// The command line of a hint.
    pub(crate) fn hint(&self, hint: Hint<'_>) -> Option<String> {
        self.command(&hint.words())
    }

    /// What has to be added to a command that is printed.
    pub(crate) fn left_out(&self) -> Option<&'static str> {
        let hidden = self.url.as_deref().is_some_and(holds_password);
        match (hidden, self.token) {
            (false, false) => None,
            (false, true) => Some("Add the --token that you gave, or set BERTH_TOKEN to it."),
            (true, false) => Some("Add the --url that you gave, or set BERTH_URL to it."),
            (true, true) => {
                Some("Add the --url and the --token that you gave, or set BERTH_URL and BERTH_TOKEN to them.")
            }
        }
    }
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
    /// A token was typed for an address that Keystone's catalog says.
    #[error("--token needs --url, or BERTH_URL: the service that the OS_* variables lead to is sent a token of theirs")]
    Token,
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
            typed: TypedConnection::default(),
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
        let given = |typed: &Option<String>, variable: &str| {
            let typed = typed.clone().filter(|text| !text.is_empty());
            typed.or_else(|| environment(variable).filter(|text| !text.trim().is_empty()))
        };
        let token = || given(&connection.token, "BERTH_TOKEN");
        let typed = TypedConnection::of(connection);
        let trust = keystone::Trust::from_environment(environment)?;
        let mut endpoint = if let Some(url) = given(&connection.url, "BERTH_URL") {
            Self::new(&url, token())?
        } else if environment("OS_AUTH_URL").is_some_and(|url| !url.is_empty()) {
            if typed.token {
                return Err(EndpointError::Token);
            }
            let (url, token) = keystone::locate(environment, &trust).await?;
            Self::new(&url, Some(token))?
        } else {
            Self::new(DEFAULT_URL, token())?
        };
        endpoint.typed = typed;
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

/// Whether an address is not to be shown as it is.
fn holds_password(address: &str) -> bool {
    without_password(address) != address
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
    fn a11_a_printed_command_goes_where_the_typed_one_went() {
        let typed = |url: &str, token: Option<&str>| {
            TypedConnection::of(&ConnectionArguments {
                url: Some(url.to_owned()),
                token: token.map(str::to_owned),
                json: true,
            })
        };
        let here = typed("http://h:1", None);
        for (words, expected) in [
            (&["lease", "show", "x"][..], "berth lease show --url http://h:1 x"),
            (&["lease", "list"], "berth lease list --url http://h:1"),
            (&["what-if", "--hosts", "2"], "berth what-if --url http://h:1 --hosts 2"),
            (
                &["lease", "update", "--", "-x"],
                "berth lease update --url http://h:1 -- -x",
            ),
        ] {
            assert_eq!(here.command(words).as_deref(), Some(expected));
        }
        assert_eq!(here.left_out(), None);
        assert!(
            typed("http://h:1", Some("SECRET"))
                .left_out()
                .unwrap()
                .contains("--token")
        );
        let with_password = typed("http://ann:SECRET@h", Some("SECRET"));
        assert_eq!(
            with_password.command(&["lease", "list"]).as_deref(),
            Some("berth lease list")
        );
        let left_out = with_password.left_out().unwrap();
        assert!(left_out.contains("--url") && left_out.contains("--token") && !left_out.contains("SECRET"));
        assert_eq!(TypedConnection::default().command(&["lease", "show", "\x1b"]), None);
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
