//! Whether instances fit the hosts they stand on, counted from what hosts carry alone, and units have one holder.
//!
//! Invariant: nothing of a decision is used, so this is a second opinion on every plan with instances or units.

use std::collections::BTreeMap;

use super::{Planner, Stored};
use crate::hosts::Carried;
use crate::model::{HostId, Interval, LeaseId, ReservationId, Resource, Seconds};

/// More of a resource class in use on a host than it has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("host {host} has {capacity} {resource_class}, of which instances would take {used} at {at}")]
pub struct Overbooked {
    /// The host.
    pub host: HostId,
    /// The resource class.
    pub resource_class: String,
    /// What instances take of it.
    pub used: u64,
    /// What the host has.
    pub capacity: u64,
    /// An instant at which that is so.
    pub at: Seconds,
}

impl Planner {
    /// The first host of a lease's instances that carries more than it has, while they are there. A lease that is
    /// not known has none.
    pub fn overbooked(&self, lease: &LeaseId) -> Option<Overbooked> {
        let lease = self.lease(lease)?;
        let of_instances = lease
            .reservations
            .iter()
            .filter(|reservation| matches!(reservation.resource, Resource::Instances(_)));
        of_instances
            .flat_map(|reservation| {
                let mut hosts = reservation.holds.clone();
                hosts.dedup();
                hosts.into_iter().map(|host| (host, reservation.occupation()))
            })
            .find_map(|(host, during)| {
                let number = self.hosts.number(&host)?;
                overbooked(self.hosts.at(number)?, during)
            })
    }
}

/// The first excess on a host during an interval.
fn overbooked(carried: &Carried, during: Interval) -> Option<Overbooked> {
    let shares = || {
        carried
            .shares
            .iter()
            .filter(|share| share.taken.interval.overlaps(&during))
    };
    // The most is in use when something starts.
    for at in shares().map(|share| share.taken.interval.start.max(during.start)) {
        let mut used: BTreeMap<&str, u64> = BTreeMap::new();
        for share in shares().filter(|share| share.taken.interval.contains(at)) {
            for (resource_class, &amount) in &share.instances.resources {
                let taken = amount.saturating_mul(u64::from(share.count));
                let sum = used.entry(resource_class).or_default();
                *sum = sum.saturating_add(taken);
            }
        }
        for (resource_class, used) in used {
            let capacity = carried.host.capacity.get(resource_class).copied().unwrap_or(0);
            if used > capacity {
                return Some(Overbooked {
                    host: carried.host.id.clone(),
                    resource_class: resource_class.to_owned(),
                    used,
                    capacity,
                    at,
                });
            }
        }
    }
    None
}

/// A unit that two reservations hold at one time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unit {unit} is held by reservations {first} and {second} at {at}")]
pub struct SharedUnit {
    /// The unit.
    pub unit: HostId,
    /// One reservation.
    pub first: ReservationId,
    /// The other.
    pub second: ReservationId,
    /// First second they share.
    pub at: Seconds,
}

impl Planner {
    /// The first unit of a lease that another reservation of the pool holds, too. A lease that is not known has none.
    pub fn shared_unit(&self, lease: &LeaseId) -> Option<SharedUnit> {
        let own = self.stored_lease(lease)?;
        let held = |stored: &Stored| {
            let parts = stored.lease.reservations.iter().zip(&stored.parts);
            let units = parts.filter_map(|(reservation, part)| match &reservation.resource {
                Resource::Units(units) => {
                    Some((units.pool.clone(), reservation.clone(), part.occupation(reservation)?))
                }
                Resource::Host | Resource::Instances(_) => None,
            });
            units.collect::<Vec<_>>()
        };
        for (pool, reservation, interval) in held(own) {
            let others = self.leases_of_pool(&pool);
            let others = others.filter_map(|other| self.stored_lease(&other.id)).flat_map(held);
            for (other_pool, other, other_interval) in others {
                if other_pool != pool || other.id == reservation.id || !interval.overlaps(&other_interval) {
                    continue;
                }
                let shared = reservation
                    .holds
                    .iter()
                    .find(|unit| other.holds.binary_search(unit).is_ok());
                if let Some(unit) = shared {
                    return Some(SharedUnit {
                        unit: unit.clone(),
                        first: reservation.id,
                        second: other.id,
                        at: interval.start.max(other_interval.start),
                    });
                }
            }
        }
        None
    }
}
