//! Room for the request when a few promises nearby are put elsewhere, found by trying.
//!
//! For each host that could take what is missing, everything that may move and is in the way leaves it, and
//! finds room elsewhere, or, what fits, there again; else all of it stays. Nobody is asked twice.
//!
//! Invariant: what is found is an assignment. It has the fewest moves only if it has none that count.

use std::collections::{BTreeMap, BTreeSet};

use super::greedy::candidates;
use super::standing::Standing;
use super::world::{Counts, DemandNumber, Kind, World};
use crate::deadline::Deadline;
use crate::hosts::HostNumber;

/// Hosts that are tried for one requested demand.
const MOST_HOSTS: usize = 200;

/// Hosts of every demand, each requested one with its least.
pub(super) fn search(world: &World<'_>, deadline: &Deadline) -> Option<Vec<Counts>> {
    let mut repair = Repair {
        world,
        deadline,
        standing: world.places.iter().map(Standing::fixed).collect(),
        counts: world.demands.iter().map(|demand| demand.holds.clone()).collect(),
        saved: BTreeMap::new(),
        changed: BTreeMap::new(),
    };
    for (number, demand) in world.demands.iter().enumerate() {
        for (&host, &count) in &demand.holds {
            repair.standing[host].put(number, demand, count);
        }
    }
    let mut kept = world.demands[..world.requested]
        .iter()
        .flat_map(|demand| demand.kept.keys());
    if kept.any(|&host| !repair.standing[host].is_sound()) {
        return None;
    }
    let mut order: Vec<DemandNumber> = (0..world.requested).collect();
    order.sort_by_key(|&number| {
        let demand = &world.demands[number];
        (demand.kind != Kind::Whole, !demand.is_together(), number)
    });
    for number in order {
        if !repair.serve(number) {
            return None;
        }
    }
    Some(repair.counts)
}

struct Repair<'w> {
    world: &'w World<'w>,
    deadline: &'w Deadline,
    standing: Vec<Standing<'w>>,
    counts: Vec<Counts>,
    /// What hosts and demands were before the present try.
    saved: BTreeMap<HostNumber, Standing<'w>>,
    changed: BTreeMap<DemandNumber, Counts>,
}

impl Repair<'_> {
    fn serve(&mut self, number: DemandNumber) -> bool {
        let demand = &self.world.demands[number];
        let mut missing = demand.least;
        missing -= self.place(number, missing);
        if missing == 0 {
            return true;
        }
        let mut hosts: Vec<(usize, u64, HostNumber)> = (0..self.world.places.len())
            .filter(|&host| self.world.suits(demand, host) && self.world.room_alone(number, host) > 0)
            .map(|host| {
                let others = self.standing[host].demands(demand.occupation);
                (others.len(), self.world.places[host].richness, host)
            })
            .collect();
        hosts.sort_unstable();
        for (_, _, host) in hosts.into_iter().take(MOST_HOSTS) {
            if self.deadline.is_over() {
                return false;
            }
            self.saved.clear();
            self.changed.clear();
            let found = self.clear(number, host, missing);
            if found == 0 {
                self.undo();
            }
            missing -= found;
            if missing == 0 {
                return true;
            }
        }
        false
    }

    /// Makes room for a demand on a host; how many of it stand there then in addition.
    fn clear(&mut self, number: DemandNumber, host: HostNumber, missing: u32) -> u32 {
        let demand = &self.world.demands[number];
        let others: BTreeSet<DemandNumber> = self.standing[host]
            .demands(demand.occupation)
            .into_iter()
            .filter(|&other| !self.world.demands[other].requested)
            .collect();
        self.save(host);
        let mut evicted: Vec<(DemandNumber, u32)> = Vec::new();
        for &other in &others {
            self.note(other);
            self.standing[host].take(other);
            if let Some(count) = self.counts[other].remove(&host) {
                evicted.push((other, count));
            }
        }
        let has = self.counts[number].get(&host).copied().unwrap_or(0);
        let allowed = self.world.room_alone(number, host).saturating_sub(has);
        let given = self.standing[host].room(demand).min(allowed).min(missing);
        if given == 0 || given < demand.unit() {
            return 0;
        }
        self.note(number);
        self.put(number, host, given);
        for (other, count) in evicted {
            // Where it was it may stay beside what is new.
            let here = self.standing[host].room(&self.world.demands[other]).min(count);
            let stays = if here < self.world.demands[other].unit() {
                0
            } else {
                here
            };
            if stays > 0 {
                self.put(other, host, stays);
            }
            if self.deadline.is_over() || count > stays && self.place(other, count - stays) < count - stays {
                return 0;
            }
        }
        given
    }

    /// Puts as many of a demand as have room on other hosts than it has, first on hosts of classes that it
    /// holds something in; how many that are.
    fn place(&mut self, number: DemandNumber, wanted: u32) -> u32 {
        self.deadline.spend(self.world.places.len() as u64);
        let demand = &self.world.demands[number];
        let own: BTreeSet<usize> = demand.holds.keys().map(|&host| self.world.class_of[host]).collect();
        let mut found = candidates(self.world, &self.standing, number, &self.counts[number]);
        found.sort_by_key(|(host, _)| !own.contains(&self.world.class_of[*host]));
        let together = demand.is_together();
        let mut placed = 0;
        for (host, room) in found {
            let count = room.min(wanted - placed);
            if count == 0 || together && count < demand.unit() {
                continue;
            }
            self.note(number);
            self.save(host);
            self.put(number, host, count);
            placed += count;
        }
        placed
    }

    fn put(&mut self, number: DemandNumber, host: HostNumber, count: u32) {
        self.standing[host].put(number, &self.world.demands[number], count);
        *self.counts[number].entry(host).or_default() += count;
    }

    fn save(&mut self, host: HostNumber) {
        self.saved.entry(host).or_insert_with(|| self.standing[host].clone());
    }

    fn note(&mut self, number: DemandNumber) {
        self.changed
            .entry(number)
            .or_insert_with(|| self.counts[number].clone());
    }

    fn undo(&mut self) {
        for (host, standing) in std::mem::take(&mut self.saved) {
            self.standing[host] = standing;
        }
        for (number, counts) in std::mem::take(&mut self.changed) {
            self.counts[number] = counts;
        }
    }
}
