//! `berth bench replay`: how much more is promised out of the same requests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use benches::baseline::Rule;
use benches::generator::generate;
use benches::random::{Random, ratio};
use benches::replay::{self, Berth, Contender, Latency, Rival, Stream, Tally};
use clap::Args;
use serde_json::{Value, json};
use solver::document::Problem;
use solver::planner::Budget;
use solver_highs::Highs;

use super::report::{machine, peak_memory, print, table, time};
use crate::generate::{StreamArguments, bar};
use crate::solve::read;

/// Put one stream of requests through Berth and through the baselines
#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// A problem without leases whose requests are the stream; without it streams are drawn
    pub(crate) problem: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) stream: StreamArguments,
    /// How many streams are drawn, with seeds from `--seed` upwards
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seeds: u64,
    /// Seconds one decision may take
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    pub(crate) time_limit: f64,
    /// Do not ask Berth about the baselines' refusals
    #[arg(long)]
    pub(crate) no_second_opinion: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The planner's own name in tables.
const BERTH: &str = "berth";

/// What each contender made of one stream.
type Outcome = BTreeMap<&'static str, Tally>;

/// Runs the command.
pub(crate) fn run(arguments: &ReplayArguments) -> anyhow::Result<ExitCode> {
    let mut outcomes: Vec<(u64, Outcome)> = Vec::new();
    match &arguments.problem {
        Some(path) => {
            let text = read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let problem = Problem::parse(&text).with_context(|| path.display().to_string())?;
            outcomes.push((0, one(arguments, 0, problem)?));
        }
        None => {
            for seed in (0..arguments.seeds).map(|number| arguments.stream.seed + number) {
                let mut parameters = arguments.stream.parameters();
                parameters.seed = seed;
                outcomes.push((seed, one(arguments, seed, generate(&parameters, |_, _| {})?)?));
            }
        }
    }
    if arguments.json {
        let streams: Vec<Value> = outcomes.iter().map(|(seed, outcome)| written(*seed, outcome)).collect();
        let all = json!({
            "machine": machine(),
            "peak_kilobytes": peak_memory(),
            "streams": streams,
        });
        print(&format!("{all:#}"))?;
    } else {
        print(&shown(&outcomes))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One stream through everybody.
fn one(arguments: &ReplayArguments, seed: u64, problem: Problem) -> anyhow::Result<Outcome> {
    let stream = Stream::of(problem)?;
    let budget = Budget {
        seconds: Some(arguments.time_limit),
    };
    let hosts: Vec<_> = stream
        .problem
        .hosts
        .iter()
        .map(solver::document::HostEntry::to_host)
        .collect();
    let pools: Vec<_> = stream
        .problem
        .pools
        .iter()
        .map(solver::document::PoolEntry::to_pool)
        .collect();
    let planner = stream.problem.planner()?;
    let rival = |rule: Rule| {
        let named = (hosts.clone(), pools.clone());
        let asked = !arguments.no_second_opinion;
        Rival::new(rule, named, planner.clone(), budget, &Highs, asked)
    };
    let mut upstream = rival(Rule::Upstream);
    let mut random = rival(Rule::UpstreamRandom(Random::new(seed)));
    let mut best_fit = rival(Rule::BestFit);
    let mut berth = Berth::new(planner.clone(), stream.problem.freeze, budget, &Highs);
    let contenders: [(&'static str, &mut dyn Contender); 4] = [
        (Rule::Upstream.name(), &mut upstream),
        (Rule::UpstreamRandom(Random::new(0)).name(), &mut random),
        (Rule::BestFit.name(), &mut best_fit),
        (BERTH, &mut berth),
    ];
    let mut outcome = Outcome::new();
    for (name, contender) in contenders {
        let bar = bar(stream.requests.len() as u64, "requests");
        bar.set_message(format!("seed {seed}, {name}"));
        let tally = replay::run(&stream, contender, || bar.inc(1))?;
        bar.finish_and_clear();
        outcome.insert(name, tally);
    }
    Ok(outcome)
}

/// Promised of what was asked for, in percent: hosts, and processors of instances.
fn shares(tally: &Tally) -> (f64, f64) {
    let percent = |promised, asked| 100.0 * ratio(promised, asked);
    (
        percent(tally.promised.host_seconds, tally.asked.host_seconds),
        percent(tally.promised.processor_seconds, tally.asked.processor_seconds),
    )
}

fn written(seed: u64, outcome: &Outcome) -> Value {
    let contenders: serde_json::Map<String, Value> = outcome
        .iter()
        .map(|(name, tally)| {
            let (hosts, instances) = shares(tally);
            let tiers: serde_json::Map<String, Value> = tally
                .latency
                .iter()
                .map(|(tier, latency)| ((*tier).to_owned(), quantiles(latency)))
                .collect();
            let value = json!({
                "requests": tally.requests,
                "accepted": tally.accepted,
                "refused": tally.refused,
                "undecided": tally.undecided,
                "needless_refusals": tally.needless,
                "refusals_not_settled": tally.unknown,
                "host_hours_asked": tally.asked.host_seconds / 3_600,
                "host_hours_promised": tally.promised.host_seconds / 3_600,
                "host_hours_percent": hosts,
                "processor_hours_asked": tally.asked.processor_seconds / 3_600,
                "processor_hours_promised": tally.promised.processor_seconds / 3_600,
                "processor_hours_percent": instances,
                "moves": tally.moves,
                "overbooked_requests": tally.overbooked,
                "micros": quantiles(&tally.all()),
                "micros_by_tier": tiers,
            });
            ((*name).to_owned(), value)
        })
        .collect();
    json!({ "seed": seed, "contenders": contenders })
}

fn quantiles(latency: &Latency) -> Value {
    json!({
        "decisions": latency.0.len(),
        "median": latency.quantile(0.5),
        "p95": latency.quantile(0.95),
        "p99": latency.quantile(0.99),
        "max": latency.quantile(1.0),
    })
}

/// A table of the sums over all streams, one of the decision times, and the mean difference.
fn shown(outcomes: &[(u64, Outcome)]) -> String {
    let names: Vec<&'static str> = outcomes
        .first()
        .map(|(_, outcome)| outcome.keys().copied().collect())
        .unwrap_or_default();
    let mut counts = table(&[
        "rule",
        "host-hours %",
        "VM-hours %",
        "accepted",
        "of",
        "refused",
        "needless",
        "undecided",
        "moves",
        "overbooked",
    ]);
    let mut times = table(&["decisions", "count", "median", "p95", "p99", "max"]);
    for name in names {
        let tallies: Vec<&Tally> = outcomes.iter().filter_map(|(_, outcome)| outcome.get(name)).collect();
        let sum = |of: fn(&Tally) -> u64| tallies.iter().map(|tally| of(tally)).sum::<u64>();
        let mean = |of: fn(&Tally) -> f64| mean(tallies.iter().map(|tally| of(tally)));
        counts.add_row([
            name.to_owned(),
            format!("{:.1}", mean(|tally| shares(tally).0)),
            format!("{:.1}", mean(|tally| shares(tally).1)),
            sum(|tally| tally.accepted).to_string(),
            sum(|tally| tally.requests).to_string(),
            sum(|tally| tally.refused).to_string(),
            sum(|tally| tally.needless).to_string(),
            sum(|tally| tally.undecided + tally.unknown).to_string(),
            sum(|tally| tally.moves).to_string(),
            sum(|tally| tally.overbooked).to_string(),
        ]);
        let mut tiers: BTreeMap<&str, Latency> = BTreeMap::new();
        for (tier, latency) in tallies.iter().flat_map(|tally| &tally.latency) {
            tiers.entry(tier).or_default().0.extend(&latency.0);
        }
        for (tier, latency) in tiers {
            let quantile = |share| time(latency.quantile(share));
            times.add_row([
                format!("{name}: {tier}"),
                latency.0.len().to_string(),
                quantile(0.5),
                quantile(0.95),
                quantile(0.99),
                quantile(1.0),
            ]);
        }
    }
    format!("{counts}\n{times}\n{}", differences(outcomes))
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as u64;
    values.sum::<f64>() * ratio(1, count)
}

/// Host-hours and requests beyond upstream's, by seed and on average.
fn differences(outcomes: &[(u64, Outcome)]) -> String {
    let upstream = Rule::Upstream.name();
    let points: Vec<(u64, f64, f64)> = outcomes
        .iter()
        .filter_map(|(seed, outcome)| {
            let (ours, theirs) = (outcome.get(BERTH)?, outcome.get(upstream)?);
            let requests = 100.0 * (ratio(ours.accepted, ours.requests) - ratio(theirs.accepted, theirs.requests));
            Some((*seed, shares(ours).0 - shares(theirs).0, requests))
        })
        .collect();
    let by_seed: Vec<String> = points
        .iter()
        .map(|(seed, hours, _)| format!("{seed}: {hours:+.1}"))
        .collect();
    format!(
        "Berth beside upstream, points of what was asked for: host-hours {:+.1}, requests {:+.1} ({} streams)\nby seed: {}",
        mean(points.iter().map(|point| point.1)),
        mean(points.iter().map(|point| point.2)),
        points.len(),
        by_seed.join(", "),
    )
}
