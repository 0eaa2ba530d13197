//! What came of a stream: tables for people, JSON for programs.

use std::collections::BTreeMap;

use benches::baseline::Rule;
use benches::random::ratio;
use benches::replay::{Latency, Tally};
use benches::stages::Census;
use serde_json::{Value, json};

use super::super::report::{stages, stages_written, table, time};
use super::BERTH;

/// What each contender made of one stream.
pub(super) type Outcome = BTreeMap<&'static str, Tally>;

/// Promised of what was asked for, in percent: hosts, and processors of instances.
pub(super) fn shares(tally: &Tally) -> (f64, f64) {
    let percent = |promised, asked| 100.0 * ratio(promised, asked);
    (
        percent(tally.promised.host_seconds, tally.asked.host_seconds),
        percent(tally.promised.processor_seconds, tally.asked.processor_seconds),
    )
}

/// One stream as JSON.
pub(super) fn written(seed: u64, outcome: &Outcome) -> Value {
    let contenders: serde_json::Map<String, Value> = outcome
        .iter()
        .map(|(name, tally)| {
            let (hosts, instances) = shares(tally);
            let by_stage: serde_json::Map<String, Value> = tally
                .latency
                .iter()
                .map(|(stage, latency)| ((*stage).to_owned(), quantiles(latency)))
                .collect();
            let mut value = json!({
                "requests": tally.requests,
                "accepted": tally.accepted,
                "refused": tally.refused,
                "declined_by_price": tally.declined,
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
                "micros_by_stage": by_stage,
            });
            if is_counted(&tally.census) {
                value["stages"] = stages_written(&tally.census);
            }
            ((*name).to_owned(), value)
        })
        .collect();
    json!({ "seed": seed, "contenders": contenders })
}

/// Whether a contender decides in stages.
fn is_counted(census: &Census) -> bool {
    !census.decisions.is_empty()
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
pub(super) fn shown(outcomes: &[(u64, Outcome)]) -> String {
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
    let mut lines: Vec<String> = Vec::new();
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
        let mut census = Census::default();
        for tally in &tallies {
            census.add(&tally.census);
        }
        if is_counted(&census) {
            lines.push(format!("{name}: {}", stages(&census)));
        }
        let mut by_stage: BTreeMap<&str, Latency> = BTreeMap::new();
        for (stage, latency) in tallies.iter().flat_map(|tally| &tally.latency) {
            by_stage.entry(stage).or_default().0.extend(&latency.0);
        }
        for (stage, latency) in by_stage {
            let quantile = |share| time(latency.quantile(share));
            times.add_row([
                format!("{name}: {stage}"),
                latency.0.len().to_string(),
                quantile(0.5),
                quantile(0.95),
                quantile(0.99),
                quantile(1.0),
            ]);
        }
    }
    format!("{counts}\n{times}\n{}\n{}", lines.join("\n"), differences(outcomes))
}

/// Mean of some values.
pub(super) fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as u64;
    values.sum::<f64>() * ratio(1, count)
}

/// Host-hours and requests of a contender beyond upstream's, in points of what was asked for.
pub(super) fn beyond_upstream(outcome: &Outcome, name: &str) -> Option<(f64, f64)> {
    let (ours, theirs) = (outcome.get(name)?, outcome.get(Rule::Upstream.name())?);
    let requests = 100.0 * (ratio(ours.accepted, ours.requests) - ratio(theirs.accepted, theirs.requests));
    Some((shares(ours).0 - shares(theirs).0, requests))
}

/// Berth's difference by seed and on average.
fn differences(outcomes: &[(u64, Outcome)]) -> String {
    let points: Vec<(u64, f64, f64)> = outcomes
        .iter()
        .filter_map(|(seed, outcome)| beyond_upstream(outcome, BERTH).map(|(hours, requests)| (*seed, hours, requests)))
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
