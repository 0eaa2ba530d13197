//! Branch and bound on the relaxation, where dives do not meet the bound.
//!
//! Invariant: a part of the tree is given up only if its own prices prove, counted in whole numbers, that nothing in it costs
//! less than the best plan found.

use super::charges::Charges;
use super::relaxation::{Outcome, Relaxation};
use crate::batch::prices::DENOMINATOR;
use crate::batch::timeline::Split;
use crate::deadline::Deadline;

/// Most solves.
const MOST_NODES: usize = 400;
/// Values tried before one is branched on.
const MOST_TRIED: usize = 10;
/// How far to go along the ray of an infeasible program before giving up.
const RAYS: [f64; 3] = [1e4, 1e7, 1e10];

/// The two parts of a program in which a value is at most, or at least, a whole number.
struct Branching {
    /// What they cost at least, the cheaper first.
    bounds: (i128, i128),
    /// Those that may hold something cheaper than is known, with what they cost at least.
    branches: Vec<(i128, Relaxation)>,
}

/// What branch and bound knows.
pub(crate) struct Tree<'t> {
    charges: &'t Charges,
    nodes: usize,
    /// The cheapest splits so far and what they cost.
    pub(crate) best: Option<(i128, Vec<Split>)>,
}

impl<'t> Tree<'t> {
    pub(crate) fn new(charges: &'t Charges, best: Option<(i128, Vec<Split>)>) -> Self {
        Self {
            charges,
            nodes: 0,
            best,
        }
    }

    /// What a program's plans cost at least, in units of charge, rounded up because costs are whole.
    pub(crate) fn bound(&self, relaxation: &Relaxation, ray: f64) -> i128 {
        let charge = |demand, class| i128::from(self.charges.one(demand, class)) * DENOMINATOR;
        #[expect(clippy::cast_precision_loss, reason = "a power of two")]
        let proved = relaxation.proved(&charge, DENOMINATOR as f64, ray);
        -(-proved).div_euclid(DENOMINATOR)
    }

    fn settled(&self, bound: i128) -> bool {
        self.best.as_ref().is_some_and(|(cost, _)| *cost <= bound)
    }

    /// Looks for cheaper splits in a program; `true` if there are none beside what is best afterwards.
    pub(crate) fn search(&mut self, mut node: Relaxation, deadline: &Deadline) -> bool {
        let Some(bound) = self.solve(&mut node, deadline) else {
            return false;
        };
        self.descend(&node, bound, deadline)
    }

    /// What a program's plans cost at least; `None` if that stays open.
    fn solve(&mut self, node: &mut Relaxation, deadline: &Deadline) -> Option<i128> {
        self.nodes += 1;
        if self.nodes > MOST_NODES || deadline.is_over() {
            return None;
        }
        match node.solve(deadline) {
            Outcome::Optimal => Some(self.bound(node, 0.0)),
            Outcome::Infeasible => {
                let mut bounds = RAYS.iter().map(|&ray| self.bound(node, ray));
                bounds.find(|&bound| self.settled(bound))
            }
            Outcome::Stopped => None,
        }
    }

    fn descend(&mut self, node: &Relaxation, bound: i128, deadline: &Deadline) -> bool {
        if self.settled(bound) {
            return true;
        }
        if let Some(splits) = node.splits() {
            let cost = self.charges.of(&splits);
            if self.best.as_ref().is_none_or(|(best, _)| cost < *best) {
                self.best = Some((cost, splits));
            }
            return self.settled(bound);
        }
        // The value whose branches cost most, the cheaper of the two first, is looked for by trying some.
        let mut chosen: Option<Branching> = None;
        for (demand, class, least) in node.branchings(MOST_TRIED) {
            let mut more = node.clone();
            more.reserve(demand, class, least + 1);
            let mut less = node.clone();
            // Where no other class is left there is no plan with less of this one.
            let possible = less.restrict(demand, class, least);
            let mut branches = Vec::with_capacity(2);
            for mut branch in std::iter::once(more).chain(possible.then_some(less)) {
                let Some(bound) = self.solve(&mut branch, deadline) else {
                    return false;
                };
                if !self.settled(bound) {
                    branches.push((bound, branch));
                }
            }
            branches.sort_by_key(|branch| branch.0);
            let bounds = branches.iter().map(|branch| branch.0);
            let mut bounds = bounds.chain(std::iter::repeat(i128::MAX));
            let bounds = (bounds.next().unwrap_or(i128::MAX), bounds.next().unwrap_or(i128::MAX));
            if chosen.as_ref().is_none_or(|best| bounds > best.bounds) {
                let done = branches.is_empty();
                chosen = Some(Branching { bounds, branches });
                if done {
                    break;
                }
            }
        }
        let Some(Branching { branches, .. }) = chosen else {
            return false;
        };
        branches
            .into_iter()
            .all(|(bound, branch)| self.descend(&branch, bound, deadline))
    }
}
