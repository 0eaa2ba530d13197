//! Hosts that fail and come back: what stood on them is chosen anew, and what was lost is found again.
//!
//! Invariants: marking a host asks nobody. All promises a failure touches are then re-chosen together, in one change of
//! the book, with the fewest disturbances the solver can prove; where that is not possible, and for what was lost before,
//! each lease is settled by itself. A promise that cannot be kept in full is flagged and keeps what is left of it. One
//! that starts late may wait on hosts that have failed, but never keeps what the plan gives to another.

use std::collections::BTreeMap;
use std::sync::Arc;

use solver::heal::{Healed, heal as rechoose};
use solver::model::{Interval, Request};

use super::shortfall::Seen;
use super::update::{joined, serve};
use super::{counted, minute, requested, second_check};
use crate::book::is_bound;
use crate::book::job::Draft;
use crate::domain::{
    Allocation, Event, EventStatus, EventType, Host, InstanceReservation, Lease, LeaseStatus, NotificationType,
    Reservation, ReservationSpec, ReservationStatus, Timestamp,
};
use crate::ports::{Change, Identifiers};
use crate::service::{ServiceError, Settings};

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

/// Takes hosts out of planning or back into it, whatever stands on them. Gives those that were not so before.
///
/// # Errors
/// When a host does not exist, unless others were named; nothing is changed then.
pub(crate) fn mark(draft: &mut Draft, failed: &[String], recovered: &[String]) -> Result<Vec<String>, ServiceError> {
    let mut changes = Vec::new();
    let mut marked = Vec::new();
    for (ids, reservable) in [(failed, false), (recovered, true)] {
        for id in ids {
            let host = match super::hosts::found(draft.book(), id) {
                Ok(host) => host,
                // A monitor names many; one that was removed meanwhile concerns it no more.
                Err(_) if failed.len() + recovered.len() > 1 => continue,
                Err(error) => return Err(error),
            };
            if host.reservable != reservable {
                marked.push(id.clone());
                changes.push(Change::PutHost(Arc::new(Host {
                    reservable,
                    updated_at: Some(draft.now()),
                    ..(*host).clone()
                })));
            }
        }
    }
    draft.change(changes).map_err(second_check)?;
    Ok(marked)
}

/// Chooses anew, all together, what stands on hosts that do not work. Says whether nothing better exists.
///
/// # Errors
/// When the answer fails its second check; nothing is changed then.
pub(crate) fn heal_together(
    draft: &mut Draft,
    settings: &Settings,
    identifiers: &dyn Identifiers,
) -> Result<(Outcome, bool), ServiceError> {
    let now = draft.now();
    let seen = Seen {
        book: draft.book(),
        now,
        settings,
    };
    let is_sound = |host: &solver::model::Host| host.reservable && host.blocks.is_empty();
    let is_stranded = |lease: &&Arc<Lease>| {
        let mut reservations = lease.reservations.iter();
        !lease.is_over(now) && reservations.any(|reservation| seen.stranded(lease, reservation).next().is_some())
    };
    let book = draft.book();
    if book.planner().hosts().all(is_sound) || book.leases().find(is_stranded).is_none() {
        return Ok((Outcome::default(), true));
    }
    let healed = rechoose(draft.book().planner(), minute(now), draft.deadline(), draft.solver());
    if !healed.proved {
        tracing::warn!("the failure was healed as well as time allowed; fewer changes may have been possible");
    }
    // What waits stands where it stood. Should that be in the way of what the plan puts there, it gives way.
    let (outcome, leases) = exchange_all(draft, &healed, true, settings, identifiers)
        .or_else(|_| exchange_all(draft, &healed, false, settings, identifiers))?;
    for lease in leases.iter().filter(|lease| lease.degraded) {
        draft.notify(NotificationType::Update, lease);
        draft.notify(NotificationType::Degraded, lease);
    }
    Ok((outcome, healed.proved))
}

