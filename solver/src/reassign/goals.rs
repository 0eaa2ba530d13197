//! The three goals as weights of one cost, and what given counts cost.
//!
//! Invariant: one unit of an earlier goal outweighs everything the later ones can differ by. With `r`
//! counted moves, `f` hosts missing from the request and a disturbance of `d`, the cost is
//! `move_cost * r + missing_cost * f + leave_cost * d`, where `0 <= f <= filling`, `0 <= d <= disturbance`,
//! `missing_cost > leave_cost * disturbance` and `move_cost > missing_cost * filling + leave_cost * disturbance`.

use std::collections::BTreeMap;

use crate::scope::Counts;
use crate::scope::{CellNumber, DemandNumber, Scope};

/// Weights beyond this strain the engine's arithmetic; the least goal is dropped then.
const GREATEST_WEIGHT: i64 = 1_000_000;

/// Costs of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Goals {
    /// A host of a pending demand that changes its coarse class.
    pub(super) move_cost: i64,
    /// A host that the request does without.
    pub(super) missing_cost: i64,
    /// A host that a demand would rather have than another of the same coarse class; 0: no matter.
    pub(super) leave_cost: i64,
}

impl Goals {
    pub(super) fn new(scope: &Scope<'_>) -> Self {
        let mut disturbance: i64 = 0;
        let mut filling: i64 = 0;
        for number in scope.requested() {
            let demand = scope.demand(number);
            filling += i64::from(demand.most - demand.least);
            disturbance += i64::try_from(scope.likes(number)).unwrap_or(i64::MAX);
        }
        if !scope.is_even() {
            // Every move of a pending demand disturbs one host; only exchanges inside a group add to that.
            disturbance += i64::try_from(scope.allocations()).unwrap_or(i64::MAX);
        }
        let (missing, leave) = match (disturbance + 1).saturating_mul(filling + 1) {
            ..=GREATEST_WEIGHT if disturbance > 0 => (disturbance + 1, 1),
            _ => (1, 0),
        };
        Self {
            move_cost: missing.saturating_mul(filling + 1),
            missing_cost: missing,
            leave_cost: leave,
        }
    }

    /// What these counts cost: an answer of least cost is the one the goals ask for.
    pub(super) fn cost(&self, scope: &mut Scope<'_>, counts: &Counts) -> i64 {
        let each = counts
            .iter()
            .map(|(&number, counts)| self.cost_of(scope, number, counts));
        each.sum()
    }

    fn cost_of(&self, scope: &mut Scope<'_>, number: DemandNumber, counts: &BTreeMap<CellNumber, u32>) -> i64 {
        let given = |cell: CellNumber| i64::from(counts.get(&cell).copied().unwrap_or(0));
        if scope.demand(number).requested() {
            let total: i64 = counts.values().copied().map(i64::from).sum();
            let liked = scope.liked(number).into_iter();
            let kept: i64 = liked.map(|(cell, count)| given(cell).min(i64::from(count))).sum();
            return self.missing_cost * (i64::from(scope.demand(number).most) - total) - self.leave_cost * kept;
        }
        let held = scope.held(number);
        let displaced = scope.displaced().iter().filter(|entry| entry.0 == number);
        let before = held.iter().copied();
        let before = before.chain(displaced.map(|&(_, cell, count)| (cell, count)));
        let mut by_group: BTreeMap<usize, i64> = BTreeMap::new();
        let mut left = 0;
        for (cell, count) in before {
            *by_group.entry(scope.cell(cell).group).or_default() += i64::from(count);
            left += (i64::from(count) - given(cell)).max(0);
        }
        for (&cell, &count) in counts {
            by_group
                .entry(scope.cell(cell).group)
                .and_modify(|missing| *missing -= i64::from(count));
        }
        let moved: i64 = by_group.values().map(|&missing| missing.max(0)).sum();
        self.move_cost * moved + self.leave_cost * (left - moved)
    }
}
