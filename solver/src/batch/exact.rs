//! Small batches to the end: is anything better than the best packing found?
//!
//! "Nothing is better" is said after an integer program in which every capacity is a row and the value is at least one
//! unit greater was found infeasible; options that the prices exclude from such a choice are left out. It is a
//! solver's word, which says where to look for a proof (`proof`), and nothing more.
//!
//! Invariant: the packing never gets worse, and what the solver answers is recounted before it is taken.

use super::formulation::{Formulation, Goal, Part, float};
use super::model::Model;
use super::packing::{Packing, Taken};
use super::prices::Bound;
use crate::deadline::Deadline;
use crate::program::{ModelSolver, Outcome, Status};

/// How far from a whole number a value may lie and still be that number.
const INTEGRALITY: f64 = 1e-5;
/// Most columns an integer program may have to be tried.
const MOST_COLUMNS: usize = 4_000;
/// Most columns a linear program may have to be tried.
const MOST_LINEAR: usize = 40_000;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finished {
    /// The packing has the greatest value, says the solver.
    Optimal,
    /// Too large, or the deadline ended.
    Open,
}

/// Makes the packing better until nothing is.
pub(crate) fn finish(
    model: &Model,
    bound: &Bound,
    best: &mut Packing<'_>,
    solver: &dyn ModelSolver,
    deadline: &Deadline,
) -> Finished {
    loop {
        let (value, _) = best.worth();
        if bound.value() <= value {
            return Finished::Optimal;
        }
        if deadline.is_over() {
            return Finished::Open;
        }
        let more = value + 1;
        let program = whole(model, bound, more, Goal::Value);
        if program.program.columns.len() > MOST_COLUMNS {
            return Finished::Open;
        }
        match solver.solve(&program.program, deadline) {
            Outcome::Infeasible => return Finished::Optimal,
            Outcome::TimeLimit | Outcome::WorkLimit | Outcome::Unreliable => return Finished::Open,
            Outcome::Optimal(values) => {
                let Some(taken) = program.read(model, &values) else {
                    return Finished::Open;
                };
                if !replace(best, model, taken) {
                    return Finished::Open;
                }
            }
        }
    }
}

/// The fewest moves with the value the packing has; `true` if that was proved.
pub(crate) fn settle(
    model: &Model,
    bound: &Bound,
    best: &mut Packing<'_>,
    solver: &dyn ModelSolver,
    deadline: &Deadline,
) -> bool {
    let (value, std::cmp::Reverse(moves)) = best.worth();
    if moves == 0 {
        return true;
    }
    if deadline.is_over() {
        return false;
    }
    let program = whole(model, bound, value, Goal::Moves);
    if program.program.columns.len() > MOST_COLUMNS {
        return program.program.columns.len() <= MOST_LINEAR && relax(model, &program, best, solver, deadline);
    }
    let Outcome::Optimal(values) = solver.solve(&program.program, deadline) else {
        return false;
    };
    program
        .read(model, &values)
        .is_some_and(|taken| replace(best, model, taken))
}

/// As [`settle`], with the linear relaxation alone: its optimum is a bound, and mostly whole.
fn relax(
    model: &Model,
    program: &Formulation,
    best: &mut Packing<'_>,
    solver: &dyn ModelSolver,
    deadline: &Deadline,
) -> bool {
    let Some(mut engine) = solver.engine() else {
        return false;
    };
    program.load(&mut *engine, 1.0);
    if engine.solve(deadline) != Status::Optimal {
        return false;
    }
    let least = engine.bound();
    if let Some(taken) = whole_values(engine.values()).and_then(|values| program.read(model, &values)) {
        replace(best, model, taken);
    }
    float(best.worth().1.0) - 1.0 + INTEGRALITY < least
}

/// All groups and all capacities; a choice worth less than `worth` need not be part of it.
fn whole(model: &Model, bound: &Bound, worth: i64, goal: Goal) -> Formulation {
    let all: Vec<usize> = (0..model.groups.len()).collect();
    let part = Part {
        groups: &all,
        allowed: &|group, option| bound.allows(group, option, worth),
        dispensable: &|group| bound.allows_nothing(group, worth),
    };
    let mut program = Formulation::new(model, &part, goal);
    program.demand_worth(model, worth);
    program.limit_all(model, |class, instant| i64::from(model.timeline.room[class][instant]));
    program
}

/// Puts what a program found in the place of the packing if it is no worse; `false` otherwise.
fn replace(best: &mut Packing<'_>, model: &Model, taken: Vec<(usize, Taken)>) -> bool {
    let mut packing = best.clone();
    for group in 0..model.groups.len() {
        packing.remove(group);
    }
    for (group, taken) in taken {
        packing.restore(group, taken);
    }
    let better = packing.is_complete() && packing.is_sound() && packing.worth() >= best.worth();
    if better {
        *best = packing;
    }
    better
}

/// An engine's values as whole numbers; `None` if one is not nearly whole.
pub(crate) fn whole_values(values: &[f64]) -> Option<Vec<u32>> {
    let whole = |&value: &f64| {
        let rounded = value.round();
        let fits = (value - rounded).abs() <= INTEGRALITY && (0.0..=f64::from(u32::MAX)).contains(&rounded);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked"
        )]
        fits.then_some(rounded as u32)
    };
    if values.is_empty() {
        return None;
    }
    values.iter().map(whole).collect()
}
