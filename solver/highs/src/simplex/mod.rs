//! A dual simplex method for programs that grow.
//!
//! The programs of one decision have some ten to some thousand rows, few of them tight, and change little between
//! solves; a call of a general solver spends most of its time preparing and checking. This one keeps the inverse of the
//! basis's kernel (tight rows against basic columns) and goes on from where it was.
//!
//! Row `i` reads `a_i x - s_i = 0` with the row's bounds on its logical variable `s_i`. Every column has two
//! finite bounds, so any basis is made dual feasible by putting columns to their other bound. A row is *tight* if its
//! logical variable is not basic.
//!
//! Invariant: nothing is answered that was not recomputed from the program itself: an optimum satisfies all
//! bounds and rows, its bound is the Lagrangian one of its dual values, and an infeasibility comes with
//! weights that show it. Where that fails, or takes too long, the answer is that there is none.

mod dual;
mod leaving;
mod program;
mod proof;
mod ratio;

pub(crate) use program::{Column, Row};
use solver::deadline::Deadline;
use solver::kernel::Kernel;

/// How far a value may be beyond a bound.
const FEASIBILITY: f64 = 1e-8;
/// How far the recomputed answer may be beyond a bound or a row.
const CHECKED: f64 = 1e-6;
/// Reduced costs below this are zeros of arithmetic.
const ZERO_COST: f64 = 1e-9;
/// What a bound may lack of the optimum where costs are perturbed: costs are whole, so less than one is nothing.
const MOST_GAP: f64 = 0.1;
/// Entries below this are zeros of arithmetic.
const ZERO: f64 = 1e-9;

/// A column, or the logical variable of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Variable {
    Column(usize),
    Logical(usize),
}

/// What a variable is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Lower,
    Upper,
    Basic,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Optimal,
    Infeasible,
    /// The method did not come to an answer that holds.
    Nothing,
}

/// The program and its basis.
#[derive(Debug, Default)]
pub(crate) struct Simplex {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
    places: Vec<Place>,
    logical_places: Vec<Place>,
    /// Reduced costs.
    reduced: Vec<f64>,
    /// Reduced costs of the logical variables, which are the dual values of the rows.
    pub(crate) duals: Vec<f64>,
    /// Values of the columns at the moment, and the rows' totals.
    present: Vec<f64>,
    totals: Vec<f64>,
    kernel: Kernel,
    /// The kernel's columns, and the place of each column that is one.
    basic: Vec<usize>,
    place_of: Vec<usize>,
    /// The kernel's rows, and the place of each row that is one.
    tight: Vec<usize>,
    place_of_row: Vec<usize>,
    /// Squared lengths of the directions of rows that are not tight, as last seen.
    lengths: Vec<f64>,
    /// Entries of the columns in the leaving row; zero between uses.
    entries: Vec<f64>,
    /// What is added to the costs once it seems that many of them are equal.
    added: Vec<f64>,
    perturbed: bool,
    /// Iterations since the inverse was computed.
    drift: usize,
    /// After an optimum.
    pub(crate) values: Vec<f64>,
    pub(crate) bound: f64,
    /// Weights of the rows, after an infeasibility.
    pub(crate) ray: Vec<f64>,
}

impl Simplex {
    /// Makes all logical variables basic.
    pub(crate) fn restart(&mut self) {
        self.places.fill(Place::Lower);
        self.logical_places.fill(Place::Basic);
        self.basic.clear();
        self.tight.clear();
        self.kernel = Kernel::default();
        self.drift = 0;
        self.lengths.fill(1.0);
    }

    /// Forgets the last answer, but not the basis.
    pub(crate) fn forget(&mut self) {
        self.values.clear();
        self.ray.clear();
        self.bound = f64::NEG_INFINITY;
    }

    /// The cost the method works with.
    fn cost(&self, column: usize) -> f64 {
        let added = if self.perturbed { self.added[column] } else { 0.0 };
        self.columns[column].cost + added
    }

    fn bounds(&self, variable: Variable) -> (f64, f64) {
        match variable {
            Variable::Column(column) => self.columns[column].bounds,
            Variable::Logical(row) => self.rows[row].bounds,
        }
    }

    const fn resting(place: Place, bounds: (f64, f64)) -> f64 {
        match place {
            Place::Upper => bounds.1,
            Place::Lower | Place::Basic => bounds.0,
        }
    }

    /// Minimises.
    pub(crate) fn solve(&mut self, deadline: &Deadline) -> Found {
        self.forget();
        for attempt in 0..3 {
            let usable = match attempt {
                0 => true,
                1 => self.reinvert(),
                _ => false,
            };
            if !usable {
                self.restart();
            }
            if !self.price() {
                self.restart();
                if !self.price() {
                    return Found::Nothing;
                }
            }
            self.evaluate();
            match self.improve(deadline) {
                Found::Optimal if self.read() => return Found::Optimal,
                Found::Infeasible if self.contradicts() => return Found::Infeasible,
                Found::Optimal | Found::Infeasible | Found::Nothing => {}
            }
            if deadline.is_over() || self.kernel.size() >= dual::MOST_TIGHT {
                break;
            }
        }
        Found::Nothing
    }

