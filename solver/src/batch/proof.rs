//! That nothing is worth more: choices the prices leave, best first, each decided by the planner as one request.
//!
//! A refused choice names those of its requests that cannot be accepted together; every choice with the same ones is
//! excluded with it. So a batch is settled after a few decisions, whatever a solver of integer programs says.
//!
//! Invariant: "nothing is better" is said only if every choice of greater value is excluded by the prices or has
//! requests in it of which the planner proved that they exclude each other. Work is counted, so equal batches are
//! settled equally unless a limit in time cuts the search short.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::answer::Answer;
use super::prices::{Bound, DENOMINATOR};
use super::world::Candidate;
use crate::deadline::{Deadline, Part};
use crate::decision::{Conflict, Verdict};
use crate::model::{LeaseId, Request, ReservationId, Seconds};
use crate::planner::{ModelSolver, Planner};

/// Most beginnings of choices that are looked at.
const MOST_LOOKS: Part = Part::of_work(200_000);
/// Most choices that are decided for one batch.
pub(crate) const MOST_DECISIONS: usize = 4_000;

/// Options that exclude each other, as far as they are for candidates to decide.
pub(crate) struct Open {
    /// The group's number in the bound.
    pub(crate) group: usize,
    /// Whether one of them must be taken.
    pub(crate) mandatory: bool,
    /// The last candidate accepted for the lease, if any, and what the option is worth, in units.
    pub(crate) options: Vec<(Option<usize>, i64)>,
}

/// Requests that exclude each other, with the reason.
pub(crate) struct Refuted {
    /// Their candidates, ascending.
    pub(crate) candidates: Vec<usize>,
    /// Why: a refusal of all of them as one request.
    pub(crate) conflict: Conflict,
    /// Candidates that would replace a promise the reason names, and so take the reason away.
    freed_by: Vec<usize>,
}

impl Refuted {
    /// Whether it excludes a choice, or every choice with this beginning.
    fn excludes(&self, chosen: &[usize], is_whole: bool) -> bool {
        let stands = if is_whole {
            !self.freed_by.iter().any(|number| chosen.contains(number))
        } else {
            self.freed_by.is_empty()
        };
        stands && self.candidates.iter().all(|number| chosen.contains(number))
    }
}

/// What came of it.
pub(crate) struct Proof {
    /// The best choice found, if any was looked for and accepted.
    pub(crate) best: Option<Answer>,
    /// What that is worth, in units.
    pub(crate) value: Option<i64>,
    /// Whether nothing is better than what is known or found.
    pub(crate) complete: bool,
    /// What was shown on the way.
    pub(crate) refuted: Vec<Refuted>,
}

impl Proof {
    /// Without looking at anything; `complete` if there is nothing to look for.
    pub(crate) const fn nothing(complete: bool) -> Self {
        Self {
            best: None,
            value: None,
            complete,
            refuted: Vec::new(),
        }
    }
}

/// What choices are decided with.
pub(crate) struct Settling<'s, 'a> {
    pub(crate) planner: &'s Planner,
    pub(crate) candidates: &'s [Candidate<'a>],
    pub(crate) now: Seconds,
    pub(crate) solver: &'s dyn ModelSolver,
}

impl Settling<'_, '_> {
    /// Tries all choices worth at least `least` units that the bound leaves, those of most value first, fewest moves
    /// among equals, and decides so many of them at most. `known` units can be had.
    pub(crate) fn prove(
        &self,
        open: &[Open],
        bound: &Bound,
        (least, known): (i64, i64),
        most_decisions: usize,
        deadline: &Deadline,
    ) -> Proof {
        let mut proof = Proof::nothing(true);
        let mut listing = Listing::new(open, bound, least, deadline);
        let mut found: Option<(i64, u32)> = None;
        let mut decisions = 0;
        while let Some((value, chosen)) = listing.next(&proof.refuted) {
            if found.is_some_and(|(best, moves)| value < best || moves == 0) {
                return proof;
            }
            if chosen.is_empty() {
                continue;
            }
            // What is worth no more than what is known may only need fewer moves.
            let needless = value <= found.map_or(known, |(best, _)| best);
            decisions += 1;
            let possible = decisions <= most_decisions && !deadline.is_over();
            let Some((merged, together)) = self.together(&chosen).filter(|_| possible) else {
                proof.complete &= needless;
                if possible {
                    continue;
                }
                return proof;
            };
            let state = merged.as_ref().unwrap_or(self.planner);
            let decision = state.decide(&together, self.now, deadline, self.solver);
            let counted = decision.counted_moves();
            match decision.verdict {
                Verdict::Accepted { holds, moves } => {
                    if found.is_none_or(|(_, fewest)| counted < fewest) {
                        let own = |&number: &usize| {
                            let asked = self.candidates[number].request.reservations.iter();
                            let part = |id: &ReservationId| holds.get(id).cloned().unwrap_or_default();
                            (number, asked.map(|asked| (asked.id.clone(), part(&asked.id))).collect())
                        };
                        let holds = chosen.iter().map(own).collect();
                        found = Some((value, counted));
                        proof.best = Some(Answer { holds, moves });
                        proof.value = Some(value);
                    }
                }
                Verdict::Refused { conflict } => proof.refuted.push(self.refuted(conflict, &chosen)),
                Verdict::Undecided(_) => proof.complete &= needless,
            }
        }
        proof.complete &= !listing.cut_short;
        proof
    }

