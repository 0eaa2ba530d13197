//! Integer programs, free of any solver's types.
//!
//! Every column is a whole number between zero and its upper bound, every coefficient is whole, so a
//! solver's answer can be checked without rounding: see [`Program::admits`].

use crate::deadline::Deadline;
use crate::decision::Unfinished;

/// A variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// What one unit costs; the sum is minimised.
    pub cost: i64,
    /// Greatest value; the least is 0.
    pub most: u32,
}

/// A linear condition `least <= sum of coefficient x value <= most`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Lower bound, if any.
    pub least: Option<i64>,
    /// Upper bound, if any.
    pub most: Option<i64>,
    /// Columns, each at most once, with their coefficients.
    pub entries: Vec<(usize, i64)>,
}

/// An integer program: minimise the cost of the columns within the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// The variables.
    pub columns: Vec<Column>,
    /// The conditions.
    pub rows: Vec<Row>,
}

impl Program {
    /// Adds a column and returns its number.
    pub fn column(&mut self, cost: i64, most: u32) -> usize {
        self.columns.push(Column { cost, most });
        self.columns.len() - 1
    }

    /// Adds a row.
    pub fn row(&mut self, least: Option<i64>, most: Option<i64>, entries: Vec<(usize, i64)>) {
        self.rows.push(Row { least, most, entries });
    }

    /// Whether these values satisfy every bound and every row.
    pub fn admits(&self, values: &[u32]) -> bool {
        let total = |row: &Row| -> i128 {
            let used = row.entries.iter();
            used.map(|&(column, factor)| i128::from(factor) * i128::from(values[column]))
                .sum()
        };
        values.len() == self.columns.len()
            && self
                .columns
                .iter()
                .zip(values)
                .all(|(column, &value)| value <= column.most)
            && self.rows.iter().all(|row| {
                let total = total(row);
                row.least.is_none_or(|least| i128::from(least) <= total)
                    && row.most.is_none_or(|most| total <= i128::from(most))
            })
    }

    /// What these values cost; the greatest or least number where that is beyond it.
    pub fn cost(&self, values: &[u32]) -> i64 {
        let costs = self.columns.iter().zip(values);
        let cost: i128 = costs
            .map(|(column, &value)| i128::from(column.cost) * i128::from(value))
            .sum();
        i64::try_from(cost).unwrap_or(if cost < 0 { i64::MIN } else { i64::MAX })
    }
}

/// What a solver found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Values of least cost. The planner checks them against the rows before it uses them.
    Optimal(Vec<u32>),
    /// The solver says that no values satisfy all rows. It works in floating point, so this is no proof.
    Infeasible,
    /// Neither was shown: the time ran out.
    TimeLimit,
    /// Neither was shown: the work ran out.
    WorkLimit,
    /// Neither was shown: the solver failed, contradicted itself, or its answer did not hold in integers.
    Unreliable,
}

/// Solves the integer programs the planner cannot decide by counting.
pub trait ModelSolver: Send + Sync {
    /// Minimises the program, and counts the work that takes.
    fn solve(&self, program: &Program, deadline: &Deadline) -> Outcome;

    /// An empty program that may grow; `None` if this solver solves only whole programs, so that what needs
    /// one stays undecided.
    fn engine(&self) -> Option<Box<dyn LinearEngine>> {
        None
    }

    /// Hears how far a decision is, for those who measure. The planner does not depend on what is done here.
    fn observe(&self, _step: Step) {}
}

/// A step of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Promises are about to be re-chosen.
    Begun,
    /// Exchanges did not suffice, a program is made.
    Programming,
    /// The program was solved.
    Solved {
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// The point of the linear program is fractional.
    Diving,
    /// The dive did not meet the bound.
    Branching,
    /// Promises are re-chosen, or it is known that they cannot be.
    Ended,
}

/// What a [`LinearEngine`] found for its present rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// An optimum; see [`LinearEngine::values`].
    Optimal,
    /// No values satisfy all rows; see [`LinearEngine::ray`].
    Infeasible,
    /// The time ran out.
    TimeLimit,
    /// The work ran out.
    WorkLimit,
    /// The engine failed: an error, or an answer of which it is not sure itself.
    Unreliable,
}

impl Status {
    /// What an engine says that stopped at a deadline, or failed.
    pub const fn unfinished(why: Unfinished) -> Self {
        match why {
            Unfinished::Time => Self::TimeLimit,
            Unfinished::Work => Self::WorkLimit,
            Unfinished::Arithmetic => Self::Unreliable,
        }
    }
}

/// A linear or mixed-integer program that stays in memory and grows between solves, each of which starts
/// from the basis the one before left.
///
/// Values are floating point: whatever is concluded from them must be recounted in integers. Changes may
/// be held back until the next solve, so that many of them cost one call. An engine that fails answers
/// [`Status::Unreliable`] from then on.
pub trait LinearEngine {
    /// Adds a column with a coefficient in rows that exist, each at most once; returns its number.
    fn add_column(&mut self, cost: f64, bounds: (f64, f64), entries: &[(usize, f64)]) -> usize;
    /// Adds a row over columns that exist, each at most once; returns its number.
    fn add_row(&mut self, bounds: (f64, f64), entries: &[(usize, f64)]) -> usize;
    /// Changes a column's cost.
    fn set_cost(&mut self, column: usize, cost: f64);
    /// Changes a column's bounds.
    fn set_bounds(&mut self, column: usize, bounds: (f64, f64));
    /// Changes a row's bounds.
    fn set_row_bounds(&mut self, row: usize, bounds: (f64, f64));
    /// Makes all columns integer, or all continuous; those added later follow.
    fn set_integer(&mut self, integer: bool);
    /// Proposes values of all columns to start the next mixed-integer solve from. Forgets the basis.
    fn propose(&mut self, values: &[f64]);
    /// Minimises, and counts the work that takes.
    fn solve(&mut self, deadline: &Deadline) -> Status;
    /// The columns' values after an optimum, or the best found before a limit; empty if there are none.
    fn values(&self) -> &[f64];
    /// The rows' dual values after the optimum of a linear program; empty otherwise. Positive where more of
    /// the row costs more.
    fn duals(&self) -> &[f64];
    /// A proved lower bound on the cost: the optimum of a linear program, or what a mixed-integer solve
    /// proved before it ended; minus infinity if nothing was proved.
    fn bound(&self) -> f64;
    /// Weights of the rows whose combination shows that no values exist, after an infeasible linear
    /// program; `None` if the engine has none. The sign of the whole is the engine's own.
    fn ray(&mut self) -> Option<Vec<f64>>;
}
