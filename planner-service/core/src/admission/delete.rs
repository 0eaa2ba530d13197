//! Deleting a lease.

use std::sync::Arc;

use super::second_check;
use super::update::check_idle;
use crate::book::is_bound;
use crate::book::job::Draft;
use crate::domain::{Event, EventStatus, EventType, Lease, LeaseStatus, NotificationType, ReservationStatus};
use crate::ports::Change;
use crate::service::ServiceError;

/// How a deletion goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// The lease is gone.
    Done,
    /// Its resources are being given back; the lease goes when that is done.
    UnderWay,
}

/// Deletes the lease, or has its resources given back first. `is_told`: somebody is to be told of the end of a lease that
/// has not ended, so that deleting it is work to be carried out in any case.
pub(crate) fn delete(
    draft: &mut Draft,
    lease: &Arc<Lease>,
    event_id: &str,
    is_told: bool,
) -> Result<Deletion, ServiceError> {
    if lease.event(EventType::DeleteLease).is_some() {
        return Ok(Deletion::UnderWay);
    }
    check_idle(lease)?;
    let owns_resources = is_bound(lease)
        && lease
            .reservations
            .iter()
            .any(|reservation| reservation.status != ReservationStatus::Deleted);
    let has_ended = lease
        .event(EventType::EndLease)
        .is_none_or(|event| event.status != EventStatus::Undone);
    let is_prepared = lease
        .reservations
        .iter()
        .any(|reservation| reservation.spec.is_prepared_early());
    let (change, deletion) = if owns_resources || (is_told || is_prepared) && !has_ended {
        let now = draft.now();
        let mut next = (**lease).clone();
        next.status = LeaseStatus::Deleting;
        next.updated_at = Some(now);
        // Nothing else of the lease is to be carried out any more.
        for event in &mut next.events {
            if event.status == EventStatus::Undone {
                event.status = EventStatus::Done;
                event.updated_at = Some(now);
            }
        }
        if !is_bound(lease) {
            // Nothing was ever made for them but what clients could name before the start.
            for reservation in &mut next.reservations {
                reservation.status = ReservationStatus::Deleted;
                reservation.updated_at = Some(now);
            }
        }
        next.events
            .push(Event::undone(event_id.to_owned(), EventType::DeleteLease, now, now));
        (Change::PutLease(Arc::new(next)), Deletion::UnderWay)
    } else {
        (Change::DeleteLease(lease.id.clone()), Deletion::Done)
    };
    draft.change(vec![change]).map_err(second_check)?;
    if !has_ended {
        draft.notify(NotificationType::Cancelled, lease);
    }
    if deletion == Deletion::Done {
        let told = Lease {
            status: LeaseStatus::Deleting,
            ..(**lease).clone()
        };
        draft.notify(NotificationType::Delete, &told);
    }
    Ok(deletion)
}
