//! `berth bench heal`: hosts fail amid many leases; all promises re-chosen together, beside upstream's one after another.
//!
//! Invariant: the answer never loses more than the rule beside it, or the run fails.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use benches::fleet::{Filled, Size};
use benches::healing::{Healing, after, failure, one_by_one, together};
use clap::Args;
use serde_json::{Value, json};
use solver::heal::heal;
use solver_highs::Highs;

use super::report::{machine, print, table, time};
use crate::generate::bar;
use crate::solve::deadline;

/// Heal failures in filled fleets
#[derive(Debug, Args)]
pub(crate) struct HealArguments {
    /// How many hosts
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    hosts: u32,
    /// How many classes of hosts
    #[arg(long, default_value_t = 6)]
    classes: usize,
    /// How many leases the fleet carries
    #[arg(long, default_value_t = 150)]
    leases: usize,
    /// Leases that the failed hosts affect, at least
    #[arg(long, default_value_t = 20)]
    affected: usize,
    /// How many fleets
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    fleets: u64,
    /// Seed of the first fleet
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds one failure may take
    #[arg(long, value_name = "S", default_value = "60", value_parser = crate::solve::seconds)]
    time_limit: f64,
    /// Work for each failure instead of seconds: the same result on every machine
    #[arg(long, value_name = "N", conflicts_with = "time_limit", value_parser = clap::value_parser!(u64).range(1..))]
    work_limit: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What one failure came to.
struct Line {
    seed: u64,
    failed: usize,
    affected: usize,
    apart: Healing,
    together: Healing,
    proved: bool,
    micros: f64,
}

/// Runs the command.
pub(crate) fn run(arguments: &HealArguments) -> anyhow::Result<ExitCode> {
    let progress = bar(arguments.fleets, "failures");
    let mut lines = Vec::new();
    for seed in arguments.seed..arguments.seed.saturating_add(arguments.fleets) {
        lines.push(one(arguments, seed)?);
        progress.inc(1);
    }
    progress.finish_and_clear();
    if let Some(line) = lines
        .iter()
        .find(|line| line.proved && line.together.lost > line.apart.lost)
    {
        bail!(
            "seed {}: together loses {} hosts, one by one {}",
            line.seed,
            line.together.lost,
            line.apart.lost
        );
    }
    let written = if arguments.json {
        serde_json::to_string_pretty(&document(&lines)).context("the result cannot be written as JSON")?
    } else {
        written(&lines)
    };
    print(&written)?;
    Ok(ExitCode::SUCCESS)
}

fn one(arguments: &HealArguments, seed: u64) -> anyhow::Result<Line> {
    let filled = Filled::new(Size {
        hosts: arguments.hosts,
        classes: arguments.classes,
        leases: arguments.leases,
        seed,
    })?;
    let failed = failure(&filled, arguments.affected);
    let planner = after(&filled, &failed).context("the fleet contradicts itself")?;
    let time = arguments.work_limit.is_none().then_some(arguments.time_limit);
    let deadline = deadline(time, arguments.work_limit);
    let started = Instant::now();
    let healed = heal(&planner, filled.now, &deadline, &Highs);
    Ok(Line {
        seed,
        micros: started.elapsed().as_secs_f64() * 1e6,
        failed: failed.hosts.len(),
        affected: failed.affected,
        apart: one_by_one(&filled, &failed),
        together: together(&healed),
        proved: healed.proved,
    })
}

fn document(lines: &[Line]) -> Value {
    let healing = |healing: &Healing| json!({"moved": healing.moved, "lost": healing.lost});
    let line = |line: &Line| {
        json!({
            "seed": line.seed,
            "failed_hosts": line.failed,
            "affected_leases": line.affected,
            "one_by_one": healing(&line.apart),
            "together": healing(&line.together),
            "proved": line.proved,
            "micros": line.micros.round(),
        })
    };
    json!({"machine": machine(), "failures": lines.iter().map(line).collect::<Vec<_>>()})
}

fn written(lines: &[Line]) -> String {
    let heads = [
        "seed",
        "failed hosts",
        "affected leases",
        "one by one: moved",
        "lost",
        "together: moved",
        "lost",
        "proved",
        "time",
    ];
    let mut table = table(&heads);
    for line in lines {
        table.add_row([
            line.seed.to_string(),
            line.failed.to_string(),
            line.affected.to_string(),
            line.apart.moved.to_string(),
            line.apart.lost.to_string(),
            line.together.moved.to_string(),
            line.together.lost.to_string(),
            if line.proved { "yes" } else { "no" }.to_owned(),
            time(line.micros),
        ]);
    }
    table.to_string()
}
