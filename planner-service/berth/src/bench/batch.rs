//! `berth bench batch`: the most valuable subset of many requests, beside a greedy choice and a proved bound.

use std::cmp::Reverse;
use std::process::ExitCode;
use std::time::Instant;

use benches::baseline::{Named, Rule};
use benches::generator::generate;
use benches::random::ratio;
use clap::Args;
use serde_json::{Value, json};
use solver::batch;
use solver_check::check;
use solver_format::{HostEntry, PoolEntry, Problem, RequestEntry, fingerprint};
use solver_highs::Highs;

use super::report::{machine, peak_memory, print, table};
use crate::generate::{StreamArguments, bar};
use crate::solve::deadline;

/// Choose the most valuable subset of many requests known at once
#[derive(Debug, Args)]
pub(crate) struct BatchArguments {
    #[command(flatten)]
    pub(crate) stream: StreamArguments,
    /// How many problems are drawn, with seeds from `--seed` upwards
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seeds: u64,
    /// Seconds for each batch
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    pub(crate) time_limit: f64,
    /// Work for each batch instead of seconds: the same result on every machine
    #[arg(long, value_name = "N", conflicts_with = "time_limit", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) work_limit: Option<u64>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What one batch gave.
struct Measured {
    seed: u64,
    requests: usize,
    accepted: u64,
    value: u64,
    greedy: u64,
    bound: u64,
    seconds: f64,
}

impl Measured {
    /// How far a value lies below the bound, in percent of the bound.
    fn gap(&self, value: u64) -> f64 {
        100.0 * ratio(self.bound.saturating_sub(value), self.bound)
    }
}

/// Runs the command.
pub(crate) fn run(arguments: &BatchArguments) -> anyhow::Result<ExitCode> {
    let bar = bar(arguments.seeds, "batches");
    let mut all = Vec::new();
    for seed in (0..arguments.seeds).map(|number| arguments.stream.seed + number) {
        let mut parameters = arguments.stream.parameters();
        parameters.seed = seed;
        all.push(one(arguments, seed, &generate(&parameters, |_, _| {})?)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    if arguments.json {
        let batches: Vec<Value> = all
            .iter()
            .map(|measured| {
                json!({
                    "seed": measured.seed,
                    "requests": measured.requests,
                    "accepted": measured.accepted,
                    "value": measured.value,
                    "value_greedy": measured.greedy,
                    "bound": measured.bound,
                    "gap_percent": measured.gap(measured.value),
                    "gap_greedy_percent": measured.gap(measured.greedy),
                    "seconds": measured.seconds,
                })
            })
            .collect();
        let document = json!({ "machine": machine(), "peak_kilobytes": peak_memory(), "batches": batches });
        print(&format!("{document:#}"))?;
    } else {
        let heads = ["seed", "requests", "accepted", "gap to the bound", "greedy", "time"];
        let mut batches = table(&heads);
        for measured in &all {
            batches.add_row([
                measured.seed.to_string(),
                measured.requests.to_string(),
                measured.accepted.to_string(),
                format!("{:.3} %", measured.gap(measured.value)),
                format!("{:.3} %", measured.gap(measured.greedy)),
                format!("{:.1} s", measured.seconds),
            ]);
        }
        print(&batches.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn one(arguments: &BatchArguments, seed: u64, problem: &Problem) -> anyhow::Result<Measured> {
    let text = serde_json::to_string(problem)?;
    let name = fingerprint(&text);
    let started = Instant::now();
    let time = arguments.work_limit.is_none().then_some(arguments.time_limit);
    let deadline = deadline(time, arguments.work_limit);
    let plan = batch::run(problem, &name, &deadline, &Highs)?;
    let seconds = started.elapsed().as_secs_f64();
    if let Some(violation) = check(problem, &name, &plan).first() {
        anyhow::bail!("seed {seed}: the plan does not hold: {violation}");
    }
    Ok(Measured {
        seed,
        requests: problem.requests.len(),
        accepted: plan.summary.accepted,
        value: plan.summary.value,
        greedy: greedy(problem),
        bound: plan.summary.bound.unwrap_or(u64::MAX),
        seconds,
    })
}

/// The value of requests taken in order of their value, each by best fit on hosts that stay free of the earlier ones.
fn greedy(problem: &Problem) -> u64 {
    let hosts = problem.hosts.iter().map(HostEntry::to_host).collect();
    let pools = problem.pools.iter().map(PoolEntry::to_pool).collect();
    let mut fleet = Named::new(Rule::BestFit, hosts, pools);
    let mut order: Vec<&RequestEntry> = problem
        .requests
        .iter()
        .filter(|entry| entry.replaces.is_none())
        .collect();
    order.sort_by_key(|entry| Reverse(entry.worth()));
    let accepted = order
        .into_iter()
        .filter(|entry| fleet.answer(&entry.to_request(problem.cleaning), problem.now).is_some());
    accepted.map(RequestEntry::worth).fold(0, u64::saturating_add)
}
