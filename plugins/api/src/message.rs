//! What the receivers of a reservation's life are told by one call.
//!
//! Invariant: a key stands for one content. What is told again because nobody has acknowledged it has the same key;
//! two contents never share one, because [`Content::sequence`] is part of the content.

use serde::Serialize;

/// What happens to a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// The owner gets the resources.
    Start,
    /// A running reservation has gained or lost resources.
    Change,
    /// The end comes near, and something was asked to be done before it.
    BeforeEnd,
    /// The resources are taken back.
    End,
}

impl MessageKind {
    /// The `event` of the document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Change => "change",
            Self::BeforeEnd => "before_end",
            Self::End => "end",
        }
    }
}

/// One message to the receivers of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What is told.
    pub content: Content,
    /// A digest of the content.
    pub key: String,
    /// How often this content has been tried, with the present attempt: from 1.
    pub attempt: u32,
}

impl Message {
    /// The name of the delivery: the same for every attempt, another for every message of the reservation.
    pub fn delivery_id(&self) -> String {
        let Content {
            reservation_id,
            event,
            sequence,
            ..
        } = &self.content;
        format!("{reservation_id}:{}:{sequence}", event.as_str())
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Content {
    /// What happens.
    pub event: MessageKind,
    /// Grows from message to message of the reservation; those before the end are numbered by themselves.
    pub sequence: u64,
    /// The lease.
    pub lease_id: String,
    /// Its name.
    pub lease_name: String,
    /// The reservation.
    pub reservation_id: String,
    /// What kind of thing it is of.
    pub resource_type: String,
    /// The user who made the lease.
    pub user_id: String,
    /// The project that owns the lease.
    pub project_id: String,
    /// `start` of the lease, Unix seconds.
    pub start: i64,
    /// `end` of the lease, Unix seconds.
    pub end: i64,
    /// What the reservation has afterwards; at the end, what it gives back.
    #[serde(flatten)]
    pub resources: Resources,
    /// What it gains, or may not have yet because a message was never acknowledged; only of a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<Resources>,
    /// What it loses, or may have because a message was never acknowledged; of a change, and of a start that follows such
    /// a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<Resources>,
    /// The size of one instance; `None`: something else is reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<ToldInstances>,
}

/// Hosts, addresses or units.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Resources {
    /// Hosts, each once.
    pub hosts: Vec<ToldHost>,
    /// Addresses and their network; `None`: something else is reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floating_ips: Option<ToldFloatingIps>,
    /// Names of units; `None`: something else is reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<Vec<String>>,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ToldHost {
    /// Its id in the book.
    pub id: String,
    /// Its hypervisor host name.
    pub hypervisor_hostname: String,
    /// The name of its compute service.
    pub service_name: String,
    /// How many instances may run on it; `None`: it is reserved whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub places: Option<u32>,
}

/// The size of one instance and where the instances may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToldInstances {
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mb: u32,
    /// Disk in GiB.
    pub disk_gb: u32,
    /// `Some(true)`: all on one host; `Some(false)`: all on different hosts; `None`: no rule.
    pub affinity: Option<bool>,
}

/// Addresses of one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToldFloatingIps {
    /// The network.
    pub network_id: String,
    /// The addresses, each once.
    pub addresses: Vec<String>,
}
