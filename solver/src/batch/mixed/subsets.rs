//! All choices that may be the best, each decided by the planner as one request.
//!
//! Invariant: "nothing is better" is said only after the planner refused every choice that the prices leave
//! a greater value.

use std::cmp::Reverse;

use super::super::answer::Answer;
use super::super::clock::Clock;
use super::super::prices::Bound;
use super::super::world::Candidate;
use super::world::World;
use crate::decision::Verdict;
use crate::model::{LeaseId, Request, ReservationId, Seconds};
use crate::planner::{Budget, ModelSolver, Planner};

/// Most choices that are tried.
const MOST_CHOICES: usize = 1 << 10;

/// What came of it.
pub(super) enum Found {
    /// Worth more than what was known, or as much with the fewest moves; and whether it is proved the best.
    Better(Answer, bool),
    /// Nothing better was found; `true`: there is nothing.
    Nothing(bool),
    /// There are too many choices to try.
    TooMany,
}

/// Tries all choices worth at least `known` units that the bound leaves, those of most value first, fewest
/// moves among equals.
pub(super) fn search(
    planner: &Planner,
    candidates: &[Candidate<'_>],
    (world, bound, unit): (&World, &Bound, u64),
    known: i64,
    now: Seconds,
    solver: &dyn ModelSolver,
    clock: &mut Clock<'_>,
) -> Found {
    let mut listing = Listing {
        world,
        bound,
        unit,
        open: (0..world.groups.len()).filter(|&group| world.is_open(group)).collect(),
        chosen: Vec::new(),
        found: Vec::new(),
    };
    if !listing.list(0, bound.spare(known), 0) {
        return Found::TooMany;
    }
    let mut all = listing.found;
    all.retain(|(Reverse(value), _)| *value >= known);
    all.sort();
    let mut proved = true;
    let mut best: Option<(i64, u32, Answer)> = None;
    for (Reverse(value), chosen) in all {
        if best
            .as_ref()
            .is_some_and(|&(found, moves, _)| value < found || moves == 0)
        {
            break;
        }
        if chosen.is_empty() {
            continue;
        }
        let needless = value <= best.as_ref().map_or(known, |&(found, ..)| found);
        let Some((merged, together)) = together(planner, candidates, &chosen).filter(|_| !clock.is_over()) else {
            proved &= needless;
            continue;
        };
        let state = merged.as_ref().unwrap_or(planner);
        let decision = state.decide(&together, now, Budget { seconds: clock.left() }, solver);
        let counted = decision.counted_moves();
        match decision.verdict {
            Verdict::Accepted { holds, moves } => {
                if best.as_ref().is_none_or(|&(_, fewest, _)| counted < fewest) {
                    let own = |&number: &usize| {
                        let asked = candidates[number].request.reservations.iter();
                        let part = |id: &ReservationId| holds.get(id).cloned().unwrap_or_default();
                        (number, asked.map(|asked| (asked.id.clone(), part(&asked.id))).collect())
                    };
                    let holds = chosen.iter().map(own).collect();
                    best = Some((value, counted, Answer { holds, moves }));
                }
            }
            Verdict::Refused { .. } => {}
            Verdict::Undecided(_) => proved &= needless,
        }
    }
    match best {
        Some((_, _, answer)) => Found::Better(answer, proved),
        None => Found::Nothing(proved),
    }
}

/// Lists choices by what the prices leave them.
struct Listing<'w> {
    world: &'w World,
    bound: &'w Bound,
    unit: u64,
    open: Vec<usize>,
    chosen: Vec<usize>,
    found: Vec<(Reverse<i64>, Vec<usize>)>,
}

impl Listing<'_> {
    /// Lists what the open groups from `place` on add; `false` if there is too much. `spare` is what the
    /// choice may still lose.
    fn list(&mut self, place: usize, spare: i128, value: i64) -> bool {
        let Some(&group) = self.open.get(place) else {
            self.found.push((Reverse(value), self.chosen.clone()));
            return self.found.len() <= MOST_CHOICES;
        };
        if !self.world.groups[group].mandatory
            && let Some(loss) = self.bound.loss(group, None).filter(|loss| *loss <= spare)
            && !self.list(place + 1, spare - loss, value)
        {
            return false;
        }
        for (number, option) in self.world.groups[group].options.iter().enumerate() {
            let Some(loss) = self.bound.loss(group, Some(number)).filter(|loss| *loss <= spare) else {
                continue;
            };
            self.chosen.extend(option.candidate);
            let worth = i64::try_from(option.value / self.unit).unwrap_or(i64::MAX);
            let few = self.list(place + 1, spare - loss, value.saturating_add(worth));
            if option.candidate.is_some() {
                self.chosen.pop();
            }
            if !few {
                return false;
            }
        }
        true
    }
}

/// Candidates for different leases as one request, for the one lease that all leases they replace are made
/// in the state given with it. `None` if the planner refuses that state.
fn together(planner: &Planner, candidates: &[Candidate<'_>], chosen: &[usize]) -> Option<(Option<Planner>, Request)> {
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
