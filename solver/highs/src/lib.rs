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

use ::highs::{HighsModelStatus, HighsSolutionStatus, Model, TrySetOptionError};
use good_lp::solvers::highs::highs;
use good_lp::{Expression, SolverModel, Variable, variable, variables};
use solver::deadline::Deadline;
use solver::decision::Unfinished;
use solver::program::{LinearEngine, ModelSolver, Outcome, Program, Row};

use crate::engine::{ITERATIONS, Limits, NODES, TIME};

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
    /// Neither was shown.
    Open(Outcome),
}

/// How HiGHS is run.
#[derive(Clone, Copy)]
struct Run {
    integer: bool,
    presolve: bool,
}

/// A deadline without a limit, by the clock of this machine.
pub fn wall_clock() -> Deadline {
    let begun = Instant::now();
    Deadline::by(move || begun.elapsed())
}

impl ModelSolver for Highs {
    fn solve(&self, program: &Program, deadline: &Deadline) -> Outcome {
        solve(program, deadline)
    }

    fn engine(&self) -> Option<Box<dyn LinearEngine>> {
        Some(Box::new(Engine::new()))
    }
}

/// The linear relaxation first: it is integral nearly always, and a hundred times cheaper.
fn solve(program: &Program, deadline: &Deadline) -> Outcome {
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
    let run = |integer: bool, presolve: bool| match deadline.over() {
        Some(Unfinished::Time) => Answer::Open(Outcome::TimeLimit),
        Some(Unfinished::Work | Unfinished::Arithmetic) => Answer::Open(Outcome::WorkLimit),
        None => run(&split, Run { integer, presolve }, deadline),
    };
    match run(false, false) {
        Answer::Values(values) => {
            if let Some(whole) = whole(program, &values) {
                return Outcome::Optimal(whole);
            }
        }
        Answer::Infeasible => return confirmed(run(false, true)),
        // The integer program has its own way through.
        Answer::Open(Outcome::Unreliable) => {}
        Answer::Open(limit) => return limit,
    }
    let values = |values: Vec<f64>| whole(program, &values).map_or(Outcome::Unreliable, Outcome::Optimal);
    let outcome = match run(true, true) {
        Answer::Values(found) => values(found),
        Answer::Open(why) => why,
        Answer::Infeasible => return confirmed(run(true, false)),
    };
    if outcome != Outcome::Unreliable {
        return outcome;
    }
    // Without presolve arithmetic takes another way.
    match run(true, false) {
        Answer::Values(found) => values(found),
        Answer::Infeasible => Outcome::Unreliable,
        Answer::Open(why) => why,
    }
}

/// What the second answer makes of an infeasibility.
fn confirmed(second: Answer) -> Outcome {
    match second {
        Answer::Infeasible => Outcome::Infeasible,
        Answer::Open(why) => why,
        Answer::Values(_) => Outcome::Unreliable,
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

fn run(program: &Program, run: Run, deadline: &Deadline) -> Answer {
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
    let mut model = highs(names.minimise(cost));
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
    let Ok(mut model) = model.try_into_inner() else {
        return Answer::Open(Outcome::Unreliable);
    };
    if set_options(&mut model, run, deadline).is_err() {
        return Answer::Open(Outcome::Unreliable);
    }
    runs::count(run.integer);
    let Ok(solved) = model.try_solve() else {
        return Answer::Open(Outcome::Unreliable);
    };
    let is_limit = matches!(
        solved.status(),
        HighsModelStatus::ReachedIterationLimit | HighsModelStatus::ReachedSolutionLimit
    );
    Limits::spend(deadline, solved.simplex_iteration_count(), is_limit);
    let is_feasible = solved.primal_solution_status() == HighsSolutionStatus::Feasible;
    #[expect(clippy::wildcard_enum_match_arm, reason = "HiGHS has many ways to fail")]
    match solved.status() {
        HighsModelStatus::Optimal if is_feasible => Answer::Values(solved.get_solution().columns().to_vec()),
        HighsModelStatus::Infeasible | HighsModelStatus::UnboundedOrInfeasible => Answer::Infeasible,
        HighsModelStatus::ReachedTimeLimit => {
            deadline.run_out();
            Answer::Open(Outcome::TimeLimit)
        }
        _ if is_limit => Answer::Open(Outcome::WorkLimit),
        _ => Answer::Open(Outcome::Unreliable),
    }
}

fn set_options(model: &mut Model, run: Run, deadline: &Deadline) -> Result<(), TrySetOptionError> {
    let limits = Limits::of(deadline, run.integer);
    model.try_set_option("threads", 1)?;
    model.try_set_option("parallel", "off")?;
    model.try_set_option("presolve", if run.presolve { "on" } else { "off" })?;
    model.try_set_option("mip_rel_gap", 0.0)?;
    model.try_set_option("mip_abs_gap", 0.0)?;
    model.try_set_option("mip_detect_symmetry", false)?;
    model.try_set_option(TIME.to_bytes(), limits.seconds)?;
    model.try_set_option(ITERATIONS.to_bytes(), limits.iterations)?;
    model.try_set_option(NODES.to_bytes(), limits.nodes)
}
