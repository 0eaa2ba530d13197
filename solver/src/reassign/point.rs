//! The program's values read back into classes: what they exceed, and which counts they are.
//!
//! Invariant: a point without anything exceeded or exhausted is one of the whole problem. The value of a
//! shared column is spread over its classes by room, poorest first, which decides nothing: where that is
//! not far enough, the classes get rows.

use std::collections::BTreeMap;

use crate::model::Seconds;
use crate::reassign::growing::{Column, Growing, Origin, Source, Target};
use crate::reassign::loads::{Changes, TOLERANCE, order};
use crate::scope::Counts;
use crate::scope::{CellNumber, DemandNumber};

/// A solution of the program, read back into classes.
pub(super) struct Point {
    /// How much more than it holds a demand gets of a cell; negative: less.
    changes: BTreeMap<(DemandNumber, CellNumber), f64>,
    /// Capacities it exceeds.
    pub(super) exceeded: Vec<(CellNumber, Seconds)>,
    /// Sources more of which leave than there is.
    pub(super) exhausted: Vec<usize>,
    /// Columns whose values are not whole, with the values.
    pub(super) fractional: Vec<(usize, f64)>,
}

impl Point {
    /// Whether it is a point of the whole problem.
    pub(super) fn is_complete(&self) -> bool {
        self.exceeded.is_empty() && self.exhausted.is_empty()
    }
}

impl Growing<'_, '_> {
    /// The engine's values as a point of the problem.
    pub(super) fn point(&self) -> Point {
        let mut loads = Changes::default();
        let mut point = Point {
            changes: BTreeMap::new(),
            exceeded: Vec::new(),
            exhausted: Vec::new(),
            fractional: Vec::new(),
        };
        let mut left: BTreeMap<usize, f64> = BTreeMap::new();
        let mut shared: Vec<(usize, f64)> = Vec::new();
        for (number, &value) in self.engine.values().iter().enumerate() {
            let nearest = value.round();
            let whole = (value - nearest).abs() <= TOLERANCE;
            let value = if whole { nearest } else { value };
            if value <= 0.0 {
                continue;
            }
            if !whole {
                point.fractional.push((number, value));
            }
            let Column { source, target, .. } = &self.columns[number];
            let Source {
                demand,
                occupation,
                origin,
                ..
            } = self.sources[*source];
            *left.entry(*source).or_default() += value;
            let mut add = |cell: CellNumber, amount: f64| {
                loads.add(cell, occupation, amount);
                *point.changes.entry((demand, cell)).or_default() += amount;
            };
            if let Origin::Held(cell) = origin {
                add(cell, -value);
            }
            match target {
                Target::Cell(cell) => add(*cell, value),
                Target::Shared(_) => shared.push((number, value)),
                Target::Missing => {}
            }
        }
        for (number, value) in shared {
            self.spread(number, value, &mut loads, &mut point);
        }
        point.exceeded.extend(loads.exceeded(self.scope));
        point.exhausted = left
            .into_iter()
            .filter(|&(source, total)| total > f64::from(self.sources[source].amount) + TOLERANCE)
            .map(|(source, _)| source)
            .collect();
        point
    }

    /// Spreads a shared column over its classes: poor classes first as far as they have room. If that is
    /// not far enough, all of them are full: their tightest instants are exceeded at once, rather than one
    /// cell after another in as many solves.
    fn spread(&self, column: usize, value: f64, loads: &mut Changes, point: &mut Point) {
        let Column {
            source,
            target: Target::Shared(cells),
            ..
        } = &self.columns[column]
        else {
            return;
        };
        let Source { demand, occupation, .. } = self.sources[*source];
        let mut poorest_first = cells.clone();
        poorest_first.sort_unstable_by_key(|&cell| order(self.scope.cell(cell)));
        let mut left = value;
        let mut tightest = Vec::new();
        for cell in poorest_first {
            let (room, at) = loads.room(self.scope, cell, occupation);
            tightest.push((cell, at));
            let given = left.min(room);
            if given > TOLERANCE {
                *point.changes.entry((demand, cell)).or_default() += given;
                loads.add(cell, occupation, given);
                left -= given;
            }
            if left <= TOLERANCE {
                return;
            }
        }
        point.exceeded.extend(tightest);
    }

    /// The counts of a complete point and what they cost, if all of them are whole.
    pub(super) fn counts(&mut self, point: &Point) -> Option<(Counts, i64)> {
        let mut counts: Counts = self.scope.requested().map(|number| (number, BTreeMap::new())).collect();
        for &(number, _) in point.changes.keys() {
            let entry = counts.entry(number);
            entry.or_insert_with(|| self.scope.held(number).iter().copied().collect());
        }
        for (&(number, cell), &change) in &point.changes {
            let held = self.scope.held(number);
            let before = held.iter().find(|held| held.0 == cell).map_or(0, |held| held.1);
            let total = f64::from(before) + change;
            let count = whole(total)?;
            let counts = counts.entry(number).or_default();
            if count > 0 {
                counts.insert(cell, count);
            } else {
                counts.remove(&cell);
            }
        }
        let cost = self.goals.cost(self.scope, &counts);
        Some((counts, cost + self.offset))
    }
}

/// The whole number a value stands for.
fn whole(value: f64) -> Option<u32> {
    let nearest = value.round();
    let exact = (value - nearest).abs() <= TOLERANCE && (0.0..=f64::from(u32::MAX)).contains(&nearest);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    exact.then_some(nearest as u32)
}
