//! Booking a lease.

use std::sync::Arc;

use solver::model::{Interval, Request};

use super::{
    Placement, allocations, check_latest, cleaning_after, minute, moved_leases, place, requested, second_check,
};
use crate::authority::Caller;
use crate::book::job::Draft;
use crate::domain::{
    Event, EventType, Handover, Lease, LeaseStatus, NotificationType, Reservation, ReservationStatus, Timestamp,
};
use crate::limits::check_project;
use crate::ports::{Change, Identifiers};
use crate::service::{LeaseDraft, ServiceError, Settings};

/// Identifiers of a lease to be, drawn once so that deciding again gives the same lease.
pub(crate) struct LeaseIdentifiers {
    lease: String,
    /// Per reservation: its own, and that of its type-specific record.
    reservations: Vec<(String, String)>,
    start: String,
    end: String,
    before_end: String,
}

impl LeaseIdentifiers {
    pub(crate) fn draw(source: &dyn Identifiers, reservations: usize) -> Self {
        Self {
            lease: source.next(),
            reservations: (0..reservations).map(|_| (source.next(), source.next())).collect(),
            start: source.next(),
            end: source.next(),
            before_end: source.next(),
        }
    }
}

/// Checks the window of a new lease against the clock.
pub(crate) fn check_window(start: Timestamp, end: Timestamp, now: Timestamp) -> Result<(), ServiceError> {
    if start < minute(now) {
        return Err(ServiceError::Invalid(
            "Start date must be later than current date".to_owned(),
        ));
    }
    if end <= start {
        return Err(ServiceError::Invalid(
            "End date must be later than start date.".to_owned(),
        ));
    }
    check_latest(end)
}

/// When the before-end event is due, if there is one.
fn before_end_time(draft: &LeaseDraft, lead: i64) -> Result<Option<Timestamp>, ServiceError> {
    match draft.before_end {
        Some(time) if draft.start < time && time < draft.end => Ok(Some(time)),
        Some(_) => Err(ServiceError::OutOfLimits("Datetime is out of lease limits".to_owned())),
        None if lead > 0 => Ok(Some((draft.end - lead).max(draft.start))),
        None => Ok(None),
    }
}

/// Books `wanted` for `caller`.
pub(crate) fn create(
    draft: &mut Draft,
    caller: &Caller,
    wanted: &LeaseDraft,
    identifiers: &LeaseIdentifiers,
    settings: &Settings,
) -> Result<Arc<Lease>, ServiceError> {
    check_window(wanted.start, wanted.end, draft.now())?;
    check_project(
        draft.book(),
        &caller.project_id,
        &identifiers.lease,
        wanted.reservations.iter(),
        settings.most_project_amount,
    )?;
    let before_end = before_end_time(wanted, settings.before_end_lead)?;
    let placement = find_hosts(draft, wanted, identifiers, settings)?;
    let lease = Arc::new(assemble(
        draft.now(),
        caller,
        wanted,
        before_end,
        identifiers,
        placement.as_ref(),
        settings,
    ));
    let mut changes = placement.map_or_else(Vec::new, |placement| moved_leases(draft.book(), &placement));
    changes.push(Change::PutLease(Arc::clone(&lease)));
    draft.change(changes).map_err(second_check)?;
    draft.notify(NotificationType::Create, &lease);
    draft.notify(NotificationType::Booked, &lease);
    Ok(lease)
}

fn find_hosts(
    draft: &Draft,
    wanted: &LeaseDraft,
    identifiers: &LeaseIdentifiers,
    settings: &Settings,
) -> Result<Option<Placement>, ServiceError> {
    let window = Interval::new(wanted.start, wanted.end);
    let reservations = wanted
        .reservations
        .iter()
        .zip(&identifiers.reservations)
        .filter(|(spec, _)| !spec.is_empty())
        .map(|(spec, (id, _))| requested(id, spec, window, draft.book(), settings))
        .collect::<Result<Vec<_>, _>>()?;
    if reservations.is_empty() {
        return Ok(None);
    }
    let request = Request {
        id: Arc::from(identifiers.lease.as_str()),
        replaces: None,
        reservations,
    };
    place(draft, &request, settings).map(Some)
}

fn assemble(
    now: Timestamp,
    caller: &Caller,
    wanted: &LeaseDraft,
    before_end: Option<Timestamp>,
    identifiers: &LeaseIdentifiers,
    placement: Option<&Placement>,
    settings: &Settings,
) -> Lease {
    let reservations = wanted
        .reservations
        .iter()
        .zip(&identifiers.reservations)
        .map(|(spec, (id, resource_id))| Reservation {
            id: id.clone(),
            resource_id: resource_id.clone(),
            status: ReservationStatus::Pending,
            missing_resources: false,
            resources_changed: false,
            created_at: now,
            updated_at: None,
            spec: spec.clone(),
            allocations: placement
                .and_then(|placement| placement.holds.get(id))
                .map_or_else(Vec::new, |holding| {
                    allocations(holding, wanted.start, wanted.end, cleaning_after(spec, settings))
                }),
            handover: Handover::default(),
        })
        .collect();
    let event = |id: &String, event_type, time| Event::undone(id.clone(), event_type, time, now);
    let mut events = vec![
        event(&identifiers.start, EventType::StartLease, wanted.start),
        event(&identifiers.end, EventType::EndLease, wanted.end),
    ];
    events.extend(before_end.map(|time| event(&identifiers.before_end, EventType::BeforeEndLease, time)));
    Lease {
        id: identifiers.lease.clone(),
        name: wanted.name.clone(),
        user_id: caller.user_id.clone(),
        project_id: caller.project_id.clone(),
        trust_id: caller.trust_id.clone(),
        start: wanted.start,
        end: wanted.end,
        status: LeaseStatus::Pending,
        degraded: false,
        created_at: now,
        updated_at: None,
        reservations,
        events,
    }
}
