//! Changing a lease: rename, move, extend, shorten, resize, other properties.
//!
//! Invariant: a refused change leaves the lease exactly as it was. What has started keeps its hosts.

use std::collections::BTreeMap;
use std::sync::Arc;

use solver::model::{Interval, Request};

use super::parameters::{check_kept, new_specs};
use super::shortfall::Seen;
use super::{
    Placement, allocations, check_latest, cleaning_after, is_final, minute, moved_leases, place, requested,
    second_check,
};
use crate::book::is_bound;
use crate::book::job::Draft;
use crate::domain::{
    Allocation, Event, EventStatus, EventType, Holding, Lease, LeaseStatus, NotificationType, Reservation,
    ReservationSpec, ReservationStatus, Timestamp,
};
use crate::limits;
use crate::ports::Change;
use crate::service::{LeaseChange, ServiceError, Settings};

/// Whether an update or deletion may begin: nothing of the lease is being carried out.
pub(crate) fn check_idle(lease: &Lease) -> Result<(), ServiceError> {
    let busy = lease.events.iter().any(|event| event.status == EventStatus::InProgress);
    if busy || lease.status.is_transitional() {
        return Err(ServiceError::Conflict(format!(
            "Invalid lease status. The lease is {} and an operation on it is under way; try again when it has ended.",
            lease.status
        )));
    }
    Ok(())
}

/// Applies `change` to `lease`. `event_id` names the event that carries growth of a running lease out.
pub(crate) fn update(
    draft: &mut Draft,
    lease: &Arc<Lease>,
    change: &LeaseChange,
    event_id: &str,
    settings: &Settings,
) -> Result<Arc<Lease>, ServiceError> {
    if *change == LeaseChange::default() {
        return Ok(Arc::clone(lease));
    }
    check_idle(lease)?;
    if lease.is_ending() {
        return Err(ServiceError::Conflict(
            "Invalid lease status. The lease is being given back, which is tried until it succeeds. Until then it can be \
             deleted, but not changed."
                .to_owned(),
        ));
    }
    let now = draft.now();
    let mut next = (**lease).clone();
    next.updated_at = Some(now);
    if let Some(name) = &change.name {
        next.name.clone_from(name);
    }
    let mut changes = Vec::new();
    if !change.is_rename() {
        next.start = change.start.unwrap_or(lease.start);
        next.end = change.end.unwrap_or(lease.end);
        let ends_now = is_bound(lease) && next.start == lease.start && change.end == Some(minute(now));
        if ends_now {
            // One that is given back in its first minute has been a lease of that minute.
            next.end = next.end.max(next.start + 60);
        }
        check_dates(lease, &next, now)?;
        let specs = new_specs(lease, &change.reservations)?;
        if !change.reservations.is_empty() {
            limits::check(specs.values(), settings.most_amount)?;
            let (project, most) = (&lease.project_id, settings.most_project_amount);
            limits::check_project(draft.book(), project, &lease.id, specs.values(), most)?;
        }
        move_events(lease, &mut next, change.before_end, now)?;
        if ends_now && let Some(end) = next.event_mut(EventType::EndLease) {
            end.time = minute(now);
        }
        changes = replace_hosts(draft, lease, &mut next, &specs, event_id, settings)?;
        let seen = Seen {
            book: draft.book(),
            now,
            settings,
        };
        seen.judge(&mut next);
        changes.extend(seen.explain(&next, &BTreeMap::new()));
    }
    let next = Arc::new(next);
    changes.push(Change::PutLease(Arc::clone(&next)));
    draft.change(changes).map_err(second_check)?;
    draft.notify(NotificationType::Update, &next);
    if (lease.start, lease.end) != (next.start, next.end) {
        draft.notify(NotificationType::Moved, &next);
    }
    if is_armed_again(lease, &next) {
        draft.notify(NotificationType::BeforeEndStop, &next);
    }
    Ok(next)
}

/// Whether the before-end action has been carried out and will be once more.
fn is_armed_again(before: &Lease, after: &Lease) -> bool {
    let status = |lease: &Lease| lease.event(EventType::BeforeEndLease).map(|event| event.status);
    status(before) == Some(EventStatus::Done) && status(after) == Some(EventStatus::Undone)
}

fn check_dates(lease: &Lease, next: &Lease, now: Timestamp) -> Result<(), ServiceError> {
    let this_minute = minute(now);
    let refuse = |text: &str| Err(ServiceError::Invalid(text.to_owned()));
    let over = lease.end <= this_minute || matches!(lease.status, LeaseStatus::Terminated | LeaseStatus::Error);
    if over {
        return refuse("Terminated leases can only be renamed");
    }
    if next.start != lease.start && (lease.start < this_minute || is_bound(lease)) {
        return refuse("Cannot modify the start date of already started leases");
    }
    if next.start < this_minute && next.start != lease.start {
        return refuse("Start date must be later than current date");
    }
    if next.end < this_minute || next.end <= next.start {
        return refuse("End date must be later than current and start date");
    }
    check_latest(next.end)
}

