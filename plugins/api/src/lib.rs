//! The trait every resource type implements, and the values that cross it.
//!
//! Invariant: a plugin never sees the database or HTTP requests. It is told what the plan says
//! ([`Assignment`]) and makes the outside world agree. Every method is idempotent: called twice, or
//! called again after a crash at any point, it ends in the same state.

pub mod echo;
mod flavor;
mod foreign_text;
mod message;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

pub use flavor::{FlavorSource, SourceFlavor};
pub use foreign_text::foreign_text;
pub use message::{Content, Message, MessageKind, Resources, ToldFloatingIps, ToldHost, ToldInstances};

/// What the plan says about one reservation at the moment of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The lease it belongs to.
    pub lease_id: String,
    /// The reservation.
    pub reservation_id: String,
    /// What kind of thing it is of.
    pub resource_type: String,
    /// The user who made the lease.
    pub user_id: String,
    /// The project that owns the lease.
    pub project_id: String,
    /// The owner's Keystone trust, if trusts are configured.
    pub trust_id: Option<String>,
    /// `start` of the lease, Unix seconds.
    pub start: i64,
    /// `end` of the lease, Unix seconds.
    pub end: i64,
    /// What to do before the end: `default`, `snapshot` or nothing (empty).
    pub before_end: String,
    /// The hosts that serve it, final, each once.
    pub hosts: Vec<AssignedHost>,
    /// What instances it is of; `None`: the hosts are reserved whole.
    pub instances: Option<AssignedInstances>,
    /// Which floating IPs it is of; `None`: it is of hosts or instances.
    pub floating_ips: Option<AssignedFloatingIps>,
    /// Which units of a resource type that the operator has named it is of; `None`: it is of another.
    pub units: Option<Vec<String>>,
    /// What its receivers, if it has any, are to be told by this call; `None`: nothing, because they know it already or
    /// have never heard of the reservation.
    pub message: Option<Message>,
}

/// Addresses of one external network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedFloatingIps {
    /// The network.
    pub network_id: String,
    /// The addresses, each once.
    pub addresses: Vec<AssignedFloatingIp>,
}

/// An address as the outside world knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AssignedFloatingIp {
    /// Its id in the book.
    pub id: String,
    /// The subnet it lies in, empty if there is no cloud that has subnets.
    pub subnet_id: String,
    /// The address.
    pub address: String,
}

/// Places for instances on hosts that other instances may share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedInstances {
    /// Virtual CPUs of one instance.
    pub vcpus: u32,
    /// Memory of one instance, in MiB.
    pub memory_mb: u32,
    /// Disk of one instance, in GiB.
    pub disk_gb: u32,
    /// Second disk of one instance, in GiB.
    pub ephemeral_gb: u32,
    /// Extra specs that their flavor has besides those that bind it to the reservation.
    pub extra_specs: BTreeMap<String, String>,
    /// `Some(true)`: all on one host; `Some(false)`: all on different hosts; `None`: no rule.
    pub affinity: Option<bool>,
    /// How many places on each host, by the host's id in the book.
    pub places: BTreeMap<String, u32>,
}

/// What the outside world calls the objects made for a reservation, as far as clients are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Created {
    /// Nova's number of the aggregate.
    pub aggregate_id: Option<i64>,
    /// Nova's server group.
    pub server_group_id: Option<String>,
}

/// A host as the outside world knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AssignedHost {
    /// Its id in the book.
    pub id: String,
    /// Nova's hypervisor host name.
    pub hypervisor_hostname: String,
    /// Nova's compute service host, the name aggregates take.
    pub service_name: String,
}

/// Why a step towards the outside world is not done yet. Whoever called tries again later with
/// back-off; the text is shown to the owner of the lease and to operators.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PluginError {
    /// A service is down, slow, or answered nonsense.
    #[error("{service} did not {operation}: {reason}")]
    Unavailable {
        /// `nova`, `placement`, `webhook` ...
        service: &'static str,
        /// What was asked of it, as a verb phrase: `add host c1 to aggregate r1`.
        operation: String,
        /// What it answered.
        reason: String,
    },
    /// A service could not be reached: nothing of what was asked has begun.
    #[error("{service} did not {operation}: {reason}")]
    Unreached {
        /// `webhook`, `command` ...
        service: &'static str,
        /// What was asked of it, as a verb phrase.
        operation: String,
        /// Why it could not be reached.
        reason: String,
    },
    /// The outside world is in a state in which the step cannot be done yet.
    #[error("{0}")]
    Waiting(String),
    /// The request itself is wrong; trying again is useless.
    #[error("{0}")]
    Rejected(String),
}

