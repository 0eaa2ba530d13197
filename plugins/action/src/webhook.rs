//! Receivers that are told by `POST`.
//!
//! Invariants: a document goes to the address the operator has named and to no other; of an answer only its status and
//! the beginning of a complaint are read.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http_client::header::CONTENT_TYPE;
use http_client::{Client, ClientError, Method, SendError, Trust, beginning_of, send};
use plugin_api::foreign_text;

use crate::{COMPLAINT_BYTES, Delivery, LONGEST_COMPLAINT, Receiver, Secret, Undelivered};

/// Says what time it is, in Unix seconds.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// `POST` of a JSON document; any 2xx answer is success.
#[derive(Clone)]
pub struct Webhook {
    url: String,
    timeout: Duration,
    secret: Option<Secret>,
    now: Now,
    client: Client,
}

impl Webhook {
    /// A receiver at this URL, with so much time for the whole exchange. With a secret, documents are signed.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(url: String, timeout: Duration, secret: Option<Secret>, now: Now) -> Result<Self, ClientError> {
        let client = Client::new(timeout, Trust::for_urls([url.as_str()]))?;
        Ok(Self {
            url,
            timeout,
            secret,
            now,
            client,
        })
    }

    async fn post(&self, delivery: &Delivery) -> Result<(), Undelivered> {
        let timestamp = (self.now)();
        let mut request = self
            .client
            .request(Method::POST, &self.url)
            .timeout(self.timeout)
            .header(CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", &delivery.key)
            .header("webhook-id", &delivery.key)
            .header("webhook-timestamp", timestamp.to_string());
        if let Some(secret) = &self.secret {
            let signature = secret.sign(&delivery.key, timestamp, &delivery.document);
            request = request.header("webhook-signature", signature);
        }
        let answer = send(request.body(delivery.document.clone()))
            .await
            .map_err(|error| unanswered(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let complaint = beginning_of(answer, COMPLAINT_BYTES).await;
        let complaint = foreign_text(&String::from_utf8_lossy(&complaint), LONGEST_COMPLAINT);
        Err(Undelivered::Unacknowledged {
            service: "webhook",
            reason: format!("it answered {status} {complaint}").trim_end().to_owned(),
            status: Some(status.as_u16()),
        })
    }
}

#[async_trait]
impl Receiver for Webhook {
    async fn deliver(&self, delivery: &Delivery) -> Result<(), Undelivered> {
        self.post(delivery).await
    }
}

fn unanswered(error: &SendError) -> Undelivered {
    let service = "webhook";
    let reason = foreign_text(&error.to_string(), LONGEST_COMPLAINT);
    let status = match error {
        SendError::Request(_) => return Undelivered::Unreached { service, reason },
        SendError::NoAnswer(cause) if cause.is_connect() => return Undelivered::Unreached { service, reason },
        SendError::NoAnswer(_) => None,
        SendError::Redirected { status, .. } => Some(status.as_u16()),
    };
    Undelivered::Unacknowledged {
        service,
        reason,
        status,
    }
}
