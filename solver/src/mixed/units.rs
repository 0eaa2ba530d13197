//! Units of a pool: hosts without properties, each for itself.
//!
//! Invariant: units and hosts never depend on each other, so the units of each pool are decided on their
//! own, by a planner whose hosts are the units. A reservation with required units is two there: one that
//! suits only those, and one of the rest, which cannot meet on a unit as their times are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::answer::Answer;
use crate::certificate::minimal::{Member, minimal};
use crate::decision::{Conflict, Move, Tier, Verdict};
use crate::model::{
    Host, HostId, Interval, Lease, LeaseId, PoolId, Request, RequestedReservation, Reservation, ReservationId,
    Resource, Seconds,
};
use crate::planner::{Budget, ModelSolver, Planner};
use crate::predicate::{Operator, Predicate};
use crate::request::Ask;
use crate::wording;

/// Ends the identifier of the part of a reservation that is of required units.
const REQUIRED: &str = "\u{0}required";

/// Ends the identifier of the part of a reservation that it keeps.
const KEPT: &str = "\u{0}kept";
/// The property that names a unit.
const UNIT: &str = "unit";

/// A reservation of units that the request leaves in place.
struct Held<'a> {
    reservation: &'a Reservation,
    required: &'a [HostId],
    fixed: bool,
}

/// A reservation of units that is asked for.
struct Asked<'a> {
    ask: &'a Ask<'a>,
    /// Required units it does not keep already.
    required: Vec<HostId>,
    /// The reservation whose units it keeps, if it keeps any.
    old: Option<&'a Reservation>,
}

/// One pool at one decision.
struct Pool<'a> {
    id: &'a PoolId,
    units: &'a [HostId],
    held: Vec<Held<'a>>,
    asked: Vec<Asked<'a>>,
}

