//! One login, shared by all calls, and the way every call takes.
//!
//! Invariant: no call outlives its time limit; a token that is no longer accepted is replaced by a
//! new login once per call; concurrent calls share one login, also a failed one.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_client::header::{HeaderMap, HeaderValue};
use http_client::{Client, Method, RequestBuilder, SendError, Trust, Url, beginning_of, body_up_to, send};
use openstack_sdk_core::catalog::Catalog;
use openstack_sdk_core::config::CloudConfig;
use openstack_sdk_core::utils::expand_tilde;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use regular_file::{LONGEST, RegularFile};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;

use super::CredentialsError;
use super::login::{self, Login};
use crate::CloudError;

/// Longest answer that is read, in bytes: lists come in pages, and hypervisors have less than 4 KiB each.
const LONGEST_ANSWER: usize = 256 << 20;

/// Longest error answer that is read, in bytes; the rest of a longer one is left out.
const LONGEST_COMPLAINT: usize = 64 << 10;

/// How much of an unintelligible answer is shown.
const LONGEST_SNIPPET: usize = 160;

/// How much of what a service or a library says is shown.
const LONGEST_CAUSE: usize = 400;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Makes one path segment out of what users can name.
pub(super) fn segment(text: &str) -> Cow<'_, str> {
    match text {
        // A client would take these for directions.
        "." => Cow::Borrowed("%2E"),
        ".." => Cow::Borrowed("%2E%2E"),
        _ => utf8_percent_encode(text, UNRESERVED).into(),
    }
}

/// A service of the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Nova,
    Placement,
    Keystone,
    Glance,
    Neutron,
}

impl Service {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nova => "nova",
            Self::Placement => "placement",
            Self::Keystone => "keystone",
            Self::Glance => "glance",
            Self::Neutron => "neutron",
        }
    }

    fn catalog_type(self) -> &'static str {
        match self {
            Self::Nova => "compute",
            Self::Placement => "placement",
            Self::Keystone => "identity",
            Self::Glance => "image",
            Self::Neutron => "network",
        }
    }

    /// The version segment that has to follow when the catalog's URL names none.
    fn version_segment(self) -> Option<&'static str> {
        match self {
            Self::Nova => Some("v2.1"),
            Self::Placement => None,
            Self::Keystone => Some("v3"),
            Self::Glance => Some("v2"),
            Self::Neutron => Some("v2.0"),
        }
    }

    /// Nova without a header speaks 2.1, the version whose fields we read.
    fn microversion(self) -> Option<&'static str> {
        match self {
            Self::Placement => Some("placement 1.29"),
            Self::Nova | Self::Keystone | Self::Glance | Self::Neutron => None,
        }
    }
}

/// One request.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) service: Service,
    /// What it is for, as a verb phrase.
    pub(super) operation: String,
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    headers: HeaderMap,
    body: Option<(&'static str, Value)>,
}

impl Call {
    pub(super) fn new(service: Service, method: Method, path: impl Into<String>, operation: impl Into<String>) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(version) = service.microversion() {
            headers.insert("OpenStack-API-Version", HeaderValue::from_static(version));
        }
        Self {
            service,
            operation: operation.into(),
            method,
            path: path.into(),
            query: Vec::new(),
            headers,
            body: None,
        }
    }

    pub(super) fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(super) fn json(mut self, body: Value) -> Self {
        self.body = Some(("application/json", body));
        self
    }

    pub(super) fn body_as(mut self, content_type: &'static str, body: Value) -> Self {
        self.body = Some((content_type, body));
        self
    }

    /// The path under the catalog's URL, which may or may not end with a version.
    fn path_below(&self, base: &Url) -> String {
        let names_version = |segment: &str| {
            let number = segment.strip_prefix('v');
            number.is_some_and(|number| number.starts_with(|digit: char| digit.is_ascii_digit()))
        };
        match self.service.version_segment() {
            Some(version)
                if !base
                    .path_segments()
                    .is_some_and(|mut segments| segments.any(names_version)) =>
            {
                format!("{version}/{}", self.path)
            }
            Some(_) | None => self.path.clone(),
        }
    }

    pub(super) fn nonsense(&self, status: Option<u16>, reason: impl Into<String>) -> CloudError {
        CloudError::nonsense(self.service.name(), &self.operation, status, reason)
    }

    pub(super) fn unavailable(&self, reason: impl Into<String>) -> CloudError {
        CloudError::unavailable(self.service.name(), &self.operation, reason)
    }
}

/// A successful answer.
pub(super) struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    /// Reads the body as what the API promises.
    pub(super) fn read<T: DeserializeOwned>(&self, call: &Call) -> Result<T, CloudError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let error = shortened(&error.to_string(), LONGEST_CAUSE);
            let reason = format!("its answer cannot be understood ({error}): {}", snippet(&self.body));
            call.nonsense(Some(self.status), reason)
        })
    }
}

