//! Units as the hosts of a planner of their own.
//!
//! Invariant: a reservation with required units is two there: one that suits only those, and one of the
//! rest, which cannot meet on a unit as their times are the same. What a request keeps is a part of its own. Parts are
//! numbered, so identifiers may be any text; the answer is in the names of the reservations they are parts of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Asked, Held, Pool};
use crate::deadline::Deadline;
use crate::decision::{Conflict, Move, Tier, Verdict};
use crate::mixed::answer::Answer;
use crate::model::Seconds;
use crate::model::{
    Host, HostId, Interval, Lease, LeaseId, Request, RequestedReservation, Reservation, ReservationId, Resource,
};
use crate::planner::{ModelSolver, Planner};
use crate::predicate::{Operator, Predicate};

/// The property that names a unit.
const UNIT: &str = "unit";

/// The identifiers of parts, by number, and the reservations they are parts of.
#[derive(Default)]
struct Parts<'a>(Vec<&'a ReservationId>);

impl<'a> Parts<'a> {
    /// Names one part more of a reservation.
    fn name(&mut self, whole: &'a ReservationId) -> ReservationId {
        self.0.push(whole);
        format!("{:08}", self.0.len() - 1).into()
    }

    /// The reservation that a part is of.
    fn whole(&self, part: &ReservationId) -> Option<&'a ReservationId> {
        self.0.get(part.parse::<usize>().ok()?).copied()
    }
}

impl Pool<'_> {
    /// Decides with everything pending free to be re-chosen.
    pub(super) fn decide(&self, now: Seconds, deadline: &Deadline, solver: &dyn ModelSolver) -> (Tier, Verdict) {
        let mut parts = Parts::default();
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
                reservations: held.parts(&mut parts),
            };
            if planner.put_lease(lease).is_err() {
                return self.kept_twice();
            }
        }
        // What the request keeps: a lease of its own here, re-decided with the new times.
        let names: Vec<ReservationId> = self.asked.iter().map(|asked| parts.name(&asked.ask.asked.id)).collect();
        let kept = self.asked.iter().zip(&names);
        let kept: Vec<Reservation> = kept.filter_map(|(asked, name)| asked.kept(name)).collect();
        let replaces: Option<LeaseId> = (!kept.is_empty()).then(|| "kept".into());
        if let Some(id) = &replaces {
            let id = id.clone();
            if planner.put_lease(Lease { id, reservations: kept }).is_err() {
                return self.kept_twice();
            }
        }
        let mut reservations = Vec::new();
        for (asked, name) in self.asked.iter().zip(&names) {
            let Some(requested) = asked.parts(name, &mut parts) else {
                return self.kept_twice();
            };
            reservations.extend(requested);
        }
        let request = Request {
            id: "requested".into(),
            replaces,
            reservations,
        };
        let decision = planner.decide(&request, now, deadline, solver);
        let verdict = match decision.verdict {
            Verdict::Accepted { holds, moves } => Verdict::Accepted {
                holds: whole_holds(&parts, holds),
                moves: whole_moves(&parts, moves),
            },
            Verdict::Refused { conflict } => {
                let names = conflict.reservations.iter().filter_map(|part| parts.whole(part));
                let names: BTreeSet<&ReservationId> = names.collect();
                let conflict = Conflict {
                    reservations: names.into_iter().cloned().collect(),
                    ..conflict
                };
                Verdict::Refused { conflict }
            }
            Verdict::Undecided(why) => Verdict::Undecided(why),
        };
        (decision.tier, verdict)
    }

    /// The answer with what the request keeps.
    pub(super) fn answer(&self, holds: &BTreeMap<ReservationId, Vec<HostId>>, moves: Vec<Move>) -> Answer {
        let mut answer = Answer::default();
        for asked in &self.asked {
            let id = &asked.ask.asked.id;
            let chosen = holds.get(id).into_iter().flatten();
            let all: BTreeSet<HostId> = chosen.chain(asked.ask.kept).cloned().collect();
            answer.holds.insert(id.clone(), all.into_iter().collect());
        }
        answer.moves = moves;
        answer
    }
}

/// What the parts of each reservation hold.
fn whole_holds(parts: &Parts<'_>, holds: BTreeMap<ReservationId, Vec<HostId>>) -> BTreeMap<ReservationId, Vec<HostId>> {
    let mut all: BTreeMap<ReservationId, Vec<HostId>> = BTreeMap::new();
    for (part, units) in holds {
        if let Some(whole) = parts.whole(&part) {
            all.entry(whole.clone()).or_default().extend(units);
        }
    }
    all.values_mut().for_each(|units| units.sort());
    all
}

/// What changes for each reservation: a unit that goes from one of its parts to another changes nothing.
fn whole_moves(parts: &Parts<'_>, moves: Vec<Move>) -> Vec<Move> {
    let mut all: BTreeMap<&ReservationId, (BTreeSet<HostId>, BTreeSet<HostId>)> = BTreeMap::new();
    for change in moves {
        if let Some(whole) = parts.whole(&change.reservation) {
            let (from, to) = all.entry(whole).or_default();
            from.extend(change.from);
            to.extend(change.to);
        }
    }
    let whole = all.into_iter().map(|(whole, (from, to))| Move {
        reservation: whole.clone(),
        from: from.difference(&to).cloned().collect(),
        to: to.difference(&from).cloned().collect(),
        counted: 0,
    });
    whole.filter(|change| !change.from.is_empty()).collect()
}

impl<'a> Held<'a> {
    fn parts(&self, names: &mut Parts<'a>) -> Vec<Reservation> {
        let mut part = |predicate: Arc<Predicate>, holds: Vec<HostId>| Reservation {
            id: names.name(&self.reservation.id),
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
            parts.push(part(only(&required), required));
        }
        if !rest.is_empty() {
            parts.push(part(anything(), rest));
        }
        parts
    }
}

impl<'a> Asked<'a> {
    /// What it keeps, as it is held so far. A request counts from the clock on, so what has started does here, too: with its
    /// own start it would be a reservation that has started and is to start at another time.
    fn kept(&self, name: &ReservationId) -> Option<Reservation> {
        let old = self.old?;
        let ahead = self.ask.asked.window.start;
        let start = if old.window.contains(ahead) {
            ahead
        } else {
            old.window.start
        };
        Some(Reservation {
            id: name.clone(),
            resource: Resource::Host,
            window: Interval::new(start, old.window.end),
            cleaning: 0,
            min: 1,
            max: u32::MAX,
            predicate: anything(),
            holds: old.holds.clone(),
            pinned: true,
        })
    }

    /// What is asked for on top, and what is kept with its new times. `None` if more is required than is asked for besides what is kept.
    fn parts(&self, kept: &ReservationId, names: &mut Parts<'a>) -> Option<Vec<RequestedReservation>> {
        let part = |id: ReservationId, predicate: Arc<Predicate>, amount: u32| RequestedReservation {
            id,
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
        if let Ok(amount @ 1..) = u32::try_from(self.ask.kept.len()) {
            parts.push(part(kept.clone(), anything(), amount));
        }
        let whole = &self.ask.asked.id;
        if required > 0 {
            parts.push(part(names.name(whole), only(&self.required), required));
        }
        if rest > 0 {
            parts.push(part(names.name(whole), anything(), rest));
        }
        Some(parts)
    }
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