/// Decides the reservations of units in a request; the verdict if they cannot all be had.
pub(super) fn decide(
    planner: &Planner,
    asks: &[Ask<'_>],
    request: &Request,
    now: Seconds,
    budget: Budget,
    solver: &dyn ModelSolver,
) -> Result<(Tier, Answer), (Tier, Verdict)> {
    let mut answer = Answer::default();
    let mut tier = Tier::Count;
    let mut pools: BTreeMap<&PoolId, Vec<Asked<'_>>> = BTreeMap::new();
    for ask in asks {
        if let Resource::Units(units) = &ask.asked.resource {
            let missing = |unit: &&HostId| ask.kept.binary_search(unit).is_err();
            let replaced = request.replaces.as_ref().and_then(|lease| planner.lease(lease));
            let old = replaced.and_then(|lease| lease.reservations.iter().find(|old| old.id == ask.asked.id));
            pools.entry(&units.pool).or_default().push(Asked {
                ask,
                required: units.required.iter().filter(missing).cloned().collect(),
                old: old.filter(|_| !ask.kept.is_empty()),
            });
        }
    }
    for (id, asked) in pools {
        let pool = Pool::new(planner, id, asked, request, now);
        if let Some(conflict) = pool.never_enough() {
            return Err((Tier::Static, Verdict::Refused { conflict }));
        }
        if let Some(found) = pool.free() {
            answer.join(found);
            continue;
        }
        let (found_tier, verdict) = pool.decide(now, budget, solver);
        match verdict {
            Verdict::Accepted { holds, moves } => {
                answer.join(pool.answer(&holds, moves));
                tier = Tier::Mip;
            }
            Verdict::Refused { conflict } => {
                let conflict = pool.conflict(conflict);
                return Err((found_tier, Verdict::Refused { conflict }));
            }
            Verdict::Undecided => return Err((found_tier, Verdict::Undecided)),
        }
    }
    Ok((tier, answer))
}

impl<'a> Pool<'a> {
    fn new(planner: &'a Planner, id: &'a PoolId, asked: Vec<Asked<'a>>, request: &Request, now: Seconds) -> Self {
        let since = asked
            .iter()
            .map(|asked| asked.ask.asked.window.start)
            .fold(now, Seconds::min);
        let mut held = Vec::new();
        for lease in planner.leases() {
            let replaced = request.replaces.as_ref() == Some(&lease.id);
            for reservation in &lease.reservations {
                let Resource::Units(units) = &reservation.resource else {
                    continue;
                };
                let absent = reservation.holds.is_empty()
                    || reservation.window.end <= since
                    || replaced && Ask::frees_reservation(request, reservation, now);
                if units.pool == *id && !absent {
                    held.push(Held {
                        reservation,
                        required: &units.required,
                        fixed: reservation.is_fixed(now, planner.freeze),
                    });
                }
            }
        }
        Self {
            id,
            units: planner.pools.get(id).map_or(&[], |pool| &pool.units),
            held,
            asked,
        }
    }

    /// Units that are free as things stand, if there are enough: what was held before first, then by
    /// identifier.
    fn free(&self) -> Option<Answer> {
        let mut taken: Vec<(Interval, &HostId)> = Vec::new();
        for held in &self.held {
            taken.extend(
                held.reservation
                    .holds
                    .iter()
                    .map(|unit| (held.reservation.window, unit)),
            );
        }
        for asked in &self.asked {
            let window = asked.ask.asked.window;
            for unit in asked.ask.kept {
                if taken
                    .iter()
                    .any(|(other, held)| *held == unit && other.overlaps(&window))
                {
                    return None;
                }
                taken.push((window, unit));
            }
        }
        let mut answer = Answer::default();
        // Required units first: nobody may take them as one of several.
        let mut given: Vec<BTreeSet<&HostId>> = Vec::new();
        for asked in &self.asked {
            let window = asked.ask.asked.window;
            for unit in &asked.required {
                let held = taken
                    .iter()
                    .any(|(other, held)| *held == unit && other.overlaps(&window));
                if held || self.units.binary_search(unit).is_err() {
                    return None;
                }
                taken.push((window, unit));
            }
            given.push(asked.required.iter().collect());
        }
        for (asked, mut own) in self.asked.iter().zip(given) {
            let window = asked.ask.asked.window;
            let in_use: BTreeSet<&HostId> = taken
                .iter()
                .filter(|(other, _)| other.overlaps(&window))
                .map(|&(_, unit)| unit)
                .collect();
            let before = self
                .units
                .iter()
                .filter(|unit| asked.ask.before.binary_search(unit).is_ok());
            let least = asked.ask.least as usize;
            for unit in before.chain(self.units) {
                if own.len() >= least {
                    break;
                }
                if !in_use.contains(unit) && own.insert(unit) {
                    taken.push((window, unit));
                }
            }
            if own.len() != least {
                return None;
            }
            let all: BTreeSet<HostId> = own.into_iter().chain(asked.ask.kept).cloned().collect();
            answer
                .holds
                .insert(asked.ask.asked.id.clone(), all.into_iter().collect());
        }
        Some(answer)
    }

    /// Decides with everything pending free to be re-chosen.
    fn decide(&self, now: Seconds, budget: Budget, solver: &dyn ModelSolver) -> (Tier, Verdict) {
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

    /// The refusal when what the request keeps is needed twice, or is not what it requires.
    fn kept_twice(&self) -> (Tier, Verdict) {
        let conflict = self.by_search();
        (Tier::Static, Verdict::Refused { conflict })
    }

    fn by_search(&self) -> Conflict {
        let windows = || self.asked.iter().map(|asked| asked.ask.asked.window);
        let from = windows().map(|window| window.start).min().unwrap_or(0);
        let until = windows().map(|window| window.end).max().unwrap_or(0);
        Conflict {
            reason: "search",
            from,
            until,
            needed: self.asked.iter().map(|asked| u64::from(asked.ask.asked.min)).sum(),
            exist: self.units.len() as u64,
            hosts_matching: self.units.to_vec(),
            reservations: self.asked.iter().map(|asked| asked.ask.asked.id.clone()).collect(),
            certificate: Vec::new(),
            text: format!(
                "between {} and {} no choice of units of the pool `{}` serves your request and keeps every earlier \
                 promise; all were tried",
                wording::instant(from),
                wording::instant(until),
                self.id
            )
            .into(),
        }
    }

    /// The nested planner's answer in the names of the request.
    fn answer(&self, holds: &BTreeMap<ReservationId, Vec<HostId>>, moves: Vec<Move>) -> Answer {
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

    /// A reservation of more units than the pool has.
    fn never_enough(&self) -> Option<Conflict> {
        let exist = self.units.len() as u64;
        let asked = self.asked.iter().map(|asked| asked.ask.asked);
        let asked = asked.into_iter().find(|asked| u64::from(asked.min) > exist)?;
        Some(Conflict {
            reason: "no_matching_hosts",
            from: asked.window.start,
            until: asked.window.end,
            needed: u64::from(asked.min),
            exist,
            hosts_matching: self.units.to_vec(),
            reservations: vec![asked.id.clone()],
            certificate: Vec::new(),
            text: format!("{} units are needed, the pool `{}` has {exist}", asked.min, self.id).into(),
        })
    }

    /// How many units a reservation needs.
    fn size(&self, reservation: &ReservationId) -> u64 {
        let asked = self.asked.iter().find(|asked| asked.ask.asked.id == *reservation);
        let held = || self.held.iter().find(|held| held.reservation.id == *reservation);
        asked
            .map(|asked| u64::from(asked.ask.asked.min))
            .or_else(|| held().map(|held| held.reservation.holds.len() as u64))
            .unwrap_or(0)
    }

    /// The nested planner's reason in the names of the request: a shortage at an instant is one here, too.
    fn conflict(&self, conflict: Conflict) -> Conflict {
        if conflict.reason != "capacity" {
            return self.by_search();
        }
        let names: BTreeSet<ReservationId> = conflict.reservations.iter().map(whole_of).collect();
        let mut reservations: Vec<ReservationId> = names.iter().cloned().collect();
        let mut needed = conflict.needed;
        if conflict.hosts_matching.len() == self.units.len() {
            // All parts of a reservation compete for the same units then, so whole ones are dropped or kept.
            let members = names.iter().map(|reservation| Member {
                reservation,
                amount: self.size(reservation),
                kind: None,
                own: self.asked.iter().any(|asked| asked.ask.asked.id == *reservation),
            });
            let members = minimal(members.collect(), conflict.exist);
            needed = members.iter().map(|member| member.amount).sum();
            reservations = members.iter().map(|member| member.reservation.clone()).collect();
        }
        let text = format!(
            "between {} and {} {} units of the pool `{}` are needed at once by your request and by earlier promises, \
             {} can be had",
            wording::instant(conflict.from),
            wording::instant(conflict.until),
            needed,
            self.id,
            conflict.exist
        );
        Conflict {
            needed,
            reservations,
            certificate: Vec::new(),
            text: text.into(),
            ..conflict
        }
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

fn whole_of(part: &ReservationId) -> ReservationId {
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
