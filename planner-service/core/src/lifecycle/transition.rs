//! The state machine of a lease: how carrying out an event begins, succeeds, is put off, or is given up.
//!
//! Invariant: each function moves lease, reservations and event together, in one change of the book,
//! and only while the worker's claim is held.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plugin_api::{Assignment, Created};

use super::eligibility::{self, gives_back};
use super::message;
use crate::admission::healing::heal_alone;
use crate::book::DueEntry;
use crate::book::job::Draft;
use crate::domain::handover::Purpose;
use crate::domain::{
    Event, EventStatus, EventType, InstanceObjects, Lease, LeaseStatus, NotificationType, Reservation,
    ReservationStatus, Timestamp,
};
use crate::ports::{Change, Fence, Identifiers};
use crate::service::Settings;

/// Why there is nothing to carry out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Skip {
    /// The lease or event is gone, done, or not due any more.
    #[error("nothing to do")]
    Nothing,
    /// The book refused the change.
    #[error("{0}")]
    Contradiction(String),
}

/// Which work of which lease, with the right to do it.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) lease_id: String,
    pub(super) event_id: String,
    pub(super) fence: Fence,
}

impl Work {
    /// The lease and its event, if they still exist and are not done.
    fn find(&self, draft: &Draft) -> Result<(Lease, EventType), Skip> {
        let lease = draft.book().lease(&self.lease_id).ok_or(Skip::Nothing)?;
        let event = lease
            .events
            .iter()
            .find(|event| event.id == self.event_id)
            .ok_or(Skip::Nothing)?;
        if matches!(event.status, EventStatus::Done | EventStatus::Error) {
            return Err(Skip::Nothing);
        }
        Ok(((**lease).clone(), event.event_type))
    }

    fn write(&self, draft: &mut Draft, changes: Vec<Change>) -> Result<(), Skip> {
        draft.require(self.fence.clone());
        draft
            .change(changes)
            .map_err(|contradiction| Skip::Contradiction(contradiction.to_string()))
    }
}

/// An event that is being carried out.
#[derive(Debug, Clone)]
pub(super) struct UnderWay {
    work: Work,
    event_type: EventType,
    /// Keys of the messages, by reservation.
    keys: BTreeMap<String, String>,
}

impl UnderWay {
    pub(super) fn new(work: &Work, event_type: EventType, assignments: &[Assignment]) -> Self {
        let keys = assignments.iter().filter_map(|assignment| {
            let message = assignment.message.as_ref()?;
            Some((assignment.reservation_id.clone(), message.key.clone()))
        });
        Self {
            work: work.clone(),
            event_type,
            keys: keys.collect(),
        }
    }

    /// Puts on record how what was told ended, where another event has taken the place of this one meanwhile: the other
    /// tells only the rest. Nothing else of the lease is this event's to change any more.
    fn note_outcome(
        &self,
        draft: &mut Draft,
        created: &BTreeMap<String, Created>,
        outcome: impl Fn(&mut Reservation, Purpose),
    ) -> Result<(), Skip> {
        let before = draft.book().lease(&self.work.lease_id).ok_or(Skip::Nothing)?;
        let mut lease = (**before).clone();
        let purpose = message::purpose(self.event_type);
        for reservation in &mut lease.reservations {
            let key = self.keys.get(&reservation.id);
            if key.is_some_and(|key| reservation.handover.waits_for(purpose, key)) {
                outcome(reservation, purpose);
            }
        }
        note_created(&mut lease, created);
        if lease == **before {
            return Err(Skip::Nothing);
        }
        self.work.write(draft, vec![Change::PutLease(Arc::new(lease))])
    }
}

/// What was begun.
pub(super) enum Begun {
    /// Carry this out: what the plugin of each reservation is told.
    CarryOut(Arc<Lease>, EventType, Vec<Assignment>),
    /// The start's window is over; the event is closed.
    GivenUp,
    /// Another lease still has what it needs.
    Delayed,
}

