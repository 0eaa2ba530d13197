//! `berth bench replay`: how much more is promised out of the same requests.

mod outcome;
mod sweep;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use benches::baseline::Rule;
use benches::generator::{Parameters, generate};
use benches::random::Random;
use benches::replay::{self, Berth, Contender, Mobile, Prices, Rival, Stream};
use clap::Args;
use serde_json::{Value, json};
use solver::planner::Planner;
use solver_format::{HostEntry, PoolEntry, Problem};
use solver_highs::Highs;

use super::report::{machine, peak_memory, print};
use crate::generate::{StreamArguments, bar};
use crate::solve::{deadline, read};
use outcome::Outcome;
use sweep::Varied;

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
    /// Draw streams for each of these values of hosts, classes, days, load, drop or lead-mean; with several of these
    /// options for each combination. Berth is then put beside upstream's default rule only
    #[arg(long, value_name = "PARAMETER=V,V", conflicts_with = "problem")]
    pub(crate) vary: Vec<Varied>,
    /// Write the plot of a sweep, `replay-gain.svg`, into this folder
    #[arg(long, value_name = "FOLDER", requires = "vary")]
    pub(crate) plots: Option<PathBuf>,
    /// Seconds one decision may take
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    pub(crate) time_limit: f64,
    /// Work for each decision instead of seconds: the same result on every machine
    #[arg(long, value_name = "N", conflicts_with = "time_limit", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) work_limit: Option<u64>,
    /// Do not ask Berth about the baselines' refusals
    #[arg(long)]
    pub(crate) no_second_opinion: bool,
    /// Also show a planner whose leases may change hosts at any second, even after they have started: what better
    /// choices could gain at most
    #[arg(long)]
    pub(crate) mobile: bool,
    /// Also show Berth refusing what is feasible if it is worth less than this share of the host-hours it displaces
    #[arg(long, value_name = "SHARE")]
    pub(crate) bid_price: Option<f64>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Names in tables of those who have no rule.
const BERTH: &str = "berth";
const BID_PRICE: &str = "berth, bid price";
const MOBILE: &str = "mobile";

/// Runs the command.
pub(crate) fn run(arguments: &ReplayArguments) -> anyhow::Result<ExitCode> {
    if !arguments.vary.is_empty() {
        return sweep::run(arguments);
    }
    let mut outcomes: Vec<(u64, Outcome)> = Vec::new();
    match &arguments.problem {
        Some(path) => {
            let text = read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let problem = Problem::parse(&text).with_context(|| path.display().to_string())?;
            outcomes.push((0, one(arguments, 0, problem)?));
        }
        None => outcomes = drawn(arguments, &arguments.stream.parameters())?,
    }
    if arguments.json {
        let streams: Vec<Value> = outcomes
            .iter()
            .map(|(seed, outcome)| outcome::written(*seed, outcome))
            .collect();
        let all = json!({
            "machine": machine(),
            "peak_kilobytes": peak_memory(),
            "streams": streams,
        });
        print(&format!("{all:#}"))?;
    } else {
        print(&outcome::shown(&outcomes))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The streams of all seeds through everybody.
fn drawn(arguments: &ReplayArguments, parameters: &Parameters) -> anyhow::Result<Vec<(u64, Outcome)>> {
    let mut outcomes = Vec::new();
    for seed in (0..arguments.seeds).map(|number| parameters.seed + number) {
        let of_seed = Parameters {
            seed,
            ..parameters.clone()
        };
        outcomes.push((seed, one(arguments, seed, generate(&of_seed, |_, _| {})?)?));
    }
    Ok(outcomes)
}

/// One stream through everybody.
fn one(arguments: &ReplayArguments, seed: u64, problem: Problem) -> anyhow::Result<Outcome> {
    let stream = Stream::of(problem)?;
    let time = arguments.work_limit.is_none().then_some(arguments.time_limit);
    let deadline = deadline(time, arguments.work_limit);
    let hosts: Vec<_> = stream.problem.hosts.iter().map(HostEntry::to_host).collect();
    let pools: Vec<_> = stream.problem.pools.iter().map(PoolEntry::to_pool).collect();
    let planner = Planner::of(&stream.problem)?;
    let rules = if arguments.vary.is_empty() {
        vec![Rule::Upstream, Rule::UpstreamRandom(Random::new(seed)), Rule::BestFit]
    } else {
        vec![Rule::Upstream]
    };
    let berth = || Berth::new(planner.clone(), stream.problem.freeze, deadline.clone(), &Highs);
    let mut contenders: Vec<(&'static str, Box<dyn Contender + '_>)> = vec![(BERTH, Box::new(berth()))];
    for rule in rules {
        let (name, named) = (rule.name(), (hosts.clone(), pools.clone()));
        let asked = !arguments.no_second_opinion;
        let rival = Rival::new(rule, named, planner.clone(), deadline.clone(), &Highs, asked);
        contenders.push((name, Box::new(rival)));
    }
    if let Some(share) = arguments.bid_price {
        contenders.push((BID_PRICE, Box::new(berth().with_prices(Prices::new(share)))));
    }
    if arguments.mobile {
        contenders.push((MOBILE, Box::new(Mobile::new(&hosts))));
    }
    let mut outcome = Outcome::new();
    for (name, mut contender) in contenders {
        let bar = bar(stream.requests.len() as u64, "requests");
        bar.set_message(format!("seed {seed}, {name}"));
        let tally = replay::run(&stream, contender.as_mut(), || bar.inc(1))?;
        bar.finish_and_clear();
        outcome.insert(name, tally);
    }
    Ok(outcome)
}