/// An answer before it is known whether it is a success.
pub(super) struct Response {
    status: u16,
    /// The token a login is answered with.
    pub(super) subject_token: Option<HeaderValue>,
    body: Vec<u8>,
}

impl Response {
    /// The answer, if it is one.
    pub(super) fn classified(&self, call: &Call) -> Result<Answer, CloudError> {
        classify(call, self.status, &self.body)
    }
}

/// The login and what was tried for it.
#[derive(Default)]
struct Attempts {
    current: Option<Arc<Login>>,
    made: u64,
    failure: Option<CloudError>,
}

/// The service's connection to the cloud.
pub(super) struct Session {
    config: CloudConfig,
    timeout: Duration,
    attempts: Mutex<Attempts>,
    attempts_made: AtomicU64,
    http: Client,
}

impl Session {
    pub(super) fn new(config: CloudConfig, timeout: Duration) -> Result<Self, CredentialsError> {
        // What is missing for a login is better known now than at the first lease.
        login::body(&config)?;
        let pem = config.cacert.as_ref().map(|path| {
            let path = expand_tilde(path).unwrap_or_else(|| path.into());
            let read = RegularFile::open(&path).and_then(|file| file.bytes(LONGEST));
            read.map_err(|error| CredentialsError::CaBundle {
                path: path.display().to_string(),
                reason: error.to_string(),
            })
        });
        let pem = pem.transpose()?;
        let trust = match &pem {
            _ if config.verify == Some(false) => {
                tracing::warn!("verify is false for this cloud: certificates are not verified");
                Trust::Unverified
            }
            Some(pem) => Trust::SystemAnd(pem),
            None => Trust::System,
        };
        // A second belt; ours has the clearer words and must be the first to end a call.
        let http = Client::new(timeout * 2, trust)?;
        Ok(Self {
            config,
            timeout,
            attempts: Mutex::default(),
            attempts_made: AtomicU64::new(0),
            http,
        })
    }

    /// The login, after a new one if there is none or `refused` is it.
    pub(super) async fn login(&self, refused: Option<&Arc<Login>>, call: &Call) -> Result<Arc<Login>, CloudError> {
        let seen = self.attempts_made.load(Ordering::Acquire);
        let mut attempts = self.attempts.lock().await;
        if let Some(current) = &attempts.current
            && refused.is_none_or(|refused| !Arc::ptr_eq(refused, current))
        {
            return Ok(Arc::clone(current));
        }
        if attempts.made != seen
            && let Some(failure) = &attempts.failure
        {
            // Somebody has just tried in vain while we waited; a queue of further tries helps nobody.
            return Err(failure.clone());
        }
        attempts.made += 1;
        let result = self.new_login(call).await.map(Arc::new);
        attempts.current = result.as_ref().ok().map(Arc::clone);
        attempts.failure = result.as_ref().err().cloned();
        self.attempts_made.store(attempts.made, Ordering::Release);
        result
    }

    async fn new_login(&self, purpose: &Call) -> Result<Login, CloudError> {
        let operation = format!("log in to {}", purpose.operation);
        let call = Call::new(Service::Keystone, Method::POST, "auth/tokens", operation);
        let body = login::body(&self.config).map_err(|error| call.unavailable(causes(&error)))?;
        let call = call.json(body);
        let url = self.url_in(&login::configured_catalog(&self.config, None), &call)?;
        let response = self.bounded(&call, self.http.request(call.method.clone(), url)).await?;
        let answer = response.classified(&call)?;
        let nonsense = |reason: String| {
            let reason = format!("its answer to the login cannot be understood ({reason})");
            call.nonsense(Some(answer.status), reason)
        };
        let token = response.subject_token.as_ref();
        let token = token.ok_or_else(|| nonsense("there is no token in it".to_owned()))?;
        Login::read(&self.config, token, &answer.body).map_err(nonsense)
    }

    /// Makes a call.
    pub(super) async fn send(&self, call: &Call) -> Result<Answer, CloudError> {
        let (login, url) = self.located(call).await?;
        match self.send_with(&login, call, url).await {
            Err(CloudError::Unauthorized(failure)) if failure.status == Some(401) => {
                let login = self.login(Some(&login), call).await?;
                self.send_with(&login, call, self.url_in(&login.catalog, call)?).await
            }
            other => other,
        }
    }

    async fn send_with(&self, login: &Login, call: &Call, url: Url) -> Result<Answer, CloudError> {
        let response = self.exchange(token_header(&login.token, call)?, call, url).await?;
        response.classified(call)
    }

    /// Makes a call with somebody else's token.
    pub(super) async fn send_as(&self, token: HeaderValue, call: &Call) -> Result<Answer, CloudError> {
        let (_, url) = self.located(call).await?;
        self.exchange(token, call, url).await?.classified(call)
    }