    /// Computes dual values and reduced costs, and puts every column to the bound its reduced cost asks
    /// for; `false` if a logical variable cannot be put where its sign asks.
    fn price(&mut self) -> bool {
        let costs = self.basic.iter().enumerate();
        let costs: Vec<(usize, f64)> = costs.map(|(place, &column)| (place, self.cost(column))).collect();
        let prices = self.kernel.combine(&costs);
        self.duals.fill(0.0);
        self.reduced = (0..self.columns.len()).map(|column| self.cost(column)).collect();
        for (&row, &price) in self.tight.iter().zip(&prices) {
            self.duals[row] = price;
            if price != 0.0 {
                for &(column, factor) in &self.rows[row].entries {
                    self.reduced[column] -= price * factor;
                }
            }
        }
        for (reduced, place) in self.reduced.iter().zip(&mut self.places) {
            if *place != Place::Basic && reduced.abs() > ZERO_COST {
                *place = if *reduced < 0.0 { Place::Upper } else { Place::Lower };
            }
        }
        let mut fits = true;
        for (&row, &dual) in self.tight.iter().zip(&prices) {
            let bounds = self.rows[row].bounds;
            let place = match bounds {
                (_, most) if dual < 0.0 && most.is_finite() => Place::Upper,
                (least, _) if least.is_finite() => Place::Lower,
                _ => Place::Upper,
            };
            let wrong = match place {
                Place::Upper => dual > FEASIBILITY,
                Place::Lower | Place::Basic => dual < -FEASIBILITY,
            };
            let free = !bounds.0.is_finite() && !bounds.1.is_finite();
            fits &= !wrong && !free;
            self.logical_places[row] = place;
        }
        fits
    }

    /// Computes the values of the basic variables.
    fn evaluate(&mut self) {
        self.totals.fill(0.0);
        for (number, (column, &place)) in self.columns.iter().zip(&self.places).enumerate() {
            let value = match place {
                Place::Basic => 0.0,
                Place::Lower | Place::Upper => Self::resting(place, column.bounds),
            };
            self.present[number] = value;
            if value != 0.0 {
                for &(row, factor) in &column.entries {
                    self.totals[row] += factor * value;
                }
            }
        }
        self.tighten();
    }

    /// Moves basic columns so that tight rows are at their bounds.
    fn tighten(&mut self) {
        let missing = self.tight.iter().enumerate().map(|(place, &row)| {
            let bound = Self::resting(self.logical_places[row], self.rows[row].bounds);
            (place, bound - self.totals[row])
        });
        let missing: Vec<(usize, f64)> = missing.filter(|missing| missing.1 != 0.0).collect();
        if missing.is_empty() {
            return;
        }
        for (place, change) in self.kernel.times(&missing).into_iter().enumerate() {
            self.change(self.basic[place], change);
        }
    }

    /// Changes the value of a column.
    fn change(&mut self, column: usize, amount: f64) {
        if amount != 0.0 {
            self.present[column] += amount;
            for &(row, factor) in &self.columns[column].entries {
                self.totals[row] += factor * amount;
            }
        }
    }

    /// Computes the inverse anew; `false` if the basis is singular.
    fn reinvert(&mut self) -> bool {
        self.drift = 0;
        let mut matrix = vec![vec![0.0; self.basic.len()]; self.tight.len()];
        for (place, &column) in self.basic.iter().enumerate() {
            for &(row, factor) in &self.columns[column].entries {
                if self.logical_places[row] != Place::Basic {
                    matrix[self.place_of_row[row]][place] = factor;
                }
            }
        }
        self.kernel.invert(matrix)
    }

    /// Reads the values and the bound off; `false` if they do not hold.
    fn read(&mut self) -> bool {
        let within = |value: f64, (least, most): (f64, f64)| least - CHECKED <= value && value <= most + CHECKED;
        let columns = self.columns.iter().zip(&self.present);
        let mut totals = vec![0.0; self.rows.len()];
        let mut fits = true;
        let mut cost = 0.0;
        for (column, &value) in columns {
            fits &= within(value, column.bounds);
            cost += column.cost * value;
            if value != 0.0 {
                for &(row, factor) in &column.entries {
                    totals[row] += factor * value;
                }
            }
        }
        let mut rows = self.rows.iter().zip(totals);
        if !(fits && rows.all(|(row, total)| within(total, row.bounds))) {
            return false;
        }
        self.bound = self.lagrangian(&self.duals);
        self.values = self.present.clone();
        let gap = if self.perturbed { MOST_GAP } else { 0.0 };
        (cost - self.bound).abs() <= CHECKED * (1.0 + cost.abs()) + gap
    }
}
