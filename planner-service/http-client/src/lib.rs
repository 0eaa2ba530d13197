//! Outgoing HTTP. Every client of the workspace is made here.
//!
//! Invariant: no redirect is followed, so a token, a password or a document reaches the configured server and no other;
//! no exchange outlives its time limit; and the body of an answer takes no more memory than its caller states, also
//! when it arrives compressed, because the bytes counted are those after decompression.
//!
//! A test (`structure`) holds that no other crate depends on `reqwest`, and `clippy.toml` forbids its constructors.

mod body;
mod send;

use std::time::Duration;

pub use body::{BodyError, beginning_of, body_up_to};
pub use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header};
pub use send::{SendError, send};

/// Time to establish a connection, also where the whole exchange may take longer.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Which certificates a server may show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust<'a> {
    /// None: only `http` URLs can be called. Unlike the others it works on a machine without installed authorities.
    PlainHttp,
    /// Those signed by the system's authorities.
    System,
    /// Those, and the ones signed by an authority of this PEM bundle.
    SystemAnd(&'a [u8]),
    /// Any at all.
    Unverified,
}

impl Trust<'_> {
    /// What calls of these URLs need at least.
    pub fn for_urls<'u>(urls: impl IntoIterator<Item = &'u str>) -> Self {
        if urls.into_iter().all(|url| url.starts_with("http://")) {
            Self::PlainHttp
        } else {
            Self::System
        }
    }
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The PEM bundle is malformed.
    #[error("the certificates cannot be read")]
    Certificates(#[source] reqwest::Error),
    /// The library cannot set up TLS.
    #[error("the HTTP client cannot be set up")]
    Setup(#[source] reqwest::Error),
}

/// A client with its own pool of connections; clones share it.
#[derive(Debug, Clone)]
pub struct Client(reqwest::Client);

impl Client {
    /// A client whose exchanges take `answer_within` at most, from the connection to the last byte of the answer.
    ///
    /// # Errors
    /// [`ClientError`] when the certificates cannot be used.
    #[expect(clippy::disallowed_methods, reason = "the one place where HTTP clients are made")]
    pub fn new(answer_within: Duration, trust: Trust<'_>) -> Result<Self, ClientError> {
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(answer_within)
            .connect_timeout(CONNECT_WITHIN.min(answer_within))
            .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")));
        let builder = match trust {
            Trust::PlainHttp => builder.tls_certs_only([]),
            Trust::System => builder,
            Trust::SystemAnd(pem) => {
                builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem).map_err(ClientError::Certificates)?)
            }
            Trust::Unverified => builder.tls_danger_accept_invalid_certs(true),
        };
        builder.build().map(Self).map_err(ClientError::Setup)
    }

    /// Begins a request. An address that cannot be read is reported by [`send`].
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> RequestBuilder {
        self.0.request(method, url.as_ref())
    }
}

/// The innermost cause of an error: "connection refused" says more than "error sending request".
pub fn deepest_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
