//! Telling the operator's machinery that a reservation starts or ends.
//!
//! Invariant: done means the receiver said so: a 2xx answer, or exit code 0, in time. Everything else
//! is tried again with the same key.

use std::process::Stdio;
use std::time::Duration;

use plugin_api::{Assignment, PluginError};
use serde::Serialize;
use tokio::io::AsyncWriteExt;

/// How much of a receiver's complaint is passed on.
const LONGEST_COMPLAINT: usize = 300;

/// One receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A URL.
    Webhook(Webhook),
    /// A program.
    Command(Command),
}

/// `POST` of a JSON document; any 2xx answer is success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where to.
    pub url: String,
    /// Time for the whole exchange.
    pub timeout: Duration,
}

/// A program that gets the JSON document on its standard input and its main values in `BERTH_*`
/// variables; exit code 0 is success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments; no shell is involved.
    pub argv: Vec<String>,
    /// Time until it is killed.
    pub timeout: Duration,
}

#[derive(Serialize)]
struct Host<'a> {
    id: &'a str,
    hypervisor_hostname: &'a str,
    service_name: &'a str,
}

/// What a receiver is told.
#[derive(Serialize)]
struct Message<'a> {
    event: &'static str,
    idempotency_key: String,
    lease_id: &'a str,
    reservation_id: &'a str,
    user_id: &'a str,
    project_id: &'a str,
    hosts: Vec<Host<'a>>,
    /// Unix seconds.
    start: i64,
    /// Unix seconds.
    end: i64,
}

impl<'a> Message<'a> {
    fn new(event: &'static str, assignment: &'a Assignment) -> Self {
        let idempotency_key = match event {
            // An extended reservation comes to a new end.
            "before_end" => format!("{}:{event}:{}", assignment.reservation_id, assignment.end),
            _ => format!("{}:{event}", assignment.reservation_id),
        };
        Self {
            event,
            idempotency_key,
            lease_id: &assignment.lease_id,
            reservation_id: &assignment.reservation_id,
            user_id: &assignment.user_id,
            project_id: &assignment.project_id,
            hosts: assignment
                .hosts
                .iter()
                .map(|host| Host {
                    id: &host.id,
                    hypervisor_hostname: &host.hypervisor_hostname,
                    service_name: &host.service_name,
                })
                .collect(),
            start: assignment.start,
            end: assignment.end,
        }
    }

    fn json(&self) -> Result<Vec<u8>, PluginError> {
        serde_json::to_vec(self)
            .map_err(|error| PluginError::Rejected(format!("the reservation cannot be written as JSON: {error}")))
    }
}

fn failed(service: &'static str, message: &Message<'_>, reason: String) -> PluginError {
    let operation = format!(
        "carry out the {} of reservation {}",
        message.event, message.reservation_id
    );
    PluginError::Unavailable {
        service,
        operation,
        reason,
    }
}

fn shortened(text: &str) -> String {
    text.trim().chars().take(LONGEST_COMPLAINT).collect()
}

impl Action {
    pub(super) async fn carry_out(
        &self,
        client: &reqwest::Client,
        event: &'static str,
        assignment: &Assignment,
    ) -> Result<(), PluginError> {
        let message = Message::new(event, assignment);
        match self {
            Self::Webhook(webhook) => webhook.post(client, &message).await,
            Self::Command(command) => command.run(&message).await,
        }
    }
}

impl Webhook {
    async fn post(&self, client: &reqwest::Client, message: &Message<'_>) -> Result<(), PluginError> {
        let answer = client
            .post(&self.url)
            .timeout(self.timeout)
            .header("Idempotency-Key", &message.idempotency_key)
            .header("Content-Type", "application/json")
            .body(message.json()?)
            .send()
            .await
            .map_err(|error| failed("webhook", message, error.without_url().to_string()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let complaint = shortened(&answer.text().await.unwrap_or_default());
        Err(failed("webhook", message, format!("it answered {status} {complaint}")))
    }
}

impl Command {
    async fn run(&self, message: &Message<'_>) -> Result<(), PluginError> {
        let failed = |reason: String| failed("command", message, reason);
        let Some((program, arguments)) = self.argv.split_first() else {
            return Err(PluginError::Rejected("the configured command is empty".to_owned()));
        };
        let hosts: Vec<_> = message.hosts.iter().map(|host| host.hypervisor_hostname).collect();
        let document = message.json()?;
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .env("BERTH_EVENT", message.event)
            .env("BERTH_IDEMPOTENCY_KEY", &message.idempotency_key)
            .env("BERTH_LEASE_ID", message.lease_id)
            .env("BERTH_RESERVATION_ID", message.reservation_id)
            .env("BERTH_USER_ID", message.user_id)
            .env("BERTH_PROJECT_ID", message.project_id)
            .env("BERTH_HOSTS", hosts.join(","))
            .env("BERTH_START", message.start.to_string())
            .env("BERTH_END", message.end.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(format!("{program} does not start: {error}")))?;
        let input = child.stdin.take();
        let running = async {
            let feeding = async {
                if let Some(mut input) = input {
                    // A program may well not read what it is told.
                    let _ = input.write_all(&document).await;
                }
            };
            let ((), output) = tokio::join!(feeding, child.wait_with_output());
            output
        };
        match tokio::time::timeout(self.timeout, running).await {
            Err(_) => Err(failed(format!(
                "{program} did not end within {} s and was killed",
                self.timeout.as_secs()
            ))),
            Ok(Err(error)) => Err(failed(format!("{program} cannot be waited for: {error}"))),
            Ok(Ok(output)) if output.status.success() => Ok(()),
            Ok(Ok(output)) => {
                let complaint = shortened(&String::from_utf8_lossy(&output.stderr));
                Err(failed(format!("{program} ended with {}: {complaint}", output.status)))
            }
        }
    }
}
