//! Hosts that fail and come back: what stood on them is chosen anew, and what was lost is found again.
//!
//! Invariant: all promises a failure touches are re-chosen together, in one change of the book, with the fewest
//! disturbances the solver can prove. A promise that cannot be kept in full is flagged and keeps what is left of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plugin_api::Finding;
use solver::heal::{Healed, Unkept, heal as rechoose};
use solver::planner::Budget;

use super::update::choose_hosts;
use super::{cleaning_after, minute, second_check};
use crate::book::Book;
use crate::book::job::Draft;
use crate::domain::{
    Allocation, Event, EventStatus, EventType, Host, Lease, LeaseStatus, NotificationType, Reservation,
    ReservationStatus, Timestamp,
};
use crate::ports::{Change, Identifiers};
use crate::service::{ServiceError, Settings};

/// Kind of the finding that says why a reservation lacks resources.
pub(crate) const MISSING: &str = "resources_missing";

/// What a failure or a recovery did to the book.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Hosts that are not reservable any more, or again.
    pub hosts: Vec<String>,
    /// Hosts or places that were exchanged for others, over all reservations.
    pub moved: usize,
    /// Leases that lack resources since now.
    pub lost: Vec<String>,
    /// Leases that have what they lacked again.
    pub refilled: Vec<String>,
}

/// Takes hosts out of planning or back into it, and chooses anew what that touches.
///
/// # Errors
/// When a host does not exist, or a decision fails its second check; nothing is changed then.
pub(crate) fn set_reservable(
    draft: &mut Draft,
    failed: &[String],
    recovered: &[String],
    settings: &Settings,
    identifiers: &dyn Identifiers,
) -> Result<Outcome, ServiceError> {
    let mut changes = Vec::new();
    let mut outcome = Outcome::default();
    for (ids, reservable) in [(failed, false), (recovered, true)] {
        for id in ids {
            let host = super::hosts::found(draft.book(), id)?;
            if host.reservable != reservable {
                outcome.hosts.push(id.clone());
                changes.push(Change::PutHost(Arc::new(Host {
                    reservable,
                    updated_at: Some(draft.now()),
                    ..(*host).clone()
                })));
            }
        }
    }
    if !changes.is_empty() {
        draft.change(changes).map_err(second_check)?;
    }
    heal(draft, settings, identifiers, &mut outcome)?;
    refill(draft, settings, identifiers, &mut outcome)?;
    Ok(outcome)
}

/// Chooses anew what stands on hosts that are not reservable.
fn heal(
    draft: &mut Draft,
    settings: &Settings,
    identifiers: &dyn Identifiers,
    outcome: &mut Outcome,
) -> Result<(), ServiceError> {
    let now = draft.now();
    if !is_touched(draft.book(), now) {
        return Ok(());
    }
    let budget = Budget {
        seconds: Some(settings.decision_seconds),
    };
    let Healed { moves, unkept, proved } = rechoose(draft.book().planner(), minute(now), budget, draft.solver());
    if !proved {
        tracing::warn!("the failure was healed as well as time allowed; fewer changes may have been possible");
    }
    let unkept: BTreeMap<&str, &Unkept> = unkept.iter().map(|unkept| (&*unkept.reservation, unkept)).collect();
    let mut leases: BTreeMap<String, Lease> = BTreeMap::new();
    let mut findings: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    for change in &moves {
        let Some(lease) = draft.book().lease_of_reservation(&change.reservation) else {
            continue;
        };
        // What is being given back needs no other hosts.
        if matches!(lease.status, LeaseStatus::Terminating | LeaseStatus::Deleting) {
            continue;
        }
        let lease = leases.entry(lease.id.clone()).or_insert_with(|| (**lease).clone());
        let (id, start, end) = (lease.id.clone(), lease.start, lease.end);
        let Some(reservation) = lease
            .reservations
            .iter_mut()
            .find(|reservation| *reservation.id == *change.reservation)
        else {
            continue;
        };
        let loss = unkept.get(&*change.reservation);
        let is_near = settings.healing_interval == 0 || start < now + settings.healing_interval;
        let mut given_up: Vec<&str> = change.from.iter().map(AsRef::as_ref).collect();
        if loss.is_some() && !is_near {
            // Capacity may return in time: what found no other host waits where it is.
            let book = draft.book();
            let failed = |host: &&str| book.host(host).is_some_and(|host| !host.reservable);
            given_up.sort_by_key(failed);
            given_up.truncate(change.to.len());
        }
        exchange(reservation, &given_up, &change.to, (start, end), now, settings);
        outcome.moved += change.to.len();
        if let Some(loss) = loss.filter(|_| is_near) {
            reservation.missing_resources = true;
            outcome.lost.push(id.clone());
            findings.entry(id).or_default().push(finding(loss));
        }
        if reservation.status == ReservationStatus::Active && !change.to.is_empty() {
            reservation.resources_changed = true;
        }
    }
    outcome.lost.dedup();
    let mut changes = Vec::new();
    for lease in leases.values_mut() {
        settle(lease, now, identifiers);
        changes.push(Change::PutLease(Arc::new(lease.clone())));
    }
    for (lease_id, new) in findings {
        let mut all: Vec<Finding> = (*draft.book().findings(&lease_id)).clone();
        all.extend(new);
        all.sort();
        all.dedup();
        changes.push(Change::PutFindings {
            lease_id,
            findings: Arc::new(all),
        });
    }
    draft.change(changes).map_err(second_check)?;
    for lease in leases.values().filter(|lease| lease.degraded) {
        draft.notify(NotificationType::Update, lease);
        draft.notify(NotificationType::Degraded, lease);
    }
    Ok(())
}

