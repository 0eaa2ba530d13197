//! The three goals as weights of one cost, and what given counts cost.
//!
//! Invariant: one unit of an earlier goal outweighs everything the later ones can differ by. With `r`
//! counted moves, `f` hosts missing from the request and a disturbance of `d`, the cost is
//! `move_cost * r + missing_cost * f + leave_cost * d`, where `0 <= f <= filling`, `0 <= d <= disturbance`,
//! `missing_cost > leave_cost * disturbance` and `move_cost > missing_cost * filling + leave_cost * disturbance`.

use std::collections::BTreeMap;

use crate::classes::{ClassNumber, Classes};
use crate::reassign::Counts;
use crate::reassign::standing::Standing;
use crate::scene::{DemandNumber, Scene};

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
    pub(super) fn new(scene: &Scene<'_>, classes: &Classes) -> Self {
        let mut parts: BTreeMap<ClassNumber, u32> = BTreeMap::new();
        for class in &classes.fine {
            *parts.entry(class.coarse).or_default() += 1;
        }
        let whole = parts.len() == classes.fine.len();
        let mut disturbance: i64 = 0;
        let mut filling: i64 = 0;
        for demand in &scene.demands {
            if demand.requested {
                filling += i64::from(demand.most - demand.least);
            }
            // Every move of a pending demand disturbs one host; only exchanges inside a coarse class add to that.
            if demand.requested || !whole {
                disturbance += i64::try_from(demand.likes.len()).unwrap_or(i64::MAX);
            }
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
    pub(super) fn cost(&self, scene: &Scene<'_>, classes: &Classes, standing: &Standing, counts: &Counts) -> i64 {
        counts
            .iter()
            .map(|(&number, counts)| self.cost_of(scene, classes, standing, number, counts))
            .sum()
    }

    fn cost_of(
        &self,
        scene: &Scene<'_>,
        classes: &Classes,
        standing: &Standing,
        number: DemandNumber,
        counts: &BTreeMap<ClassNumber, u32>,
    ) -> i64 {
        let demand = &scene.demands[number];
        let given = |class: ClassNumber| i64::from(counts.get(&class).copied().unwrap_or(0));
        if demand.requested {
            let total: i64 = counts.values().copied().map(i64::from).sum();
            let kept: i64 = liked(classes, &demand.likes)
                .into_iter()
                .map(|(class, count)| given(class).min(count))
                .sum();
            return self.missing_cost * (i64::from(demand.most) - total) - self.leave_cost * kept;
        }
        let displaced = standing.displaced.iter().filter(|entry| entry.0 == number);
        let before = standing.held(number).iter().copied();
        let before = before.chain(displaced.map(|&(_, class, count)| (class, count)));
        let mut coarse: BTreeMap<ClassNumber, i64> = BTreeMap::new();
        let mut left = 0;
        for (class, count) in before {
            *coarse.entry(classes.fine[class].coarse).or_default() += i64::from(count);
            left += (i64::from(count) - given(class)).max(0);
        }
        for (&class, &count) in counts {
            coarse
                .entry(classes.fine[class].coarse)
                .and_modify(|missing| *missing -= i64::from(count));
        }
        let moved: i64 = coarse.values().map(|&missing| missing.max(0)).sum();
        self.move_cost * moved + self.leave_cost * (left - moved)
    }
}

/// How many hosts of each class a demand would rather have than others.
pub(super) fn liked(classes: &Classes, likes: &[usize]) -> BTreeMap<ClassNumber, i64> {
    let mut liked = BTreeMap::new();
    for &host in likes {
        *liked.entry(classes.fine_of[host]).or_default() += 1;
    }
    liked
}
