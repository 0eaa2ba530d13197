//! Mode `heal`: everything off unreservable and blocked hosts, with the most promises kept and, among
//! those answers, the fewest changes. Of two promises of which one can be kept, the one is broken that has
//! lost a host.
//!
//! What stands on a host that is not reservable, or is out of service at some time still to come of its
//! window, leaves that host, pinned or started or not. Other pinned and started work stays; everything
//! else that is pending may be put elsewhere to make room. A promise is kept if it has as many hosts or
//! instances as before. Units of pools are not on hosts and stay.
//!
//! Invariant: the answer is counted once more host by host before it is given; `proved` says that no
//! answer keeps more promises, or as many with fewer changes.

mod decode;
mod model;
mod occupancy;
mod places;
mod run;
mod spare;
mod why;
mod world;

use std::collections::BTreeMap;

use crate::deadline::Deadline;
use crate::decision::{Conflict, Move};
use crate::model::{HostId, ReservationId, Seconds};
use crate::planner::{ModelSolver, Planner};
pub use run::run;
use spare::Chosen;
use world::{World, counted};

/// A promise that cannot be kept in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unkept {
    /// The reservation.
    pub reservation: ReservationId,
    /// Hosts or instances it lacks.
    pub missing: u32,
    /// Why.
    pub conflict: Conflict,
}

/// What changes, and what is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healed {
    /// Every change of what a reservation holds, sorted by reservation. One that is not kept takes fewer
    /// hosts than it gives up.
    pub moves: Vec<Move>,
    /// Promises that cannot be kept, sorted by reservation.
    pub unkept: Vec<Unkept>,
    /// Whether no other answer is better. If not, the deadline ended, and this is the best found.
    pub proved: bool,
}

/// Takes everything off hosts that are out of order at `now`. The planner itself does not change.
pub fn heal(planner: &Planner, now: Seconds, deadline: &Deadline, solver: &dyn ModelSolver) -> Healed {
    let world = World::new(planner, now);
    let spare = spare::search(&world, deadline);
    let complete = |chosen: &Chosen| {
        let mut jobs = world.jobs.iter().zip(chosen);
        jobs.all(|(job, hosts)| hosts.len() == job.size as usize)
    };
    let (chosen, proved) = if complete(&spare) {
        (spare, true)
    } else {
        best(&world, deadline, solver).unwrap_or((spare, false))
    };
    let unkept = world.jobs.iter().enumerate().filter_map(|(number, job)| {
        let missing = job.size - u32::try_from(chosen[number].len()).unwrap_or(job.size).min(job.size);
        (missing > 0).then(|| Unkept {
            reservation: job.held.id.clone(),
            missing,
            conflict: why::conflict(&world, &chosen, number, proved, deadline),
        })
    });
    let mut unkept: Vec<Unkept> = unkept.collect();
    unkept.sort_by(|one, other| one.reservation.cmp(&other.reservation));
    Healed {
        moves: moves(&world, &chosen),
        unkept,
        proved,
    }
}

/// The best answer by integer programs, and whether it is proved.
fn best(world: &World<'_>, deadline: &Deadline, solver: &dyn ModelSolver) -> Option<(Chosen, bool)> {
    let places = places::Places::new(world);
    let (counts, proved) = model::solve(world, &places, deadline, solver)?;
    let chosen = decode::decode(world, &places, &counts)?;
    decode::holds(world, &chosen).then_some((chosen, proved))
}

/// What each job gives up and takes instead.
fn moves(world: &World<'_>, chosen: &Chosen) -> Vec<Move> {
    let mut moves = Vec::new();
    for (job, chosen) in world.jobs.iter().zip(chosen) {
        let mut before = job.stays.clone();
        before.extend(&job.leaves);
        let (before, after) = (counted(&before), counted(chosen));
        let (from, to) = (less(&before, &after), less(&after, &before));
        if from.is_empty() && to.is_empty() {
            continue;
        }
        let name = |hosts: Vec<usize>| -> Vec<HostId> { hosts.iter().map(|&h| world.hosts[h].id.clone()).collect() };
        moves.push(Move {
            reservation: job.held.id.clone(),
            counted: changed_class(world, &from, &to),
            from: name(from),
            to: name(to),
        });
    }
    moves.sort_by(|one, other| one.reservation.cmp(&other.reservation));
    moves
}

/// What the one has more than the other, a host once for each instance.
fn less(one: &BTreeMap<usize, u32>, other: &BTreeMap<usize, u32>) -> Vec<usize> {
    let more = one.iter().flat_map(|(&host, &count)| {
        let kept = other.get(&host).copied().unwrap_or(0);
        std::iter::repeat_n(host, count.saturating_sub(kept) as usize)
    });
    more.collect()
}

/// Hosts that were replaced by ones of another class.
fn changed_class(world: &World<'_>, from: &[usize], to: &[usize]) -> u32 {
    let classes = |hosts: &[usize]| counted(&hosts.iter().map(|&host| world.class_of[host]).collect::<Vec<_>>());
    let taken = less(&classes(to), &classes(from)).len();
    u32::try_from(taken).unwrap_or(u32::MAX)
}
