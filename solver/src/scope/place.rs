//! Counts become hosts without a look at hosts that do not change.
//!
//! In each cell whose counts change, whoever gets more takes hosts that are idle, or that somebody gives up who gets
//! less; where no host is free throughout, instances leave one, or equal hosts exchange what they carry (see
//! `rearranged`). Where a group is no
//! single cell, or the request keeps hosts, the classes have to be swept instead (see `decode`).
//!
//! Invariant: only cells whose counts change are touched, and the answer is recounted host by host.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::Counts;
use super::{CellNumber, DemandNumber, Scope};
use crate::decision::Verdict;
use crate::hosts::HostNumber;
use crate::model::{Interval, Seconds};
use crate::rearranged::{Holder, Rearranged};

/// What differs in one cell.
#[derive(Default)]
struct Change {
    growing: Vec<(DemandNumber, u32)>,
    shrinking: BTreeMap<DemandNumber, u32>,
}

/// How many hosts of a cell each demand has still to give up.
type Surplus = BTreeMap<Holder, (DemandNumber, u32)>;

/// A host that could be given once others have given it up: fewest of them first, then poor before rich ones, then the
/// one that fell idle last.
type Candidate = (usize, (u64, Reverse<Seconds>), HostNumber);

impl Scope<'_> {
    /// The answer these counts are, if it can be read off like that.
    pub(crate) fn place(&mut self, counts: &Counts) -> Option<Verdict> {
        if !self.keeping.is_empty() {
            return None;
        }
        let mut changes: BTreeMap<CellNumber, Change> = BTreeMap::new();
        for (&number, counts) in counts {
            let before: BTreeMap<CellNumber, u32> = self.held(number).iter().copied().collect();
            let both: BTreeSet<CellNumber> = before.keys().chain(counts.keys()).copied().collect();
            for cell in both {
                let of = |counts: &BTreeMap<CellNumber, u32>| counts.get(&cell).copied().unwrap_or(0);
                let (old, new) = (of(&before), of(counts));
                if new > old {
                    changes.entry(cell).or_default().growing.push((number, new - old));
                } else if old > new {
                    changes.entry(cell).or_default().shrinking.insert(number, old - new);
                }
            }
        }
        let mut rearranged = Rearranged::new(self.planner, self.asks, self.now, &self.freed);
        for (cell, change) in changes {
            if self.uneven[self.cells[cell].group] {
                return None;
            }
            self.exchange(cell, change, &mut rearranged)?;
        }
        rearranged.verdict(self.request, |host| self.group_of(host))
    }

    fn holder(&self, number: DemandNumber) -> Holder {
        let standing = self.demands[number].number;
        standing.map_or(Holder::Requested(number), Holder::Standing)
    }

    /// Gives and takes hosts of one cell.
    fn exchange(&self, cell: CellNumber, mut change: Change, rearranged: &mut Rearranged<'_>) -> Option<()> {
        let group = self.cells[cell].group;
        let classes = self.groups.classes(group);
        change
            .growing
            .sort_by_key(|&(number, _)| (self.demands[number].occupation.start, self.demands[number].reservation));
        let shrinking = change.shrinking.into_iter();
        let mut surplus: Surplus = shrinking
            .map(|(number, count)| (self.holder(number), (number, count)))
            .collect();
        let mut waiting: Vec<(DemandNumber, u32)> = Vec::new();
        for (number, count) in change.growing {
            let (holder, occupation) = (self.holder(number), self.demands[number].occupation);
            let mut missing = count;
            for &host in &self.demands[number].likes {
                if missing > 0 && self.group_of(host) == group && rearranged.is_idle(host, occupation) {
                    rearranged.give(holder, host, occupation);
                    missing -= 1;
                }
            }
            for host in rearranged.idle(classes, occupation, missing as usize) {
                rearranged.give(holder, host, occupation);
                missing -= 1;
            }
            if missing > 0 {
                missing = self.succeed(number, (group, missing), &mut surplus, rearranged);
            }
            if missing > 0 {
                waiting.push((number, missing));
            }
        }
        for (holder, (number, left)) in surplus {
            // What nobody asked for is given up from the far end, richest host first.
            let mut own: Vec<(u64, HostNumber)> = Vec::new();
            for host in self.standing(number, group, rearranged) {
                own.push((self.planner.hosts.at(host)?.richness, host));
            }
            own.sort_unstable_by_key(|&own| Reverse(own));
            for (_, host) in own.into_iter().take(left as usize) {
                rearranged.take_away(holder, host);
            }
        }
        for (number, missing) in waiting {
            for _ in 0..missing {
                let (holder, occupation) = (self.holder(number), self.demands[number].occupation);
                let cleared = self
                    .aside
                    .as_ref()
                    .and_then(|_| rearranged.give_by_clearing(holder, classes, occupation));
                if cleared.is_none() {
                    rearranged.give_by_exchange(holder, classes, occupation)?;
                }
            }
        }
        Some(())
    }

    /// The hosts of a group that a pending demand holds still.
    fn standing(&self, number: DemandNumber, group: usize, rearranged: &Rearranged<'_>) -> Vec<HostNumber> {
        let held = self.demands[number].number.and_then(|number| self.index.held(number));
        let all = held.map_or(&[][..], |held| held.hosts.as_slice()).iter();
        let here = all.map(|&host| host as HostNumber);
        let here: Vec<HostNumber> = here.filter(|&host| self.group_of(host) == group).collect();
        rearranged.still_held(self.holder(number), &here)
    }

    /// Gives a demand hosts of a group on which all that is in the way is given up; how many are missing still.
    fn succeed(
        &self,
        number: DemandNumber,
        (group, mut missing): (usize, u32),
        surplus: &mut Surplus,
        rearranged: &mut Rearranged<'_>,
    ) -> u32 {
        let (holder, occupation) = (self.holder(number), self.demands[number].occupation);
        let mut candidates: Vec<Candidate> = Vec::new();
        for host in self.leaving(group, occupation, surplus, rearranged) {
            let in_the_way = rearranged.in_the_way(host, occupation);
            if in_the_way.iter().all(|other| gives(surplus, other)) {
                let idle_since = rearranged.idle_since(host, occupation.start);
                candidates.push((in_the_way.len(), idle_since, host));
            }
        }
        candidates.sort_unstable();
        for (.., host) in candidates {
            if missing == 0 {
                break;
            }
            // An earlier choice may have used up what such a demand gives up.
            let in_the_way = rearranged.in_the_way(host, occupation);
            if !in_the_way.iter().all(|other| gives(surplus, other)) {
                continue;
            }
            for other in in_the_way {
                surplus.entry(other).and_modify(|surplus| surplus.1 -= 1);
                rearranged.take_away(other, host);
            }
            rearranged.give(holder, host, occupation);
            missing -= 1;
        }
        missing
    }

    /// Hosts of a group of those who give some up and hold them during the interval.
    fn leaving(
        &self,
        group: usize,
        occupation: Interval,
        surplus: &Surplus,
        rearranged: &Rearranged<'_>,
    ) -> BTreeSet<HostNumber> {
        let giving = surplus.values().filter(|surplus| surplus.1 > 0);
        let giving = giving.filter(|surplus| self.demands[surplus.0].occupation.overlaps(&occupation));
        giving
            .flat_map(|&(number, _)| self.standing(number, group, rearranged))
            .collect()
    }
}

fn gives(surplus: &Surplus, holder: &Holder) -> bool {
    surplus.get(holder).is_some_and(|surplus| surplus.1 > 0)
}
