//! A dual simplex method for small programs that grow.
//!
//! The programs of one decision have some ten to some hundred rows, and change little between solves; a
//! call of a general solver spends most of its time preparing and checking. This one keeps the inverse of
//! the basis as a dense matrix and goes on from where it was.
//!
//! Row `i` reads `a_i x - s_i = 0` with the row's bounds on its logical variable `s_i`. Every column has two
//! finite bounds, so any basis is made dual feasible by putting columns to their other bound.
//!
//! Invariant: nothing is answered that was not recomputed from the program itself: an optimum satisfies all
//! bounds and rows, its bound is the Lagrangian one of its dual values, and an infeasibility comes with
//! weights that show it. Where that fails, or takes too long, the answer is that there is none.

mod basis;
mod dual;

use basis::Inverse;

/// How far a value may be beyond a bound.
const FEASIBILITY: f64 = 1e-8;
/// How far the recomputed answer may be beyond a bound or a row.
const CHECKED: f64 = 1e-6;

/// Reduced costs below this are zeros of arithmetic.
const ZERO_COST: f64 = 1e-9;

/// A column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) cost: f64,
    pub(crate) bounds: (f64, f64),
    pub(crate) entries: Vec<(usize, f64)>,
}

/// A row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) bounds: (f64, f64),
    pub(crate) entries: Vec<(usize, f64)>,
}

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
    /// The basic variable of each row, and its value.
    basis: Vec<Variable>,
    basic: Vec<f64>,
    inverse: Inverse,
    /// After an optimum.
    pub(crate) values: Vec<f64>,
    pub(crate) bound: f64,
    /// Weights of the rows, after an infeasibility.
    pub(crate) ray: Vec<f64>,
}

impl Simplex {
    /// Adds a column; both bounds must be finite.
    pub(crate) fn add_column(&mut self, cost: f64, bounds: (f64, f64), entries: &[(usize, f64)]) -> usize {
        let number = self.columns.len();
        for &(row, factor) in entries {
            self.rows[row].entries.push((number, factor));
        }
        self.columns.push(Column {
            cost,
            bounds,
            entries: entries.to_vec(),
        });
        self.places.push(Place::Lower);
        self.reduced.push(0.0);
        number
    }

    /// Adds a row; its logical variable becomes basic.
    pub(crate) fn add_row(&mut self, bounds: (f64, f64), entries: &[(usize, f64)]) -> usize {
        let number = self.rows.len();
        let mut of_basic = vec![0.0; number];
        for &(column, factor) in entries {
            self.columns[column].entries.push((number, factor));
            if self.places[column] == Place::Basic
                && let Some(place) = self.basis.iter().position(|&basic| basic == Variable::Column(column))
            {
                of_basic[place] = factor;
            }
        }
        self.inverse.border(&of_basic);
        self.rows.push(Row {
            bounds,
            entries: entries.to_vec(),
        });
        self.logical_places.push(Place::Basic);
        self.duals.push(0.0);
        self.basis.push(Variable::Logical(number));
        self.basic.push(0.0);
        number
    }

    /// Makes all logical variables basic.
    pub(crate) fn restart(&mut self) {
        self.places.fill(Place::Lower);
        self.logical_places.fill(Place::Basic);
        self.basis = (0..self.rows.len()).map(Variable::Logical).collect();
        self.inverse = Inverse::logical(self.rows.len());
    }

    /// Forgets the last answer, but not the basis.
    pub(crate) fn forget(&mut self) {
        self.values.clear();
        self.ray.clear();
        self.bound = f64::NEG_INFINITY;
    }

    fn bounds(&self, variable: Variable) -> (f64, f64) {
        match variable {
            Variable::Column(column) => self.columns[column].bounds,
            Variable::Logical(row) => self.rows[row].bounds,
        }
    }

    fn resting(place: Place, bounds: (f64, f64)) -> f64 {
        if place == Place::Upper { bounds.1 } else { bounds.0 }
    }

