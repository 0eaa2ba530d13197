//! What a plugin is told about a reservation.

use std::collections::BTreeMap;

use plugin_api::{AssignedFloatingIp, AssignedFloatingIps, AssignedInstances, Assignment};

use crate::book::Book;
use crate::book::countables::unit_names;
use crate::domain::{Lease, Reservation, ReservationSpec};

/// The plan for one reservation, for its plugin.
pub(super) fn assignment(book: &Book, lease: &Lease, reservation: &Reservation) -> Assignment {
    let held = &reservation.allocations;
    let places = reservation.holding();
    let hosts = places.keys().filter_map(|id| book.host(id));
    let mut assignment = Assignment {
        lease_id: lease.id.clone(),
        reservation_id: reservation.id.clone(),
        resource_type: reservation.spec.resource_type().to_owned(),
        user_id: lease.user_id.clone(),
        project_id: lease.project_id.clone(),
        trust_id: lease.trust_id.clone(),
        start: lease.start,
        end: lease.end,
        before_end: String::new(),
        hosts: hosts.map(|host| host.assigned()).collect(),
        instances: None,
        floating_ips: None,
        units: None,
        message: None,
    };
    match &reservation.spec {
        ReservationSpec::Host(spec) => assignment.before_end.clone_from(&spec.before_end),
        ReservationSpec::Instance(spec) => {
            assignment.instances = Some(AssignedInstances {
                vcpus: spec.size.vcpus,
                memory_mb: spec.size.memory_mb,
                disk_gb: spec.size.disk_gb,
                ephemeral_gb: 0,
                extra_specs: BTreeMap::new(),
                affinity: spec.affinity,
                places,
            });
        }
        ReservationSpec::Flavor(spec) => {
            assignment.instances = Some(AssignedInstances {
                vcpus: spec.flavor.vcpus,
                memory_mb: spec.flavor.memory_mb,
                disk_gb: spec.flavor.disk,
                ephemeral_gb: spec.flavor.ephemeral,
                extra_specs: spec.flavor.extra_specs.clone(),
                affinity: None,
                places,
            });
        }
        ReservationSpec::FloatingIp(spec) => {
            let known = held
                .iter()
                .filter_map(|allocation| book.floating_ip(&allocation.host_id));
            let addresses = known.map(|known| AssignedFloatingIp {
                id: known.id.clone(),
                subnet_id: known.subnet_id.clone(),
                address: known.floating_ip_address.clone(),
            });
            assignment.floating_ips = Some(AssignedFloatingIps {
                network_id: spec.network_id.clone(),
                addresses: addresses.collect(),
            });
        }
        ReservationSpec::Countable(spec) => assignment.units = Some(unit_names(&spec.resource_type, held)),
    }
    assignment
}