/// Something found in the outside world that disagrees with the plan and was not, or may not be, repaired.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Finding {
    /// Stable code: `foreign_server`, `host_missing`, `aggregate_missing`, `host_elsewhere` ...
    pub kind: String,
    /// The host concerned, by hypervisor host name, empty if none.
    pub host: String,
    /// One sentence for the operator.
    pub detail: String,
    /// Whether the reconciler has repaired it.
    pub repaired: bool,
}

impl Finding {
    /// Something found at a host, `""` if at none.
    pub fn new(kind: &str, host: &str, detail: String, repaired: bool) -> Self {
        Self {
            kind: kind.to_owned(),
            host: host.to_owned(),
            detail,
            repaired,
        }
    }
}

/// One resource type.
#[async_trait]
pub trait ResourcePlugin: Send + Sync {
    /// The `resource_type` it serves, e.g. `physical:host`.
    fn resource_type(&self) -> &str;

    /// Makes what clients may name before the start, such as a server group. Called again when the reservation has been
    /// changed before its start; [`ResourcePlugin::start`] makes what could not be made in time.
    async fn prepare(&self, _assignment: &Assignment) -> Result<Created, PluginError> {
        Ok(Created::default())
    }

    /// Removes what [`ResourcePlugin::prepare`] made for a reservation that will not start.
    async fn discard(&self, _assignment: &Assignment) -> Result<(), PluginError> {
        Ok(())
    }

    /// Gives the project its resources: afterwards the owner can use them and nobody else. Also called when a
    /// running reservation has grown.
    async fn start(&self, assignment: &Assignment) -> Result<Created, PluginError>;

    /// The action that was asked for before the end (e.g. snapshots).
    async fn before_end(&self, assignment: &Assignment) -> Result<(), PluginError>;

    /// Takes the resources back: afterwards nothing of the reservation is left in the outside world
    /// and its hosts can serve another. Also called for a reservation that never started.
    async fn end(&self, assignment: &Assignment) -> Result<(), PluginError>;

    /// Compares a running reservation with the outside world, repairs what can be repaired safely,
    /// and reports everything that disagreed.
    async fn reconcile(&self, assignment: &Assignment) -> Result<Vec<Finding>, PluginError>;
}

/// What an operator says about a host to register.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostRegistration {
    /// Hypervisor host name, or the host's id.
    pub reference: String,
    /// Every other member of the request: columns (only a standalone inventory takes them) and extra capabilities.
    pub values: BTreeMap<String, String>,
}

/// What the inventory knows about a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Nova's hypervisor id as text; in a standalone inventory a number that counts up is chosen by the book when empty.
    pub id: String,
    /// Number of virtual CPUs.
    pub vcpus: i64,
    /// A JSON object as text, or empty.
    pub cpu_info: String,
    /// e.g. `QEMU`
    pub hypervisor_type: String,
    /// e.g. `2010001`
    pub hypervisor_version: i64,
    /// Name of the hypervisor.
    pub hypervisor_hostname: String,
    /// Name of the compute service, the one aggregates take.
    pub service_name: String,
    /// Memory in MiB.
    pub memory_mb: i64,
    /// Disk in GiB.
    pub local_gb: i64,
    /// Availability zone, empty if unknown.
    pub availability_zone: String,
    /// Extra capabilities: what remains of the request's values.
    pub capabilities: BTreeMap<String, String>,
    /// What Placement says of it.
    pub provision: Provision,
}

/// What a host can give instances, by resource class, and what it is able to do: Placement's view of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provision {
    /// By resource class. Empty: nobody has said; the columns of the host tell.
    pub inventories: BTreeMap<String, Inventory>,
    /// Traits.
    pub traits: BTreeSet<String>,
}

