//! Hosts as `/v1` shows them: columns and extra capabilities side by side.
//!
//! Invariant: a column's member always has the column's value and type; a capability of the same
//! name is not shown.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use crate::date::RecordTime;
use crate::lease::null_as_default;

/// Body of answers about one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostBody {
    /// The host.
    pub host: Host,
}

/// Body of the listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostsBody {
    /// The hosts.
    pub hosts: Vec<Host>,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Its columns.
    #[serde(flatten)]
    pub columns: HostColumns,
    /// Extra capabilities by name.
    #[serde(flatten, serialize_with = "without_columns")]
    pub capabilities: BTreeMap<String, String>,
}

/// What every host has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostColumns {
    /// Nova's hypervisor id as text.
    pub id: String,
    /// Number of virtual CPUs.
    pub vcpus: i64,
    /// A JSON object as text, or empty.
    #[serde(default, deserialize_with = "null_as_default")]
    pub cpu_info: String,
    /// e.g. `QEMU`
    pub hypervisor_type: String,
    /// e.g. `2010001`
    pub hypervisor_version: i64,
    /// Name of the hypervisor.
    pub hypervisor_hostname: String,
    /// Name of the compute service.
    pub service_name: String,
    /// Memory in MiB.
    pub memory_mb: i64,
    /// Disk in GiB.
    pub local_gb: i64,
    /// Always `null`.
    pub status: Option<String>,
    /// Availability zone, empty if unknown.
    #[serde(default, deserialize_with = "null_as_default")]
    pub availability_zone: String,
    /// Trust of the operator who registered it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub trust_id: String,
    /// Whether it takes new work.
    pub reservable: bool,
    /// When it was registered.
    pub created_at: RecordTime,
    /// When it was last changed.
    pub updated_at: Option<RecordTime>,
}

/// Names of the members of [`HostColumns`].
pub const COLUMN_NAMES: [&str; 15] = [
    "id",
    "vcpus",
    "cpu_info",
    "hypervisor_type",
    "hypervisor_version",
    "hypervisor_hostname",
    "service_name",
    "memory_mb",
    "local_gb",
    "status",
    "availability_zone",
    "trust_id",
    "reservable",
    "created_at",
    "updated_at",
];

fn without_columns<S: Serializer>(capabilities: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (name, value) in capabilities {
        if !COLUMN_NAMES.contains(&name.as_str()) {
            map.serialize_entry(name, value)?;
        }
    }
    map.end()
}

/// What an operator says of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reservable {
    /// `false`: it has failed; `true`: it works again.
    pub reservable: bool,
}

/// What the failure or return of a host changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostHealing {
    /// Whether the host is reservable now.
    pub reservable: bool,
    /// Hosts and places of reservations that were exchanged for others.
    pub moved: u64,
    /// Leases that lack something since now.
    pub lost: u64,
    /// Leases that have what they lacked again.
    pub refilled: u64,
}
