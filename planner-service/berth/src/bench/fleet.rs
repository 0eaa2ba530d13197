//! `berth bench fleet`: decisions on a large fleet that carries many leases already.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use benches::fleet::{Budgets, Figures, Filled, Size, measure};
use clap::Args;
use serde_json::{Value, json};
use solver_highs::Highs;

use super::report::{machine, peak_memory, print, stages, stages_written, table, time};
use super::whole::{self, Whole};
use crate::generate::bar;

/// Measure decisions on a large fleet that carries many leases
#[derive(Debug, Args)]
pub(crate) struct FleetArguments {
    /// How many hosts
    #[arg(long, default_value_t = 10_000)]
    pub(crate) hosts: u32,
    /// How many classes of hosts
    #[arg(long, default_value_t = 60)]
    pub(crate) classes: usize,
    /// How many leases the fleet carries; two for each host unless given
    #[arg(long)]
    pub(crate) leases: Option<usize>,
    /// Same seed, same fleet, leases and requests
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Measure at several sizes, each in a process of its own
    #[arg(long, conflicts_with = "hosts")]
    pub(crate) sweep: bool,
    /// The sizes of a sweep
    #[arg(long, value_name = "HOSTS", value_delimiter = ',', default_values_t = [1_000, 10_000, 50_000, 100_000])]
    pub(crate) sizes: Vec<u32>,
    /// Write the plots of a sweep, `fleet-time.svg`, `fleet-memory.svg` and `fleet-memory-per-host.svg`, into this folder
    #[arg(long, value_name = "FOLDER", requires = "sweep")]
    pub(crate) plots: Option<PathBuf>,
    /// Most decisions measured
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub(crate) decisions: usize,
    /// Seconds of measuring at each size, as many for the questions, and a quarter of them for refusals
    #[arg(long, value_name = "S", default_value_t = 30.0)]
    pub(crate) wall: f64,
    /// Seconds one decision may take
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    pub(crate) time_limit: f64,
    /// Also plan the whole fleet anew, as `bench whole` does, each model within this many seconds
    #[arg(long, value_name = "S")]
    pub(crate) whole: Option<f64>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What one size gave.
struct Measured {
    hosts: u32,
    leases: usize,
    held_hosts: usize,
    /// Seconds until a planner knew everything.
    load: f64,
    /// Resident memory that came with filling the planner, in kB.
    planner_kilobytes: Option<u64>,
    peak_kilobytes: Option<u64>,
    figures: Figures,
    whole: Option<Whole>,
}

/// Measures one size.
pub(crate) fn run(arguments: &FleetArguments) -> anyhow::Result<ExitCode> {
    let measured = one(arguments, arguments.hosts)?;
    print(&if arguments.json {
        document(arguments, vec![written(&measured)])
    } else {
        shown(&measured)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// All that was measured as JSON.
#[expect(clippy::needless_pass_by_value, reason = "json! takes its values")]
pub(super) fn document(arguments: &FleetArguments, sizes: Vec<Value>) -> String {
    let document =
        json!({ "machine": machine(), "seed": arguments.seed, "classes": arguments.classes, "sizes": sizes });
    format!("{document:#}")
}

fn one(arguments: &FleetArguments, hosts: u32) -> anyhow::Result<Measured> {
    let size = Size {
        hosts,
        classes: arguments.classes.min(hosts as usize),
        leases: arguments.leases.unwrap_or(2 * hosts as usize),
        seed: arguments.seed,
    };
    let budgets = Budgets {
        wall: Duration::from_secs_f64(arguments.wall.clamp(0.1, 86_400.0)),
        decisions: arguments.decisions,
        decision: Duration::try_from_secs_f64(arguments.time_limit).unwrap_or(Duration::MAX),
    };
    let bar = bar(0, "decisions");
    bar.set_message(format!("{hosts} hosts"));
    let filled = Filled::new(size)?;
    let before = resident();
    let started = Instant::now();
    let planner = filled.planner()?;
    let load = started.elapsed().as_secs_f64();
    let planner_kilobytes = before
        .zip(resident())
        .map(|(before, after)| after.saturating_sub(before));
    bar.set_length(filled.requests.len().min(arguments.decisions) as u64);
    let figures = measure(&filled, &planner, budgets, &Highs, || bar.inc(1))?;
    bar.finish_and_clear();
    let whole = arguments
        .whole
        .map(|seconds| whole::measure(&filled, &planner, seconds))
        .transpose()?;
    Ok(Measured {
        hosts,
        leases: filled.leases.len(),
        held_hosts: filled
            .leases
            .iter()
            .flat_map(|lease| &lease.reservations)
            .map(|held| held.holds.len())
            .sum(),
        load,
        planner_kilobytes,
        peak_kilobytes: peak_memory(),
        figures,
        whole,
    })
}

/// Resident memory of this process now, in kB.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn written(measured: &Measured) -> Value {
    let times: serde_json::Map<String, Value> = measured
        .figures
        .times
        .iter()
        .map(|(name, latency)| {
            let value = json!({
                "count": latency.0.len(),
                "median": latency.quantile(0.5),
                "p95": latency.quantile(0.95),
                "p99": latency.quantile(0.99),
                "max": latency.quantile(1.0),
            });
            ((*name).to_owned(), value)
        })
        .collect();
    let mut moves = measured.figures.moves.clone();
    moves.sort_unstable();
    json!({
        "hosts": measured.hosts,
        "leases": measured.leases,
        "allocations": measured.held_hosts,
        "load_seconds": measured.load,
        "planner_kilobytes": measured.planner_kilobytes,
        "peak_kilobytes": measured.peak_kilobytes,
        "undecided": measured.figures.undecided,
        "checked_refusals": measured.figures.checked_refusals,
        "moves_when_rechosen": { "decisions": moves.len(), "median": moves.get(moves.len() / 2), "max": moves.last() },
        "micros": times,
        "stages": stages_written(&measured.figures.census),
        "whole_fleet": measured.whole.as_ref().map(Whole::written),
    })
}

fn shown(measured: &Measured) -> String {
    let megabytes =
        |kilobytes: Option<u64>| kilobytes.map_or("?".to_owned(), |kilobytes| (kilobytes / 1_024).to_string());
    let mut times = table(&["", "count", "median", "p95", "p99", "max"]);
    for (name, latency) in &measured.figures.times {
        let quantile = |share| time(latency.quantile(share));
        times.add_row([
            (*name).to_owned(),
            latency.0.len().to_string(),
            quantile(0.5),
            quantile(0.95),
            quantile(0.99),
            quantile(1.0),
        ]);
    }
    let mut text = format!(
        "{} hosts, {} leases with {} allocations; loaded in {:.2} s, planner {} MB, peak {} MB; {} undecided; the proofs of {} \
         refusals recounted\n{times}\nstages of the decisions: {}",
        measured.hosts,
        measured.leases,
        measured.held_hosts,
        measured.load,
        megabytes(measured.planner_kilobytes),
        megabytes(measured.peak_kilobytes),
        measured.figures.undecided,
        measured.figures.checked_refusals,
        stages(&measured.figures.census),
    );
    if let Some(whole) = &measured.whole {
        text = format!("{text}\n{}", whole.shown());
    }
    text
}
