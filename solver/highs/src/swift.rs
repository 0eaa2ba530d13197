//! The engine the planner gets: linear programs are solved by our own dual simplex as long as few of their rows are
//! tight, everything else by HiGHS.
//!
//! Invariant: whichever solves knows the same program. Once HiGHS has been asked it stays asked.

use solver::deadline::Deadline;
use solver::program::{LinearEngine, Status};

use crate::engine::Engine;
use crate::simplex::{Found, Simplex};

/// Most rows a program may have when it is solved for the first time. One that is written down whole and is larger is the
/// business of HiGHS, whose presolve looks at all of it; one that grows from few rows may grow beyond.
const MOST_AT_FIRST: usize = 600;

/// Own simplex, HiGHS behind it.
#[derive(Debug)]
pub struct Swift {
    simplex: Simplex,
    highs: Option<Engine>,
    solved: Option<Found>,
}

impl Swift {
    /// An empty program.
    pub fn new() -> Self {
        Self {
            simplex: Simplex::default(),
            highs: None,
            solved: None,
        }
    }

    /// Whether HiGHS had to be asked.
    pub const fn asked_highs(&self) -> bool {
        self.highs.is_some()
    }

    /// HiGHS with the whole program.
    fn highs(&mut self) -> &mut Engine {
        let Self { simplex, highs, .. } = self;
        highs.get_or_insert_with(|| {
            let mut engine = Engine::new();
            for column in &simplex.columns {
                engine.add_column(column.cost, column.bounds, &[]);
            }
            for row in &simplex.rows {
                engine.add_row(row.bounds, &row.entries);
            }
            engine
        })
    }
}

impl Default for Swift {
    fn default() -> Self {
        Self::new()
    }
}

impl LinearEngine for Swift {
    fn add_column(&mut self, cost: f64, bounds: (f64, f64), entries: &[(usize, f64)]) -> usize {
        let known = |&(row, _): &(usize, f64)| row < self.simplex.rows.len();
        if self.highs.is_none() && !(bounds.0.is_finite() && bounds.1.is_finite() && entries.iter().all(known)) {
            self.highs();
        }
        match &mut self.highs {
            Some(engine) => engine.add_column(cost, bounds, entries),
            None => self.simplex.add_column(cost, bounds, entries),
        }
    }

    fn add_row(&mut self, bounds: (f64, f64), entries: &[(usize, f64)]) -> usize {
        let known = |&(column, _): &(usize, f64)| column < self.simplex.columns.len();
        if self.highs.is_none() && !entries.iter().all(known) {
            self.highs();
        }
        match &mut self.highs {
            Some(engine) => engine.add_row(bounds, entries),
            None => self.simplex.add_row(bounds, entries),
        }
    }

    fn set_cost(&mut self, column: usize, cost: f64) {
        match (&mut self.highs, self.simplex.columns.get_mut(column)) {
            (None, Some(column)) => column.cost = cost,
            _ => self.highs().set_cost(column, cost),
        }
    }

    fn set_bounds(&mut self, column: usize, bounds: (f64, f64)) {
        let finite = bounds.0.is_finite() && bounds.1.is_finite();
        match (&mut self.highs, self.simplex.columns.get_mut(column)) {
            (None, Some(column)) if finite => column.bounds = bounds,
            _ => self.highs().set_bounds(column, bounds),
        }
    }

    fn set_row_bounds(&mut self, row: usize, bounds: (f64, f64)) {
        match (&mut self.highs, self.simplex.rows.get_mut(row)) {
            (None, Some(row)) => row.bounds = bounds,
            _ => self.highs().set_row_bounds(row, bounds),
        }
    }

    fn set_integer(&mut self, integer: bool) {
        if integer || self.highs.is_some() {
            self.highs().set_integer(integer);
        }
    }

    fn propose(&mut self, values: &[f64]) {
        self.highs().propose(values);
    }

    fn solve(&mut self, deadline: &Deadline) -> Status {
        if self.solved.is_none() && self.simplex.rows.len() > MOST_AT_FIRST {
            self.highs();
        }
        if self.highs.is_none() {
            if let Some(why) = deadline.over() {
                self.solved = None;
                self.simplex.forget();
                return Status::unfinished(why);
            }
            let found = self.simplex.solve(deadline);
            self.solved = Some(found);
            match found {
                Found::Optimal => return Status::Optimal,
                Found::Infeasible => return Status::Infeasible,
                Found::Nothing => {}
            }
            if let Some(why) = deadline.over() {
                return Status::unfinished(why);
            }
        }
        self.highs().solve(deadline)
    }

    fn values(&self) -> &[f64] {
        self.highs
            .as_ref()
            .map_or(&self.simplex.values, |engine| engine.values())
    }

    fn duals(&self) -> &[f64] {
        match &self.highs {
            Some(engine) => engine.duals(),
            None if self.solved == Some(Found::Optimal) => &self.simplex.duals,
            None => &[],
        }
    }

    fn bound(&self) -> f64 {
        self.highs.as_ref().map_or(self.simplex.bound, LinearEngine::bound)
    }

    fn ray(&mut self) -> Option<Vec<f64>> {
        match &mut self.highs {
            Some(engine) => engine.ray(),
            None => (!self.simplex.ray.is_empty()).then(|| self.simplex.ray.clone()),
        }
    }
}
