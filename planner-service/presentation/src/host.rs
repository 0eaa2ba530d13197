//! Hosts: domain to wire.

use api_types::date::RecordTime;
use api_types::host as wire;
use planner_core::domain::Host;

/// A host as clients see it.
pub fn write(host: &Host) -> wire::Host {
    wire::Host {
        columns: wire::HostColumns {
            id: host.id.clone(),
            vcpus: host.vcpus,
            cpu_info: host.cpu_info.clone(),
            hypervisor_type: host.hypervisor_type.clone(),
            hypervisor_version: host.hypervisor_version,
            hypervisor_hostname: host.hypervisor_hostname.clone(),
            service_name: host.service_name.clone(),
            memory_mb: host.memory_mb,
            local_gb: host.local_gb,
            status: None,
            availability_zone: host.availability_zone.clone(),
            trust_id: host.trust_id.clone(),
            reservable: host.reservable,
            created_at: RecordTime(host.created_at),
            updated_at: host.updated_at.map(RecordTime),
        },
        capabilities: host.capabilities.clone(),
    }
}
