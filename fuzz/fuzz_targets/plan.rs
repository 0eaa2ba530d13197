//! A problem on the first line and a plan after it: the checker ends with a report on whatever the plan says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solver_check::report;
use solver_format::{Plan, Problem, fingerprint};

fuzz_target!(|text: &str| {
    let Some((problem, plan)) = text.split_once('\n') else {
        return;
    };
    let name = fingerprint(problem);
    let (Ok(problem), Ok(plan)) = (Problem::parse(problem), Plan::parse(plan)) else {
        return;
    };
    report(&problem, &name, &plan);
});
