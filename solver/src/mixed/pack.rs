//! Turns how much of each demand a group of hosts carries into hosts.
//!
//! Invariant: what is given satisfies the counts exactly and stands on hosts with room, or nothing is
//! given. Not finding any proves nothing, except on a single host, where there is nothing to choose.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::greedy::scarcest;
use super::standing::Standing;
use super::world::{Counts, Demand, DemandNumber, Kind, World};
use crate::deadline::Deadline;
use crate::hosts::HostNumber;
use crate::model::Seconds;

/// How often the order is changed in favour of what found no room.
const MOST_TRIES: usize = 48;

/// Hosts or instances of each demand on each host.
type Packed = BTreeMap<DemandNumber, Counts>;

/// Hosts for what is wanted of each demand in a group, as far as the deadline allows. First everything whose count is unchanged stays;
/// if that leaves no room for the rest, all is placed anew, each on its own hosts where possible.
pub(super) fn pack(
    world: &World<'_>,
    hosts: &[HostNumber],
    wanted: &BTreeMap<DemandNumber, u32>,
    deadline: &Deadline,
) -> Option<Packed> {
    if let [host] = hosts {
        let here = wanted
            .iter()
            .map(|(&number, &count)| (number, Counts::from([(*host, count)])));
        return Some(here.collect());
    }
    let held: BTreeMap<DemandNumber, Counts> = wanted
        .keys()
        .map(|&number| {
            let here = world.demands[number].holds.iter();
            let here = here.filter(|(host, _)| hosts.binary_search(host).is_ok());
            (number, here.map(|(&host, &count)| (host, count)).collect())
        })
        .collect();
    let packer = Packer {
        world,
        deadline,
        hosts,
        wanted,
        held,
    };
    let unchanged = |number: &DemandNumber| packer.held[number].values().sum::<u32>() == wanted[number];
    let staying: BTreeSet<DemandNumber> = wanted.keys().copied().filter(unchanged).collect();
    let mut order: Vec<DemandNumber> = wanted.keys().copied().collect();
    order.sort_by_key(|&number| hardest_first(world, number));
    let rest: Vec<DemandNumber> = order
        .iter()
        .copied()
        .filter(|number| !staying.contains(number))
        .collect();
    packer
        .repeatedly(&staying, rest)
        .or_else(|| packer.repeatedly(&BTreeSet::new(), order))
}

/// Whole hosts by start, then instances that must stay together, then the others by size.
fn hardest_first(world: &World<'_>, number: DemandNumber) -> (bool, bool, Reverse<u64>, Seconds, DemandNumber) {
    let demand = &world.demands[number];
    let size = match (&demand.kind, scarcest(world, demand)) {
        (Kind::Instances { amounts, .. }, Some(class)) => amounts[class].saturating_mul(u64::from(demand.unit())),
        _ => 0,
    };
    (
        demand.kind != Kind::Whole,
        !demand.is_together(),
        Reverse(size),
        demand.occupation.start,
        number,
    )
}

struct Packer<'w> {
    world: &'w World<'w>,
    deadline: &'w Deadline,
    hosts: &'w [HostNumber],
    wanted: &'w BTreeMap<DemandNumber, u32>,
    held: BTreeMap<DemandNumber, Counts>,
}

impl Packer<'_> {
    /// Tries an order; what finds no room goes first the next time.
    fn repeatedly(&self, staying: &BTreeSet<DemandNumber>, mut order: Vec<DemandNumber>) -> Option<Packed> {
        for _ in 0..MOST_TRIES.min(order.len() + 1) {
            match self.place(staying, &order)? {
                Ok(packed) => return Some(packed),
                Err(failed) => {
                    let place = order.iter().position(|&number| number == failed)?;
                    if place == 0 {
                        return None;
                    }
                    order[..=place].rotate_right(1);
                }
            }
        }
        None
    }

    /// Places the demands in order beside those that stay: hosts, or the demand that found no room. `None`
    /// if what stays does not fit together, or the deadline ends.
    fn place(&self, staying: &BTreeSet<DemandNumber>, order: &[DemandNumber]) -> Option<Result<Packed, DemandNumber>> {
        if self.deadline.is_over() {
            return None;
        }
        let mut standing: Vec<Standing<'_>> = self
            .hosts
            .iter()
            .map(|&host| Standing::fixed(&self.world.places[host]))
            .collect();
        let position = |host: HostNumber| self.hosts.binary_search(&host).ok();
        let mut packed = Packed::new();
        for &number in staying {
            let demand = &self.world.demands[number];
            let held = &self.held[&number];
            for (&host, &count) in held {
                if self.world.room_alone(number, host) < count {
                    return None;
                }
                standing[position(host)?].put(number, demand, count);
            }
            packed.insert(number, held.clone());
        }
        if !standing.iter().all(Standing::is_sound) {
            return None;
        }
        for &number in order {
            self.deadline.spend(self.hosts.len() as u64);
            if self.deadline.is_over() {
                return None;
            }
            let Some(here) = self.find(number, &mut standing) else {
                return Some(Err(number));
            };
            packed.insert(number, here);
        }
        Some(Ok(packed))
    }

    /// Hosts for one demand: those it holds first, then where least is left over.
    fn find(&self, number: DemandNumber, standing: &mut [Standing<'_>]) -> Option<Counts> {
        let demand = &self.world.demands[number];
        let mut missing = self.wanted[&number];
        let mut given = Counts::new();
        let held = &self.held[&number];
        let least = demand.unit().max(1);
        for pass in [true, false] {
            let mut candidates = self.candidates(number, demand, standing, &given);
            if pass {
                candidates.retain(|&(position, _)| held.contains_key(&self.hosts[position]));
            }
            for (position, room) in candidates {
                let host = self.hosts[position];
                let most = if pass { held[&host] } else { u32::MAX };
                let count = room.min(most).min(missing);
                if count < least {
                    continue;
                }
                standing[position].put(number, demand, count);
                *given.entry(host).or_default() += count;
                missing -= count;
            }
        }
        (missing == 0).then_some(given)
    }

    fn candidates(
        &self,
        number: DemandNumber,
        demand: &Demand<'_>,
        standing: &[Standing<'_>],
        given: &Counts,
    ) -> Vec<(usize, u32)> {
        let scarcest = scarcest(self.world, demand);
        let mut found: Vec<_> = (0..self.hosts.len())
            .filter_map(|position| {
                let host = self.hosts[position];
                let allowed = self
                    .world
                    .room_alone(number, host)
                    .saturating_sub(given.get(&host).copied().unwrap_or(0));
                let room = if allowed > 0 {
                    standing[position].room(demand).min(allowed)
                } else {
                    0
                };
                (room > 0).then(|| {
                    let here = &standing[position];
                    let left = scarcest.map_or(0, |class| here.left(demand.occupation, class));
                    let idle_since = here.idle_since(demand.occupation.start);
                    let unused = scarcest.is_some() && !here.is_used(demand.occupation);
                    ((unused, left, Reverse(idle_since), position), room)
                })
            })
            .collect();
        found.sort_unstable();
        found
            .into_iter()
            .map(|((.., position), room)| (position, room))
            .collect()
    }
}
