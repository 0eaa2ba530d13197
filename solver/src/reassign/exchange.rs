//! Frees the missing hosts one exchange at a time, without a program.
//!
//! For one requested demand, where no class is split by fixed work to come. What is free of a class during
//! the whole demand can be used at once (the decode theorem). If that is `missing` hosts too few, then at
//! least `missing` moves are needed, because a move makes room for one host of one class at most; and with
//! exactly as many no more than the least amount can be given.
//!
//! Invariant: counts are returned only if they need no more moves than are missing, so they are optimal
//! for all three goals. The search for exchanges is greedy; what it does not find is left to the program.

use std::collections::{BTreeMap, BTreeSet};

use crate::classes::{ClassNumber, Classes};
use crate::model::Interval;
use crate::reassign::Counts;
use crate::reassign::standing::{Changes, Standing};
use crate::scene::{DemandNumber, Scene};

/// Optimal counts, if this way of looking finds them.
pub(super) fn search(scene: &Scene<'_>, classes: &Classes, standing: &Standing) -> Option<Counts> {
    let mut asking = scene.requested().filter(|&number| scene.demands[number].most > 0);
    let (Some(number), None) = (asking.next(), asking.next()) else {
        return None;
    };
    let coarse: BTreeSet<ClassNumber> = classes.fine.iter().map(|class| class.coarse).collect();
    if coarse.len() < classes.fine.len()
        || !scene.demands[number].likes.is_empty()
        || !standing.displaced.is_empty()
        || !standing.exceeded.is_empty()
    {
        return None;
    }
    let mut exchange = Exchange {
        scene,
        classes,
        loads: Changes::new(standing, classes),
        left: BTreeMap::new(),
        counts: scene.requested().map(|number| (number, BTreeMap::new())).collect(),
    };
    let demand = &scene.demands[number];
    let mut usable: Vec<(u64, ClassNumber, u32)> = (0..classes.fine.len())
        .filter(|&class| classes.eligible(scene, number, class))
        .map(|class| (exchange.richness(class), class, exchange.free(class, demand.occupation)))
        .collect();
    usable.sort_unstable();
    let mut wanted = demand.most;
    for &(_, class, free) in &usable {
        let given = free.min(wanted);
        exchange.give(number, class, given);
        wanted -= given;
    }
    let mut missing = demand.least.saturating_sub(demand.most - wanted);
    for &(_, class, _) in &usable {
        while missing > 0 {
            let freed = exchange.free_up(standing, number, class, missing)?;
            if freed == 0 {
                break;
            }
            missing -= freed;
        }
    }
    (missing == 0).then_some(exchange.counts)
}

struct Exchange<'s> {
    scene: &'s Scene<'s>,
    classes: &'s Classes,
    loads: Changes<'s>,
    /// How many hosts pending demands have left where they held them.
    left: BTreeMap<(DemandNumber, ClassNumber), u32>,
    counts: Counts,
}

impl Exchange<'_> {
    fn richness(&self, class: ClassNumber) -> u64 {
        self.scene.richness[self.classes.fine[class].hosts[0]]
    }

    /// Whole hosts of a class that are free during the whole interval.
    fn free(&self, class: ClassNumber, during: Interval) -> u32 {
        let (room, _) = self.loads.room(class, during);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a sum of whole numbers of hosts; negative ones become 0"
        )]
        let free = room.max(0.0).min(f64::from(u32::MAX)) as u32;
        free
    }

    fn give(&mut self, number: DemandNumber, class: ClassNumber, count: u32) {
        if count > 0 {
            *self.counts.entry(number).or_default().entry(class).or_default() += count;
            let occupation = self.scene.demands[number].occupation;
            self.loads.add(class, occupation, f64::from(count));
        }
    }

    /// Sends hosts of one pending demand from a class to another, so that as many more of the class can be
    /// given; how many. `None` if the class is not full.
    fn free_up(&mut self, standing: &Standing, number: DemandNumber, class: ClassNumber, missing: u32) -> Option<u32> {
        let occupation = self.scene.demands[number].occupation;
        let (first, last) = self.loads.tight(class, occupation)?;
        for &(other, held) in &standing.holders[class] {
            let leaving = self.scene.demands[other].occupation;
            if leaving.start > first {
                break;
            }
            if !leaving.contains(first) || !leaving.contains(last) {
                continue;
            }
            // Before it starts and after it ends nothing becomes free.
            let before = Interval::new(occupation.start, leaving.start.min(occupation.end));
            let after = Interval::new(leaving.end.max(occupation.start), occupation.end);
            let outside = [before, after].into_iter().filter(|part| part.start < part.end);
            let outside = outside.map(|part| self.free(class, part)).min().unwrap_or(u32::MAX);
            let there = held - self.left.get(&(other, class)).copied().unwrap_or(0);
            let most = missing.min(there).min(outside);
            if most == 0 {
                continue;
            }
            let mut elsewhere: Vec<(u64, ClassNumber)> = (0..self.classes.fine.len())
                .filter(|&to| to != class && self.classes.eligible(self.scene, other, to))
                .map(|to| (self.richness(to), to))
                .collect();
            elsewhere.sort_unstable();
            for (_, to) in elsewhere {
                let count = most.min(self.free(to, leaving));
                if count > 0 {
                    self.send(standing, other, (class, to), count);
                    self.give(number, class, count);
                    return Some(count);
                }
            }
        }
        Some(0)
    }

    fn send(&mut self, standing: &Standing, number: DemandNumber, (from, to): (ClassNumber, ClassNumber), count: u32) {
        let occupation = self.scene.demands[number].occupation;
        let held = standing.held(number).iter().copied();
        let counts = self.counts.entry(number).or_insert_with(|| held.collect());
        *counts.entry(to).or_default() += count;
        if let Some(stays) = counts.get_mut(&from) {
            *stays -= count;
            if *stays == 0 {
                counts.remove(&from);
            }
        }
        *self.left.entry((number, from)).or_default() += count;
        self.loads.add(from, occupation, -f64::from(count));
        self.loads.add(to, occupation, f64::from(count));
    }
}
