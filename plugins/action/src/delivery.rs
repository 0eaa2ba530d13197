//! One thing a receiver is told, in all the forms receivers read.
//!
//! Invariant: every member of the document is described in `docs/webhooks.md` and its JSON schema.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat};
use plugin_api::{Content, Message, Resources, ToldHost};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Longest value of an environment variable, in bytes: the kernel starts no program with one of 128 KiB. Longer lists are
/// only in the document.
pub const VARIABLE_LIMIT: usize = 64 * 1024;

/// One thing a receiver is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// `start`, `booked` ...
    pub event: String,
    /// What it is about, for whoever reads a failure: `reservation R`.
    pub subject: String,
    /// The same for every attempt, another for everything else that is told.
    pub id: String,
    /// Digest of the content: the same for every attempt.
    pub key: String,
    /// From 1.
    pub attempt: u32,
    /// The JSON document.
    pub document: Vec<u8>,
    /// What a program finds in its environment.
    pub variables: Vec<(&'static str, String)>,
}

/// A document that has no form: a fault of Berth.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// It cannot be written.
    #[error("what a receiver is to be told cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// A notice is not an object with its event.
    #[error("a notice is a JSON object with `event` and `lease_id`")]
    NotANotice,
}

#[derive(Serialize)]
struct Document<'a, T> {
    #[serde(flatten)]
    content: &'a T,
    #[serde(flatten)]
    dates: Dates,
    idempotency_key: &'a str,
    delivery_id: &'a str,
    attempt: u32,
}

#[derive(Serialize)]
struct Dates {
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<String>,
}

fn written<T: Serialize>(
    content: &T,
    dates: Dates,
    key: &str,
    delivery_id: &str,
    attempt: u32,
) -> Result<Vec<u8>, DeliveryError> {
    let document = Document {
        content,
        dates,
        idempotency_key: key,
        delivery_id,
        attempt,
    };
    serde_json::to_vec(&document).map_err(DeliveryError::Unwritable)
}

/// The time as RFC 3339 writes it, in UTC.
fn date(seconds: i64) -> Option<String> {
    DateTime::from_timestamp(seconds, 0).map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

impl Delivery {
    /// A message about a reservation.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of_message(message: &Message) -> Result<Self, DeliveryError> {
        let Message { content, key, attempt } = message;
        let id = message.delivery_id();
        let dates = Dates {
            start_date: date(content.start),
            end_date: date(content.end),
        };
        Ok(Self {
            event: content.event.as_str().to_owned(),
            subject: format!("reservation {}", content.reservation_id),
            document: written(content, dates, key, &id, *attempt)?,
            variables: message_variables(message, &id),
            id,
            key: key.clone(),
            attempt: *attempt,
        })
    }

    /// A notice about a lease: `content` is a JSON object with at least `event` and `lease_id`, `id` names it.
    ///
    /// # Errors
    /// When it is not such an object.
    pub fn of_notice(content: &str, id: &str, attempt: u32) -> Result<Self, DeliveryError> {
        let members: Map<String, Value> = serde_json::from_str(content).map_err(DeliveryError::Unwritable)?;
        let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (event, lease_id) = (text("event"), text("lease_id"));
        if event.is_empty() || lease_id.is_empty() {
            return Err(DeliveryError::NotANotice);
        }
        let mut digest = Sha256::new();
        digest.update(id);
        digest.update(content);
        let key = hexadecimal(&digest.finalize());
        let number = |name: &str| members.get(name).and_then(Value::as_i64);
        let dates = Dates {
            start_date: number("start").and_then(date),
            end_date: number("end").and_then(date),
        };
        let mut variables = vec![
            ("BERTH_EVENT", event.clone()),
            ("BERTH_IDEMPOTENCY_KEY", key.clone()),
            ("BERTH_DELIVERY_ID", id.to_owned()),
            ("BERTH_ATTEMPT", attempt.to_string()),
            ("BERTH_LEASE_ID", lease_id.clone()),
            ("BERTH_LEASE_NAME", text("lease_name")),
            ("BERTH_USER_ID", text("user_id")),
            ("BERTH_PROJECT_ID", text("project_id")),
            ("BERTH_START_DATE", dates.start_date.clone().unwrap_or_default()),
            ("BERTH_END_DATE", dates.end_date.clone().unwrap_or_default()),
        ];
        variables.extend(number("start").map(|start| ("BERTH_START", start.to_string())));
        variables.extend(number("end").map(|end| ("BERTH_END", end.to_string())));
        Ok(Self {
            document: written(&members, dates, &key, id, attempt)?,
            subject: format!("lease {lease_id}"),
            event,
            id: id.to_owned(),
            key,
            attempt,
            variables,
        })
    }
}

