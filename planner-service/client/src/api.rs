//! Calls of the REST API.
//!
//! Invariant: every answer is either the JSON of a success or an error that carries the service's
//! own words; the status alone is never shown when the service said more.

use api_types::capacity::Offer;
use http_client::{
    BodyError, Client, Method, RequestBuilder, Response, SendError, beginning_of, body_up_to, deepest_cause, send,
};
use serde_json::Value;

use crate::endpoint::{Endpoint, TypedConnection};
use crate::http::{LONGEST_REFUSAL, http_client, message_of, without_password};

/// Longest answer that is read, in bytes after decompression: some 100,000 leases.
const LONGEST_ANSWER: usize = 128 << 20;

/// Most values of an answer that is read. As few as two bytes of JSON become a value of 72 bytes in memory, so the length
/// alone bounds nothing; leases and hosts have more than 20 bytes for each.
const MOST_VALUES: usize = 6 << 20;

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
        /// What the service would accept instead.
        offers: Vec<Offer>,
        /// The whole answer; null if it is not JSON.
        body: Box<Value>,
    },
    /// It points somewhere else.
    #[error("{url}: {redirect}")]
    Redirected {
        /// What was asked.
        url: String,
        /// Where to.
        redirect: SendError,
    },
    /// It answers more than anybody can want to read.
    #[error("the answer of {url} is longer than {} MiB or holds more than {MOST_VALUES} values", LONGEST_ANSWER >> 20)]
    TooLong {
        /// What was asked.
        url: String,
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
    /// Its address without a password.
    shown: String,
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
                    reason: deepest_cause(&error),
                }
            })?;
        let shown = without_password(&endpoint.url);
        Ok(Self { http, endpoint, shown })
    }

    /// What was typed to reach it.
    pub(crate) const fn typed(&self) -> &TypedConnection {
        &self.endpoint.typed
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

    /// Deletes, and asks not to be kept waiting for what has to be done first; Blazar waits all the same.
    pub(crate) async fn begin_deletion(&self, path: &str) -> Result<(), ApiError> {
        let request = self.request(Method::DELETE, path).header("Prefer", "respond-async");
        self.answer(path, request).await.map(|_| ())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let mut request = self.request(method, path).query(query);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(path, request).await
    }

    /// A request as this caller.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.endpoint.url));
        let request = request.header("Accept", "application/json");
        match &self.endpoint.token {
            Some(token) => request.header("X-Auth-Token", token),
            None => request,
        }
    }

    async fn answer(&self, path: &str, request: RequestBuilder) -> Result<Value, ApiError> {
        let shown = format!("{}{path}", self.shown);
        let response = send(request).await.map_err(|error| match error {
            SendError::Request(_) => ApiError::Address { url: shown.clone() },
            SendError::NoAnswer(_) => self.unreachable(&error),
            SendError::Redirected { .. } => ApiError::Redirected {
                url: shown.clone(),
                redirect: error,
            },
        })?;
        if response.status().is_success() {
            let text = body_up_to(response, LONGEST_ANSWER)
                .await
                .map_err(|error| match error {
                    BodyError::TooLong { .. } => ApiError::TooLong { url: shown.clone() },
                    BodyError::Broken(_) => self.unreachable(&error),
                })?;
            if text.is_empty() {
                return Ok(Value::Null);
            }
            if text.split(|byte| *byte == b',').count() > MOST_VALUES {
                return Err(ApiError::TooLong { url: shown });
            }
            return serde_json::from_slice(&text).map_err(|_| ApiError::NotJson { url: shown });
        }
        Err(self.refusal(response).await)
    }

    fn unreachable(&self, error: &dyn std::error::Error) -> ApiError {
        ApiError::Unreachable {
            url: self.shown.clone(),
            reason: error.to_string(),
        }
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
        let text = beginning_of(response, LONGEST_REFUSAL).await;
        let body = serde_json::from_slice::<Value>(&text).unwrap_or_default();
        let offers = offers_of(&body);
        let message = message_of(&body);
        match message {
            None if matches!(status, 502 | 504) => ApiError::Gateway {
                url: self.shown.clone(),
                status,
            },
            None => ApiError::Refused {
                status,
                message: reason.to_owned(),
                request_id,
                offers,
                body: Box::new(body),
            },
            Some(message) => ApiError::Refused {
                status,
                message,
                request_id,
                offers,
                body: Box::new(body),
            },
        }
    }
}

/// The offers of a refusal or of a what-if; those of a kind that is not known are left out.
pub(crate) fn offers_of(body: &Value) -> Vec<Offer> {
    let offers = body.get("offers").and_then(Value::as_array);
    let known = |offer: &Value| serde_json::from_value(offer.clone()).ok();
    offers.into_iter().flatten().filter_map(known).collect()
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
