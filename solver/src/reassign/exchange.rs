//! Frees the missing hosts one exchange at a time, without a program.
//!
//! For one requested demand, where no class is split by fixed work to come. What is free of a class during
//! the whole demand can be used at once (the decode theorem). If that is `missing` hosts too few, then at
//! least `missing` moves are needed, because a move makes room for one host of one class at most; and with
//! exactly as many no more than the least amount can be given.
//!
//! Invariant: counts are returned only if they need no more moves than are missing, so they are optimal
//! for all three goals. The search for exchanges is greedy; what it does not find soon is left to the program.

use std::collections::BTreeMap;

use crate::deadline::{Deadline, Part};
use crate::model::Interval;
use crate::reassign::loads::{Changes, order};
use crate::scope::Counts;
use crate::scope::{CellNumber, DemandNumber, Scope};

/// Work: how often it is asked whether a cell has hosts free. What is found is found after some hundreds; where the request
/// asks for most of a fleet and nothing can be found, there are millions to try.
const MOST_LOOKS: Part = Part::of_work(8_192);

/// Optimal counts, if this way of looking finds them.
pub(super) fn search(scope: &mut Scope<'_>, deadline: &Deadline) -> Option<Counts> {
    let mut asking = scope.requested().filter(|&number| scope.demand(number).most > 0);
    let (Some(number), None) = (asking.next(), asking.next()) else {
        return None;
    };
    if !scope.is_even() || scope.likes(number) > 0 || !scope.keeping().is_empty() {
        return None;
    }
    let counts = scope.requested().map(|number| (number, BTreeMap::new())).collect();
    let mut exchange = Exchange {
        scope,
        loads: Changes::default(),
        left: BTreeMap::new(),
        counts,
        deadline: deadline.part(MOST_LOOKS),
    };
    let usable = exchange.poorest_first(number);
    let (occupation, most, least) = {
        let demand = exchange.scope.demand(number);
        (demand.occupation, demand.most, demand.least)
    };
    let mut wanted = most;
    for &cell in &usable {
        let given = exchange.free(cell, occupation).min(wanted);
        exchange.give(number, cell, given);
        wanted -= given;
    }
    let mut missing = least.saturating_sub(most - wanted);
    for &cell in &usable {
        while missing > 0 {
            let freed = exchange.free_up(number, cell, missing)?;
            if freed == 0 {
                break;
            }
            missing -= freed;
        }
    }
    (missing == 0).then_some(exchange.counts)
}

struct Exchange<'s, 'a> {
    scope: &'s mut Scope<'a>,
    loads: Changes,
    /// How many hosts pending demands have left where they held them.
    left: BTreeMap<(DemandNumber, CellNumber), u32>,
    counts: Counts,
    deadline: Deadline,
}

impl Exchange<'_, '_> {
    /// The cells a demand may use.
    fn poorest_first(&mut self, number: DemandNumber) -> Vec<CellNumber> {
        let mut cells = self.scope.eligible(number).to_vec();
        cells.sort_unstable_by_key(|&cell| order(self.scope.cell(cell)));
        cells
    }

    /// Whole hosts of a cell that are free during the whole interval.
    fn free(&self, cell: CellNumber, during: Interval) -> u32 {
        self.deadline.spend(1);
        let (room, _) = self.loads.room(self.scope, cell, during);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a sum of whole numbers of hosts; negative ones become 0"
        )]
        let free = room.max(0.0).min(f64::from(u32::MAX)) as u32;
        free
    }

    fn give(&mut self, number: DemandNumber, cell: CellNumber, count: u32) {
        if count > 0 {
            *self.counts.entry(number).or_default().entry(cell).or_default() += count;
            let occupation = self.scope.demand(number).occupation;
            self.loads.add(cell, occupation, f64::from(count));
        }
    }

    /// Sends hosts of one pending demand from a cell to another, so that as many more of the cell can be
    /// given; how many. `None` if the cell is not full, or too much was looked at.
    fn free_up(&mut self, number: DemandNumber, cell: CellNumber, missing: u32) -> Option<u32> {
        let occupation = self.scope.demand(number).occupation;
        let (first, last) = self.loads.tight(self.scope, cell, occupation)?;
        for (other, held) in self.scope.pending_at(cell, first) {
            if self.deadline.is_over() {
                return None;
            }
            let leaving = self.scope.demand(other).occupation;
            if !leaving.contains(last) {
                continue;
            }
            // Before it starts and after it ends nothing becomes free.
            let before = Interval::new(occupation.start, leaving.start.min(occupation.end));
            let after = Interval::new(leaving.end.max(occupation.start), occupation.end);
            let outside = [before, after].into_iter().filter(|part| part.start < part.end);
            let outside = outside.map(|part| self.free(cell, part)).min().unwrap_or(u32::MAX);
            let there = held - self.left.get(&(other, cell)).copied().unwrap_or(0);
            let most = missing.min(there).min(outside);
            if most == 0 {
                continue;
            }
            for to in self.poorest_first(other) {
                let count = if to == cell {
                    0
                } else {
                    most.min(self.free(to, leaving))
                };
                if count > 0 {
                    self.send(other, (cell, to), count);
                    self.give(number, cell, count);
                    return Some(count);
                }
            }
        }
        Some(0)
    }

    fn send(&mut self, number: DemandNumber, (from, to): (CellNumber, CellNumber), count: u32) {
        let occupation = self.scope.demand(number).occupation;
        let held = self.scope.held(number);
        let counts = self
            .counts
            .entry(number)
            .or_insert_with(|| held.iter().copied().collect());
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