/// The bytes in hexadecimal digits.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

fn message_variables(message: &Message, id: &str) -> Vec<(&'static str, String)> {
    let content: &Content = &message.content;
    let mut variables = vec![
        ("BERTH_EVENT", content.event.as_str().to_owned()),
        ("BERTH_IDEMPOTENCY_KEY", message.key.clone()),
        ("BERTH_DELIVERY_ID", id.to_owned()),
        ("BERTH_ATTEMPT", message.attempt.to_string()),
        ("BERTH_SEQUENCE", content.sequence.to_string()),
        ("BERTH_LEASE_ID", content.lease_id.clone()),
        ("BERTH_LEASE_NAME", content.lease_name.clone()),
        ("BERTH_RESERVATION_ID", content.reservation_id.clone()),
        ("BERTH_RESOURCE_TYPE", content.resource_type.clone()),
        ("BERTH_USER_ID", content.user_id.clone()),
        ("BERTH_PROJECT_ID", content.project_id.clone()),
        ("BERTH_START", content.start.to_string()),
        ("BERTH_END", content.end.to_string()),
        ("BERTH_START_DATE", date(content.start).unwrap_or_default()),
        ("BERTH_END_DATE", date(content.end).unwrap_or_default()),
    ];
    if let Some(instances) = &content.instances {
        variables.extend([
            ("BERTH_VCPUS", instances.vcpus.to_string()),
            ("BERTH_MEMORY_MB", instances.memory_mb.to_string()),
            ("BERTH_DISK_GB", instances.disk_gb.to_string()),
        ]);
    }
    variables.extend(resource_variables(
        &content.resources,
        ["BERTH_HOSTS", "BERTH_PLACES", "BERTH_ADDRESSES", "BERTH_UNITS"],
    ));
    variables.extend(
        content
            .resources
            .floating_ips
            .as_ref()
            .map(|floating_ips| ("BERTH_NETWORK_ID", floating_ips.network_id.clone())),
    );
    let added = content.added.iter().flat_map(|added| {
        resource_variables(
            added,
            [
                "BERTH_ADDED_HOSTS",
                "BERTH_ADDED_PLACES",
                "BERTH_ADDED_ADDRESSES",
                "BERTH_ADDED_UNITS",
            ],
        )
    });
    let removed = content.removed.iter().flat_map(|removed| {
        resource_variables(
            removed,
            [
                "BERTH_REMOVED_HOSTS",
                "BERTH_REMOVED_PLACES",
                "BERTH_REMOVED_ADDRESSES",
                "BERTH_REMOVED_UNITS",
            ],
        )
    });
    variables.extend(added.chain(removed));
    variables.retain(|(_, value)| value.len() <= VARIABLE_LIMIT);
    variables
}

/// Lists of hosts, places on them, addresses and units, under these names.
fn resource_variables(
    resources: &Resources,
    [hosts, places, addresses, units]: [&'static str; 4],
) -> Vec<(&'static str, String)> {
    let list = |item: &dyn Fn(&ToldHost) -> String| resources.hosts.iter().map(item).collect::<Vec<_>>().join(",");
    let mut variables = vec![(hosts, list(&|host| host.hypervisor_hostname.clone()))];
    if resources.hosts.iter().any(|host| host.places.is_some()) {
        variables.push((places, list(&|host| host.places.unwrap_or(0).to_string())));
    }
    variables.extend(
        resources
            .floating_ips
            .as_ref()
            .map(|floating_ips| (addresses, floating_ips.addresses.join(","))),
    );
    variables.extend(resources.units.as_ref().map(|names| (units, names.join(","))));
    variables
}
