//! Problem documents: what can be read can be planned in every mode, and the checker agrees with the plan.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solver::admit::{self, Settings};
use solver::batch::{self, Limits};
use solver::planner::Budget;
use solver::program::{ModelSolver, Outcome, Program, Solved};
use solver::{heal, replay};
use solver_check::check;
use solver_format::{Problem, fingerprint};

/// Leaves every program open, so that no foreign code is fuzzed. `solver/highs/tests/corpus.rs` runs the
/// same documents with the real one.
struct CountingOnly;

impl ModelSolver for CountingOnly {
    fn solve(&self, _: &Program, _: Option<f64>) -> Solved {
        Solved {
            outcome: Outcome::Limit,
            seconds: 0.0,
        }
    }
}

fuzz_target!(|text: &str| {
    let Ok(problem) = Problem::parse(text) else { return };
    let budget = Budget { seconds: None };
    let settings = Settings { budget, offers: true };
    let name = fingerprint(text);
    let limits = Limits {
        rounds: 1,
        ..Limits::default()
    };
    let plans = [
        admit::run(&problem, &name, settings, &CountingOnly, || 0),
        replay::run(&problem, &name, settings, &CountingOnly, || 0, |_| {}),
        heal::run(&problem, &name, budget, &CountingOnly, || 0),
        batch::run(&problem, &name, limits, &CountingOnly, || 0),
    ];
    for plan in plans {
        match plan {
            Ok(plan) => assert_eq!(check(&problem, &name, &plan), [], "{}", plan.mode),
            Err(error) => panic!("a valid problem contradicts itself: {error}"),
        }
    }
});