/// Makes the moves of an answer; `waits`: promises that start late and are not kept wait for the hosts that have failed.
fn exchange_all(
    draft: &mut Draft,
    healed: &Healed,
    waits: bool,
    settings: &Settings,
    identifiers: &dyn Identifiers,
) -> Result<(Outcome, Vec<Arc<Lease>>), ServiceError> {
    let now = draft.now();
    let seen = Seen {
        book: draft.book(),
        now,
        settings,
    };
    let mut outcome = Outcome::default();
    let mut leases: BTreeMap<&str, Lease> = BTreeMap::new();
    for change in &healed.moves {
        let Some(before) = seen.book.lease_of_reservation(&change.reservation) else {
            continue;
        };
        // What is being given back needs no other hosts.
        if matches!(before.status, LeaseStatus::Terminating | LeaseStatus::Deleting) || before.is_ending() {
            continue;
        }
        let mut reservations = before.reservations.iter();
        let Some(place) = reservations.position(|reservation| *reservation.id == *change.reservation) else {
            continue;
        };
        let reservation = &before.reservations[place];
        let mut given_up: Vec<&str> = change.from.iter().map(AsRef::as_ref).collect();
        let mut next = exchanged(reservation, &given_up, &change.to, before, now, settings);
        if waits && !seen.is_near(before) && seen.lacks(before, &next) > 0 {
            let works = |host: &&str| seen.is_in_order(before, reservation, host);
            if is_together(reservation) && !given_up.iter().any(works) {
                continue;
            }
            given_up.sort_by_key(|host| !works(host));
            let working = given_up.iter().filter(|host| works(host)).count();
            given_up.truncate(working.max(change.to.len()));
            if given_up.is_empty() {
                continue;
            }
            next = exchanged(reservation, &given_up, &change.to, before, now, settings);
        }
        next.resources_changed |= next.status == ReservationStatus::Active && !change.to.is_empty();
        let lease = leases.entry(&before.id).or_insert_with(|| (**before).clone());
        lease.reservations[place] = next;
        outcome.moved += change.to.len();
    }
    let unkept = healed.unkept.iter();
    let reasons: BTreeMap<&str, String> = unkept
        .map(|unkept| (&*unkept.reservation, unkept.conflict.text.to_string()))
        .collect();
    let mut changes = Vec::new();
    let mut settled = Vec::new();
    for (id, mut lease) in leases {
        settle(&mut lease, seen, identifiers);
        if let Some(before) = seen.book.lease(id) {
            compare(&mut outcome, before, &lease);
        }
        changes.extend(seen.explain(&lease, &reasons));
        let lease = Arc::new(lease);
        changes.push(Change::PutLease(Arc::clone(&lease)));
        settled.push(lease);
    }
    draft.change(changes).map_err(second_check)?;
    Ok((outcome, settled))
}

/// Leases that have to be settled by themselves: those that hold too little or against their rule, and, where nothing
/// says that all were healed together as well as can be, those on hosts that do not work. What runs comes first.
pub(crate) fn unsettled(seen: Seen<'_>, is_healed: bool) -> Vec<String> {
    let needs = |lease: &&Arc<Lease>| {
        let waits = is_healed && !seen.is_near(lease);
        is_open(lease, seen.now)
            && lease.reservations.iter().any(|reservation| {
                reservation.status != ReservationStatus::Deleted
                    && (Seen::lacks_for_good(reservation) > 0
                        || (seen.lacks(lease, reservation) > 0) != reservation.missing_resources
                        || !waits
                            && (reservation.missing_resources || seen.stranded(lease, reservation).next().is_some()))
            })
    };
    let mut leases: Vec<&Arc<Lease>> = seen.book.leases().filter(needs).collect();
    leases.sort_by_key(|lease| (!is_bound(lease), lease.start));
    leases.into_iter().map(|lease| lease.id.clone()).collect()
}

