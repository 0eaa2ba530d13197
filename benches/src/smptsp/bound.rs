//! Lower bounds with evidence that [`super::check::bound`] recounts in integers.

use super::instance::Instance;

/// What one worker costs, in the unit of prices.
pub const PRICE_UNIT: i64 = 1_000_000_000;
/// Greatest price of one task.
pub const MOST_PRICE: i64 = 100 * PRICE_UNIT;

/// So many workers are needed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// That many tasks run at once.
    Peak {
        /// When.
        at: i64,
        /// How many.
        workers: usize,
    },
    /// Lagrangean relaxation of the condition that each task be done. A price is paid for each task, and
    /// each worker is used where his best set of disjoint tasks earns more than he costs. What remains
    /// of the payments is a bound: `sum of prices - sum over workers of max(0, best day - PRICE_UNIT)`.
    Prices {
        /// For each task, in [`PRICE_UNIT`].
        prices: Vec<i64>,
        /// The bound, rounded up to whole workers.
        workers: usize,
    },
}

impl Bound {
    /// How many workers are needed at least.
    pub fn workers(&self) -> usize {
        match self {
            Self::Peak { workers, .. } | Self::Prices { workers, .. } => *workers,
        }
    }
}

/// The most tasks at one instant.
pub fn peak(instance: &Instance) -> Bound {
    let (mut best, mut best_at) = (0, 0);
    for (at, running) in profile(instance) {
        if running > best {
            (best, best_at) = (running, at);
        }
    }
    Bound::Peak {
        at: best_at,
        workers: best,
    }
}

/// How many tasks run from each instant on at which one starts or ends, in order of time.
pub(super) fn profile(instance: &Instance) -> Vec<(i64, usize)> {
    let mut starts: Vec<i64> = instance.tasks().iter().map(|task| task.start).collect();
    let mut ends: Vec<i64> = instance.tasks().iter().map(|task| task.end).collect();
    starts.sort_unstable();
    ends.sort_unstable();
    let mut instants: Vec<i64> = starts.iter().chain(&ends).copied().collect();
    instants.sort_unstable();
    instants.dedup();
    let (mut started, mut ended) = (0, 0);
    instants
        .into_iter()
        .map(|at| {
            while starts.get(started).is_some_and(|&start| start <= at) {
                started += 1;
            }
            while ends.get(ended).is_some_and(|&end| end <= at) {
                ended += 1;
            }
            (at, started - ended)
        })
        .collect()
}
