//! What hosts serve, and which properties they have: views computed from a snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::is_final;
use crate::book::Book;
use crate::domain::{Host, Lease, Timestamp};
use crate::service::{AllocationFilter, HostAllocations, HostUse, PropertyListing, ReservationOfLease, Settings};

/// The hosts by number, then those whose ids are no numbers.
pub(crate) fn in_order<'a>(hosts: impl Iterator<Item = &'a Arc<Host>>) -> Vec<Arc<Host>> {
    let mut hosts: Vec<Arc<Host>> = hosts.cloned().collect();
    hosts.sort_by_cached_key(|host| (host.id.parse::<u64>().unwrap_or(u64::MAX), host.id.clone()));
    hosts
}

/// The leases by start, those that start together by name.
pub(crate) fn by_start<'a>(leases: impl Iterator<Item = &'a Arc<Lease>>) -> Vec<Arc<Lease>> {
    let mut leases: Vec<Arc<Lease>> = leases.cloned().collect();
    leases.sort_by(|left, right| (left.start, &left.name, &left.id).cmp(&(right.start, &right.name, &right.id)));
    leases
}

/// Whether a caller may know a lease by name.
pub(crate) type MayRead = Box<dyn Fn(&Lease) -> bool + Send>;

/// What hosts serve, in little memory: it is kept for as long as a client reads.
pub(crate) struct Allocations {
    now: Timestamp,
    settings: Arc<Settings>,
    may_read: MayRead,
    /// Leases with the place of a reservation in them, and of an allocation in that, by host.
    uses: BTreeMap<String, Vec<(Arc<Lease>, usize, usize)>>,
}

impl Allocations {
    /// Finds what every host serves. Without a filter only leases that are not over are looked at, with one only those
    /// that the caller may know by name.
    pub(crate) fn find(
        book: &Book,
        filter: &AllocationFilter,
        now: Timestamp,
        settings: &Arc<Settings>,
        may_read: MayRead,
    ) -> Self {
        let mut uses: BTreeMap<String, Vec<(Arc<Lease>, usize, usize)>> = BTreeMap::new();
        let filtered = filter.lease_id.is_some() || filter.reservation_id.is_some();
        for lease in book.leases() {
            let wanted = filter.lease_id.as_ref().is_none_or(|id| *id == lease.id);
            if !wanted
                || (!filtered && lease.end.saturating_add(settings.cleaning) < now)
                || (filtered && !may_read(lease))
            {
                continue;
            }
            for (place, reservation) in lease.reservations.iter().enumerate() {
                if filter.reservation_id.as_ref().is_some_and(|id| *id != reservation.id) {
                    continue;
                }
                for (number, allocation) in reservation.allocations.iter().enumerate() {
                    let host = uses.entry(allocation.host_id.clone()).or_default();
                    host.push((Arc::clone(lease), place, number));
                }
            }
        }
        Self {
            now,
            settings: Arc::clone(settings),
            may_read,
            uses,
        }
    }

    /// What this host serves, by start.
    pub(crate) fn of(&self, host_id: &str) -> HostAllocations {
        let uses = self.uses.get(host_id).into_iter().flatten();
        let mut reservations: Vec<HostUse> = uses
            .filter_map(|(lease, place, number)| {
                let reservation = lease.reservations.get(*place)?;
                let allocation = reservation.allocations.get(*number)?;
                Some(HostUse {
                    reservation: (self.may_read)(lease).then(|| ReservationOfLease {
                        reservation_id: reservation.id.clone(),
                        lease_id: lease.id.clone(),
                    }),
                    start: lease.start,
                    end: lease.end,
                    occupied_until: lease.end.max(allocation.occupied_until),
                    tentative: !is_final(lease, self.now, &self.settings),
                    places: allocation.places,
                })
            })
            .collect();
        reservations.sort_by(|left, right| (left.start, &left.reservation).cmp(&(right.start, &right.reservation)));
        HostAllocations {
            host_id: host_id.to_owned(),
            reservations,
        }
    }
}

/// Properties at least one host has.
pub(crate) fn properties(book: &Book, private_too: bool) -> Vec<PropertyListing> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for host in book.hosts() {
        for (name, value) in &host.capabilities {
            values.entry(name).or_default().insert(value);
        }
    }
    values
        .into_iter()
        .map(|(name, values)| PropertyListing {
            name: name.to_owned(),
            private: book.property(name).is_some_and(|property| property.private),
            values: values.into_iter().map(str::to_owned).collect(),
        })
        .filter(|listing| private_too || !listing.private)
        .collect()
}