/// Settles one lease: it gives up hosts that do not work, unless it may wait for them, and finds what it lacks.
///
/// # Errors
/// When the book does not take what it gives up; nothing is changed then.
pub(crate) fn heal_alone(
    draft: &mut Draft,
    lease_id: &str,
    settings: &Settings,
    identifiers: &dyn Identifiers,
) -> Result<Outcome, ServiceError> {
    let now = draft.now();
    let Some(before) = draft.book().lease(lease_id).cloned() else {
        return Ok(Outcome::default());
    };
    if !is_open(&before, now) {
        return Ok(Outcome::default());
    }
    let mut reasons: BTreeMap<&str, String> = BTreeMap::new();
    let mut current = (*before).clone();
    give_up(draft, &mut current, settings);
    if current != *before {
        draft
            .change(vec![Change::PutLease(Arc::new(current.clone()))])
            .map_err(second_check)?;
    }
    for reservation in &before.reservations {
        match find(draft, &current, &reservation.id, settings, identifiers) {
            Ok(Some((next, mut changes))) => {
                changes.push(Change::PutLease(Arc::new(next.clone())));
                match draft.change(changes) {
                    Ok(()) => current = next,
                    Err(contradiction) => tracing::error!(%contradiction, "what was found fails its second check"),
                }
            }
            // Not now; whatever returns next is tried again.
            Err(error) if !reservation.missing_resources => {
                reasons.insert(&reservation.id, error.to_string());
            }
            Ok(None) | Err(_) => {}
        }
    }
    let seen = Seen {
        book: draft.book(),
        now,
        settings,
    };
    let holds = |lease: &Lease| -> Vec<Vec<Allocation>> {
        let reservations = lease.reservations.iter();
        reservations
            .map(|reservation| reservation.allocations.clone())
            .collect()
    };
    if holds(&current) == holds(&before) {
        seen.judge(&mut current);
    } else {
        settle(&mut current, seen, identifiers);
    }
    let mut outcome = Outcome::default();
    compare(&mut outcome, &before, &current);
    let mut changes: Vec<Change> = seen.explain(&current, &reasons).into_iter().collect();
    let is_changed = current != *before;
    let current = Arc::new(current);
    if is_changed {
        changes.push(Change::PutLease(Arc::clone(&current)));
    }
    draft.change(changes).map_err(second_check)?;
    if is_changed {
        draft.notify(NotificationType::Update, &current);
        if current.degraded && !before.degraded {
            draft.notify(NotificationType::Degraded, &current);
        }
    }
    Ok(outcome)
}

/// Gives up hosts that do not work, where they are not waited for.
fn give_up(draft: &Draft, lease: &mut Lease, settings: &Settings) {
    let seen = Seen {
        book: draft.book(),
        now: draft.now(),
        settings,
    };
    if !seen.is_near(lease) {
        return;
    }
    let kept: Vec<Vec<Allocation>> = lease
        .reservations
        .iter()
        .map(|reservation| {
            let held = reservation.allocations.iter();
            held.filter(|allocation| seen.is_in_order(lease, reservation, &allocation.host_id))
                .cloned()
                .collect()
        })
        .collect();
    for (reservation, kept) in lease.reservations.iter_mut().zip(kept) {
        reservation.allocations = kept;
    }
}

