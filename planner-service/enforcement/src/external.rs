//! Asking the service.

use std::time::Duration;

use async_trait::async_trait;
use http_client::header::HeaderValue;
use http_client::{Client, Method, SendError, Trust, send};
use planner_core::causes::causes;
use planner_core::usage::{Amendment, Booking, Denial, Ending, NotTold, UsageFilter};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::answer::{self, Answer, AnswerError, DENIED};
use crate::endpoints::Endpoints;
use crate::message::{self, Context};

/// How the service is called.
#[derive(Debug)]
pub struct ExternalServiceConfig {
    /// Where.
    pub endpoints: Endpoints,
    /// Sent as `X-Auth-Token`, if there is one.
    pub token: Option<SecretString>,
    /// For the whole of a call.
    pub timeout: Duration,
    /// About the cloud.
    pub context: Context,
}

/// Why the filter cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No HTTP header can carry the token.
    #[error("external_service_token holds characters that a header cannot carry")]
    Token,
    /// No HTTP client can be made.
    #[error("there is no HTTP client for the external service")]
    Client(#[source] http_client::ClientError),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("the lease cannot be written as JSON")]
    Message(#[from] serde_json::Error),
    #[error("there is no answer")]
    Send(#[from] SendError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// The filter. A service that does not answer in time denies.
pub struct ExternalService {
    endpoints: Endpoints,
    token: Option<HeaderValue>,
    client: Client,
    context: Context,
}

impl ExternalService {
    /// A filter that asks the configured service.
    ///
    /// # Errors
    /// When the token cannot be sent, or no HTTP client can be made.
    pub fn new(config: ExternalServiceConfig) -> Result<Self, StartError> {
        let header = |token: &SecretString| {
            let mut value = HeaderValue::from_str(token.expose_secret()).map_err(|_| StartError::Token)?;
            value.set_sensitive(true);
            Ok(value)
        };
        let trust = Trust::for_urls(config.endpoints.all().map(Url::as_str));
        let client = Client::new(config.timeout, trust).map_err(StartError::Client)?;
        Ok(Self {
            endpoints: config.endpoints,
            token: config.token.as_ref().map(header).transpose()?,
            client,
            context: config.context,
        })
    }

    async fn call(&self, url: &Url, message: serde_json::Result<Value>) -> Result<Answer, CallError> {
        let mut request = self.client.request(Method::POST, url).json(&message?);
        if let Some(token) = &self.token {
            request = request.header("X-Auth-Token", token.clone());
        }
        Ok(answer::read(send(request).await?).await?)
    }

    async fn check(&self, url: &Url, message: serde_json::Result<Value>) -> Result<(), Denial> {
        match self.call(url, message).await {
            Ok(Answer::Allowed) => Ok(()),
            Ok(Answer::Denied(text)) => Err(Denial(text)),
            Err(error) => {
                tracing::warn!(error = %causes(&error), "the external service of usage enforcement did not say yes or no");
                Err(Denial(DENIED.to_owned()))
            }
        }
    }
}

#[async_trait]
impl UsageFilter for ExternalService {
    fn name(&self) -> &'static str {
        "ExternalServiceFilter"
    }

    async fn check_create(&self, booking: Booking<'_>) -> Result<(), Denial> {
        match &self.endpoints.check_create {
            Some(url) => self.check(url, message::create(&self.context, booking)).await,
            None => Ok(()),
        }
    }

    async fn check_update(&self, amendment: Amendment<'_>) -> Result<(), Denial> {
        match &self.endpoints.check_update {
            Some(url) => self.check(url, message::update(&self.context, amendment)).await,
            None => Ok(()),
        }
    }

    async fn on_end(&self, ending: Ending<'_>) -> Result<(), NotTold> {
        let Some(url) = &self.endpoints.on_end else {
            return Ok(());
        };
        match self.call(url, message::end(&self.context, ending)).await {
            Ok(Answer::Allowed) => Ok(()),
            Ok(Answer::Denied(text)) => Err(NotTold(text)),
            Err(error) => Err(NotTold(causes(&error))),
        }
    }
}
