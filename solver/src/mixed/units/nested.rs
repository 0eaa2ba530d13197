//! Units as the hosts of a planner of their own.
//!
//! Invariant: a reservation with required units is two there: one that suits only those, and one of the
//! rest, which cannot meet on a unit as their times are the same. What a request keeps is a part of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Asked, Held, Pool};
use crate::decision::{Move, Tier, Verdict};
use crate::mixed::answer::Answer;
use crate::model::Seconds;
use crate::model::{Host, HostId, Lease, LeaseId, Request, RequestedReservation, Reservation, ReservationId, Resource};
use crate::planner::{Budget, ModelSolver, Planner};
use crate::predicate::{Operator, Predicate};

/// Ends the identifier of the part of a reservation that is of required units.
const REQUIRED: &str = "\u{0}required";

/// Ends the identifier of the part of a reservation that it keeps.
const KEPT: &str = "\u{0}kept";
/// The property that names a unit.
const UNIT: &str = "unit";

impl Pool<'_> {
    /// Decides with everything pending free to be re-chosen.
    pub(super) fn decide(&self, now: Seconds, budget: Budget, solver: &dyn ModelSolver) -> (Tier, Verdict) {
        let mut planner = Planner::new(0);
        let listed: BTreeSet<&HostId> = self.units.iter().collect();
        // A unit that left the pool stays with who has it.
        let gone: BTreeSet<&HostId> = self.held.iter().flat_map(|held| &held.reservation.holds).collect();
        let kept = self.asked.iter().flat_map(|asked| asked.ask.kept);
        let all: BTreeSet<&HostId> = listed.iter().copied().chain(gone).chain(kept).collect();
        for unit in all {
            planner.put_host(unit_as_host(unit, listed.contains(unit)));
        }
        for (number, held) in self.held.iter().enumerate() {
            let lease = Lease {
                id: format!("held{number}").into(),
                reservations: held.parts(),
            };
            if planner.put_lease(lease).is_err() {
                return self.kept_twice();
            }
        }
        // What the request keeps: a lease of its own here, re-decided with the new times.
        let kept: Vec<Reservation> = self.asked.iter().filter_map(Asked::kept).collect();
        let replaces: Option<LeaseId> = (!kept.is_empty()).then(|| "kept".into());
        let mut reservations = Vec::new();
        if let Some(id) = &replaces {
            let id = id.clone();
            if planner.put_lease(Lease { id, reservations: kept }).is_err() {
                return self.kept_twice();
            }
        }
        for asked in &self.asked {
            let Some(parts) = asked.parts() else {
                return self.kept_twice();
            };
            reservations.extend(parts);
        }
        let request = Request {
            id: "requested".into(),
            replaces,
            reservations,
        };
        let decision = planner.decide(&request, now, budget, solver);
        (decision.tier, decision.verdict)
    }

    /// The nested planner's answer in the names of the request.
    pub(super) fn answer(&self, holds: &BTreeMap<ReservationId, Vec<HostId>>, moves: Vec<Move>) -> Answer {
        let mut answer = Answer::default();
        for asked in &self.asked {
            let id = &asked.ask.asked.id;
            let parts = [id.clone(), format!("{id}{REQUIRED}").into()];
            let chosen = parts.iter().filter_map(|part| holds.get(part)).flatten();
            let all: BTreeSet<HostId> = chosen.chain(asked.ask.kept).cloned().collect();
            answer.holds.insert(id.clone(), all.into_iter().collect());
        }
        answer.moves.extend(moves.into_iter().map(|change| Move {
            reservation: whole_of(&change.reservation),
            counted: 0,
            ..change
        }));
        answer
    }
}

impl Held<'_> {
    fn parts(&self) -> Vec<Reservation> {
        let part = |suffix: &str, predicate: Arc<Predicate>, holds: Vec<HostId>| Reservation {
            id: format!("{}{suffix}", self.reservation.id).into(),
            resource: Resource::Host,
            window: self.reservation.window,
            cleaning: 0,
            min: 1,
            max: u32::MAX,
            predicate,
            holds,
            pinned: self.fixed,
        };
        let (required, rest): (Vec<HostId>, Vec<HostId>) = self
            .reservation
            .holds
            .iter()
            .cloned()
            .partition(|unit| self.required.binary_search(unit).is_ok());
        let mut parts = Vec::new();
        if !required.is_empty() {
            parts.push(part(REQUIRED, only(&required), required));
        }
        if !rest.is_empty() {
            parts.push(part("", anything(), rest));
        }
        parts
    }
}

impl Asked<'_> {
    /// What it keeps, as it is held so far.
    fn kept(&self) -> Option<Reservation> {
        let old = self.old?;
        Some(Reservation {
            id: format!("{}{KEPT}", old.id).into(),
            resource: Resource::Host,
            window: old.window,
            cleaning: 0,
            min: 1,
            max: u32::MAX,
            predicate: anything(),
            holds: old.holds.clone(),
            pinned: true,
        })
    }

    /// What is asked for on top, and what is kept with its new times. `None` if more is required than is asked for besides what is kept.
    fn parts(&self) -> Option<Vec<RequestedReservation>> {
        let part = |suffix: &str, predicate: Arc<Predicate>, amount: u32| RequestedReservation {
            id: format!("{}{suffix}", self.ask.asked.id).into(),
            resource: Resource::Host,
            window: self.ask.asked.window,
            cleaning: 0,
            min: amount,
            max: amount,
            predicate,
        };
        let required = u32::try_from(self.required.len()).ok()?;
        let rest = self.ask.least.checked_sub(required)?;
        let mut parts = Vec::new();
        if let Ok(kept @ 1..) = u32::try_from(self.ask.kept.len()) {
            parts.push(part(KEPT, anything(), kept));
        }
        if required > 0 {
            parts.push(part(REQUIRED, only(&self.required), required));
        }
        if rest > 0 {
            parts.push(part("", anything(), rest));
        }
        Some(parts)
    }
}

/// The reservation that a part is of.
pub(super) fn whole_of(part: &ReservationId) -> ReservationId {
    part.split('\u{0}').next().unwrap_or_default().into()
}

/// Unlike the identifier itself never a number, as numbers that are spelled differently are equal.
fn marked(unit: &HostId) -> String {
    format!("={unit}")
}

fn anything() -> Arc<Predicate> {
    Arc::new(Predicate::All(Vec::new()))
}

fn only(units: &[HostId]) -> Arc<Predicate> {
    let is = |unit: &HostId| Predicate::Compare {
        operator: Operator::Equal,
        property: UNIT.to_owned(),
        value: marked(unit),
    };
    Arc::new(Predicate::Any(units.iter().map(is).collect()))
}

fn unit_as_host(unit: &HostId, reservable: bool) -> Host {
    Host {
        id: unit.clone(),
        properties: BTreeMap::from([(UNIT.to_owned(), marked(unit))]),
        zone: None,
        rack: None,
        capacity: BTreeMap::new(),
        blocks: Vec::new(),
        reservable,
    }
}
