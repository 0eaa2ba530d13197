//! `berth solve`: a problem document in, a plan document out, without any service.
//!
//! Exit codes: 0 with a plan, 2 when the problem cannot be read. A refused request is an answer, not a
//! failure.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use solver::admit::{self, Settings};
use solver::batch;
use solver::deadline::Deadline;
use solver::heal;
use solver::replay;
use solver_format::{DocumentError, MAX_BYTES, Plan, Problem, fingerprint};
use solver_highs::{Highs, wall_clock};

use crate::output::{self, remark};

/// Exit code for a document that cannot be read.
pub(crate) const UNREADABLE: u8 = 2;

/// Plan a problem document
#[derive(Debug, Args)]
pub(crate) struct SolveArguments {
    /// Problem document (`berth-problem/1`), or `-` for standard input.
    pub(crate) problem: PathBuf,
    /// How the requests are taken.
    #[arg(long, value_enum, default_value_t = Mode::Admit)]
    pub(crate) mode: Mode,
    /// Seconds one decision may take; without it decisions take as long as they need.
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub(crate) time_limit: Option<f64>,
    /// Work one decision may take: looks at hosts, iterations of a simplex method, nodes of branch and bound. Where only
    /// this limits a decision, the same problem gives the same plan on every machine.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) work_limit: Option<u64>,
    /// Where to write the plan (`berth-plan/1`) instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Do not look for what could be had in place of refused requests.
    #[arg(long)]
    pub(crate) no_offers: bool,
}

/// How the requests of a problem are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// One after another at the problem's clock, in order of arrival.
    Admit,
    /// As a stream: the clock moves to each request; leases start, run and end.
    Replay,
    /// No requests: everything off hosts that are unreservable or blocked.
    Heal,
    /// All at once: the subset of greatest value. The limits are for the whole run.
    Batch,
}

/// Reads a time limit.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds > 0.0 => Ok(seconds),
        _ => Err(format!("`{text}` is not a number of seconds above 0")),
    }
}

/// These limits from now on, by the clock of the machine.
pub(crate) fn deadline(seconds: Option<f64>, work: Option<u64>) -> Deadline {
    let time = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    wall_clock().limited(seconds.map(time), work)
}

/// Runs the command.
pub(crate) fn run(arguments: &SolveArguments) -> anyhow::Result<ExitCode> {
    let Some((text, problem)) = document(&arguments.problem, Problem::parse) else {
        return Ok(ExitCode::from(UNREADABLE));
    };
    let deadline = deadline(arguments.time_limit, arguments.work_limit);
    let settings = Settings {
        deadline: deadline.clone(),
        offers: !arguments.no_offers,
    };
    let name = fingerprint(&text);
    let planned = match arguments.mode {
        Mode::Admit => admit::run(&problem, &name, settings, &Highs),
        Mode::Replay => {
            let bar = progress_bar(problem.requests.len());
            let planned = replay::run(&problem, &name, settings, &Highs, |done| {
                bar.set_position(done as u64);
            });
            bar.finish_and_clear();
            planned
        }
        Mode::Heal => heal::run(&problem, &name, &deadline, &Highs),
        Mode::Batch => batch::run(&problem, &name, &deadline, &Highs),
    };
    let plan = match planned {
        Ok(plan) => plan,
        Err(error) => {
            say_unreadable(&arguments.problem, &error);
            return Ok(ExitCode::from(UNREADABLE));
        }
    };
    let mut written = serde_json::to_string_pretty(&plan).context("the plan cannot be written as JSON")?;
    written.push('\n');
    match &arguments.output {
        Some(file) => fs::write(file, written).with_context(|| format!("cannot write {}", file.display()))?,
        None => {
            output::print(written.as_bytes()).context("cannot write the plan")?;
        }
    }
    if io::stderr().is_terminal() {
        summarise(&plan);
    }
    Ok(ExitCode::SUCCESS)
}

/// The text of a document; `-` is standard input. At most one byte more than a document may have is read.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(fs::File::open(path)?)
    };
    let mut text = String::new();
    source.take(MAX_BYTES as u64 + 1).read_to_string(&mut text)?;
    if text.len() > MAX_BYTES {
        return Err(io::Error::other(DocumentError::TooLarge { bytes: text.len() }));
    }
    Ok(text)
}

/// A document with its text; nothing if it cannot be read, which has been said.
pub(crate) fn document<T>(path: &Path, parse: impl FnOnce(&str) -> Result<T, DocumentError>) -> Option<(String, T)> {
    let document = read(path).and_then(|text| {
        let parsed = parse(&text).map_err(io::Error::other)?;
        Ok((text, parsed))
    });
    document.inspect_err(|error| say_unreadable(path, error)).ok()
}

/// Says why a document cannot be used.
fn say_unreadable(path: &Path, reason: &dyn std::fmt::Display) {
    remark(format_args!("berth: {}: {reason}", path.display()));
}

/// Requests decided so far, on a terminal.
fn progress_bar(requests: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} requests, {eta} left");
    let bar = ProgressBar::with_draw_target(Some(requests as u64), ProgressDrawTarget::stderr());
    style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
}

fn summarise(plan: &Plan) {
    let sums = &plan.summary;
    remark(format_args!(
        "{} accepted, {} refused, {} undecided; {} moves",
        sums.accepted, sums.refused, sums.undecided, sums.moves
    ));
    for decision in &plan.decisions {
        if let Some(conflict) = &decision.conflict {
            remark(format_args!("  {} refused: {}", decision.request, conflict.text));
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::SolveArguments;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: SolveArguments,
    }

    #[test]
    fn limits_are_numbers_above_zero() {
        let read = |option: &str, value: &str| Line::try_parse_from(["solve", "-", option, value]);
        for wrong in ["0", "-1", "x", "", "nan", "1e400"] {
            assert!(
                read("--time-limit", wrong).is_err() && read("--work-limit", wrong).is_err(),
                "{wrong}"
            );
        }
        assert!(read("--work-limit", "1.5").is_err());
        let work = read("--work-limit", "20000")
            .ok()
            .and_then(|line| line.arguments.work_limit);
        assert_eq!(work, Some(20_000));
    }
}
