//! Batches in which instances or units of pools take part: every choice is decided by the planner itself.
//!
//! Invariant: the bound comes from the host reservations alone, which leaves out conditions and so never
//! excludes a choice. A choice is called the best only after the planner refused every one of more value,
//! each as one request of all its reservations.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::answer::Answer;
use super::clock::Clock;
use super::world::Candidate;
use crate::classes::ClassNumber;
use crate::decision::{Move, Verdict};
use crate::mixed::{has_other_kinds, may_move_instances};
use crate::model::{HostId, LeaseId, Request, ReservationId, Seconds};
use crate::planner::{Budget, ModelSolver, Planner};

/// Most candidates of which all subsets are tried.
const MOST_CANDIDATES: usize = 10;

/// Whether counts of whole hosts do not say everything about this batch.
pub(crate) fn is_needed(planner: &Planner, candidates: &[Candidate<'_>], now: Seconds) -> bool {
    may_move_instances(planner, now) || candidates.iter().any(|candidate| has_other_kinds(candidate.request))
}

/// The choice and whether no other is worth more.
pub(crate) fn choose(
    planner: &Planner,
    candidates: &[Candidate<'_>],
    move_class_of: &[ClassNumber],
    now: Seconds,
    solver: &dyn ModelSolver,
    clock: &mut Clock<'_>,
) -> (Answer, bool) {
    let (greedy, value) = one_by_one(planner, candidates, move_class_of, now, solver, clock);
    if candidates.len() > MOST_CANDIDATES {
        return (greedy, false);
    }
    match subsets(planner, candidates, value, now, solver, clock) {
        Subsets::Better(answer, proved) => (answer, proved),
        Subsets::None(proved) => (greedy, proved),
    }
}

/// Accepts one after another, those of most value for their hosts and time first.
fn one_by_one(
    planner: &Planner,
    candidates: &[Candidate<'_>],
    move_class_of: &[ClassNumber],
    now: Seconds,
    solver: &dyn ModelSolver,
    clock: &mut Clock<'_>,
) -> (Answer, u64) {
    let size = |number: usize| -> u128 {
        let asked = candidates[number].request.reservations.iter();
        let of = asked.map(|asked| u128::from(asked.min) * u128::from(asked.window.seconds().unsigned_abs()));
        of.sum::<u128>().max(1)
    };
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_key(|&number| {
        let value = candidates[number].value;
        (
            Reverse(u128::from(value) * 1_000_000 / size(number)),
            Reverse(value),
            number,
        )
    });
    let mut state = planner.clone();
    let mut accepted: Vec<usize> = Vec::new();
    let mut replaced: BTreeSet<&LeaseId> = BTreeSet::new();
    for number in order {
        let request = candidates[number].request;
        let again = request.replaces.as_ref().is_some_and(|lease| replaced.contains(lease));
        if again || clock.is_over() {
            continue;
        }
        let decision = state.decide(request, now, Budget { seconds: clock.left() }, solver);
        let granted = matches!(decision.verdict, Verdict::Accepted { .. });
        if granted && state.apply(request, &decision).is_ok() {
            accepted.push(number);
            replaced.extend(&request.replaces);
        }
    }
    let value = accepted
        .iter()
        .map(|&number| candidates[number].value)
        .fold(0, u64::saturating_add);
    let mut holds = BTreeMap::new();
    for number in accepted {
        let request = candidates[number].request;
        let lease = state.lease(request.replaces.as_ref().unwrap_or(&request.id));
        let parts = lease.map_or(&[][..], |lease| &lease.reservations);
        let asked = |id: &ReservationId| request.reservations.iter().any(|asked| asked.id == *id);
        let parts = parts.iter().filter(|part| asked(&part.id));
        holds.insert(
            number,
            parts.map(|part| (part.id.clone(), part.holds.clone())).collect(),
        );
    }
    let moves = moves(planner, &state, &replaced, move_class_of);
    (Answer { holds, moves }, value)
}

/// What pending reservations of leases that were not replaced hold otherwise than before.
fn moves(before: &Planner, after: &Planner, replaced: &BTreeSet<&LeaseId>, move_class_of: &[ClassNumber]) -> Vec<Move> {
    let numbers: HashMap<&HostId, usize> = before
        .hosts()
        .enumerate()
        .map(|(number, host)| (&host.id, number))
        .collect();
    let class = |host: &HostId| numbers.get(host).and_then(|&number| move_class_of.get(number));
    let mut moves = Vec::new();
    for lease in before.leases().filter(|lease| !replaced.contains(&lease.id)) {
        let parts = after.lease(&lease.id).map_or(&[][..], |lease| &lease.reservations);
        for (old, new) in lease
            .reservations
            .iter()
            .zip(parts)
            .filter(|(old, new)| old.holds != new.holds)
        {
            let (from, to) = (without(&old.holds, &new.holds), without(&new.holds, &old.holds));
            let mut balance: BTreeMap<Option<&ClassNumber>, i64> = BTreeMap::new();
            for host in &from {
                *balance.entry(class(host)).or_default() += 1;
            }
            for host in &to {
                *balance.entry(class(host)).or_default() -= 1;
            }
            let counted: i64 = balance.values().filter(|&&left| left > 0).sum();
            moves.push(Move {
                reservation: old.id.clone(),
                from,
                to,
                counted: u32::try_from(counted).unwrap_or(u32::MAX),
            });
        }
    }
    moves.sort_by(|one, other| one.reservation.cmp(&other.reservation));
    moves
}

/// The hosts of one sorted list that are not in another, as often as they stand there more often.
fn without(hosts: &[HostId], others: &[HostId]) -> Vec<HostId> {
    let mut left: BTreeMap<&HostId, usize> = BTreeMap::new();
    for host in others {
        *left.entry(host).or_default() += 1;
    }
    let missing = hosts.iter().filter(|host| match left.get_mut(host) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        Some(_) | None => true,
    });
    missing.cloned().collect()
}

enum Subsets {
    /// Worth more than what was known, or as much with proof of its moves; and whether it is the best.
    Better(Answer, bool),
    /// Nothing better was found; `true`: there is nothing.
    None(bool),
}

/// Tries all subsets worth at least `known`, those of most value first, fewest moves among equals.
fn subsets(
    planner: &Planner,
    candidates: &[Candidate<'_>],
    known: u64,
    now: Seconds,
    solver: &dyn ModelSolver,
    clock: &mut Clock<'_>,
) -> Subsets {
    let members = |subset: u32| (0..candidates.len()).filter(move |number| subset & (1 << number) != 0);
    let value = |subset: u32| -> u64 {
        let values = members(subset).map(|number| candidates[number].value);
        values.fold(0, u64::saturating_add)
    };
    let mut all: Vec<(Reverse<u64>, u32)> = (1_u32..1 << candidates.len())
        .map(|subset| (Reverse(value(subset)), subset))
        .collect();
    all.retain(|&(Reverse(value), _)| value >= known);
    all.sort_unstable();
    let mut proved = true;
    let mut best: Option<(u64, u32, Answer)> = None;
    for (Reverse(value), subset) in all {
        if best
            .as_ref()
            .is_some_and(|&(found, moves, _)| value < found || moves == 0)
        {
            break;
        }
        let replaces: Vec<&LeaseId> = members(subset)
            .filter_map(|number| candidates[number].request.replaces.as_ref())
            .collect();
        if replaces.len() > 1 || clock.is_over() {
            // The planner decides requests that replace one lease at most.
            proved &= value <= best.as_ref().map_or(known, |&(found, ..)| found);
            continue;
        }
        let together = Request {
            id: "".into(),
            replaces: replaces.first().map(|&lease| lease.clone()),
            reservations: members(subset)
                .flat_map(|number| candidates[number].request.reservations.clone())
                .collect(),
        };
        let decision = planner.decide(&together, now, Budget { seconds: clock.left() }, solver);
        let counted = decision.counted_moves();
        match decision.verdict {
            Verdict::Accepted { holds, moves } => {
                if best.as_ref().is_none_or(|&(_, fewest, _)| counted < fewest) {
                    let own = |number: usize| {
                        let asked = candidates[number].request.reservations.iter();
                        let part = |id: &ReservationId| holds.get(id).cloned().unwrap_or_default();
                        (number, asked.map(|asked| (asked.id.clone(), part(&asked.id))).collect())
                    };
                    let holds = members(subset).map(own).collect();
                    best = Some((value, counted, Answer { holds, moves }));
                }
            }
            Verdict::Refused { .. } => {}
            Verdict::Undecided => proved &= value <= best.as_ref().map_or(known, |&(found, ..)| found),
        }
    }
    match best {
        Some((_, _, answer)) => Subsets::Better(answer, proved),
        None => Subsets::None(proved),
    }
}
