//! What hosts cost, in whole numbers.
//!
//! Invariant: charges are divided by the greatest common divisor of all durations, which keeps the
//! numbers a solver sees small and loses nothing.

use crate::batch::timeline::Split;
use crate::batch::timeline::Timeline;
use crate::classes::Classes;
use crate::scene::{ClassNumber, DemandNumber, Scene};

/// Charges of all demands in all classes.
pub(crate) struct Charges {
    /// Price of a host of each fine class for one unit of time.
    prices: Vec<i64>,
    /// Units of time of each demand.
    units: Vec<i64>,
    /// Seconds of a unit.
    unit: i64,
}

impl Charges {
    pub(crate) fn new(scene: &Scene<'_>, classes: &Classes, timeline: &Timeline) -> Self {
        let unit = timeline
            .needs
            .iter()
            .map(|need| need.seconds)
            .fold(0, greatest_common_divisor)
            .max(1);
        let admitted = |coarse: ClassNumber| scene.truth[coarse].iter().filter(|&&holds| holds).count();
        Self {
            prices: classes
                .fine
                .iter()
                .map(|class| i64::try_from(1 + admitted(class.coarse)).unwrap_or(i64::MAX))
                .collect(),
            units: timeline.needs.iter().map(|need| need.seconds / unit).collect(),
            unit,
        }
    }

    /// What one host of a class costs a demand.
    pub(crate) fn one(&self, demand: DemandNumber, class: ClassNumber) -> i64 {
        self.prices[class].saturating_mul(self.units[demand])
    }

    /// What all demands cost.
    pub(crate) fn of(&self, splits: &[Split]) -> i128 {
        let of = |(demand, split): (usize, &Split)| -> i128 {
            let parts = split.iter();
            parts
                .map(|&(class, count)| i128::from(self.one(demand, class)) * i128::from(count))
                .sum()
        };
        splits.iter().enumerate().map(of).sum()
    }

    /// A cost in prices times seconds.
    pub(crate) fn in_seconds(&self, cost: i128) -> u64 {
        u64::try_from(cost.saturating_mul(self.unit.into())).unwrap_or(u64::MAX)
    }
}

/// Hosts of every demand per class and what is proved about them.
pub(crate) struct Found {
    pub(crate) splits: Vec<Split>,
    /// No splits cost less.
    pub(crate) bound: i128,
    /// The splits cost least, even if the bound does not say so.
    pub(crate) optimal: bool,
}

/// Whether the splits give every demand its hosts within every room.
pub(crate) fn respects(timeline: &Timeline, splits: &[Split]) -> bool {
    let mut load = vec![vec![0_i64; timeline.instants.len() + 1]; timeline.room.len()];
    for (need, split) in timeline.needs.iter().zip(splits) {
        let given: u64 = split.iter().map(|&(_, count)| u64::from(count)).sum();
        let eligible = split
            .iter()
            .all(|(class, _)| need.eligible.binary_search(class).is_ok());
        if given != u64::from(need.least) || !eligible {
            return false;
        }
        for &(class, count) in split {
            load[class][need.first] += i64::from(count);
            load[class][need.after] -= i64::from(count);
        }
    }
    load.iter().zip(&timeline.room).all(|(changes, room)| {
        let mut load = 0;
        changes.iter().zip(room).all(|(change, &room)| {
            load += change;
            load <= i64::from(room)
        })
    }) && splits.len() == timeline.needs.len()
}

const fn greatest_common_divisor(mut one: i64, mut other: i64) -> i64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}
