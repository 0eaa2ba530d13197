//! A program without its integrality, to find out cheaply which rows matter.
//!
//! Invariant: values are floating point and only ever used to choose rows, and weights of rows only to look for a proof
//! that is recounted in integers.

use crate::deadline::Deadline;
use crate::program::{ModelSolver, Program, Row, Status};

/// What a value may be off by.
pub(super) const TOLERANCE: f64 = 1e-6;
/// Rows with greater coefficients are divided by their greatest one.
const LARGE: f64 = 1e6;

/// What the relaxation showed.
pub(super) enum Relaxed {
    /// Best values of the columns.
    Values(Vec<f64>),
    /// No values satisfy all rows, says the engine, with the weights of the rows whose combination shows it; empty if
    /// it has none.
    Infeasible(Vec<f64>),
    /// Neither, or this solver solves only whole programs.
    Open,
}

/// Solves the linear relaxation of a program.
pub(super) fn solve(program: &Program, deadline: &Deadline, solver: &dyn ModelSolver) -> Relaxed {
    let Some(mut engine) = solver.engine() else {
        return Relaxed::Open;
    };
    for column in &program.columns {
        engine.add_column(float(column.cost), (0.0, f64::from(column.most)), &[]);
    }
    for row in &program.rows {
        let unit = unit(row);
        let bounds = (
            row.least.map_or(f64::NEG_INFINITY, |least| float(least) / unit),
            row.most.map_or(f64::INFINITY, |most| float(most) / unit),
        );
        let entries: Vec<(usize, f64)> = row
            .entries
            .iter()
            .map(|&(column, factor)| (column, float(factor) / unit))
            .collect();
        engine.add_row(bounds, &entries);
    }
    match engine.solve(deadline) {
        Status::Optimal if engine.values().len() == program.columns.len() => Relaxed::Values(engine.values().to_vec()),
        Status::Infeasible => {
            let ray = engine.ray().unwrap_or_default();
            let weights = ray.iter().zip(&program.rows).map(|(weight, row)| weight / unit(row));
            Relaxed::Infeasible(weights.collect())
        }
        Status::Optimal | Status::TimeLimit | Status::WorkLimit | Status::Unreliable => Relaxed::Open,
    }
}

/// What a row is divided by, so that amounts near 10^12 stay in the range of the engine's tolerances.
fn unit(row: &Row) -> f64 {
    let factors = row.entries.iter().map(|&(_, factor)| float(factor).abs());
    let greatest = factors.fold(0.0, f64::max);
    if greatest > LARGE { greatest } else { 1.0 }
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
