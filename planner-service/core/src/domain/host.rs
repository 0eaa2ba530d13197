//! Hosts and the properties operators give them.

use std::collections::BTreeMap;

use plugin_api::{AssignedHost, Provision};

use super::Timestamp;

/// A registered compute host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Nova's hypervisor id as text; digits in a standalone inventory.
    pub id: String,
    /// Number of virtual CPUs.
    pub vcpus: i64,
    /// A JSON object as text, or empty.
    pub cpu_info: String,
    /// e.g. `QEMU`
    pub hypervisor_type: String,
    /// e.g. `2010001`
    pub hypervisor_version: i64,
    /// Name of the hypervisor, unique.
    pub hypervisor_hostname: String,
    /// Name of the compute service.
    pub service_name: String,
    /// Memory in MiB.
    pub memory_mb: i64,
    /// Disk in GiB.
    pub local_gb: i64,
    /// Availability zone, empty if unknown.
    pub availability_zone: String,
    /// Trust of the operator who registered it, empty without trusts.
    pub trust_id: String,
    /// `false`: no new work.
    pub reservable: bool,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Option<Timestamp>,
    /// Extra capabilities by name.
    pub capabilities: BTreeMap<String, String>,
    /// What Placement said of it when it was registered or last changed.
    pub provision: Provision,
}

impl Host {
    /// The host as plugins and the inventory know it.
    pub(crate) fn assigned(&self) -> AssignedHost {
        AssignedHost {
            id: self.id.clone(),
            hypervisor_hostname: self.hypervisor_hostname.clone(),
            service_name: self.service_name.clone(),
        }
    }
}

/// A capability name known to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// UUID with dashes.
    pub id: String,
    /// Name, unique among hosts' capabilities.
    pub name: String,
    /// Hidden from users who are not operators.
    pub private: bool,
    /// When it was first used.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Option<Timestamp>,
}
