//! `berth check`: recounts a plan against its problem, sharing no code with the planner.
//!
//! Exit codes: 0 when all holds, 1 with one line for each violation, 2 when a document cannot be read.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use solver::check::check;
use solver::document::{Plan, Problem, fingerprint};

use crate::solve::{read, unreadable};

/// Verify a plan document against its problem
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Problem document (`berth-problem/1`).
    pub(crate) problem: PathBuf,
    /// Plan document (`berth-plan/1`).
    pub(crate) plan: PathBuf,
    /// Print the violations as JSON: `{"violations": [{"place", "reason"}, ...]}`.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let text = match read(&arguments.problem) {
        Ok(text) => text,
        Err(error) => return unreadable(&arguments.problem, &error),
    };
    let problem = match Problem::parse(&text) {
        Ok(problem) => problem,
        Err(error) => return unreadable(&arguments.problem, &error),
    };
    let plan = match read(&arguments.plan) {
        Ok(text) => text,
        Err(error) => return unreadable(&arguments.plan, &error),
    };
    let plan = match Plan::parse(&plan) {
        Ok(plan) => plan,
        Err(error) => return unreadable(&arguments.plan, &error),
    };
    let violations = check(&problem, &fingerprint(&text), &plan);
    let mut out = io::stdout().lock();
    if arguments.json {
        let found = serde_json::json!({ "violations": violations });
        writeln!(out, "{found:#}").context("cannot write the result")?;
    } else {
        for violation in &violations {
            writeln!(out, "{violation}").context("cannot write the result")?;
        }
    }
    Ok(if violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}
