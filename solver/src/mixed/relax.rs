//! A program without its integrality, to find out cheaply which rows matter.
//!
//! Invariant: values are floating point and only ever used to choose rows. An infeasibility is believed
//! when its proof was recounted in integers, or it was found twice, by different means; the whole program
//! is infeasible then, too.

use crate::program::{LinearEngine, ModelSolver, Program, Status};

/// What a value may be off by.
pub(super) const TOLERANCE: f64 = 1e-6;

/// What the relaxation showed.
pub(super) enum Relaxed {
    /// Best values of the columns.
    Values(Vec<f64>),
    /// No values satisfy all rows, says the engine.
    Infeasible(Doubt),
    /// Neither, or this solver solves only whole programs.
    Open,
}

/// An infeasibility that was found once.
pub(super) struct Doubt {
    /// Weights of the rows whose combination shows it; empty if the engine has none.
    pub(super) ray: Vec<f64>,
    engine: Box<dyn LinearEngine>,
}

impl Doubt {
    /// Whether it is found by other means, too; also the seconds that took.
    pub(super) fn confirm(mut self, seconds: Option<f64>) -> (bool, f64) {
        let before = self.engine.elapsed();
        let confirmed = self.engine.confirm(seconds) == Status::Infeasible;
        (confirmed, self.engine.elapsed() - before)
    }
}

/// Solves the linear relaxation of a program; also the seconds that took.
pub(super) fn solve(program: &Program, seconds: Option<f64>, solver: &dyn ModelSolver) -> (Relaxed, f64) {
    let Some(mut engine) = solver.engine() else {
        return (Relaxed::Open, 0.0);
    };
    for column in &program.columns {
        engine.add_column(float(column.cost), (0.0, f64::from(column.most)), &[]);
    }
    for row in &program.rows {
        let bounds = (
            row.least.map_or(f64::NEG_INFINITY, float),
            row.most.map_or(f64::INFINITY, float),
        );
        let entries: Vec<(usize, f64)> = row
            .entries
            .iter()
            .map(|&(column, factor)| (column, float(factor)))
            .collect();
        engine.add_row(bounds, &entries);
    }
    let status = engine.solve(seconds);
    let spent = engine.elapsed();
    let relaxed = match status {
        Status::Optimal if engine.values().len() == program.columns.len() => Relaxed::Values(engine.values().to_vec()),
        Status::Infeasible => Relaxed::Infeasible(Doubt {
            ray: engine.ray().unwrap_or_default(),
            engine,
        }),
        Status::Optimal | Status::Limit => Relaxed::Open,
    };
    (relaxed, spent)
}

/// A coefficient or room as the engine takes it: counts and amounts far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "amounts are far below 2^53")]
pub(super) fn float(value: i64) -> f64 {
    value as f64
}

/// A value that is whole, as such.
pub(super) fn whole(value: f64) -> Option<u32> {
    let rounded = value.round();
    let is_whole = (value - rounded).abs() <= TOLERANCE && (0.0..=f64::from(u32::MAX)).contains(&rounded);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    is_whole.then_some(rounded as u32)
}
