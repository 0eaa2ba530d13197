//! What a search found, carried on by the planner, which may put promises elsewhere.
//!
//! Invariant: every acceptance is one of the planner's on the state that the ones before it left.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::answer::{self, Answer};
use super::super::world::Candidate;
use super::super::world::Holds;
use super::world::World;
use super::yard::Yard;
use crate::deadline::{Deadline, Part};
use crate::decision::{Move, Verdict};
use crate::model::{HostId, LeaseId, ReservationId, Seconds};
use crate::planner::{ModelSolver, Planner, StateError};
use crate::scene::ClassNumber;

/// What is accepted and the state with it.
pub(super) struct Planned {
    state: Planner,
    accepted: BTreeSet<usize>,
}

impl Planned {
    /// What a yard has taken.
    pub(super) fn of(
        planner: &Planner,
        candidates: &[Candidate<'_>],
        world: &World,
        yard: &Yard<'_>,
        now: Seconds,
    ) -> Result<Self, StateError> {
        let mut holds: BTreeMap<usize, Holds> = BTreeMap::new();
        for (number, group) in world.groups.iter().enumerate() {
            let Some(taken) = yard.taken(number) else { continue };
            let option = &group.options[taken.option];
            let Some(candidate) = option.candidate else { continue };
            let asks = candidates[candidate].asks.iter();
            let names = |places: &Vec<(usize, u32)>| -> Vec<HostId> {
                let repeated =
                    |&(spot, count): &(usize, u32)| std::iter::repeat_n(world.names[spot].clone(), count as usize);
                let mut names: Vec<HostId> = places.iter().flat_map(repeated).collect();
                names.sort();
                names
            };
            let parts = asks
                .zip(&taken.places)
                .map(|(ask, places)| (ask.asked.id.clone(), names(places)));
            holds.insert(candidate, parts.collect());
        }
        let accepted = holds.keys().copied().collect();
        let moves = Vec::new();
        let state = answer::apply(planner, candidates, now, &Answer { holds, moves })?;
        Ok(Self { state, accepted })
    }

    /// Nothing but what was.
    pub(super) fn nothing(planner: &Planner) -> Self {
        Self {
            state: planner.clone(),
            accepted: BTreeSet::new(),
        }
    }

    /// What is accepted is worth.
    pub(super) fn value(&self, candidates: &[Candidate<'_>]) -> u64 {
        let values = self.accepted.iter().map(|&number| candidates[number].worth);
        values.fold(0, u64::saturating_add)
    }

    /// Accepts what else the planner finds room for, in this order of groups, each in a part of the deadline.
    pub(super) fn extend(
        &mut self,
        candidates: &[Candidate<'_>],
        world: &World,
        (order, part): (&[usize], Part),
        now: Seconds,
        solver: &dyn ModelSolver,
        deadline: &Deadline,
    ) {
        for &group in order {
            let options = &world.groups[group].options;
            let mut numbers: Vec<usize> = options.iter().filter_map(|option| option.candidate).collect();
            if numbers.iter().any(|number| self.accepted.contains(number)) {
                continue;
            }
            numbers.sort_by_key(|&number| std::cmp::Reverse(candidates[number].worth));
            for number in numbers {
                if deadline.is_over() {
                    return;
                }
                let request = candidates[number].request;
                let decision = self.state.decide(request, now, &deadline.part(part), solver);
                let granted = matches!(decision.verdict, Verdict::Accepted { .. });
                if granted && self.state.apply(request, &decision).is_ok() {
                    self.accepted.insert(number);
                    break;
                }
            }
        }
    }

    /// The answer: what the accepted hold and what changed for the others.
    pub(super) fn answer(
        &self,
        planner: &Planner,
        candidates: &[Candidate<'_>],
        move_class_of: &[ClassNumber],
    ) -> Answer {
        let mut holds = BTreeMap::new();
        let mut replaced: BTreeSet<&LeaseId> = BTreeSet::new();
        for &number in &self.accepted {
            let request = candidates[number].request;
            replaced.extend(&request.replaces);
            let lease = self.state.lease(candidates[number].lease());
            let parts = lease.map_or(&[][..], |lease| &lease.reservations);
            let asked = |id: &ReservationId| request.reservations.iter().any(|asked| asked.id == *id);
            let parts = parts.iter().filter(|part| asked(&part.id));
            holds.insert(
                number,
                parts.map(|part| (part.id.clone(), part.holds.clone())).collect(),
            );
        }
        let moves = moves(planner, &self.state, &replaced, move_class_of);
        Answer { holds, moves }
    }
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