/// What there is of one resource class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inventory {
    /// What all instances together may take: what is not reserved for the host itself, over-commitment included.
    pub capacity: u64,
    /// The most one instance may take.
    pub max_unit: u64,
}

impl Inventory {
    /// What Placement's numbers come to: `(total - reserved) * allocation_ratio`, rounded down; never below 0.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "Placement's own amounts are below 2^31 and its product is rounded down"
    )]
    pub fn counted(total: i64, reserved: i64, allocation_ratio: f64, max_unit: i64) -> Self {
        let free = total.saturating_sub(reserved).max(0);
        Self {
            capacity: (free as f64 * allocation_ratio).max(0.0) as u64,
            max_unit: u64::try_from(max_unit).unwrap_or(0),
        }
    }
}

/// Why a host or floating IP cannot be registered or removed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InventoryError {
    /// 404 with this text.
    #[error("{0}")]
    NotFound(String),
    /// 409 with this text.
    #[error("{0}")]
    Conflict(String),
    /// 400 with this text.
    #[error("{0}")]
    Invalid(String),
    /// 403 with this text (upstream's answer to some bad values).
    #[error("{0}")]
    Forbidden(String),
    /// The inventory's service did not answer usefully: 503.
    #[error("{0}")]
    Unavailable(String),
}

/// Where hosts come from.
#[async_trait]
pub trait HostInventory: Send + Sync {
    /// Looks a host up and prepares it for reservations (freepool, reservation provider). Repeating
    /// it for a host that was prepared but never entered into the book succeeds.
    async fn register(&self, registration: &HostRegistration) -> Result<HostFacts, InventoryError>;

    /// Undoes [`HostInventory::register`]. Repeating it succeeds.
    async fn deregister(&self, host: &AssignedHost) -> Result<(), InventoryError>;

    /// What a registered host can give now.
    async fn provision(&self, host: &AssignedHost) -> Result<Provision, InventoryError>;
}

/// Whether a host can serve reservations now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostState {
    /// Its id, as the inventory gave it.
    pub id: String,
    /// Whether it works and may be used.
    pub is_up: bool,
}

/// Says which hosts work.
#[async_trait]
pub trait HostMonitor: Send + Sync {
    /// The state of every host that is known; about others nothing is said.
    async fn states(&self) -> Result<Vec<HostState>, InventoryError>;
}

/// Says when hosts may have begun or ceased to work, so that their monitor is asked at once.
#[async_trait]
pub trait HostNews: Send + Sync {
    /// Returns when there is news; it is news, too, that news can be heard again. [`InventoryError::Unavailable`] while its
    /// source is away.
    async fn next(&self) -> Result<(), InventoryError>;
}

/// Where floating IPs come from.
#[async_trait]
pub trait FloatingIpInventory: Send + Sync {
    /// Whether an address of a network may be registered; answers the subnet it lies in, empty if there is no cloud
    /// that has subnets. Changes nothing.
    async fn locate(&self, network_id: &str, address: IpAddr) -> Result<String, InventoryError>;
}

/// The plugins of a service, by resource type.
#[derive(Clone, Default)]
pub struct Plugins(BTreeMap<String, Arc<dyn ResourcePlugin>>);

impl Plugins {
    /// Adds a plugin; a second one for the same resource type replaces the first.
    #[must_use]
    pub fn with(mut self, plugin: Arc<dyn ResourcePlugin>) -> Self {
        self.0.insert(plugin.resource_type().to_owned(), plugin);
        self
    }

    /// The plugin of a resource type.
    pub fn get(&self, resource_type: &str) -> Option<&Arc<dyn ResourcePlugin>> {
        self.0.get(resource_type)
    }

    /// The resource types that have one, in order.
    pub fn resource_types(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Is told how far work has come: named points between calls to the outside, at which a test can kill
/// the process. A step is reported after the effect of the call before it and before the next call.
pub trait StepObserver: Send + Sync {
    /// The step was reached. Names are `<what>:<what has just been done>`.
    fn reached(&self, step: &'static str);
}

/// Observes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl StepObserver for NoObserver {
    fn reached(&self, _step: &'static str) {}
}