/// Marks the event as under way. A start on hosts that have failed since they were chosen finds others first.
pub(super) fn begin(
    draft: &mut Draft,
    work: &Work,
    settings: &Settings,
    identifiers: &dyn Identifiers,
) -> Result<Begun, Skip> {
    let now = draft.now();
    if work.find(draft)?.1 == EventType::StartLease
        && let Err(error) = heal_alone(draft, &work.lease_id, settings, identifiers)
    {
        tracing::error!(lease = %work.lease_id, %error, "the lease starts on hosts that do not work");
    }
    let (mut lease, event_type) = work.find(draft)?;
    let due = lease.event(event_type).is_some_and(|event| event.time <= now);
    // Another process may have begun something since this was found to be eligible.
    let is_delayed = lease
        .event(event_type)
        .is_some_and(|event| eligibility::delay(draft.book(), &lease, event, now).is_some());
    if !due {
        return Err(Skip::Nothing);
    }
    if is_delayed {
        return Ok(Begun::Delayed);
    }
    if event_type == EventType::StartLease && now >= lease.end {
        close_start(&mut lease, now);
        let lease = Arc::new(lease);
        work.write(draft, vec![Change::PutLease(Arc::clone(&lease))])?;
        draft.notify(NotificationType::Start, &lease);
        return Ok(Begun::GivenUp);
    }
    match event_type {
        EventType::StartLease => lease.status = LeaseStatus::Starting,
        EventType::EndLease => lease.status = LeaseStatus::Terminating,
        EventType::DeleteLease => lease.status = LeaseStatus::Deleting,
        EventType::BeforeEndLease | EventType::ApplyChange => {}
    }
    set_event(&mut lease, event_type, now, |event| {
        event.status = EventStatus::InProgress;
        event.not_before = None;
    });
    let assignments = begin_reservations(draft, &mut lease, event_type);
    let lease = Arc::new(lease);
    work.write(draft, vec![Change::PutLease(Arc::clone(&lease))])?;
    Ok(Begun::CarryOut(lease, event_type, assignments))
}

/// Puts the attempt on record in every reservation that has a part in it, before anybody outside hears of it.
fn begin_reservations(draft: &Draft, lease: &mut Lease, event_type: EventType) -> Vec<Assignment> {
    let mut reservations = std::mem::take(&mut lease.reservations);
    let assignments = reservations
        .iter_mut()
        .filter(|reservation| takes_part(reservation, event_type))
        .map(|reservation| message::begin(draft.book(), lease, reservation, event_type, draft.now()))
        .collect();
    lease.reservations = reservations;
    assignments
}

/// Whether an event concerns the reservation: of what never started there is nothing to give back but what was prepared.
fn takes_part(reservation: &Reservation, event_type: EventType) -> bool {
    let has_nothing = reservation.status == ReservationStatus::Deleted && !reservation.spec.is_prepared_early();
    !(gives_back(event_type) && has_nothing)
}

/// The start never succeeded and its window is over: on record, and left to the end event to clean up.
fn close_start(lease: &mut Lease, now: Timestamp) {
    set_event(lease, EventType::StartLease, now, |event| {
        if event.status == EventStatus::InProgress {
            // Whoever tried did not say how it ended: something may have been handed over.
            event.attempts = event.attempts.saturating_add(1);
        }
        event.status = EventStatus::Error;
        let reason = event
            .waiting
            .take()
            .unwrap_or_else(|| "the service did not run".to_owned());
        event.waiting = Some(format!("the lease was over before it could start: {reason}"));
    });
    for reservation in &mut lease.reservations {
        reservation.status = ReservationStatus::Error;
        reservation.updated_at = Some(now);
    }
    lease.status = LeaseStatus::Error;
    lease.updated_at = Some(now);
}

/// Records that the event has been carried out, and what was made for the reservations.
pub(super) fn succeed(
    draft: &mut Draft,
    under_way: &UnderWay,
    created: &BTreeMap<String, Created>,
) -> Result<(), Skip> {
    let work = &under_way.work;
    let Ok((mut lease, event_type)) = work.find(draft) else {
        return under_way.note_outcome(draft, created, |reservation, purpose| {
            reservation.handover.acknowledge(purpose);
        });
    };
    let now = draft.now();
    if event_type == EventType::DeleteLease {
        let findings = Change::PutFindings {
            lease_id: lease.id.clone(),
            findings: Arc::default(),
        };
        work.write(draft, vec![findings, Change::DeleteLease(lease.id.clone())])?;
        draft.notify(NotificationType::Delete, &lease);
        return Ok(());
    }
    set_event(&mut lease, event_type, now, |event| {
        event.status = EventStatus::Done;
        event.waiting = None;
        event.not_before = None;
    });
    note_created(&mut lease, created);
    for reservation in &mut lease.reservations {
        if takes_part(reservation, event_type) {
            reservation.handover.acknowledge(message::purpose(event_type));
        }
    }
    let mut changes = Vec::new();
    match event_type {
        EventType::StartLease => set_reservations(&mut lease, now, ReservationStatus::Active),
        EventType::EndLease => {
            set_reservations(&mut lease, now, ReservationStatus::Deleted);
            for reservation in &mut lease.reservations {
                reservation.allocations.clear();
            }
            // Too late for whatever else was to be done before the end.
            for event in &mut lease.events {
                if matches!(event.status, EventStatus::Undone | EventStatus::InProgress) {
                    event.status = EventStatus::Error;
                    event.updated_at = Some(now);
                }
            }
            if !draft.book().findings(&lease.id).is_empty() {
                changes.push(Change::PutFindings {
                    lease_id: lease.id.clone(),
                    findings: Arc::default(),
                });
            }
        }
        EventType::ApplyChange => lease.events.retain(|event| event.event_type != EventType::ApplyChange),
        EventType::BeforeEndLease | EventType::DeleteLease => {}
    }
    lease.status = settled(&lease);
    lease.updated_at = Some(now);
    let lease = Arc::new(lease);
    changes.push(Change::PutLease(Arc::clone(&lease)));
    work.write(draft, changes)?;
    let told = match event_type {
        EventType::StartLease => Some(NotificationType::Start),
        EventType::BeforeEndLease => Some(NotificationType::BeforeEnd),
        EventType::EndLease => Some(NotificationType::End),
        EventType::ApplyChange | EventType::DeleteLease => None,
    };
    if let Some(told) = told {
        draft.notify(told, &lease);
    }
    Ok(())
}

