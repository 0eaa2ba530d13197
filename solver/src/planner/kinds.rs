//! Which promises are of something else than whole hosts, so that a decision need not look through all.
//!
//! Invariant: counts what the leases held say, no more and no less.

use imbl::OrdMap;

use super::Planner;
use crate::model::{LeaseId, PoolId, Reservation, Resource, Seconds};

/// Instances that may be put elsewhere and units, by what decisions ask for.
#[derive(Clone, Default)]
pub(super) struct Kinds {
    /// Instance reservations that hold something and are not pinned, by their start.
    starts: OrdMap<Seconds, usize>,
    /// Unit reservations of each pool by lease.
    units: OrdMap<PoolId, OrdMap<LeaseId, usize>>,
}

impl Kinds {
    /// A reservation of a lease is held now.
    pub(super) fn add(&mut self, lease: &LeaseId, reservation: &Reservation) {
        match &reservation.resource {
            Resource::Instances(_) if is_movable(reservation) => {
                *self.starts.entry(reservation.window.start).or_default() += 1;
            }
            Resource::Units(units) => {
                let leases = self.units.entry(units.pool.clone()).or_default();
                *leases.entry(lease.clone()).or_default() += 1;
            }
            Resource::Host | Resource::Instances(_) => {}
        }
    }

    /// A reservation of a lease is held no longer.
    pub(super) fn remove(&mut self, lease: &LeaseId, reservation: &Reservation) {
        match &reservation.resource {
            Resource::Instances(_) if is_movable(reservation) => less(&mut self.starts, &reservation.window.start),
            Resource::Units(units) => {
                if let Some(leases) = self.units.get_mut(&units.pool) {
                    less(leases, lease);
                }
            }
            Resource::Host | Resource::Instances(_) => {}
        }
    }
}

fn is_movable(reservation: &Reservation) -> bool {
    !reservation.pinned && !reservation.holds.is_empty()
}

fn less<K: Ord + Clone>(counts: &mut OrdMap<K, usize>, key: &K) {
    match counts.get_mut(key) {
        Some(count) if *count > 1 => *count -= 1,
        _ => drop(counts.remove(key)),
    }
}

impl Planner {
    /// Whether instances are promised that may still be put elsewhere.
    pub(crate) fn may_move_instances(&self, now: Seconds) -> bool {
        let last = self.kinds.starts.get_max();
        last.is_some_and(|&(start, _)| start >= self.movable_from(now))
    }

    /// The leases that hold units of a pool, by identifier.
    pub(crate) fn leases_of_pool(&self, pool: &PoolId) -> impl Iterator<Item = &crate::model::Lease> {
        let leases = self.kinds.units.get(pool).into_iter().flat_map(OrdMap::keys);
        leases.filter_map(|lease| self.lease(lease))
    }
}
