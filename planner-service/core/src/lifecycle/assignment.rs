//! What a plugin is told about a reservation.

use plugin_api::{AssignedHost, Assignment};

use crate::book::Book;
use crate::domain::{Lease, Reservation, ReservationSpec};

/// The plan for one reservation, for its plugin.
pub(super) fn assignment(book: &Book, lease: &Lease, reservation: &Reservation) -> Assignment {
    let ReservationSpec::Host(spec) = &reservation.spec;
    Assignment {
        lease_id: lease.id.clone(),
        reservation_id: reservation.id.clone(),
        user_id: lease.user_id.clone(),
        project_id: lease.project_id.clone(),
        trust_id: lease.trust_id.clone(),
        start: lease.start,
        end: lease.end,
        before_end: spec.before_end.clone(),
        hosts: reservation
            .allocations
            .iter()
            .filter_map(|allocation| book.host(&allocation.host_id))
            .map(|host| AssignedHost {
                id: host.id.clone(),
                hypervisor_hostname: host.hypervisor_hostname.clone(),
                service_name: host.service_name.clone(),
            })
            .collect(),
    }
}
