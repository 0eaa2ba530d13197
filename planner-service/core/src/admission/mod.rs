//! Decisions about leases and hosts: what may be promised, changed, taken back.
//!
//! Invariant: everything here is a function of a [`Draft`](crate::book::job::Draft) and a request.
//! It either changes the draft completely or not at all, and never calls the outside world.

use std::collections::BTreeMap;
use std::sync::Arc;

use solver::decision::{Decision, Move, Unfinished, Verdict};
use solver::model::{HostId, Interval, Request, RequestedReservation};

use crate::book::job::Draft;
use crate::book::{Book, Contradiction, is_bound};
use crate::domain::{Allocation, Holding, Lease, ReservationSpec, Timestamp};
use crate::ports::Change;
use crate::question::Shortage;
use crate::service::{ServiceError, Settings};

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod floating_ips;
pub(crate) mod healing;
pub(crate) mod hosts;
pub(crate) mod listing;
mod parameters;
pub(crate) mod shortfall;
pub(crate) mod update;

/// The granularity of leases, in seconds.
pub(crate) const MINUTE: Timestamp = 60;

/// The first second of the minute `time` lies in.
pub(crate) const fn minute(time: Timestamp) -> Timestamp {
    time - time.rem_euclid(MINUTE)
}

/// Whether the lease keeps the hosts it holds: it has started, or will within the freeze horizon. The
/// planner asks the same of every reservation.
pub(crate) fn is_final(lease: &Lease, now: Timestamp, settings: &Settings) -> bool {
    let now = minute(now);
    is_bound(lease) || lease.start <= now || lease.start < now + settings.freeze
}

/// Hosts or units by reservation, and the promises that were re-chosen for it.
#[derive(Default)]
pub(crate) struct Placement {
    /// Hosts or units of each reservation asked for.
    pub(crate) holds: BTreeMap<String, Holding>,
    moves: Vec<Move>,
}

/// Asks the planner; a refusal becomes the error the caller sees.
pub(crate) fn place(draft: &Draft, request: &Request, settings: &Settings) -> Result<Placement, ServiceError> {
    let Decision { verdict, tier, .. } =
        draft
            .book()
            .planner()
            .decide(request, minute(draft.now()), draft.deadline(), draft.solver());
    match verdict {
        Verdict::Accepted { holds, moves } => {
            tracing::debug!(lease = %request.id, tier = tier.name(), moves = moves.len(), "accepted");
            let holds = holds
                .into_iter()
                .map(|(reservation, hosts)| (reservation.to_string(), counted(&hosts)))
                .collect();
            Ok(Placement { holds, moves })
        }
        Verdict::Refused { conflict } => {
            tracing::debug!(lease = %request.id, tier = tier.name(), reason = conflict.reason, "refused");
            Err(ServiceError::Shortage(Box::new(Shortage::proved(request, conflict))))
        }
        Verdict::Undecided(why) => {
            draft.deadline().run_out();
            Err(ServiceError::Undecided(match why {
                Unfinished::Time => format!(
                    "not decided within {} s; this is not a refusal: try again, or ask for less at once",
                    settings.decision_seconds
                ),
                Unfinished::Work | Unfinished::Arithmetic => {
                    "too many combinations to decide; this is not a refusal: ask for less at once".to_owned()
                }
            }))
        }
    }
}

/// What the planner is asked for one reservation.
pub(crate) fn requested(
    id: &str,
    spec: &ReservationSpec,
    window: Interval,
    book: &Book,
    settings: &Settings,
) -> Result<RequestedReservation, ServiceError> {
    let demand = book
        .demand(spec)
        .map_err(|reason| ServiceError::Invalid(format!("Malformed requirements: {reason}")))?;
    Ok(RequestedReservation {
        id: Arc::from(id),
        resource: demand.resource,
        window,
        cleaning: cleaning_after(spec, settings),
        min: demand.min,
        max: demand.max,
        predicate: demand.predicate,
    })
}

/// Seconds that what a reservation holds stays free after it.
pub(crate) const fn cleaning_after(spec: &ReservationSpec, settings: &Settings) -> i64 {
    match spec {
        ReservationSpec::Host(_) => settings.cleaning,
        ReservationSpec::Instance(_)
        | ReservationSpec::Flavor(_)
        | ReservationSpec::FloatingIp(_)
        | ReservationSpec::Countable(_) => 0,
    }
}

/// The leases whose tentative hosts a placement exchanges, with their new hosts.
pub(crate) fn moved_leases(book: &Book, placement: &Placement) -> Vec<Change> {
    let mut leases: BTreeMap<&str, Lease> = BTreeMap::new();
    for change in &placement.moves {
        let Some(lease) = book.lease_of_reservation(&change.reservation) else {
            continue;
        };
        let lease = leases.entry(&lease.id).or_insert_with(|| (**lease).clone());
        let Some(reservation) = lease
            .reservations
            .iter_mut()
            .find(|reservation| *reservation.id == *change.reservation)
        else {
            continue;
        };
        let mut rows = std::mem::take(&mut reservation.allocations);
        let mut joining = Vec::new();
        for (given_up, taken) in change.from.iter().zip(&change.to) {
            let mut held = rows.iter_mut();
            if let Some(held) = held.find(|held| *held.host_id == **given_up && held.places > 0) {
                held.places -= 1;
                joining.push(Allocation {
                    host_id: taken.to_string(),
                    places: 1,
                    ..*held
                });
            }
        }
        rows.retain(|held| held.places > 0);
        reservation.allocations = Allocation::gathered(rows.into_iter().chain(joining));
    }
    leases
        .into_values()
        .map(|lease| Change::PutLease(Arc::new(lease)))
        .collect()
}

/// How often each host or unit stands in a list of the planner's.
pub(crate) fn counted(holds: &[HostId]) -> Holding {
    let mut holding = Holding::new();
    for group in holds.chunk_by(|left, right| left == right) {
        if let Some(id) = group.first() {
            let places = u32::try_from(group.len()).unwrap_or(u32::MAX);
            *holding.entry(id.to_string()).or_default() += places;
        }
    }
    holding
}

/// The allocations of what is held for `[start, end)` with `cleaning` seconds after it.
pub(crate) fn allocations(holding: &Holding, start: Timestamp, end: Timestamp, cleaning: i64) -> Vec<Allocation> {
    let rows = holding.iter();
    rows.map(|(host, places)| Allocation::during(host.clone(), start, end + cleaning, *places))
        .collect()
}

/// Whether a reservation holds a host or floating IP, or has not given it back yet.
fn is_held(book: &Book, id: &str) -> bool {
    let mut reservations = book.leases().flat_map(|lease| &lease.reservations);
    reservations.any(|reservation| {
        let mut held = reservation.allocations.iter();
        held.any(|allocation| allocation.host_id == id) || reservation.handover.possible().contains_key(id)
    })
}

/// What the caller is told when the book does not take a decision: the planner was wrong, nothing was changed.
#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
pub(crate) fn second_check(contradiction: Contradiction) -> ServiceError {
    tracing::error!(%contradiction, "a decision failed the second check");
    ServiceError::Unavailable("the decision failed its second check and was thrown away; try again".to_owned())
}

/// First second of the year 9999: no lease ends later, so that cleaning after it still has a date.
const LATEST_END: Timestamp = 253_370_764_800;

/// Refuses an end that no date can follow.
pub(crate) fn check_latest(end: Timestamp) -> Result<(), ServiceError> {
    if end > LATEST_END {
        return Err(ServiceError::Invalid(
            "end_date is too late; it must be before the year 9999".to_owned(),
        ));
    }
    Ok(())
}
