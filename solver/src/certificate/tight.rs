//! The instants at which a request is likeliest to lack hosts.
//!
//! Best first: of a part of the time it is known how many hosts are free at least, from the greatest load of each
//! cell there; the part with the least is cut until an instant shows that it has no more.
//!
//! Invariant: what is given are instants with fewer hosts free, as things stand, than are asked for; where enough
//! are free, nothing can be short.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use crate::model::{Interval, Seconds};
use crate::scope::{CellNumber, Scope};

/// Parts of the time that are looked at.
const MOST_PARTS: usize = 400;

/// The tightest instants of the request, at most `most` of each requested demand.
pub(super) fn instants(scope: &mut Scope<'_>, most: usize) -> Vec<Seconds> {
    let asked: Vec<(Interval, i64)> = scope
        .requested()
        .map(|number| scope.demand(number))
        .filter(|demand| demand.least > 0)
        .map(|demand| (demand.occupation, i64::from(demand.least)))
        .collect();
    let mut tight: Vec<(i64, Seconds)> = Vec::new();
    for number in scope.requested() {
        if scope.demand(number).least > 0 {
            let cells = scope.suitable(number);
            let during = scope.demand(number).occupation;
            tight.extend(
                Search {
                    scope,
                    asked: &asked,
                    cells: &cells,
                }
                .tightest(during, most),
            );
        }
    }
    tight.sort_unstable();
    let mut seen = BTreeSet::new();
    tight.retain(|&(_, at)| seen.insert(at));
    tight.into_iter().map(|(_, at)| at).collect()
}

struct Search<'s, 'a> {
    scope: &'s Scope<'a>,
    asked: &'s [(Interval, i64)],
    cells: &'s [CellNumber],
}

impl Search<'_, '_> {
    fn tightest(&self, during: Interval, most: usize) -> Vec<(i64, Seconds)> {
        let mut cuts: BTreeSet<Seconds> = BTreeSet::from([during.start, during.end]);
        let ends = self.asked.iter().flat_map(|(asked, _)| [asked.start, asked.end]);
        cuts.extend(ends.filter(|&at| during.contains(at)));
        let cuts: Vec<Seconds> = cuts.into_iter().collect();
        let parts = cuts.windows(2).map(|pair| Interval::new(pair[0], pair[1]));
        let mut heap: BinaryHeap<Reverse<(i64, Interval)>> =
            parts.map(|part| Reverse((self.least(part), part))).collect();
        let mut found = Vec::new();
        let mut looked = heap.len();
        while let Some(Reverse((least, part))) = heap.pop() {
            if least >= 0 || found.len() == most || looked > MOST_PARTS {
                break;
            }
            let likely = self.likely(part);
            let step = self.step(likely, part);
            let here = self.least(step);
            let rest = if here == least {
                found.push((here, step.start));
                [Interval::new(part.start, step.start), Interval::new(step.end, part.end)]
            } else if step.start > part.start {
                [
                    Interval::new(part.start, step.start),
                    Interval::new(step.start, part.end),
                ]
            } else {
                // The step is one of its own; it goes back with what it has.
                heap.push(Reverse((here, step)));
                [Interval::new(step.end, part.end), Interval::new(part.end, part.end)]
            };
            for part in rest.into_iter().filter(|part| part.start < part.end) {
                looked += 1;
                heap.push(Reverse((self.least(part), part)));
            }
        }
        found
    }

    /// How many hosts are free at least, besides those asked for; exact if nothing changes within the part.
    fn least(&self, part: Interval) -> i64 {
        let free = self.cells.iter().map(|&number| {
            let cell = self.scope.cell(number);
            i64::from(cell.size) - i64::from(cell.profile.greatest_in(part))
        });
        let asked = self.asked.iter().filter(|(asked, _)| asked.overlaps(&part));
        free.sum::<i64>() - asked.map(|(_, least)| least).sum::<i64>()
    }

    /// When the largest cell is fullest: few are free then.
    fn likely(&self, part: Interval) -> Seconds {
        let largest = self
            .cells
            .iter()
            .map(|&cell| self.scope.cell(cell))
            .max_by_key(|cell| cell.size);
        let mut at = None;
        if let Some(cell) = largest {
            let greatest = cell.profile.greatest_in(part);
            cell.profile.each_above(part, greatest - 1, |step, _| {
                at.get_or_insert(step.start);
            });
        }
        at.unwrap_or(part.start)
    }

    /// The time around an instant within which no cell's load changes, within the part.
    fn step(&self, at: Seconds, part: Interval) -> Interval {
        let mut step = part;
        for &cell in self.cells {
            let around = self.scope.cell(cell).profile.step_around(at);
            step = Interval::new(step.start.max(around.start), step.end.min(around.end));
        }
        step
    }
}
