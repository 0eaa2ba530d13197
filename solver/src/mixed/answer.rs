//! Counts per host as the planner's answer.

use std::collections::BTreeMap;

use super::world::{Counts, World};
use crate::decision::Move;
use crate::model::{HostId, ReservationId};

/// What the requested reservations hold and what changes for the others.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) holds: BTreeMap<ReservationId, Vec<HostId>>,
    pub(super) moves: Vec<Move>,
}

impl Answer {
    /// Whether a promise changes hosts in a way that counts.
    pub(super) fn moves_count(&self) -> bool {
        self.moves.iter().any(|change| change.counted > 0)
    }

    /// Adds another part of the same decision.
    pub(super) fn join(&mut self, other: Self) {
        self.holds.extend(other.holds);
        self.moves.extend(other.moves);
        self.moves.sort_by(|one, other| one.reservation.cmp(&other.reservation));
    }
}

/// The answer that gives every demand these hosts; demands without an entry keep what they hold.
pub(super) fn answer(world: &World<'_>, counts: &[Counts]) -> Answer {
    let mut answer = Answer::default();
    for (demand, counts) in world.demands.iter().zip(counts) {
        if demand.requested {
            let mut all = demand.kept.clone();
            for (&host, &count) in counts {
                *all.entry(host).or_default() += count;
            }
            answer.holds.insert(demand.reservation.clone(), named(world, &all));
            continue;
        }
        let (from, to) = (more(&demand.holds, counts), more(counts, &demand.holds));
        if from.is_empty() && to.is_empty() {
            continue;
        }
        answer.moves.push(Move {
            reservation: demand.reservation.clone(),
            from: named(world, &from),
            to: named(world, &to),
            counted: left(world, &from, &to),
        });
    }
    answer
        .moves
        .sort_by(|one, other| one.reservation.cmp(&other.reservation));
    answer
}

/// What one has beyond the other.
fn more(one: &Counts, other: &Counts) -> Counts {
    let more = one.iter().map(|(&host, &count)| {
        let also = other.get(&host).copied().unwrap_or(0);
        (host, count.saturating_sub(also))
    });
    more.filter(|&(_, count)| count > 0).collect()
}

fn named(world: &World<'_>, counts: &Counts) -> Vec<HostId> {
    let hosts = counts
        .iter()
        .flat_map(|(&host, &count)| std::iter::repeat_n(world.places[host].host.id.clone(), count as usize));
    hosts.collect()
}

/// Hosts or instances that left for a host of another class: exchanges inside a class cancel out.
fn left(world: &World<'_>, from: &Counts, to: &Counts) -> u32 {
    let mut balance: BTreeMap<usize, i64> = BTreeMap::new();
    for (counts, sign) in [(from, 1), (to, -1)] {
        for (&host, &count) in counts {
            *balance.entry(world.class_of[host]).or_default() += sign * i64::from(count);
        }
    }
    let left: i64 = balance.values().filter(|&&missing| missing > 0).sum();
    u32::try_from(left).unwrap_or(u32::MAX)
}
