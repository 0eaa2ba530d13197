//! What a reservation asks of the planner.

use std::collections::BTreeMap;
use std::sync::Arc;

use solver::model::{HostId, Instances, Resource, Units};
use solver::predicate::Predicate;

use crate::book::Book;
use crate::domain::{FloatingIpReservation, HostReservation, InstanceReservation, InstanceSize, ReservationSpec};
use crate::properties;

/// Resource class of virtual CPUs.
pub(crate) const VCPU: &str = "VCPU";
/// Resource class of memory, in MiB.
pub(crate) const MEMORY_MB: &str = "MEMORY_MB";
/// Resource class of disk, in GiB.
pub(crate) const DISK_GB: &str = "DISK_GB";

/// A reservation in the planner's terms, times aside.
pub(crate) struct Demand {
    pub(crate) resource: Resource,
    /// Fewest hosts, instances or units.
    pub(crate) min: u32,
    /// Most of them.
    pub(crate) max: u32,
    pub(crate) predicate: Arc<Predicate>,
}

/// What a reservation asks, where the floating IPs of `book` are the units.
///
/// # Errors
/// Says which expression is wrong, and how.
pub(crate) fn demand(spec: &ReservationSpec, book: &Book) -> Result<Demand, String> {
    let predicate = Arc::new(properties::requirement(&spec.expressions())?);
    Ok(match spec {
        ReservationSpec::Host(HostReservation { min, max, .. }) => Demand {
            resource: Resource::Host,
            min: *min,
            max: *max,
            predicate,
        },
        ReservationSpec::Instance(spec) => Demand {
            resource: Resource::Instances(Arc::new(instances(spec))),
            min: spec.amount,
            max: spec.amount,
            predicate,
        },
        ReservationSpec::FloatingIp(spec) => Demand {
            resource: Resource::Units(Arc::new(units(spec, book))),
            min: spec.amount,
            max: spec.amount,
            predicate,
        },
    })
}

fn instances(spec: &InstanceReservation) -> Instances {
    let InstanceSize {
        vcpus,
        memory_mb,
        disk_gb,
    } = spec.size;
    let amounts = [(VCPU, vcpus), (MEMORY_MB, memory_mb), (DISK_GB, disk_gb)];
    let amounts = amounts.map(|(class, amount)| (class.to_owned(), u64::from(amount)));
    Instances {
        resources: BTreeMap::from(amounts),
        affinity: spec.affinity,
    }
}

/// An address that is not registered stands for itself: no pool has a unit of that name.
fn units(spec: &FloatingIpReservation, book: &Book) -> Units {
    let unit = |address: &String| -> HostId {
        let known = book.floating_ip_at(&spec.network_id, address);
        Arc::from(known.map_or(address.as_str(), |found| found.id.as_str()))
    };
    let mut required: Vec<HostId> = spec.required_floatingips.iter().map(unit).collect();
    required.sort();
    Units {
        pool: Arc::from(spec.network_id.as_str()),
        required,
    }
}