/// Whether anything that is not over stands on a host that is not reservable.
fn is_touched(book: &Book, now: Timestamp) -> bool {
    let failed: BTreeSet<&str> = book
        .hosts()
        .filter(|host| !host.reservable)
        .map(|host| host.id.as_str())
        .collect();
    let leases = book.leases().filter(|lease| lease.end > now);
    let reservations = leases.flat_map(|lease| &lease.reservations);
    let mut held = reservations.flat_map(|reservation| &reservation.allocations);
    !failed.is_empty() && held.any(|allocation| failed.contains(allocation.host_id.as_str()))
}

/// Gives hosts up and takes others. What joins a reservation that has started is its own from now on.
fn exchange(
    reservation: &mut Reservation,
    given_up: &[&str],
    taken: &[Arc<str>],
    (start, end): (Timestamp, Timestamp),
    now: Timestamp,
    settings: &Settings,
) {
    let mut given_up = given_up.to_vec();
    reservation.allocations.retain(|allocation| {
        let place = given_up.iter().position(|host| **host == *allocation.host_id);
        place.map(|place| given_up.swap_remove(place)).is_none()
    });
    reservation.allocations.extend(taken.iter().map(|host| Allocation {
        host_id: host.to_string(),
        start: start.max(now.min(end)),
        occupied_until: end + cleaning_after(&reservation.spec, settings),
    }));
    if start > now {
        for allocation in &mut reservation.allocations {
            allocation.start = start;
        }
    }
    reservation.allocations.sort();
    reservation.updated_at = Some(now);
}

/// Derives what a lease says of its reservations, and has the cloud follow where it has been told of them already.
fn settle(lease: &mut Lease, now: Timestamp, identifiers: &dyn Identifiers) {
    let flagged = |reservation: &Reservation| reservation.missing_resources || reservation.resources_changed;
    lease.degraded = lease.reservations.iter().any(flagged);
    lease.updated_at = Some(now);
    let started = lease.event(EventType::StartLease).map(|event| event.status);
    if matches!(started, Some(EventStatus::Done | EventStatus::InProgress)) {
        // One that is being carried out knows the plan before; its end is not recorded any more, and this one follows.
        lease.events.retain(|event| event.event_type != EventType::ApplyChange);
        let event = Event::undone(identifiers.next(), EventType::ApplyChange, now, now);
        lease.events.push(event);
    }
}

fn finding(loss: &Unkept) -> Finding {
    let detail = format!(
        "reservation {} lacks {} of what it was promised: {}",
        loss.reservation, loss.missing, loss.conflict.text
    );
    Finding::new(MISSING, "", detail, false)
}

/// Finds again what reservations lack, in the order in which leases start.
fn refill(
    draft: &mut Draft,
    settings: &Settings,
    identifiers: &dyn Identifiers,
    outcome: &mut Outcome,
) -> Result<(), ServiceError> {
    let now = draft.now();
    let lacks = |lease: &&Arc<Lease>| {
        let is_open = matches!(lease.status, LeaseStatus::Pending | LeaseStatus::Active);
        is_open
            && lease.end > now
            && lease
                .reservations
                .iter()
                .any(|reservation| reservation.missing_resources)
    };
    let mut lacking: Vec<Arc<Lease>> = draft.book().leases().filter(lacks).cloned().collect();
    lacking.sort_by_key(|lease| lease.start);
    for lease in lacking {
        let mut next = (*lease).clone();
        let specs = lease
            .reservations
            .iter()
            .map(|reservation| (reservation.id.clone(), reservation.spec.clone()));
        let moved = match choose_hosts(
            draft,
            &lease,
            &mut next,
            &specs.collect(),
            &identifiers.next(),
            settings,
        ) {
            Ok(moved) => moved,
            // Not now; whatever returns next is tried again.
            Err(ServiceError::Shortage(_) | ServiceError::Undecided(_)) => continue,
            Err(error) => return Err(error),
        };
        let mut grown = false;
        for (before, after) in lease.reservations.iter().zip(&mut next.reservations) {
            if before.missing_resources && after.allocations.len() > before.allocations.len() {
                after.missing_resources = false;
                after.resources_changed = after.status == ReservationStatus::Active || after.resources_changed;
                after.updated_at = Some(now);
                grown = true;
            }
        }
        if !grown {
            continue;
        }
        settle(&mut next, now, identifiers);
        outcome.refilled.push(lease.id.clone());
        let next = Arc::new(next);
        let mut left: Vec<Finding> = (*draft.book().findings(&lease.id)).clone();
        left.retain(|finding| {
            let mut lacking = next
                .reservations
                .iter()
                .filter(|reservation| reservation.missing_resources);
            finding.kind != MISSING || lacking.any(|reservation| finding.detail.contains(&reservation.id))
        });
        let mut changes = moved;
        changes.push(Change::PutLease(Arc::clone(&next)));
        changes.push(Change::PutFindings {
            lease_id: lease.id.clone(),
            findings: Arc::new(left),
        });
        draft.change(changes).map_err(second_check)?;
        draft.notify(NotificationType::Update, &next);
    }
    Ok(())
}