/// Moves the events with the window: the before-end event keeps its lead unless a time is given, and
/// is armed again if it had run.
fn move_events(
    lease: &Lease,
    next: &mut Lease,
    before_end: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), ServiceError> {
    let (start, end) = (next.start, next.end);
    if before_end.is_some_and(|time| time <= start || time >= end) {
        return Err(ServiceError::OutOfLimits("Datetime is out of lease limits".to_owned()));
    }
    for event in &mut next.events {
        let time = match event.event_type {
            EventType::StartLease => start,
            EventType::EndLease => end,
            EventType::BeforeEndLease => before_end.unwrap_or_else(|| end - (lease.end - event.time)).max(start),
            EventType::ApplyChange | EventType::DeleteLease => event.time,
        };
        if time == event.time {
            continue;
        }
        event.time = time;
        event.updated_at = Some(now);
        event.not_before = None;
        if event.event_type == EventType::BeforeEndLease {
            event.status = EventStatus::Undone;
            event.attempts = 0;
            event.waiting = None;
        }
    }
    Ok(())
}

/// Finds hosts for the changed reservations and writes them into `next`. Returns the other leases
/// whose tentative hosts are exchanged for it.
fn replace_hosts(
    draft: &Draft,
    lease: &Lease,
    next: &mut Lease,
    specs: &BTreeMap<String, ReservationSpec>,
    event_id: &str,
    settings: &Settings,
) -> Result<Vec<Change>, ServiceError> {
    let window = Interval::new(next.start, next.end);
    let inside = lease.start <= next.start && next.end <= lease.end;
    let same_specs = lease
        .reservations
        .iter()
        .all(|reservation| specs.get(&reservation.id) == Some(&reservation.spec));
    let now = draft.now();
    if inside && same_specs {
        for reservation in &mut next.reservations {
            reservation.allocations = joined(lease, reservation, &reservation.holding(), window, now, settings);
        }
        return Ok(Vec::new());
    }
    let kept = lease.reservations.iter().filter(|_| is_final(lease, now, settings));
    for reservation in kept {
        if let Some(spec) = specs.get(&reservation.id) {
            check_kept(draft, reservation, spec)?;
        }
    }
    choose_hosts(draft, lease, next, specs, event_id, settings)
}

/// Decides anew which hosts serve the reservations of `next`, as these specifications ask for.
fn choose_hosts(
    draft: &Draft,
    lease: &Lease,
    next: &mut Lease,
    specs: &BTreeMap<String, ReservationSpec>,
    event_id: &str,
    settings: &Settings,
) -> Result<Vec<Change>, ServiceError> {
    let (now, window) = (draft.now(), Interval::new(next.start, next.end));
    let reservations = lease
        .reservations
        .iter()
        .filter_map(|reservation| specs.get(&reservation.id).map(|spec| (reservation, spec)))
        .filter(|(_, spec)| !spec.is_empty())
        .map(|(reservation, spec)| requested(&reservation.id, spec, window, draft.book(), settings))
        .collect::<Result<Vec<_>, _>>()?;
    for reservation in &mut next.reservations {
        if let Some(spec) = specs.get(&reservation.id)
            && reservation.spec != *spec
        {
            reservation.spec = spec.clone();
            reservation.updated_at = Some(now);
        }
    }
    let id: Arc<str> = Arc::from(lease.id.as_str());
    let request = Request {
        id: Arc::clone(&id),
        replaces: Some(id),
        reservations,
    };
    serve(draft, lease, next, &request, event_id, settings)
}

/// Decides which hosts serve the reservations of `next` that are asked for, and has what a running lease gains carried out
/// by the event. Returns the other leases whose tentative hosts are exchanged for it.
pub(super) fn serve(
    draft: &Draft,
    lease: &Lease,
    next: &mut Lease,
    request: &Request,
    event_id: &str,
    settings: &Settings,
) -> Result<Vec<Change>, ServiceError> {
    let (now, window) = (draft.now(), Interval::new(next.start, next.end));
    let placement = if request.reservations.is_empty() {
        Placement::default()
    } else {
        place(draft, request, settings)?
    };
    let nothing = Holding::new();
    let mut is_changed = false;
    for reservation in &mut next.reservations {
        // What asks for nothing holds nothing, and is not asked for.
        let holding = match placement.holds.get(&reservation.id) {
            Some(holding) => holding,
            None if reservation.spec.is_empty() => &nothing,
            None => continue,
        };
        let before = reservation.holding();
        reservation.allocations = joined(lease, reservation, holding, window, now, settings);
        is_changed |= reservation.status == ReservationStatus::Active && reservation.holding() != before;
    }
    if is_changed {
        next.events.retain(|event| event.event_type != EventType::ApplyChange);
        next.events
            .push(Event::undone(event_id.to_owned(), EventType::ApplyChange, now, now));
    }
    Ok(moved_leases(draft.book(), &placement))
}

/// The allocations of what is held in the new window. What joins a lease that has started is its own from now on.
pub(super) fn joined(
    lease: &Lease,
    reservation: &Reservation,
    holding: &Holding,
    window: Interval,
    now: Timestamp,
    settings: &Settings,
) -> Vec<Allocation> {
    let rows = allocations(
        holding,
        window.start,
        window.end,
        cleaning_after(&reservation.spec, settings),
    );
    if lease.start > now {
        return rows;
    }
    let since = |row: Allocation| {
        let mut left = row.places;
        let held = reservation
            .allocations
            .iter()
            .filter(|held| held.host_id == row.host_id);
        let mut parts: Vec<(Timestamp, u32)> = Vec::new();
        for held in held {
            let stays = held.places.min(left);
            left -= stays;
            parts.push((held.start, stays));
        }
        parts.push((now, left));
        parts.retain(|(_, places)| *places > 0);
        // A lease that is moved before it has started holds nothing before its new start.
        parts.into_iter().map(move |(start, places)| {
            Allocation::during(row.host_id.clone(), start.max(window.start), row.occupied_until, places)
        })
    };
    Allocation::gathered(rows.into_iter().flat_map(since))
}
