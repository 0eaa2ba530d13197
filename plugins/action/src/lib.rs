//! Telling the operator's machinery that a reservation starts or ends.
//!
//! Invariant: done means the receiver said so: a 2xx answer, or exit code 0, in time. Everything else
//! is tried again with the same key.

mod standalone;

use std::process::Stdio;
use std::time::Duration;

use http_client::{Client, Method, beginning_of, send};
use plugin_api::{AssignedFloatingIps, AssignedInstances, Assignment, PluginError};
use serde::Serialize;
use tokio::io::AsyncWriteExt;

pub use standalone::{Check, Receivers, Standalone};

/// How much of a receiver's complaint is passed on.
const LONGEST_COMPLAINT: usize = 300;

/// How many bytes are read for it: the characters of UTF-8 take four at most.
const COMPLAINT_BYTES: usize = 4 * LONGEST_COMPLAINT;

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
/// variables; exit code 0 is success. `BERTH_PLACES` counts instances for each of `BERTH_HOSTS`; for floating IPs there are
/// `BERTH_NETWORK_ID` and `BERTH_ADDRESSES`, for units `BERTH_UNITS`.
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
    /// How many instances may run here; absent where the host is reserved whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    places: Option<u32>,
}

/// The size of one instance and where the instances may be.
#[derive(Serialize)]
struct Instances {
    vcpus: u32,
    memory_mb: u32,
    disk_gb: u32,
    affinity: Option<bool>,
}

/// Addresses and their network.
#[derive(Serialize)]
struct FloatingIps<'a> {
    network_id: &'a str,
    addresses: Vec<&'a str>,
}

/// What a receiver is told.
#[derive(Serialize)]
struct Message<'a> {
    event: &'static str,
    idempotency_key: String,
    lease_id: &'a str,
    reservation_id: &'a str,
    resource_type: &'a str,
    user_id: &'a str,
    project_id: &'a str,
    hosts: Vec<Host<'a>>,
    /// Unix seconds.
    start: i64,
    /// Unix seconds.
    end: i64,
    /// Absent where whole hosts are reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    instances: Option<Instances>,
    /// Absent where hosts or instances are reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    floating_ips: Option<FloatingIps<'a>>,
    /// Names of units; absent where something else is reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<&'a [String]>,
}

impl Instances {
    fn of(assigned: &AssignedInstances) -> Self {
        Self {
            vcpus: assigned.vcpus,
            memory_mb: assigned.memory_mb,
            disk_gb: assigned.disk_gb,
            affinity: assigned.affinity,
        }
    }
}

impl<'a> FloatingIps<'a> {
    fn of(assigned: &'a AssignedFloatingIps) -> Self {
        Self {
            network_id: &assigned.network_id,
            addresses: assigned.addresses.iter().map(|known| known.address.as_str()).collect(),
        }
    }
}

impl<'a> Message<'a> {
    fn new(event: &'static str, assignment: &'a Assignment) -> Self {
        let places = |id: &str| Some(assignment.instances.as_ref()?.places.get(id).copied().unwrap_or(0));
        let idempotency_key = match (event, &assignment.instances) {
            // An extended reservation comes to a new end.
            ("before_end", _) => format!("{}:{event}:{}", assignment.reservation_id, assignment.end),
            // One that has grown starts anew with what it has then.
            ("start", Some(instances)) => {
                let amount: u64 = instances.places.values().map(|&count| u64::from(count)).sum();
                format!("{}:{event}:{amount}", assignment.reservation_id)
            }
            ("start", None) if let Some(floating_ips) = &assignment.floating_ips => {
                format!("{}:{event}:{}", assignment.reservation_id, floating_ips.addresses.len())
            }
            ("start", None) if let Some(units) = &assignment.units => {
                format!("{}:{event}:{}", assignment.reservation_id, units.len())
            }
            _ => format!("{}:{event}", assignment.reservation_id),
        };
        Self {
            event,
            idempotency_key,
            lease_id: &assignment.lease_id,
            reservation_id: &assignment.reservation_id,
            resource_type: &assignment.resource_type,
            user_id: &assignment.user_id,
            project_id: &assignment.project_id,
            hosts: assignment
                .hosts
                .iter()
                .map(|host| Host {
                    id: &host.id,
                    hypervisor_hostname: &host.hypervisor_hostname,
                    service_name: &host.service_name,
                    places: places(&host.id),
                })
                .collect(),
            start: assignment.start,
            end: assignment.end,
            instances: assignment.instances.as_ref().map(Instances::of),
            floating_ips: assignment.floating_ips.as_ref().map(FloatingIps::of),
            units: assignment.units.as_deref(),
        }
    }

    /// What a program finds in its environment.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let list = |item: &dyn Fn(&Host<'_>) -> String| self.hosts.iter().map(item).collect::<Vec<_>>().join(",");
        let mut variables = vec![
            ("BERTH_EVENT", self.event.to_owned()),
            ("BERTH_IDEMPOTENCY_KEY", self.idempotency_key.clone()),
            ("BERTH_LEASE_ID", self.lease_id.to_owned()),
            ("BERTH_RESERVATION_ID", self.reservation_id.to_owned()),
            ("BERTH_RESOURCE_TYPE", self.resource_type.to_owned()),
            ("BERTH_USER_ID", self.user_id.to_owned()),
            ("BERTH_PROJECT_ID", self.project_id.to_owned()),
            ("BERTH_HOSTS", list(&|host| host.hypervisor_hostname.to_owned())),
            ("BERTH_START", self.start.to_string()),
            ("BERTH_END", self.end.to_string()),
        ];
        if let Some(instances) = &self.instances {
            variables.extend([
                ("BERTH_PLACES", list(&|host| host.places.unwrap_or(0).to_string())),
                ("BERTH_VCPUS", instances.vcpus.to_string()),
                ("BERTH_MEMORY_MB", instances.memory_mb.to_string()),
                ("BERTH_DISK_GB", instances.disk_gb.to_string()),
            ]);
        }
        if let Some(floating_ips) = &self.floating_ips {
            variables.extend([
                ("BERTH_NETWORK_ID", floating_ips.network_id.to_owned()),
                ("BERTH_ADDRESSES", floating_ips.addresses.join(",")),
            ]);
        }
        variables.extend(self.units.map(|units| ("BERTH_UNITS", units.join(","))));
        variables
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
    /// Tells the receiver; done when it says so. The event is `start`, `before_end` or `end`.
    pub async fn carry_out(
        &self,
        client: &Client,
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
    async fn post(&self, client: &Client, message: &Message<'_>) -> Result<(), PluginError> {
        let request = client
            .request(Method::POST, &self.url)
            .timeout(self.timeout)
            .header("Idempotency-Key", &message.idempotency_key)
            .header("Content-Type", "application/json")
            .body(message.json()?);
        let answer = send(request)
            .await
            .map_err(|error| failed("webhook", message, error.to_string()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let complaint = shortened(&String::from_utf8_lossy(&beginning_of(answer, COMPLAINT_BYTES).await));
        Err(failed("webhook", message, format!("it answered {status} {complaint}")))
    }
}

impl Command {
    async fn run(&self, message: &Message<'_>) -> Result<(), PluginError> {
        let failed = |reason: String| failed("command", message, reason);
        let Some((program, arguments)) = self.argv.split_first() else {
            return Err(PluginError::Rejected("the configured command is empty".to_owned()));
        };
        let document = message.json()?;
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .envs(message.variables())
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