/// Finds what a reservation lacks, beside what its lease has otherwise; nothing if it lacks nothing.
fn find(
    draft: &Draft,
    lease: &Lease,
    wanted: &str,
    settings: &Settings,
    identifiers: &dyn Identifiers,
) -> Result<Option<(Lease, Vec<Change>)>, ServiceError> {
    let seen = Seen {
        book: draft.book(),
        now: draft.now(),
        settings,
    };
    let lacks = |lease: &Lease| {
        let mut reservations = lease.reservations.iter();
        let wanted = reservations
            .find(|reservation| reservation.id == wanted && reservation.status != ReservationStatus::Deleted);
        wanted.map_or(0, |reservation| seen.lacks(lease, reservation))
    };
    if lacks(lease) == 0 {
        return Ok(None);
    }
    let window = Interval::new(lease.start, lease.end);
    let mut asked = Vec::new();
    for reservation in lease
        .reservations
        .iter()
        .filter(|reservation| !reservation.spec.is_empty())
    {
        let mut request = requested(&reservation.id, &reservation.spec, window, draft.book(), settings)?;
        if reservation.id != wanted && seen.is_near(lease) {
            // The others keep what they have, which may be less than they were promised.
            let held = reservation.amount();
            if held == 0 {
                continue;
            }
            if held < request.min {
                (request.min, request.max) = (held, held);
            }
        }
        asked.push(request);
    }
    let id: Arc<str> = Arc::from(lease.id.as_str());
    let request = Request {
        id: Arc::clone(&id),
        replaces: Some(id),
        reservations: asked,
    };
    let mut next = lease.clone();
    let moved = serve(draft, lease, &mut next, &request, &identifiers.next(), settings)?;
    if lacks(&next) >= lacks(lease) {
        return Ok(None);
    }
    for (before, after) in lease.reservations.iter().zip(&mut next.reservations) {
        if before.allocations != after.allocations {
            after.resources_changed |= after.status == ReservationStatus::Active;
            after.updated_at = Some(draft.now());
        }
    }
    Ok(Some((next, moved)))
}

/// Whether anything can still be found for the lease.
fn is_open(lease: &Lease, now: Timestamp) -> bool {
    let is_open = matches!(
        lease.status,
        LeaseStatus::Pending | LeaseStatus::Starting | LeaseStatus::Active | LeaseStatus::Updating
    );
    is_open && !lease.is_over(now)
}

fn is_together(reservation: &Reservation) -> bool {
    matches!(
        reservation.spec,
        ReservationSpec::Instance(InstanceReservation {
            affinity: Some(true),
            ..
        })
    )
}

/// The reservation with hosts given up and others taken.
fn exchanged(
    reservation: &Reservation,
    given_up: &[&str],
    taken: &[Arc<str>],
    lease: &Lease,
    now: Timestamp,
    settings: &Settings,
) -> Reservation {
    let mut holding = reservation.holding();
    for host in given_up {
        if let Some(places) = holding.get_mut(*host) {
            *places = places.saturating_sub(1);
        }
    }
    holding.retain(|_, places| *places > 0);
    for (host, places) in counted(taken) {
        *holding.entry(host).or_default() += places;
    }
    let window = Interval::new(lease.start, lease.end);
    Reservation {
        allocations: joined(lease, reservation, &holding, window, now, settings),
        updated_at: Some(now),
        ..reservation.clone()
    }
}

/// Derives what a lease says of its reservations, and has the cloud follow where it has been told of them already.
fn settle(lease: &mut Lease, seen: Seen<'_>, identifiers: &dyn Identifiers) {
    seen.judge(lease);
    lease.updated_at = Some(seen.now);
    let started = lease.event(EventType::StartLease).map(|event| event.status);
    if matches!(started, Some(EventStatus::Done | EventStatus::InProgress)) {
        // One that is being carried out knows the plan before. What it tells is still put on record, and this one follows.
        lease.events.retain(|event| event.event_type != EventType::ApplyChange);
        let event = Event::undone(identifiers.next(), EventType::ApplyChange, seen.now, seen.now);
        lease.events.push(event);
    }
}

/// Notes whether a lease has lost or found something.
fn compare(outcome: &mut Outcome, before: &Lease, after: &Lease) {
    let lacks = |lease: &Lease| lease.reservations.iter().filter(|one| one.missing_resources).count();
    match lacks(before).cmp(&lacks(after)) {
        std::cmp::Ordering::Less => outcome.lost.push(after.id.clone()),
        std::cmp::Ordering::Greater => outcome.refilled.push(after.id.clone()),
        std::cmp::Ordering::Equal => {}
    }
}
