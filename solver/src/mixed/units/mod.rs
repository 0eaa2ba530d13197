//! Units of a pool: hosts without properties, each for itself.
//!
//! Invariant: units and hosts never depend on each other, so the units of each pool are decided on their
//! own: those that are free as things stand, or else, in [`nested`], by a planner whose hosts are the units.
//! Its reasons are put in the request's terms in [`refusal`].

mod nested;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};

use super::answer::Answer;
use crate::deadline::Deadline;
use crate::decision::{Tier, Verdict};
use crate::model::{HostId, Interval, PoolId, PoolWords, Request, Reservation, Resource, Seconds};
use crate::planner::{ModelSolver, Planner};
use crate::request::Ask;

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
    units: &'a [HostId],
    words: PoolWords,
    held: Vec<Held<'a>>,
    asked: Vec<Asked<'a>>,
}

/// Decides the reservations of units in a request; the verdict if they cannot all be had.
pub(super) fn decide(
    planner: &Planner,
    asks: &[Ask<'_>],
    request: &Request,
    now: Seconds,
    deadline: &Deadline,
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
        let (found_tier, verdict) = pool.decide(now, deadline, solver);
        match verdict {
            Verdict::Accepted { holds, moves } => {
                answer.join(pool.answer(&holds, moves));
                tier = Tier::Mip;
            }
            Verdict::Refused { conflict } => {
                let conflict = pool.conflict(conflict);
                return Err((found_tier, Verdict::Refused { conflict }));
            }
            Verdict::Undecided(why) => return Err((found_tier, Verdict::Undecided(why))),
        }
    }
    Ok((tier, answer))
}

impl<'a> Pool<'a> {
    fn new(planner: &'a Planner, id: &'a PoolId, asked: Vec<Asked<'a>>, request: &Request, now: Seconds) -> Self {
        let mut held = Vec::new();
        for lease in planner.leases_of_pool(id) {
            let replaced = request.replaces.as_ref() == Some(&lease.id);
            for reservation in &lease.reservations {
                let Resource::Units(units) = &reservation.resource else {
                    continue;
                };
                let absent = reservation.holds.is_empty()
                    || reservation.window.end <= now
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
        let pool = planner.pools.get(id);
        let words = || PoolWords {
            one: "unit".into(),
            more: "units".into(),
            pool: format!("the pool `{id}`").into(),
        };
        Self {
            units: pool.map_or(&[], |pool| &pool.units),
            words: pool.and_then(|pool| pool.words.clone()).unwrap_or_else(words),
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
}