    /// What a refused choice shows: the candidates that have to do with the reason, or all if it names none, exclude
    /// each other.
    fn refuted(&self, conflict: Conflict, chosen: &[usize]) -> Refuted {
        let names = |id: &ReservationId| conflict.reservations.contains(id);
        let asks_for_named = |&number: &usize| {
            let mut asked = self.candidates[number].request.reservations.iter();
            asked.any(|asked| names(&asked.id))
        };
        let mut candidates: Vec<usize> = chosen.iter().copied().filter(asks_for_named).collect();
        if candidates.is_empty() {
            candidates = chosen.to_vec();
        }
        candidates.sort_unstable();
        let holds_named = |lease: &LeaseId| {
            let parts = self.planner.lease(lease).map_or(&[][..], |lease| &lease.reservations);
            parts.iter().any(|part| names(&part.id))
        };
        let frees = |number: &usize| {
            let replaced = self.candidates[*number].request.replaces.as_ref();
            !candidates.contains(number) && replaced.is_some_and(holds_named)
        };
        let freed_by = (0..self.candidates.len()).filter(frees).collect();
        Refuted {
            candidates,
            conflict,
            freed_by,
        }
    }

    /// Candidates for different leases as one request, for the one lease that all leases they replace are made
    /// in the state given with it. `None` if the planner refuses that state.
    fn together(&self, chosen: &[usize]) -> Option<(Option<Planner>, Request)> {
        let (planner, candidates) = (self.planner, self.candidates);
        let requests = || chosen.iter().map(|&number| candidates[number].request);
        let replaced: Vec<&LeaseId> = requests().filter_map(|request| request.replaces.as_ref()).collect();
        let request = Request {
            id: "".into(),
            replaces: replaced.first().map(|&lease| lease.clone()),
            reservations: requests()
                .flat_map(|request| request.reservations.iter().cloned())
                .collect(),
        };
        let [first, others @ ..] = replaced.as_slice() else {
            return Some((None, request));
        };
        if others.is_empty() {
            return Some((None, request));
        }
        let mut merged = planner.clone();
        let mut lease = planner.lease(first)?.clone();
        for &other in others {
            lease
                .reservations
                .extend(planner.lease(other)?.reservations.iter().cloned());
            merged.remove_lease(other);
        }
        merged.put_lease(lease).ok()?;
        Some((Some(merged), request))
    }
}

/// A beginning of a choice.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Beginning {
    /// The most that any choice with it may be worth.
    most: i64,
    /// How many groups are decided.
    decided: usize,
    /// What of it is worth so much already.
    value: i64,
    /// The candidates, in the order of the groups; among equals the first of the batch come first.
    chosen: Reverse<Vec<usize>>,
    /// What the choice may still lose of the bound.
    spare: i128,
}

/// Lists choices, those of most value first.
struct Listing<'o> {
    open: Vec<&'o Open>,
    bound: &'o Bound,
    least: i64,
    /// The most that the groups from each on are worth.
    rest: Vec<i64>,
    waiting: BinaryHeap<Beginning>,
    deadline: Deadline,
    /// There was too much to look at.
    cut_short: bool,
}

impl<'o> Listing<'o> {
    fn new(open: &'o [Open], bound: &'o Bound, least: i64, deadline: &Deadline) -> Self {
        let worth = |open: &Open| open.options.iter().map(|option| option.1).max().unwrap_or(0).max(0);
        let mut open: Vec<&Open> = open.iter().collect();
        open.sort_by_key(|open| (Reverse(worth(open)), open.group));
        let mut rest = vec![0_i64; open.len() + 1];
        for place in (0..open.len()).rev() {
            rest[place] = rest[place + 1].saturating_add(worth(open[place]));
        }
        let mut listing = Self {
            open,
            bound,
            least,
            rest,
            waiting: BinaryHeap::new(),
            deadline: deadline.part(MOST_LOOKS),
            cut_short: false,
        };
        listing.wait(0, 0, bound.spare(least), Vec::new());
        listing
    }

    /// Notes a beginning unless nothing with it is worth enough.
    fn wait(&mut self, decided: usize, value: i64, spare: i128, chosen: Vec<usize>) {
        if spare < 0 {
            return;
        }
        let by_prices = i128::from(self.least) + spare.div_euclid(DENOMINATOR);
        let most = i128::from(value.saturating_add(self.rest[decided])).min(by_prices);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        if most < self.least || (decided == self.open.len() && value < self.least) {
            return;
        }
        // What is decided is worth what it is worth.
        let most = if decided == self.open.len() { value } else { most };
        self.waiting.push(Beginning {
            most,
            decided,
            value,
            chosen: Reverse(chosen),
            spare,
        });
    }

    /// The next choice that is not excluded, and its value.
    fn next(&mut self, refuted: &[Refuted]) -> Option<(i64, Vec<usize>)> {
        while let Some(beginning) = self.waiting.pop() {
            let Beginning {
                decided,
                value,
                chosen: Reverse(chosen),
                spare,
                ..
            } = beginning;
            self.deadline.spend(1);
            if self.deadline.is_over() {
                self.cut_short = true;
                return None;
            }
            let is_whole = decided == self.open.len();
            if refuted.iter().any(|refuted| refuted.excludes(&chosen, is_whole)) {
                continue;
            }
            if is_whole {
                return Some((value, chosen));
            }
            let Open {
                group,
                mandatory,
                options,
            } = self.open[decided];
            let nothing = (!mandatory).then_some((None, None, 0));
            let taken = options
                .iter()
                .enumerate()
                .map(|(number, &(candidate, worth))| (Some(number), candidate, worth));
            for (option, candidate, worth) in taken.chain(nothing) {
                let Some(loss) = self.bound.loss(*group, option).filter(|loss| *loss <= spare) else {
                    continue;
                };
                let mut chosen = chosen.clone();
                chosen.extend(candidate);
                self.wait(decided + 1, value.saturating_add(worth), spare - loss, chosen);
            }
        }
        None
    }
}
