//! From the program's points to whole counts that are proved best.
//!
//! Invariant: all costs are whole, so a whole point that costs no more than the linear program's optimum
//! rounded up costs least of all.

use std::collections::BTreeSet;

use crate::certificate;
use crate::deadline::Deadline;
use crate::decision::Unfinished;
use crate::model::Seconds;
use crate::program::{ModelSolver, Status, Step};
use crate::reassign::Reassigned;
use crate::reassign::growing::Growing;
use crate::reassign::point::Point;
use crate::scope::CellNumber;
use crate::scope::Counts;

/// Columns fixed in one dive. Dives end after one to three; one that does not end is no shortcut.
const MOST_FIXED: usize = 64;
/// What arithmetic and columns left out may make a cost too high by.
const COST_TOLERANCE: f64 = 1e-2;

/// One decision's way through the programs.
pub(super) struct Search<'s, 'a> {
    growing: Growing<'s, 'a>,
    deadline: &'s Deadline,
    solver: &'s dyn ModelSolver,
    /// The cheapest counts so far.
    best: Option<(Counts, i64)>,
}

impl<'s, 'a> Search<'s, 'a> {
    pub(super) const fn new(growing: Growing<'s, 'a>, deadline: &'s Deadline, solver: &'s dyn ModelSolver) -> Self {
        Self {
            growing,
            deadline,
            solver,
            best: None,
        }
    }

    pub(super) fn run(mut self) -> Reassigned {
        let point = match self.grow() {
            (Status::Optimal, Some(point)) => point,
            (Status::Infeasible, _) => return self.infeasible(),
            (status, _) => return Reassigned::Open(open(status)),
        };
        let bound = least_whole(self.growing.engine.bound());
        if self.offer(&point, bound) {
            return self.answer(Unfinished::Arithmetic);
        }
        self.solver.observe(Step::Diving);
        if let Some(point) = self.dive(point)
            && self.offer(&point, bound)
        {
            return self.answer(Unfinished::Arithmetic);
        }
        self.solver.observe(Step::Branching);
        if !self.growing.complete() {
            return self.answer(Unfinished::Work);
        }
        self.growing.engine.set_integer(true);
        let (status, point) = self.grow();
        if status == Status::Infeasible && self.best.is_none() {
            return self.infeasible();
        }
        if let Some(point) = point {
            self.offer(&point, bound);
        }
        self.answer(open(status))
    }

    /// The best counts, or why there are none.
    fn answer(self, why: Unfinished) -> Reassigned {
        self.best
            .map_or(Reassigned::Open(why), |(counts, _)| Reassigned::Counts(counts))
    }

    /// Solves and grows until the point is complete. After a limit there may be a complete point still.
    fn grow(&mut self) -> (Status, Option<Point>) {
        loop {
            let status = self.growing.engine.solve(self.deadline);
            let (rows, columns) = self.growing.size();
            self.solver.observe(Step::Solved { rows, columns });
            if self.enter(status) {
                continue;
            }
            if status != Status::Optimal && self.growing.engine.values().is_empty() {
                return (status, None);
            }
            let point = self.growing.point();
            if point.is_complete() {
                return (status, Some(point));
            }
            if status != Status::Optimal {
                return (status, None);
            }
            if !self.growing.extend(&point) {
                return (Status::Unreliable, None);
            }
        }
    }

    /// Adds columns that the prices of a linear program, or the weights of its contradiction, ask for.
    fn enter(&mut self, status: Status) -> bool {
        match status {
            Status::Optimal => {
                let prices = self.growing.engine.duals().to_vec();
                self.growing.enter(&prices, true)
            }
            Status::Infeasible => match self.growing.engine.ray() {
                Some(ray) => {
                    let prices = self.growing.signed(&ray);
                    self.growing.enter(&prices, false)
                }
                None => !self.growing.is_complete() && self.growing.complete(),
            },
            Status::TimeLimit | Status::WorkLimit | Status::Unreliable => false,
        }
    }

    /// Keeps a complete point if it is whole and the cheapest; whether it meets the bound.
    fn offer(&mut self, point: &Point, bound: f64) -> bool {
        let Some((counts, cost)) = self.growing.counts(point) else {
            return false;
        };
        if self.best.as_ref().is_none_or(|best| cost < best.1) {
            self.best = Some((counts, cost));
        }
        #[expect(clippy::cast_precision_loss, reason = "costs are far below 2^53")]
        let met = cost as f64 <= bound;
        met
    }

    /// Fixes the most fractional column upwards, or downwards if that is impossible, until a point is whole.
    fn dive(&mut self, mut point: Point) -> Option<Point> {
        let mut fixed: BTreeSet<usize> = BTreeSet::new();
        let mut found = None;
        while fixed.len() < MOST_FIXED {
            let Some(&(column, value)) = point.fractional.iter().max_by(|one, other| {
                let nearness = |value: f64| (value - value.floor() - 0.5).abs();
                nearness(other.1).total_cmp(&nearness(one.1)).then(other.0.cmp(&one.0))
            }) else {
                found = Some(point);
                break;
            };
            fixed.insert(column);
            let most = self.growing.most(column);
            self.growing
                .engine
                .set_bounds(column, (value.ceil(), most.max(value.ceil())));
            let mut solved = self.grow();
            if solved.0 == Status::Infeasible {
                self.growing.engine.set_bounds(column, (0.0, value.floor()));
                solved = self.grow();
            }
            match solved {
                (Status::Optimal, Some(next)) => point = next,
                _ => break,
            }
        }
        for column in fixed {
            self.growing.release(column);
        }
        found
    }

    /// Proves that nothing exists, if the weights of the rows show it.
    fn infeasible(mut self) -> Reassigned {
        let capacities: Vec<_> = self.growing.capacities().collect();
        let ray = self.growing.engine.ray();
        let weight = |row: usize| ray.as_ref().map_or(1.0, |ray| ray.get(row).copied().unwrap_or(0.0));
        let rows: Vec<(CellNumber, Seconds, f64)> = capacities
            .into_iter()
            .map(|(cell, at, row)| (cell, at, weight(row)))
            .filter(|row| row.2 != 0.0)
            .collect();
        let instants: BTreeSet<Seconds> = rows.iter().map(|row| row.1).collect();
        let conflict = certificate::at_instants(self.growing.scope, instants, self.deadline);
        let proved = conflict.or_else(|| certificate::of_rows(self.growing.scope, &rows));
        proved.map_or(Reassigned::Open(Unfinished::Work), Reassigned::Infeasible)
    }
}

/// Why an engine that says this leaves a question open.
const fn open(status: Status) -> Unfinished {
    match status {
        Status::TimeLimit => Unfinished::Time,
        Status::Unreliable => Unfinished::Arithmetic,
        Status::WorkLimit | Status::Optimal | Status::Infeasible => Unfinished::Work,
    }
}

/// The least whole cost that is not below a bound.
fn least_whole(bound: f64) -> f64 {
    (bound - COST_TOLERANCE).ceil()
}
