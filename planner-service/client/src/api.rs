//! Calls of the REST API.
//!
//! Invariant: every answer is either the JSON of a success or an error that carries the service's
//! own words; the status alone is never shown when the service said more.

use std::time::Duration;

use reqwest::{Client, Method, Response};
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::lease::time_for_people;
use crate::output::text_of;

/// Long enough for a decision at the service's own limit, short enough for a person who waits.
const ANSWER_WITHIN: Duration = Duration::from_mins(2);

/// Time to establish a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No connection, or no answer in time.
    #[error("no service answers at {url}: {reason}")]
    Unreachable {
        /// The service.
        url: String,
        /// The deepest cause.
        reason: String,
    },
    /// A proxy answers in its place.
    #[error("{url} answered {status}: the service behind it does not answer")]
    Gateway {
        /// The service.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// The service said no.
    #[error("{message} (HTTP {status}{})", request_id.as_ref().map(|id| format!(", request {id}")).unwrap_or_default())]
    Refused {
        /// HTTP status.
        status: u16,
        /// In the service's words.
        message: String,
        /// To find it in the service's log; only kept for the service's own failures.
        request_id: Option<String>,
        /// What the service would accept instead, as options of the command.
        offers: Vec<String>,
    },
    /// Something answered that is no REST API.
    #[error("{url} answered something that is not JSON")]
    NotJson {
        /// What was asked.
        url: String,
    },
    /// The address cannot be put together.
    #[error("'{url}' is no address")]
    Address {
        /// What was asked.
        url: String,
    },
    /// The HTTP client cannot be made.
    #[error("cannot set up the connection: {reason}")]
    Client {
        /// In the library's words.
        reason: String,
    },
}

/// The service, ready to be called.
pub struct Api {
    http: Client,
    endpoint: Endpoint,
}

impl Api {
    /// Prepares calls to a service; nothing is sent yet.
    ///
    /// # Errors
    /// [`ApiError::Client`] when the certificates cannot be used.
    pub fn new(endpoint: Endpoint) -> Result<Self, ApiError> {
        let http =
            http_client(&endpoint.url, endpoint.certificates.as_deref(), endpoint.insecure).map_err(|error| {
                ApiError::Client {
                    reason: deepest(&error),
                }
            })?;
        Ok(Self { http, endpoint })
    }

    /// Reads `path` (with its leading slash and version).
    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, ApiError> {
        self.call(Method::GET, path, query, None).await
    }

    /// Sends `body` to make something.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        self.call(Method::POST, path, &[], Some(body)).await
    }

    /// Sends `body` to change something.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        self.call(Method::PUT, path, &[], Some(body)).await
    }

    /// Sends `body` to change a part of something.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        self.call(Method::PATCH, path, &[], Some(body)).await
    }

    /// Deletes.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), ApiError> {
        self.call(Method::DELETE, path, &[], None).await.map(|_| ())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let url = format!("{}{path}", self.endpoint.url);
        let mut request = self
            .http
            .request(method, &url)
            .header("Accept", "application/json")
            .query(query);
        if let Some(token) = &self.endpoint.token {
            request = request.header("X-Auth-Token", token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| {
            if error.is_builder() {
                ApiError::Address { url: url.clone() }
            } else {
                ApiError::Unreachable {
                    url: self.endpoint.url.clone(),
                    reason: deepest(&error),
                }
            }
        })?;
        let status = response.status();
        if status.is_success() {
            let text = response.text().await.map_err(|error| ApiError::Unreachable {
                url: self.endpoint.url.clone(),
                reason: deepest(&error),
            })?;
            if text.is_empty() {
                return Ok(Value::Null);
            }
            return serde_json::from_str(&text).map_err(|_| ApiError::NotJson { url });
        }
        Err(self.refusal(response).await)
    }

    async fn refusal(&self, response: Response) -> ApiError {
        let status = response.status().as_u16();
        let request_id = response
            .headers()
            .get("x-openstack-request-id")
            .and_then(|value| value.to_str().ok())
            .filter(|_| status >= 500)
            .map(str::to_owned);
        let reason = response.status().canonical_reason().unwrap_or("refused");
        let text = response.text().await.unwrap_or_default();
        let body = serde_json::from_str::<Value>(&text).unwrap_or_default();
        let offers = offers_of(&body);
        let message = message_of(&body);
        match message {
            None if matches!(status, 502 | 504) => ApiError::Gateway {
                url: self.endpoint.url.clone(),
                status,
            },
            None => ApiError::Refused {
                status,
                message: reason.to_owned(),
                request_id,
                offers,
            },
            Some(message) => ApiError::Refused {
                status,
                message,
                request_id,
                offers,
            },
        }
    }
}

/// The text of an error body: the API's own, RFC 9457, or Keystone's.
pub(crate) fn message_of(body: &Value) -> Option<String> {
    ["/error_message", "/detail", "/error/message", "/title"]
        .iter()
        .find_map(|pointer| body.pointer(pointer).and_then(Value::as_str))
        .map(str::to_owned)
}

/// The offers of a refusal or of a what-if, as options of `berth lease create`.
pub(crate) fn offers_of(body: &Value) -> Vec<String> {
    let offers = body
        .get("offers")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let text = |offer: &Value, name: &str| time_for_people(&text_of(offer, name));
    let option = |offer: &Value| {
        let options = match offer.get("change").and_then(Value::as_str)? {
            "start" => format!("--start '{}' --end '{}'", text(offer, "start"), text(offer, "end")),
            "amount" => format!("--hosts {}", text_of(offer, "amount")),
            "drop" => format!("without the condition {}", text_of(offer, "condition")),
            _ => return None,
        };
        let moves = offer.get("without_moves").and_then(Value::as_bool).unwrap_or(true);
        Some(if moves {
            options
        } else {
            format!("{options} (others would be moved)")
        })
    };
    offers.iter().filter_map(option).collect()
}

/// The HTTP client for one command.
pub(crate) fn http_client(url: &str, certificates: Option<&[u8]>, insecure: bool) -> reqwest::Result<Client> {
    let mut builder = Client::builder()
        .timeout(ANSWER_WITHIN)
        .connect_timeout(CONNECT_WITHIN)
        .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")));
    if url.starts_with("http://") {
        // No TLS will be spoken; without this a machine that has no authorities installed could not
        // even talk to its own loopback.
        builder = builder.tls_certs_only([]).redirect(reqwest::redirect::Policy::none());
    } else if let Some(certificates) = certificates {
        builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(certificates)?);
    }
    if insecure {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    builder.build()
}

/// The innermost cause: "connection refused" says more than "error sending request".
pub(crate) fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Takes the member `name` out of an answer.
pub(crate) fn member(mut answer: Value, name: &'static str) -> Result<Value, ClientError> {
    answer.get_mut(name).map(Value::take).ok_or(ClientError::Answer(name))
}

/// Takes the list `name` out of an answer.
pub(crate) fn list(answer: Value, name: &'static str) -> Result<Vec<Value>, ClientError> {
    if let Value::Array(items) = member(answer, name)? {
        Ok(items)
    } else {
        Err(ClientError::Answer(name))
    }
}

/// A path segment made of something a user wrote.
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(b"0123456789ABCDEF"[usize::from(byte >> 4)]));
            encoded.push(char::from(b"0123456789ABCDEF"[usize::from(byte & 15)]));
        }
    }
    encoded
}
