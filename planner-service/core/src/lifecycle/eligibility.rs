//! Which due work may be carried out now, and when to look again.
//!
//! Order: ends before starts, so that back-to-back leases can share a host; within a lease start,
//! then the before-end action, then the end. A start, or what a running lease gains, waits until every lease that occupies
//! what it needs has given it back: that is a matter of the states of those leases, not of when their ends were due.

use std::collections::BTreeSet;

use crate::book::{Book, DueEntry};
use crate::domain::{Event, EventStatus, EventType, Lease, LeaseStatus, Timestamp};

/// Seconds after which a delay is put on record: an end that is carried out in time needs no more.
const SAID_AFTER: i64 = 5;

/// What to do now.
pub(super) struct Plan {
    /// Work that may begin, in order; at most one entry per lease.
    pub(super) ready: Vec<DueEntry>,
    /// Work that is due but waits for other leases, and does not say so yet.
    pub(super) delayed: Vec<(DueEntry, String)>,
    /// When the next work is due, if any is known.
    pub(super) next: Option<Timestamp>,
}

/// Looks at everything due at `now`. `busy` says whether a lease is not to be touched.
pub(super) fn plan(book: &Book, now: Timestamp, busy: impl Fn(&str) -> bool) -> Plan {
    let mut seen = BTreeSet::new();
    let mut ready: Vec<(u8, DueEntry)> = Vec::new();
    let mut delayed = Vec::new();
    let mut next = book.due().find(|entry| entry.time > now).map(|entry| entry.time);
    for entry in book.due().take_while(|entry| entry.time <= now) {
        let Some(lease) = book.lease(&entry.lease_id) else {
            continue;
        };
        let Some(event) = lease.events.iter().find(|event| event.id == entry.event_id) else {
            continue;
        };
        if busy(&lease.id) || !may_begin(lease, event, now) {
            continue;
        }
        match delay(book, lease, event, now) {
            Some(reason) if event.waiting.as_ref() == Some(&reason) => {}
            Some(reason) => {
                let said_at = entry.time.saturating_add(SAID_AFTER);
                if said_at <= now {
                    delayed.push((entry.clone(), reason));
                } else {
                    next = Some(next.map_or(said_at, |next| next.min(said_at)));
                }
            }
            None if seen.insert(lease.id.as_str()) => {
                ready.push((u8::from(!gives_back(event.event_type)), entry.clone()));
            }
            None => {}
        }
    }
    ready.sort_by_key(|(rank, _)| *rank);
    Plan {
        ready: ready.into_iter().map(|(_, entry)| entry).collect(),
        delayed,
        next,
    }
}

/// Why work that is due cannot begin yet although its own lease is ready for it.
pub(super) fn delay(book: &Book, lease: &Lease, event: &Event, now: Timestamp) -> Option<String> {
    let takes = match event.event_type {
        // One whose window is over is given up.
        EventType::StartLease => now < lease.end,
        EventType::ApplyChange => true,
        EventType::BeforeEndLease | EventType::EndLease | EventType::DeleteLease => false,
    };
    let missing = if takes { book.not_given_back(lease) } else { 0 };
    (missing > 0).then(|| {
        format!(
            "{missing} of the hosts or units it needs {} in the hands of another lease, whose end has not been carried out \
             yet",
            if missing == 1 { "is" } else { "are" }
        )
    })
}

/// Whether carrying the event out takes the lease's resources back for good.
pub(super) const fn gives_back(event_type: EventType) -> bool {
    matches!(event_type, EventType::EndLease | EventType::DeleteLease)
}

fn may_begin(lease: &Lease, event: &Event, now: Timestamp) -> bool {
    let status = |event_type| lease.event(event_type).map(|event| event.status);
    let started = status(EventType::StartLease) == Some(EventStatus::Done);
    match event.event_type {
        EventType::StartLease | EventType::DeleteLease => true,
        EventType::BeforeEndLease => started && lease.status == LeaseStatus::Active,
        // An end that was put off leaves the lease ACTIVE, and nothing is handed over any more.
        EventType::ApplyChange => started && lease.status == LeaseStatus::Active && !lease.is_over(now),
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
