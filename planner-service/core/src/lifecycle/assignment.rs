//! What a plugin is told about a reservation.

use std::collections::BTreeMap;

use plugin_api::{AssignedFloatingIp, AssignedFloatingIps, AssignedHost, AssignedInstances, Assignment};

use crate::book::Book;
use crate::book::countables::unit_name;
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
    let mut units = None;
    let (before_end, instances, floating_ips) = match &reservation.spec {
        ReservationSpec::Host(spec) => (spec.before_end.clone(), None, None),
        ReservationSpec::Instance(spec) => {
            let instances = AssignedInstances {
                vcpus: spec.size.vcpus,
                memory_mb: spec.size.memory_mb,
                disk_gb: spec.size.disk_gb,
                ephemeral_gb: 0,
                extra_specs: BTreeMap::new(),
                affinity: spec.affinity,
                places,
            };
            (String::new(), Some(instances), None)
        }
        ReservationSpec::Flavor(spec) => {
            let instances = AssignedInstances {
                vcpus: spec.flavor.vcpus,
                memory_mb: spec.flavor.memory_mb,
                disk_gb: spec.flavor.disk,
                ephemeral_gb: spec.flavor.ephemeral,
                extra_specs: spec.flavor.extra_specs.clone(),
                affinity: None,
                places,
            };
            (String::new(), Some(instances), None)
        }
        ReservationSpec::FloatingIp(spec) => {
            let held = reservation.allocations.iter();
            let known = held.filter_map(|allocation| book.floating_ip(&allocation.host_id));
            let addresses = known.map(|known| AssignedFloatingIp {
                id: known.id.clone(),
                subnet_id: known.subnet_id.clone(),
                address: known.floating_ip_address.clone(),
            });
            let floating_ips = AssignedFloatingIps {
                network_id: spec.network_id.clone(),
                addresses: addresses.collect(),
            };
            (String::new(), None, Some(floating_ips))
        }
        ReservationSpec::Countable(spec) => {
            let held = reservation.allocations.iter();
            let names = held.map(|allocation| unit_name(&spec.resource_type, &allocation.host_id).to_owned());
            units = Some(names.collect());
            (String::new(), None, None)
        }
    };
    Assignment {
        lease_id: lease.id.clone(),
        reservation_id: reservation.id.clone(),
        resource_type: reservation.spec.resource_type().to_owned(),
        user_id: lease.user_id.clone(),
        project_id: lease.project_id.clone(),
        trust_id: lease.trust_id.clone(),
        start: lease.start,
        end: lease.end,
        before_end,
        hosts,
        instances,
        floating_ips,
        units,
    }
}
