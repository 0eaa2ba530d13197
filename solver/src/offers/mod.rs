//! What would be accepted in place of a refused request.
//!
//! Invariant: every offer was decided like a request on the very state before it is made, so it is feasible
//! as given. None is made twice, and equal input gives equal offers unless a limit in time ends the search.

use std::sync::Arc;
use std::time::Duration;

use solver_format::MAX_SECONDS;

use crate::deadline::{Deadline, Part};
use crate::decision::{Conflict, Verdict};
use crate::model::{Request, ReservationId, Seconds};
use crate::planner::{ModelSolver, Planner};
use crate::predicate::Predicate;
use crate::question::Question;

/// Decisions the search for a start may take.
const START_DECISIONS: u32 = 64;
/// Conditions of one reservation that are tried.
const MOST_CONDITIONS: usize = 8;
/// What one decision for an offer may take.
const DECISION: Part = Part {
    time: Duration::from_millis(500),
    work: 50_000,
};

/// A changed request that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// The whole request, shifted: every reservation by the same time.
    Start {
        /// Start of its first reservation, in Unix seconds.
        start: Seconds,
    },
    /// Fewer hosts, instances or units for one reservation.
    Amount {
        /// The reservation.
        reservation: ReservationId,
        /// Its `min`, at least 1: the most that works.
        amount: u32,
    },
    /// One condition of one reservation left out.
    Drop {
        /// The reservation.
        reservation: ReservationId,
        /// The condition.
        condition: Predicate,
    },
}

/// The offers for a request that `planner` refuses at `now` because of `conflict`: the earliest later start, the
/// greatest smaller amount of each reservation, and each condition without which it works. Every one takes some
/// tens of decisions, each of which has a [`Part`] of the deadline; what is not found with them is not offered.
pub fn find(
    planner: &Planner,
    request: &Request,
    conflict: &Conflict,
    now: Seconds,
    deadline: &Deadline,
    solver: &dyn ModelSolver,
) -> Vec<Offer> {
    if conflict.reason == "malformed" {
        return Vec::new();
    }
    let search = Search {
        planner,
        now,
        deadline,
        solver,
    };
    let mut offers = Vec::new();
    offers.extend(search.later(request));
    for position in 0..request.reservations.len() {
        offers.extend(search.fewer(request, position, conflict));
    }
    for position in 0..request.reservations.len() {
        offers.extend(search.looser(request, position));
    }
    offers
}

/// What offers are decided on.
struct Search<'a> {
    planner: &'a Planner,
    now: Seconds,
    /// For all of them.
    deadline: &'a Deadline,
    solver: &'a dyn ModelSolver,
}

impl Search<'_> {
    fn works(&self, request: &Request) -> bool {
        if self.deadline.is_over() {
            return false;
        }
        let deadline = self.deadline.part(DECISION);
        let decision = self.planner.decide(request, self.now, &deadline, self.solver);
        matches!(decision.verdict, Verdict::Accepted { .. })
    }

    /// The first later start at which the whole request works.
    fn later(&self, request: &Request) -> Option<Offer> {
        let first = request.reservations.iter().map(|asked| asked.window.start).min()?;
        let last = request.reservations.iter().map(|asked| asked.occupation().end).max()?;
        let question = Question {
            planner: self.planner,
            now: self.now,
            deadline: self.deadline,
            each: DECISION,
            solver: self.solver,
            decisions: START_DECISIONS,
        };
        let latest = MAX_SECONDS.saturating_sub(last.saturating_sub(first));
        let start = question.earliest(request, latest).with_moves.start?;
        (start > first).then_some(Offer::Start { start })
    }

    /// The greatest smaller amount of one reservation, the others as they are. What works with more works
    /// with less, so halving the range finds it; a counted shortage says where to look first.
    fn fewer(&self, request: &Request, position: usize, conflict: &Conflict) -> Option<Offer> {
        let asked = &request.reservations[position];
        let with = |amount: u32| {
            let mut changed = request.clone();
            changed.reservations[position].min = amount;
            changed
        };
        let (mut works_with, mut fails_with) = (0, asked.min);
        let counted = matches!(conflict.reason, "capacity" | "no_matching_hosts");
        let excess = u32::try_from(conflict.needed.saturating_sub(conflict.exist)).unwrap_or(u32::MAX);
        let mut next = if counted && conflict.reservations.contains(&asked.id) {
            asked.min.saturating_sub(excess).max(1)
        } else {
            asked.min / 2
        };
        while fails_with - works_with > 1 {
            if !(works_with + 1..fails_with).contains(&next) {
                next = works_with + (fails_with - works_with) / 2;
            }
            if self.works(&with(next)) {
                works_with = next;
                // What the count left over is the most, if it works.
                next += 1;
            } else {
                fails_with = next;
                next = 0;
            }
        }
        (works_with > 0).then(|| Offer::Amount {
            reservation: asked.id.clone(),
            amount: works_with,
        })
    }

    /// Each condition of one reservation without which the request works.
    fn looser(&self, request: &Request, position: usize) -> Vec<Offer> {
        let works = looser(request, position).filter(|(_, changed)| self.works(changed));
        works
            .map(|(condition, _)| Offer::Drop {
                reservation: request.reservations[position].id.clone(),
                condition,
            })
            .collect()
    }
}

/// Each condition of one reservation, as many as are tried, with the request without it. Only one of several equal
/// conditions is left out.
pub fn looser(request: &Request, position: usize) -> impl Iterator<Item = (Predicate, Request)> {
    let mut conditions: Vec<Predicate> = match request.reservations.get(position).map(|asked| &*asked.predicate) {
        Some(Predicate::All(parts)) => parts.clone(),
        Some(single @ (Predicate::Any(_) | Predicate::Compare { .. } | Predicate::Lacks(_))) => vec![single.clone()],
        None => Vec::new(),
    };
    let mut seen = Vec::new();
    conditions.retain(|condition| {
        let new = !seen.contains(condition);
        seen.push(condition.clone());
        new
    });
    conditions.truncate(MOST_CONDITIONS);
    conditions.into_iter().map(move |condition| {
        let mut changed = request.clone();
        let asked = &mut changed.reservations[position];
        asked.predicate = Arc::new(without(&asked.predicate, &condition));
        (condition, changed)
    })
}

/// The predicate without the first of its conditions that is this one.
fn without(predicate: &Predicate, condition: &Predicate) -> Predicate {
    let mut parts = match predicate {
        Predicate::All(parts) => parts.clone(),
        Predicate::Any(_) | Predicate::Compare { .. } | Predicate::Lacks(_) => vec![predicate.clone()],
    };
    if let Some(place) = parts.iter().position(|part| part == condition) {
        parts.remove(place);
    }
    Predicate::All(parts)
}
