//! The solver's linear and integer programs on HiGHS: growing ones on [`Engine`], which keeps its basis, whole ones
//! through `good_lp`.
//!
//! Invariant: values are handed out only after they held in integers. HiGHS works in floating point, so they are
//! rounded and every row is recounted; rows with great coefficients are solved digit by digit (`digits`). That no
//! values exist is what HiGHS says, with and without presolve, and no proof.

mod digits;
mod engine;
mod runs;

use std::time::Instant;

use good_lp::solvers::highs::{HighsParallelType, HighsPresolveType, highs};
use good_lp::{Expression, ResolutionError, Solution, SolutionStatus, SolverModel, Variable, variable, variables};
use solver::program::{LinearEngine, ModelSolver, Outcome, Program, Row, Solved};

pub use crate::engine::Engine;
pub use crate::runs::{Runs, runs};

/// How far from a whole number a value may lie and still be that number.
const INTEGRALITY: f64 = 1e-6;

/// HiGHS with one thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Highs;

enum Answer {
    Values(Vec<f64>),
    Infeasible,
    Limit,
    Unreliable,
}

#[derive(Clone, Copy)]
struct Run {
    integer: bool,
    presolve: HighsPresolveType,
    seconds: Option<f64>,
}

impl ModelSolver for Highs {
    fn solve(&self, program: &Program, seconds: Option<f64>) -> Solved {
        let started = Instant::now();
        let left = || seconds.map(|seconds| (seconds - started.elapsed().as_secs_f64()).max(0.0));
        let outcome = solve(program, left);
        Solved {
            outcome,
            seconds: started.elapsed().as_secs_f64(),
        }
    }

    fn engine(&self) -> Option<Box<dyn LinearEngine>> {
        Some(Box::new(Engine::new()))
    }
}

/// The linear relaxation first: it is integral nearly always, and a hundred times cheaper.
fn solve(program: &Program, left: impl Fn() -> Option<f64>) -> Outcome {
    let impossible = |row: &Row| {
        row.entries.is_empty() && (row.least.is_some_and(|least| least > 0) || row.most.is_some_and(|most| most < 0))
    };
    if program.rows.iter().any(impossible) {
        return Outcome::Infeasible;
    }
    if program.columns.is_empty() {
        return Outcome::Optimal(Vec::new());
    }
    let split = digits::in_range(program);
    let run = |integer: bool, presolve: HighsPresolveType| match left() {
        Some(seconds) if seconds <= 0.0 => Answer::Limit,
        seconds => {
            let answer = run(
                &split,
                Run {
                    integer,
                    presolve,
                    seconds,
                },
            );
            // Without an answer it says the same whether the time ran out or it failed.
            let in_time = left().is_none_or(|left| left > 0.0);
            if in_time || !matches!(answer, Answer::Unreliable) {
                answer
            } else {
                Answer::Limit
            }
        }
    };
    match run(false, HighsPresolveType::Off) {
        Answer::Values(values) => {
            if let Some(whole) = whole(program, &values) {
                return Outcome::Optimal(whole);
            }
        }
        Answer::Infeasible => return confirmed(&run(false, HighsPresolveType::On)),
        Answer::Limit => return Outcome::Limit,
        // The integer program has its own way through.
        Answer::Unreliable => {}
    }
    match run(true, HighsPresolveType::On) {
        Answer::Values(values) => whole(program, &values).map_or(Outcome::Unreliable, Outcome::Optimal),
        Answer::Limit => Outcome::Limit,
        Answer::Unreliable => Outcome::Unreliable,
        Answer::Infeasible => confirmed(&run(true, HighsPresolveType::Off)),
    }
}

/// What the second answer makes of an infeasibility.
const fn confirmed(second: &Answer) -> Outcome {
    match second {
        Answer::Infeasible => Outcome::Infeasible,
        Answer::Limit => Outcome::Limit,
        Answer::Values(_) | Answer::Unreliable => Outcome::Unreliable,
    }
}

/// The values as whole numbers, if they are and satisfy every row exactly.
fn whole(program: &Program, values: &[f64]) -> Option<Vec<u32>> {
    let whole: Vec<u32> = values
        .get(..program.columns.len())?
        .iter()
        .map(|&value| {
            let rounded = value.round();
            let exact = (value - rounded).abs() <= INTEGRALITY && (0.0..=f64::from(u32::MAX)).contains(&rounded);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the range was checked"
            )]
            exact.then_some(rounded as u32)
        })
        .collect::<Option<_>>()?;
    program.admits(&whole).then_some(whole)
}

#[expect(clippy::cast_precision_loss, reason = "coefficients are small: see `digits`")]
fn float(value: i64) -> f64 {
    value as f64
}

fn run(program: &Program, run: Run) -> Answer {
    let mut names = variables!();
    let columns: Vec<Variable> = program
        .columns
        .iter()
        .map(|column| {
            let bounded = variable().min(0.0).max(f64::from(column.most));
            names.add(if run.integer { bounded.integer() } else { bounded })
        })
        .collect();
    let cost: Expression = program
        .columns
        .iter()
        .zip(&columns)
        .filter(|(column, _)| column.cost != 0)
        .map(|(column, &name)| float(column.cost) * name)
        .sum();
    let mut model = highs(names.minimise(cost))
        .set_threads(1)
        .set_parallel(HighsParallelType::Off)
        .set_presolve(run.presolve)
        .set_option("mip_rel_gap", 0.0)
        .set_option("mip_abs_gap", 0.0)
        .set_option("mip_detect_symmetry", false);
    if let Some(seconds) = run.seconds {
        model = model.set_time_limit(seconds);
    }
    for Row { least, most, entries } in &program.rows {
        let sum: Expression = entries
            .iter()
            .map(|&(column, factor)| float(factor) * columns[column])
            .sum();
        match (least, most) {
            (Some(least), Some(most)) if least == most => drop(model.add_constraint(sum.eq(float(*least)))),
            (least, most) => {
                if let Some(least) = least {
                    model.add_constraint(sum.clone().geq(float(*least)));
                }
                if let Some(most) = most {
                    model.add_constraint(sum.leq(float(*most)));
                }
            }
        }
    }
    runs::count(run.integer);
    match model.solve() {
        Ok(solution) => match solution.status() {
            SolutionStatus::TimeLimit => Answer::Limit,
            // HiGHS reports a gap above zero for optima that differ in the last bits; costs are whole.
            SolutionStatus::Optimal | SolutionStatus::GapLimit => {
                Answer::Values(columns.iter().map(|&name| solution.value(name)).collect())
            }
        },
        Err(ResolutionError::Infeasible) => Answer::Infeasible,
        Err(_) => Answer::Unreliable,
    }
}
