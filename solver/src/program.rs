//! Integer programs, free of any solver's types.
//!
//! Every column is a whole number between zero and its upper bound, every coefficient is whole, so a
//! solver's answer can be checked without rounding: see [`Program::admits`].

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
        let total = |row: &Row| {
            row.entries
                .iter()
                .map(|&(column, factor)| factor * i64::from(values[column]))
                .sum()
        };
        values.len() == self.columns.len()
            && self
                .columns
                .iter()
                .zip(values)
                .all(|(column, &value)| value <= column.most)
            && self.rows.iter().all(|row| {
                let total: i64 = total(row);
                row.least.is_none_or(|least| least <= total) && row.most.is_none_or(|most| total <= most)
            })
    }

    /// What these values cost.
    pub fn cost(&self, values: &[u32]) -> i64 {
        self.columns
            .iter()
            .zip(values)
            .map(|(column, &value)| column.cost * i64::from(value))
            .sum()
    }
}

/// What a solver found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Values of least cost. The planner checks them against the rows before it uses them.
    Optimal(Vec<u32>),
    /// No values satisfy all rows.
    Infeasible,
    /// Neither was shown: the budget ran out, or the solver's answer did not hold in integers.
    Limit,
}

/// An outcome and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Solved {
    /// The outcome.
    pub outcome: Outcome,
    /// Wall seconds spent.
    pub seconds: f64,
}

/// Solves the integer programs the planner cannot decide by counting.
pub trait ModelSolver: Send + Sync {
    /// Minimises the program within `seconds` (`None`: without limit).
    fn solve(&self, program: &Program, seconds: Option<f64>) -> Solved;
}