    /// Makes a call with this token, whatever it is answered.
    pub(super) async fn exchange(&self, token: HeaderValue, call: &Call, url: Url) -> Result<Response, CloudError> {
        let request = self
            .http
            .request(call.method.clone(), url)
            .headers(call.headers.clone());
        self.bounded(call, request.header("X-Auth-Token", token)).await
    }

    /// Sends the body of a call and reads the answer, in time and up to a length.
    async fn bounded(&self, call: &Call, request: RequestBuilder) -> Result<Response, CloudError> {
        let mut request = request.header("Accept", "application/json");
        if let Some((content_type, body)) = &call.body {
            request = request.header("Content-Type", *content_type).body(body.to_string());
        }
        let exchanging = async {
            let answer = send(request).await.map_err(|error| match error {
                SendError::Redirected { status, .. } => call.nonsense(Some(status.as_u16()), error.to_string()),
                SendError::Request(_) | SendError::NoAnswer(_) => call.unavailable(causes(&error)),
            })?;
            let status = answer.status().as_u16();
            let subject_token = answer.headers().get("X-Subject-Token").cloned();
            let body = if answer.status().is_success() {
                let body = body_up_to(answer, LONGEST_ANSWER).await;
                body.map_err(|error| call.nonsense(Some(status), error.to_string()))?
            } else {
                beginning_of(answer, LONGEST_COMPLAINT).await
            };
            Ok(Response {
                status,
                subject_token,
                body,
            })
        };
        tokio::time::timeout(self.timeout, exchanging)
            .await
            .map_err(|_| call.unavailable(format!("no answer within {} s", self.timeout.as_secs_f32())))?
    }

    /// The login, and where a call goes. A service that is not in its catalog is looked for in the catalog of a new one.
    pub(super) async fn located(&self, call: &Call) -> Result<(Arc<Login>, Url), CloudError> {
        let login = self.login(None, call).await?;
        if let Ok(url) = self.url_in(&login.catalog, call) {
            return Ok((login, url));
        }
        let login = self.login(Some(&login), call).await?;
        let url = self.url_in(&login.catalog, call)?;
        Ok((login, url))
    }

    fn url_in(&self, catalog: &Catalog, call: &Call) -> Result<Url, CloudError> {
        let (region, interface) = (self.config.region_name.as_ref(), self.config.interface.as_ref());
        let endpoint = catalog
            .get_service_endpoint(call.service.catalog_type(), None, region, interface)
            .map_err(|error| call.unavailable(causes(&error)))?;
        let mut url = endpoint
            .build_request_url(&call.path_below(endpoint.url()))
            .map_err(|error| call.unavailable(causes(&error)))?;
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }
}

/// A token as a header that no log shows.
pub(super) fn token_header(token: &SecretString, call: &Call) -> Result<HeaderValue, CloudError> {
    let mut value = HeaderValue::from_str(token.expose_secret())
        .map_err(|_| call.nonsense(None, "the token of the login is malformed"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn classify(call: &Call, status: u16, body: &[u8]) -> Result<Answer, CloudError> {
    if (200..300).contains(&status) {
        return Ok(Answer {
            status,
            body: body.to_vec(),
        });
    }
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    // A proxy's 404 must not pass for "it is gone". Glance alone answers its own in HTML.
    if status == 404 && parsed.is_none() && call.service != Service::Glance {
        return Err(call.nonsense(
            Some(status),
            format!("404 that is not the service's own: {}", snippet(body)),
        ));
    }
    let said = parsed
        .as_ref()
        .and_then(message)
        .map(|said| shortened(&said, LONGEST_CAUSE));
    let said = said.unwrap_or_else(|| snippet(body));
    let reason = if said.is_empty() {
        format!("HTTP {status}")
    } else {
        format!("HTTP {status}: {said}")
    };
    Err(CloudError::of_status(
        call.service.name(),
        &call.operation,
        status,
        reason,
    ))
}

/// The text of an error in any of the services' shapes.
fn message(body: &Value) -> Option<String> {
    let object = body.as_object()?;
    if let Some(text) = object.get("message").and_then(Value::as_str) {
        return Some(text.to_owned());
    }
    if let Some(detail) = body.pointer("/errors/0/detail").and_then(Value::as_str) {
        return Some(detail.trim().to_owned());
    }
    object
        .values()
        .find_map(|inner| inner.get("message").and_then(Value::as_str))
        .map(str::to_owned)
}

fn snippet(body: &[u8]) -> String {
    shortened(&String::from_utf8_lossy(body), LONGEST_SNIPPET)
}

/// The beginning of a text, on one line.
fn shortened(text: &str, longest: usize) -> String {
    let words = text.split_whitespace().flat_map(|word| [" ", word]).skip(1);
    words.flat_map(str::chars).take(longest).collect()
}

/// An error with its causes on one line, each said once.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    shortened(&text, LONGEST_CAUSE)
}
