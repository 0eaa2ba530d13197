//! What hosts serve, and which properties they have: views computed from a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use super::is_final;
use crate::book::Book;
use crate::domain::Timestamp;
use crate::service::{AllocationFilter, HostAllocations, HostUse, PropertyListing, Settings};

/// What every host serves, hosts with nothing included. Without a filter only leases that are not over are shown.
pub(crate) fn allocations(
    book: &Book,
    filter: &AllocationFilter,
    now: Timestamp,
    settings: &Settings,
) -> Vec<HostAllocations> {
    let mut uses: BTreeMap<&str, Vec<HostUse>> = BTreeMap::new();
    let filtered = filter.lease_id.is_some() || filter.reservation_id.is_some();
    for lease in book.leases() {
        let wanted = filter.lease_id.as_ref().is_none_or(|id| *id == lease.id);
        if !wanted || (!filtered && lease.end < now) {
            continue;
        }
        let tentative = !is_final(lease, now, settings);
        for reservation in &lease.reservations {
            if filter.reservation_id.as_ref().is_some_and(|id| *id != reservation.id) {
                continue;
            }
            for allocation in &reservation.allocations {
                uses.entry(&allocation.host_id).or_default().push(HostUse {
                    reservation_id: reservation.id.clone(),
                    lease_id: lease.id.clone(),
                    start: lease.start,
                    end: lease.end,
                    tentative,
                });
            }
        }
    }
    book.hosts()
        .map(|host| {
            let mut reservations = uses.remove(host.id.as_str()).unwrap_or_default();
            reservations
                .sort_by(|left, right| (left.start, &left.reservation_id).cmp(&(right.start, &right.reservation_id)));
            HostAllocations {
                host_id: host.id.clone(),
                reservations,
            }
        })
        .collect()
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
