//! What a plugin is told about a reservation.

use std::collections::BTreeMap;

use plugin_api::{AssignedHost, AssignedInstances, Assignment};

use crate::book::Book;
use crate::domain::{Lease, Reservation, ReservationSpec};

/// The plan for one reservation, for its plugin.
pub(super) fn assignment(book: &Book, lease: &Lease, reservation: &Reservation) -> Assignment {
    let mut places: BTreeMap<String, u32> = BTreeMap::new();
    for allocation in &reservation.allocations {
        *places.entry(allocation.host_id.clone()).or_default() += 1;
    }
    let hosts = places.keys().filter_map(|id| book.host(id)).map(|host| AssignedHost {
        id: host.id.clone(),
        hypervisor_hostname: host.hypervisor_hostname.clone(),
        service_name: host.service_name.clone(),
    });
    let hosts = hosts.collect();
    let (before_end, instances) = match &reservation.spec {
        ReservationSpec::Host(spec) => (spec.before_end.clone(), None),
        ReservationSpec::Instance(spec) => {
            let instances = AssignedInstances {
                vcpus: spec.size.vcpus,
                memory_mb: spec.size.memory_mb,
                disk_gb: spec.size.disk_gb,
                affinity: spec.affinity,
                places,
            };
            (String::new(), Some(instances))
        }
    };
    Assignment {
        lease_id: lease.id.clone(),
        reservation_id: reservation.id.clone(),
        user_id: lease.user_id.clone(),
        project_id: lease.project_id.clone(),
        trust_id: lease.trust_id.clone(),
        start: lease.start,
        end: lease.end,
        before_end,
        hosts,
        instances,
    }
}