/// Records that the event could not be carried out yet, why, and when it is tried again. `missed` are the reservations whose
/// attempt certainly did not arrive.
pub(super) fn put_off(
    draft: &mut Draft,
    under_way: &UnderWay,
    reason: &str,
    missed: &BTreeSet<String>,
    delay: impl Fn(u32) -> i64,
) -> Result<(), Skip> {
    let work = &under_way.work;
    let Ok((mut lease, event_type)) = work.find(draft) else {
        return under_way.note_outcome(draft, &BTreeMap::new(), |reservation, purpose| {
            if missed.contains(&reservation.id) {
                reservation.handover.miss(purpose);
            }
        });
    };
    for reservation in &mut lease.reservations {
        if missed.contains(&reservation.id) && takes_part(reservation, event_type) {
            reservation.handover.miss(message::purpose(event_type));
        }
    }
    let now = draft.now();
    let (start, end) = (lease.start, lease.end);
    set_event(&mut lease, event_type, now, |event| {
        event.attempts = event.attempts.saturating_add(1);
        event.waiting = Some(reason.to_owned());
        let again = now + delay(event.attempts);
        // A start is given up at the end of its window, not later; a before-end action likewise.
        let bounded = matches!(event_type, EventType::StartLease | EventType::BeforeEndLease);
        event.not_before = Some(if bounded { again.min(end.max(now + 1)) } else { again }.max(start));
        event.status = if event_type == EventType::BeforeEndLease && now >= end {
            EventStatus::Error
        } else {
            EventStatus::Undone
        };
    });
    lease.status = settled(&lease);
    lease.updated_at = Some(now);
    work.write(draft, vec![Change::PutLease(Arc::new(lease))])
}

/// Records why an event that is due has not begun.
pub(super) fn delay(draft: &mut Draft, entry: &DueEntry, reason: &str) -> Result<(), Skip> {
    let lease = draft.book().lease(&entry.lease_id).ok_or(Skip::Nothing)?;
    let mut lease = (**lease).clone();
    let mut events = lease.events.iter_mut();
    let event = events.find(|event| event.id == entry.event_id).ok_or(Skip::Nothing)?;
    if event.status != EventStatus::Undone || event.waiting.as_deref() == Some(reason) {
        return Err(Skip::Nothing);
    }
    event.waiting = Some(reason.to_owned());
    event.updated_at = Some(draft.now());
    draft
        .change(vec![Change::PutLease(Arc::new(lease))])
        .map_err(|contradiction| Skip::Contradiction(contradiction.to_string()))
}

fn set_event(lease: &mut Lease, event_type: EventType, now: Timestamp, change: impl FnOnce(&mut Event)) {
    if let Some(event) = lease.event_mut(event_type) {
        change(event);
        event.updated_at = Some(now);
    }
}

pub(super) fn note_created(lease: &mut Lease, created: &BTreeMap<String, Created>) {
    for reservation in &mut lease.reservations {
        if let Some(created) = created.get(&reservation.id)
            && let Some(objects) = reservation.spec.objects_mut()
        {
            *objects = InstanceObjects {
                aggregate_id: created.aggregate_id,
                server_group_id: created.server_group_id.clone(),
            };
        }
    }
}

fn set_reservations(lease: &mut Lease, now: Timestamp, status: ReservationStatus) {
    for reservation in &mut lease.reservations {
        reservation.status = status;
        reservation.updated_at = Some(now);
    }
}

/// The stable status that the states of the start and end events imply.
pub(crate) fn settled(lease: &Lease) -> LeaseStatus {
    let status = |event_type| lease.event(event_type).map(|event| event.status);
    if status(EventType::DeleteLease).is_some() {
        return LeaseStatus::Deleting;
    }
    match (status(EventType::StartLease), status(EventType::EndLease)) {
        (Some(EventStatus::Undone), Some(EventStatus::Undone)) => LeaseStatus::Pending,
        (Some(EventStatus::Done), Some(EventStatus::Undone)) => LeaseStatus::Active,
        (Some(EventStatus::Done), Some(EventStatus::Done)) => LeaseStatus::Terminated,
        _ => LeaseStatus::Error,
    }
}
