//! Leases, reservations and events as `/v1` shows them.

use serde::{Deserialize, Serialize};

use crate::date::{PlanTime, RecordTime};

/// Body of answers about one lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeaseBody {
    /// The lease.
    pub lease: Lease,
}

/// Body of the listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeasesBody {
    /// The leases.
    pub leases: Vec<Lease>,
}

/// A lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// UUID with dashes.
    pub id: String,
    /// Free text.
    pub name: String,
    /// Who made it.
    pub user_id: String,
    /// Who owns it.
    pub project_id: String,
    /// First second.
    pub start_date: PlanTime,
    /// First second after.
    pub end_date: PlanTime,
    /// Keystone trust, `""` without trusts.
    #[serde(default, deserialize_with = "null_as_default")]
    pub trust_id: String,
    /// `PENDING`, `ACTIVE`, ...
    pub status: String,
    /// Whether a resource was lost or replaced.
    pub degraded: bool,
    /// When it was made.
    pub created_at: RecordTime,
    /// When it was last changed.
    pub updated_at: Option<RecordTime>,
    /// What it reserves.
    pub reservations: Vec<Reservation>,
    /// Its scheduled actions.
    pub events: Vec<Event>,
}

/// A reservation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    /// UUID with dashes.
    pub id: String,
    /// The lease it belongs to.
    pub lease_id: String,
    /// UUID of the type-specific record.
    #[serde(default, deserialize_with = "null_as_default")]
    pub resource_id: String,
    /// `physical:host`, ...
    pub resource_type: String,
    /// `pending`, `active`, `deleted`, `error`
    pub status: String,
    /// A failed resource could not be replaced.
    pub missing_resources: bool,
    /// A resource was replaced while the reservation was active.
    pub resources_changed: bool,
    /// When it was made.
    pub created_at: RecordTime,
    /// When it was last changed.
    pub updated_at: Option<RecordTime>,
    /// What is reserved.
    #[serde(flatten)]
    pub parameters: Parameters,
}

/// What is reserved, by resource type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Parameters {
    /// Of `physical:host`.
    Host(HostParameters),
    /// Of `virtual:instance` and `flavor:instance`.
    Instance(InstanceParameters),
    /// Of `virtual:floatingip`.
    FloatingIp(FloatingIpParameters),
    /// Of a resource type that the operator has named.
    Countable(CountableParameters),
    /// Of a resource type not known here.
    Other(serde_json::Map<String, serde_json::Value>),
}

/// Parameters of `physical:host`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostParameters {
    /// Property expression, `""` for none.
    #[serde(default, deserialize_with = "null_as_default")]
    pub hypervisor_properties: String,
    /// Property expression, `""` for none.
    #[serde(default, deserialize_with = "null_as_default")]
    pub resource_properties: String,
    /// `""`, `default` or `snapshot`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub before_end: String,
    /// Fewest hosts.
    pub min: u32,
    /// Most hosts.
    pub max: u32,
}

/// Parameters of `virtual:instance` and `flavor:instance`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceParameters {
    /// Virtual CPUs of one instance.
    pub vcpus: u32,
    /// Memory of one instance, in MiB.
    pub memory_mb: u32,
    /// Disk of one instance, in GiB.
    pub disk_gb: u32,
    /// How many instances.
    pub amount: u32,
    /// All on one host, all on different hosts, or no rule.
    pub affinity: Option<bool>,
    /// Property expression, `""` for none; of `flavor:instance` the flavor that was reserved, as JSON.
    #[serde(default, deserialize_with = "null_as_default")]
    pub resource_properties: String,
    /// The flavor that boots into the reservation: the reservation's id.
    pub flavor_id: String,
    /// Nova's number of the aggregate, once there is one.
    pub aggregate_id: Option<i64>,
    /// Nova's server group, once there is one.
    pub server_group_id: Option<String>,
}

/// Parameters of `virtual:floatingip`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FloatingIpParameters {
    /// The external network.
    pub network_id: String,
    /// How many addresses.
    pub amount: u32,
    /// Addresses that must be among them.
    #[serde(default, deserialize_with = "null_as_default")]
    pub required_floatingips: Vec<String>,
}

/// Parameters of a resource type that the operator has named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CountableParameters {
    /// How many units.
    pub amount: u32,
    /// The units it has; until it starts they may become others.
    pub units: Vec<String>,
}

/// A scheduled action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names are upstream's")]
pub struct Event {
    /// UUID with dashes.
    pub id: String,
    /// The lease it belongs to.
    pub lease_id: String,
    /// `start_lease`, `end_lease`, `before_end_lease`
    pub event_type: String,
    /// When it is due.
    pub time: PlanTime,
    /// `UNDONE`, `IN_PROGRESS`, `DONE`, `ERROR`
    pub status: String,
    /// When it was made.
    pub created_at: RecordTime,
    /// When it was last changed.
    pub updated_at: Option<RecordTime>,
}

/// Reads `null` as the empty value.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
