//! Problem documents: what can be read can be planned, and the checker agrees with the plan.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solver::admit::{self, Settings};
use solver::check::check;
use solver::document::{Problem, fingerprint};
use solver::planner::Budget;
use solver::program::{ModelSolver, Outcome, Program, Solved};

/// Leaves every program open, so that no foreign code is fuzzed.
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
    let settings = Settings {
        budget: Budget { seconds: None },
        offers: true,
    };
    match admit::run(&problem, &fingerprint(text), settings, &CountingOnly, || 0) {
        Ok(plan) => assert_eq!(check(&problem, &fingerprint(text), &plan), []),
        Err(error) => panic!("a valid problem contradicts itself: {error}"),
    }
});