    /// Minimises. `go_on` is asked now and then.
    pub(crate) fn solve(&mut self, mut go_on: impl FnMut() -> bool) -> Found {
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
            match self.improve(&mut go_on) {
                Found::Optimal if self.read() => return Found::Optimal,
                Found::Infeasible if self.contradicts() => return Found::Infeasible,
                Found::Optimal | Found::Infeasible | Found::Nothing => {}
            }
            if !go_on() {
                break;
            }
        }
        Found::Nothing
    }

    /// Computes dual values and reduced costs, and puts every column to the bound its reduced cost asks
    /// for; `false` if a logical variable cannot be put where its sign asks.
    fn price(&mut self) -> bool {
        let mut duals = vec![0.0; self.rows.len()];
        for (place, &variable) in self.basis.iter().enumerate() {
            if let Variable::Column(column) = variable
                && self.columns[column].cost != 0.0
            {
                self.inverse.add_row_to(place, self.columns[column].cost, &mut duals);
            }
        }
        self.reduced.clear();
        for (column, place) in self.columns.iter().zip(&mut self.places) {
            let priced: f64 = column.entries.iter().map(|&(row, factor)| duals[row] * factor).sum();
            let reduced = column.cost - priced;
            if *place != Place::Basic && reduced.abs() > ZERO_COST {
                *place = if reduced < 0.0 { Place::Upper } else { Place::Lower };
            }
            self.reduced.push(reduced);
        }
        let mut fits = true;
        for ((place, &dual), row) in self.logical_places.iter_mut().zip(&duals).zip(&self.rows) {
            if *place != Place::Basic {
                *place = match row.bounds {
                    (_, most) if dual < 0.0 && most.is_finite() => Place::Upper,
                    (least, _) if dual >= 0.0 && least.is_finite() => Place::Lower,
                    (least, _) if least.is_finite() => Place::Lower,
                    _ => Place::Upper,
                };
                let wrong = match *place {
                    Place::Upper => dual > FEASIBILITY,
                    Place::Lower | Place::Basic => dual < -FEASIBILITY,
                };
                let free = !row.bounds.0.is_finite() && !row.bounds.1.is_finite();
                fits &= !wrong && !free;
            }
        }
        self.duals = duals;
        fits
    }

    /// Computes the values of the basic variables.
    fn evaluate(&mut self) {
        let mut totals = vec![0.0; self.rows.len()];
        for (column, &place) in self.columns.iter().zip(&self.places) {
            let value = Self::resting(place, column.bounds);
            if place != Place::Basic && value != 0.0 {
                for &(row, factor) in &column.entries {
                    totals[row] += factor * value;
                }
            }
        }
        for ((total, row), &place) in totals.iter_mut().zip(&self.rows).zip(&self.logical_places) {
            if place != Place::Basic {
                *total -= Self::resting(place, row.bounds);
            }
        }
        self.basic = (0..self.rows.len())
            .map(|place| -self.inverse.row_times(place, &totals))
            .collect();
    }

    /// Reads the values and the bound off; `false` if they do not hold.
    fn read(&mut self) -> bool {
        let mut values: Vec<f64> = self
            .columns
            .iter()
            .zip(&self.places)
            .map(|(column, &place)| Self::resting(place, column.bounds))
            .collect();
        for (&variable, &value) in self.basis.iter().zip(&self.basic) {
            if let Variable::Column(column) = variable {
                values[column] = value;
            }
        }
        let within = |value: f64, (least, most): (f64, f64)| least - CHECKED <= value && value <= most + CHECKED;
        let columns = self.columns.iter().zip(&values);
        let fits = columns.clone().all(|(column, &value)| within(value, column.bounds))
            && self.rows.iter().all(|row| {
                let total = row
                    .entries
                    .iter()
                    .map(|&(column, factor)| values[column] * factor)
                    .sum();
                within(total, row.bounds)
            });
        if !fits {
            return false;
        }
        let cost: f64 = columns.map(|(column, value)| column.cost * value).sum();
        self.bound = self.lagrangian(&self.duals);
        self.values = values;
        (cost - self.bound).abs() <= CHECKED * (1.0 + cost.abs())
    }

    /// The least cost if the rows only had these prices: a lower bound whatever the prices are.
    fn lagrangian(&self, prices: &[f64]) -> f64 {
        let least = |price: f64, (least, most): (f64, f64)| {
            if price.abs() < 1e-12 {
                0.0
            } else if price > 0.0 {
                price * least
            } else {
                price * most
            }
        };
        // A price whose row has no bound on that side is arithmetic noise; without it the bound holds too.
        let price = |row: usize| {
            let (bounds, price) = (self.rows[row].bounds, prices[row]);
            let bounded = if price > 0.0 { bounds.0 } else { bounds.1 };
            if bounded.is_finite() { price } else { 0.0 }
        };
        let rows: f64 = (0..self.rows.len())
            .map(|row| least(price(row), self.rows[row].bounds))
            .sum();
        let columns: f64 = self
            .columns
            .iter()
            .map(|column| {
                let priced: f64 = column.entries.iter().map(|&(row, factor)| price(row) * factor).sum();
                least(column.cost - priced, column.bounds)
            })
            .sum();
        rows + columns
    }

    /// Whether the ray shows that no values exist: with no costs but these prices, all cost too much.
    fn contradicts(&mut self) -> bool {
        for sign in [1.0, -1.0] {
            let prices: Vec<f64> = self.ray.iter().map(|weight| weight * sign).collect();
            let costs: Vec<f64> = self
                .columns
                .iter_mut()
                .map(|column| std::mem::take(&mut column.cost))
                .collect();
            let bound = self.lagrangian(&prices);
            for (column, cost) in self.columns.iter_mut().zip(costs) {
                column.cost = cost;
            }
            if bound > CHECKED {
                return true;
            }
        }
        false
    }
}
