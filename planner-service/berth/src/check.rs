//! `berth check`: recounts a plan against its problem, sharing no code with the planner.
//!
//! Exit codes: 0 when all holds, 1 with one line for each violation, 2 when a document cannot be read, 3 when nothing is
//! wrong but something was too large a question to be recounted; each such claim is a line that begins with `believed`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use solver_check::{Report, report};
use solver_format::{Plan, Problem, fingerprint};

use crate::output::print;
use crate::solve::{UNREADABLE, document};

/// Exit code for a plan in which nothing is wrong, but not everything was recounted.
const BELIEVED: u8 = 3;

/// Verify a plan document against its problem
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Problem document (`berth-problem/1`).
    pub(crate) problem: PathBuf,
    /// Plan document (`berth-plan/1`).
    pub(crate) plan: PathBuf,
    /// Print the result as JSON: `{"violations": [{"place", "reason"}, ...], "believed": [{"place", "reason"}, ...]}`.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let Some((text, problem)) = document(&arguments.problem, Problem::parse) else {
        return Ok(ExitCode::from(UNREADABLE));
    };
    let Some((_, plan)) = document(&arguments.plan, Plan::parse) else {
        return Ok(ExitCode::from(UNREADABLE));
    };
    let found = report(&problem, &fingerprint(&text), &plan);
    let result = if arguments.json {
        serde_json::to_string_pretty(&found).context("the result cannot be written as JSON")? + "\n"
    } else {
        let violations = found.violations.iter().map(|violation| format!("{violation}\n"));
        let believed = found.believed.iter().map(|claim| format!("believed: {claim}\n"));
        violations.chain(believed).collect()
    };
    print(result.as_bytes()).context("cannot write the result")?;
    let Report { violations, believed } = found;
    Ok(match (violations.is_empty(), believed.is_empty()) {
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::from(BELIEVED),
        (false, _) => ExitCode::from(1),
    })
}
