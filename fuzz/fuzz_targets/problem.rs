//! Problem documents: what can be read can be planned in every mode, and the checker agrees with the plan.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solver::admit::{self, Settings};
use solver::batch;
use solver::deadline::Deadline;
use solver::program::{ModelSolver, Outcome, Program};
use solver::{heal, replay};
use solver_check::check;
use solver_format::{Problem, fingerprint};

/// Leaves every program open, so that no foreign code is fuzzed. `solver/highs/tests/corpus.rs` runs the
/// same documents with the real one.
struct CountingOnly;

impl ModelSolver for CountingOnly {
    fn solve(&self, _: &Program, _: &Deadline) -> Outcome {
        Outcome::WorkLimit
    }
}

fuzz_target!(|text: &str| {
    let Ok(problem) = Problem::parse(text) else { return };
    // A batch searches for longer than a fuzzer should wait.
    let deadline = &Deadline::none().limited(None, Some(50_000));
    let settings = Settings {
        deadline: deadline.clone(),
        offers: true,
    };
    let name = fingerprint(text);
    let plans = [
        admit::run(&problem, &name, settings, &CountingOnly),
        replay::run(&problem, &name, settings, &CountingOnly, |_| {}),
        heal::run(&problem, &name, deadline, &CountingOnly),
        batch::run(&problem, &name, &deadline.restarted(), &CountingOnly),
    ];
    for plan in plans {
        match plan {
            Ok(plan) => assert_eq!(check(&problem, &name, &plan), [], "{}", plan.mode),
            Err(error) => panic!("a valid problem contradicts itself: {error}"),
        }
    }
});
