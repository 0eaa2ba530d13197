//! Which due work may be carried out now, and when to look again.
//!
//! Order: ends before starts, so that back-to-back leases can share a host; within a lease start,
//! then the before-end action, then the end.

use std::collections::BTreeSet;

use crate::book::{Book, DueEntry};
use crate::domain::{Event, EventStatus, EventType, Lease, LeaseStatus, Timestamp};

/// What to do now.
pub(super) struct Plan {
    /// Work that may begin, in order; at most one entry per lease.
    pub(super) ready: Vec<DueEntry>,
    /// When the next work is due, if any is known.
    pub(super) next: Option<Timestamp>,
}

/// Looks at everything due at `now`. `busy` says whether a lease is not to be touched.
pub(super) fn plan(book: &Book, now: Timestamp, busy: impl Fn(&str) -> bool) -> Plan {
    let next = book.due().find(|entry| entry.time > now).map(|entry| entry.time);
    let due: Vec<(&DueEntry, &Lease, &Event)> = book
        .due()
        .take_while(|entry| entry.time <= now)
        .filter_map(|entry| {
            let lease = book.lease(&entry.lease_id)?;
            let event = lease.events.iter().find(|event| event.id == entry.event_id)?;
            Some((entry, &**lease, event))
        })
        .collect();
    // Hosts that a due end, or one under way, is about to free.
    let ending: BTreeSet<&str> = due
        .iter()
        .filter(|(_, _, event)| gives_back(event.event_type))
        .flat_map(|(_, lease, _)| hosts(lease))
        .collect();
    let mut seen = BTreeSet::new();
    let mut ready: Vec<(u8, DueEntry)> = Vec::new();
    for (entry, lease, event) in &due {
        if busy(&lease.id) || !may_begin(lease, event, now) {
            continue;
        }
        let waits_for_end = event.event_type == EventType::StartLease
            && now < lease.end
            && hosts(lease).any(|host| ending.contains(host));
        if !waits_for_end && seen.insert(lease.id.as_str()) {
            ready.push((u8::from(!gives_back(event.event_type)), (*entry).clone()));
        }
    }
    ready.sort_by_key(|(rank, _)| *rank);
    Plan {
        ready: ready.into_iter().map(|(_, entry)| entry).collect(),
        next,
    }
}

/// Whether carrying the event out takes the lease's resources back for good.
pub(super) const fn gives_back(event_type: EventType) -> bool {
    matches!(event_type, EventType::EndLease | EventType::DeleteLease)
}

fn hosts(lease: &Lease) -> impl Iterator<Item = &str> {
    lease
        .reservations
        .iter()
        .flat_map(|reservation| &reservation.allocations)
        .map(|allocation| allocation.host_id.as_str())
}

fn may_begin(lease: &Lease, event: &Event, now: Timestamp) -> bool {
    let status = |event_type| lease.event(event_type).map(|event| event.status);
    let started = status(EventType::StartLease) == Some(EventStatus::Done);
    match event.event_type {
        EventType::StartLease | EventType::DeleteLease => true,
        EventType::BeforeEndLease => started && lease.status == LeaseStatus::Active,
        // An end that was put off leaves the lease ACTIVE, and nothing is handed over any more.
        EventType::ApplyChange => started && lease.status == LeaseStatus::Active && now < lease.end,
        EventType::EndLease => {
            let start_over = !matches!(
                status(EventType::StartLease),
                Some(EventStatus::Undone | EventStatus::InProgress)
            );
            let before_end_tried = lease.event(EventType::BeforeEndLease).is_none_or(|event| {
                !started
                    || event.time > now
                    || event.attempts > 0
                    || matches!(event.status, EventStatus::Done | EventStatus::Error)
            });
            start_over && before_end_tried
        }
    }
}
