//! Who occupies hosts and units at this moment.
//!
//! Invariant: a lease stands here for exactly what may have been handed over to it and is not given back, which is on
//! record in its reservations (`domain/handover.rs`): a matter of no due time, and of no clock. The planner's windows
//! say what was promised, this says what can be handed over.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use solver::model::{Reservation, Resource};

use super::Book;
use crate::domain::Lease;

/// Ids of leases by the id of the host or unit that they occupy.
#[derive(Clone, Default)]
pub(super) struct Occupants(OrdMap<String, OrdSet<String>>);

impl Occupants {
    pub(super) fn put(&mut self, lease: &Lease) {
        for id in ids(lease) {
            self.0.entry(id).or_default().insert(lease.id.clone());
        }
    }

    pub(super) fn remove(&mut self, lease: &Lease) {
        for id in ids(lease) {
            if let Some(leases) = self.0.get_mut(&id) {
                leases.remove(&lease.id);
                if leases.is_empty() {
                    self.0.remove(&id);
                }
            }
        }
    }
}

/// What a lease may have outside, whatever the plan says now.
fn ids(lease: &Lease) -> BTreeSet<String> {
    lease
        .reservations
        .iter()
        .flat_map(|reservation| reservation.handover.possible().into_keys())
        .collect()
}

impl Book {
    /// How many hosts and units of a lease cannot be handed over to it now, because other leases have not given them back.
    pub(crate) fn not_given_back(&self, lease: &Lease) -> usize {
        let held = lease
            .reservations
            .iter()
            .flat_map(|reservation| &reservation.allocations);
        let ids: BTreeSet<&str> = held.map(|allocation| allocation.host_id.as_str()).collect();
        ids.into_iter().filter(|id| self.is_in_the_way(lease, id)).count()
    }

    fn is_in_the_way(&self, lease: &Lease, id: &str) -> bool {
        let others = self.occupants.0.get(id).into_iter().flatten();
        let others: Vec<&String> = others.filter(|other| **other != lease.id).collect();
        if others.is_empty() {
            return false;
        }
        let own = self.parts_on(&lease.id, id);
        let parts: Vec<Vec<&Reservation>> = others.into_iter().map(|other| self.parts_on(other, id)).collect();
        // The plan has taken it away already, and it is not given back.
        if parts.iter().any(Vec::is_empty) {
            return true;
        }
        let others: Vec<&Reservation> = parts.concat();
        let whole = |part: &&Reservation| !matches!(part.resource, Resource::Instances(_));
        if own.iter().chain(&others).any(whole) {
            return true;
        }
        // Instances that were planned beside each other fit; beside those whose end is late there may be no room.
        let as_planned = |other: &&Reservation| own.iter().any(|part| part.window.overlaps(&other.window));
        !others.iter().all(as_planned) && !self.fits(id, &[own, others].concat())
    }

    /// Reservations of a lease that hold a host or unit.
    fn parts_on(&self, lease_id: &str, id: &str) -> Vec<&Reservation> {
        let lease = self.planner.lease(&Arc::from(lease_id));
        let parts = lease.into_iter().flat_map(|lease| &lease.reservations);
        parts
            .filter(|part| part.holds.binary_search_by(|held| (**held).cmp(id)).is_ok())
            .collect()
    }

    /// Whether a host has room for all these instances at once.
    fn fits(&self, host: &str, parts: &[&Reservation]) -> bool {
        let Some(known) = self.planner.host(&Arc::from(host)) else {
            return false;
        };
        let used = |class: &str| {
            parts.iter().fold(0_u64, |sum, part| {
                let Resource::Instances(instances) = &part.resource else {
                    return sum;
                };
                let count = part.holds.iter().filter(|held| ***held == *host).count() as u64;
                let amount = instances.resources.get(class).copied().unwrap_or(0);
                sum.saturating_add(amount.saturating_mul(count))
            })
        };
        known.capacity.iter().all(|(class, capacity)| used(class) <= *capacity)
    }
}
