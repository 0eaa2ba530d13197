//! One login, shared by all calls, and the way every call takes.
//!
//! Invariant: no call outlives its time limit; a token that is no longer accepted is replaced by a
//! new login once per call; concurrent calls share one login, also a failed one.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use openstack_sdk::api::rest_endpoint_prelude::{ApiVersion, QueryParams, ServiceType};
use openstack_sdk::api::{ApiError, AsyncClient, BodyError, QueryAsync, RestEndpoint, raw};
use openstack_sdk::config::CloudConfig;
use openstack_sdk::{AsyncOpenStack, AuthError, OpenStackError, RestError};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;

use super::CredentialsError;
use crate::CloudError;

/// How much of an unintelligible answer is shown.
const LONGEST_SNIPPET: usize = 160;

/// How much of an error of the client library, which may quote whole pages, is shown.
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

    fn catalog_type(self) -> ServiceType {
        match self {
            Self::Nova => ServiceType::Compute,
            Self::Placement => ServiceType::Placement,
            Self::Keystone => ServiceType::Identity,
            Self::Glance => ServiceType::Image,
            Self::Neutron => ServiceType::Network,
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

    pub(super) fn nonsense(&self, status: Option<u16>, reason: impl Into<String>) -> CloudError {
        CloudError::nonsense(self.service.name(), &self.operation, status, reason)
    }

    pub(super) fn unavailable(&self, reason: impl Into<String>) -> CloudError {
        CloudError::unavailable(self.service.name(), &self.operation, reason)
    }

    fn transport_failure(&self, error: &ApiError<RestError>) -> CloudError {
        self.unavailable(causes(error))
    }
}

impl RestEndpoint for Call {
    fn method(&self) -> Method {
        self.method.clone()
    }

    fn endpoint(&self) -> Cow<'static, str> {
        self.path.clone().into()
    }

    fn service_type(&self) -> ServiceType {
        self.service.catalog_type()
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut parameters = QueryParams::default();
        for (key, value) in &self.query {
            parameters.push(*key, value);
        }
        parameters
    }

    fn body(&self) -> Result<Option<(&'static str, Vec<u8>)>, BodyError> {
        match &self.body {
            None => Ok(None),
            Some((content_type, body)) => Ok(Some((content_type, serde_json::to_vec(body)?))),
        }
    }

    fn request_headers(&self) -> Option<&HeaderMap> {
        Some(&self.headers)
    }

    fn api_version(&self) -> Option<ApiVersion> {
        None
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
struct Login {
    current: Option<Arc<AsyncOpenStack>>,
    attempts: u64,
    failure: Option<CloudError>,
}

/// The service's connection to the cloud.
pub(super) struct Session {
    config: CloudConfig,
    timeout: Duration,
    login: Mutex<Login>,
    attempts: std::sync::atomic::AtomicU64,
    client: reqwest::Client,
}

impl Session {
    pub(super) fn new(config: CloudConfig, timeout: Duration) -> Result<Self, CredentialsError> {
        let mut client = reqwest::Client::builder().timeout(timeout);
        if let Some(path) = &config.cacert {
            let failed = |reason: String| CredentialsError::CaBundle {
                path: path.clone(),
                reason,
            };
            let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
            let certificates =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| failed(error.to_string()))?;
            for certificate in certificates {
                client = client.add_root_certificate(certificate);
            }
        }
        let client = client
            .build()
            .map_err(|error| CredentialsError::Client(causes(&error)))?;
        Ok(Self {
            config,
            timeout,
            login: Mutex::default(),
            attempts: 0.into(),
            client,
        })
    }

    /// The logged-in client, after a login if there is none or `refused` is it.
    pub(super) async fn client(
        &self,
        refused: Option<&Arc<AsyncOpenStack>>,
        call: &Call,
    ) -> Result<Arc<AsyncOpenStack>, CloudError> {
        let seen = self.attempts.load(std::sync::atomic::Ordering::Acquire);
        let mut login = self.login.lock().await;
        if let Some(current) = &login.current
            && refused.is_none_or(|refused| !Arc::ptr_eq(refused, current))
        {
            return Ok(Arc::clone(current));
        }
        if login.attempts != seen
            && let Some(failure) = &login.failure
        {
            // Somebody has just tried in vain while we waited; a queue of further tries helps nobody.
            return Err(failure.clone());
        }
        login.attempts += 1;
        let operation = format!("log in to {}", call.operation);
        let connecting = AsyncOpenStack::builder(&self.config)
            .disable_auth_cache(true)
            .max_auth_retries(0)
            // A second belt; ours has the clearer words and must be the first to end a call.
            .http_timeout(self.timeout * 2)
            .connect();
        let result = match tokio::time::timeout(self.timeout, connecting).await {
            Ok(Ok(client)) => Ok(Arc::new(client)),
            Ok(Err(error)) => Err(login_failure(&operation, &error)),
            Err(_) => {
                let reason = format!("no answer within {} s", self.timeout.as_secs_f32());
                Err(CloudError::unavailable("keystone", &operation, reason))
            }
        };
        login.current = result.as_ref().ok().map(Arc::clone);
        login.failure = result.as_ref().err().cloned();
        self.attempts
            .store(login.attempts, std::sync::atomic::Ordering::Release);
        result
    }

    /// Makes a call.
    pub(super) async fn send(&self, call: &Call) -> Result<Answer, CloudError> {
        let client = self.client(None, call).await?;
        match self.exchange(&client, call).await {
            Err(CloudError::Unauthorized(failure)) if failure.status == Some(401) => {
                let client = self.client(Some(&client), call).await?;
                self.exchange(&client, call).await
            }
            other => other,
        }
    }

    async fn exchange(&self, client: &AsyncOpenStack, call: &Call) -> Result<Answer, CloudError> {
        let exchanging = async {
            let mut call = call.clone();
            call.path = versioned(client, call.service, &call).await?;
            raw(call.clone())
                .skip_error_check(true)
                .query_async(client)
                .await
                .map_err(|error| call.transport_failure(&error))
        };
        let response = tokio::time::timeout(self.timeout, exchanging)
            .await
            .map_err(|_| call.unavailable(format!("no answer within {} s", self.timeout.as_secs_f32())))??;
        classify(call, response.status().as_u16(), response.body())
    }

    /// Makes a call with somebody else's token.
    pub(super) async fn send_as(&self, token: HeaderValue, call: &Call) -> Result<Answer, CloudError> {
        let client = self.client(None, call).await?;
        let url = url_of(&client, call).await?;
        let response = self.request(token, call, url).await?;
        response.classified(call)
    }

    /// Makes a call with this token, whatever it is answered.
    pub(super) async fn request(&self, token: HeaderValue, call: &Call, url: Url) -> Result<Response, CloudError> {
        let mut request = self
            .client
            .request(call.method.clone(), url)
            .headers(call.headers.clone())
            .header("X-Auth-Token", token)
            .header("Accept", "application/json");
        if let Some((content_type, body)) = &call.body {
            request = request.header("Content-Type", *content_type).body(body.to_string());
        }
        let response = request.send().await.map_err(|error| call.unavailable(causes(&error)))?;
        let status = response.status().as_u16();
        let subject_token = response.headers().get("X-Subject-Token").cloned();
        let body = response
            .bytes()
            .await
            .map_err(|error| call.unavailable(causes(&error)))?;
        Ok(Response {
            status,
            subject_token,
            body: body.to_vec(),
        })
    }

    /// The project of the service's own login; `None` if it has none.
    pub(super) async fn own_project_id(&self, call: &Call) -> Result<Option<String>, CloudError> {
        let client = self.client(None, call).await?;
        let info = client
            .get_auth_info()
            .ok_or_else(|| call.unavailable("the service is not logged in"))?;
        Ok(info.token.project.and_then(|project| project.id))
    }

    /// The service's own user.
    pub(super) async fn own_user_id(&self, call: &Call) -> Result<String, CloudError> {
        let client = self.client(None, call).await?;
        let info = client
            .get_auth_info()
            .ok_or_else(|| call.unavailable("the service is not logged in"))?;
        Ok(info.token.user.id)
    }
}

/// Where a call goes.
pub(super) async fn url_of(client: &AsyncOpenStack, call: &Call) -> Result<Url, CloudError> {
    let endpoint = client
        .get_service_endpoint(&call.service.catalog_type(), None)
        .await
        .map_err(|error| call.transport_failure(&error))?;
    let path = versioned(client, call.service, call).await?;
    endpoint
        .build_request_url(&path)
        .map_err(|error| call.unavailable(causes(&error)))
}

/// The path under the catalog's URL, which may or may not end with a version.
async fn versioned(client: &AsyncOpenStack, service: Service, call: &Call) -> Result<String, CloudError> {
    let Some(version) = service.version_segment() else {
        return Ok(call.path.clone());
    };
    let endpoint = client
        .get_service_endpoint(&service.catalog_type(), None)
        .await
        .map_err(|error| call.transport_failure(&error))?;
    let names_version = endpoint.url().path_segments().is_some_and(|mut segments| {
        segments.any(|segment| {
            segment
                .strip_prefix('v')
                .is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
        })
    });
    Ok(if names_version {
        call.path.clone()
    } else {
        format!("{version}/{}", call.path)
    })
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
    let said = parsed.as_ref().and_then(message).unwrap_or_else(|| snippet(body));
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
    let text = String::from_utf8_lossy(body);
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST_SNIPPET).collect()
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
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST_CAUSE).collect()
}

fn login_failure(operation: &str, error: &OpenStackError) -> CloudError {
    if let OpenStackError::AuthError {
        source: AuthError::Identity(refusal),
    } = error
    {
        let reason = format!("HTTP {}: {}", refusal.code, refusal.message);
        let status = u16::try_from(refusal.code).unwrap_or_default();
        return CloudError::of_status("keystone", operation, status, reason);
    }
    CloudError::unavailable("keystone", operation, causes(error))
}
