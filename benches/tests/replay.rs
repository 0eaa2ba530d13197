//! Streams replayed: what is promised holds, and the baselines are what they say they are.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use benches::baseline::Rule;
use benches::generator::{Parameters, generate};
use benches::ledger::Ledger;
use benches::replay::{self, Berth, Mobile, Prices, Rival, Stream, Tally};
use solver::admit::Settings;
use solver::deadline::Deadline;
use solver::decision::{Decision, Tier, Verdict};
use solver::planner::Planner;
use solver_check::check;
use solver_format::{HostEntry, PoolEntry, Problem, fingerprint};
use solver_highs::{Highs, wall_clock};

/// Ten seconds for each decision.
fn deadline() -> Deadline {
    wall_clock().limited(Some(Duration::from_secs(10)), None)
}

fn stream(parameters: &Parameters) -> Stream {
    Stream::of(generate(parameters, |_, _| {}).expect("in range")).expect("it begins empty")
}

fn small() -> Parameters {
    Parameters {
        hosts: 60,
        days: 20,
        load: 0.9,
        ..Parameters::default()
    }
}

fn by_rule(stream: &Stream, rule: Rule) -> Tally {
    by_rule_and_berth(stream, rule, false)
}

/// With Berth's opinion on the rule's refusals.
fn by_rule_and_berth(stream: &Stream, rule: Rule, second_opinion: bool) -> Tally {
    let hosts = stream.problem.hosts.iter().map(HostEntry::to_host).collect();
    let pools = stream.problem.pools.iter().map(PoolEntry::to_pool).collect();
    let mirror = Planner::of(&stream.problem).expect("it is valid");
    let mut rival = Rival::new(rule, (hosts, pools), mirror, deadline(), &Highs, second_opinion);
    replay::run(stream, &mut rival, || {}).expect("it keeps its promises")
}

fn by_berth(stream: &Stream) -> Tally {
    let planner = Planner::of(&stream.problem).expect("it is valid");
    let mut berth = Berth::new(planner, stream.problem.freeze, deadline(), &Highs);
    replay::run(stream, &mut berth, || {}).expect("every decision holds")
}

#[test]
fn berth_promises_more_host_hours_than_upstream() {
    let (mut ours, mut theirs) = (0, 0);
    for seed in 1..=3 {
        let stream = stream(&Parameters { seed, ..small() });
        let berth = by_berth(&stream);
        let upstream = by_rule_and_berth(&stream, Rule::Upstream, true);
        assert_eq!(berth.asked, upstream.asked, "both saw the same stream");
        assert_eq!(berth.undecided, 0);
        assert_eq!(berth.accepted + berth.refused, berth.requests);
        assert!(upstream.needless > 0);
        ours += berth.promised.host_seconds;
        theirs += upstream.promised.host_seconds;
    }
    assert!(ours > theirs, "{ours} of Berth, {theirs} of upstream");
}

#[test]
fn promises_hold_with_freeze_cleaning_maintenance_and_extensions() {
    let stream = stream(&Parameters {
        freeze: 7_200,
        cleaning: 1_800,
        maintenance: 3,
        failures: 4,
        extended: 0.3,
        elastic: 0.3,
        multiple: 0.2,
        ..small()
    });
    let tally = by_berth(&stream);
    assert!(tally.accepted > 0 && tally.refused > 0);
    assert!(by_rule(&stream, Rule::BestFit).accepted > 0);
}

/// The same streams through mode `replay`: the checker accepts the plans, and they promise what the measured planner does.
#[test]
fn the_checker_accepts_the_plan_of_every_stream() {
    let kinds = [
        small(),
        Parameters {
            freeze: 7_200,
            cleaning: 1_800,
            maintenance: 3,
            failures: 4,
            extended: 0.3,
            elastic: 0.3,
            multiple: 0.2,
            zones: 2,
            zoned: 0.2,
            ..small()
        },
        Parameters {
            hosts: 30,
            days: 8,
            instances: 0.5,
            pools: 2,
            unit_requests: 0.2,
            extended: 0.2,
            ..small()
        },
    ];
    for parameters in kinds {
        let problem = generate(&parameters, |_, _| {}).expect("in range");
        let text = serde_json::to_string(&problem).expect("it can be written");
        let settings = Settings {
            deadline: deadline(),
            offers: false,
        };
        let problem = Problem::parse(&text).expect("it is valid");
        let plan = solver::replay::run(&problem, &fingerprint(&text), settings, &Highs, |_| {}).expect("it runs");
        assert_eq!(check(&problem, &fingerprint(&text), &plan), []);
        assert_eq!(plan.summary.undecided, 0);
        let stream = Stream::of(problem).expect("it begins empty");
        let planner = Planner::of(&stream.problem).expect("it is valid");
        let mut berth = Berth::new(planner, stream.problem.freeze, deadline(), &Highs);
        let whole = Stream {
            counted_from: stream.problem.now,
            ..stream
        };
        let tally = replay::run(&whole, &mut berth, || {}).expect("every decision holds");
        assert_eq!(
            (tally.accepted, tally.moves),
            (plan.summary.accepted, plan.summary.moves)
        );
    }
}

/// Nothing that keeps started leases where they are promises more than leases that may change hosts at any second: not in
/// every stream, because what is accepted early decides what is later, but in all of these together.
#[test]
fn leases_that_may_always_move_are_promised_more() {
    let (mut ours, mut bound) = (0, 0);
    for seed in 1..=3 {
        let stream = stream(&Parameters { seed, ..small() });
        let hosts: Vec<_> = stream.problem.hosts.iter().map(HostEntry::to_host).collect();
        let mobile = replay::run(&stream, &mut Mobile::new(&hosts), || {}).expect("whole hosts only");
        let berth = by_berth(&stream);
        assert_eq!(berth.asked, mobile.asked, "both saw the same stream");
        ours += berth.promised.host_seconds;
        bound += mobile.promised.host_seconds;
    }
    assert!(bound > ours, "{bound} and {ours}");
}

/// A price of nothing changes nothing, and one that nobody pays refuses what is feasible.
#[test]
fn prices_decline_what_is_feasible_only_if_they_are_asked_to() {
    let stream = stream(&small());
    let with = |share: f64| {
        let planner = Planner::of(&stream.problem).expect("it is valid");
        let berth = Berth::new(planner, stream.problem.freeze, deadline(), &Highs);
        let mut berth = berth.with_prices(Prices::new(share));
        replay::run(&stream, &mut berth, || {}).expect("every decision holds")
    };
    let free = with(0.0);
    assert_eq!((free.declined, free.promised), (0, by_berth(&stream).promised));
    let dear = with(1e9);
    assert!(dear.declined > 0 && dear.accepted < free.accepted);
}

/// A decision that puts the first request onto the hosts of its predecessor.
#[test]
fn the_ledger_finds_a_host_promised_twice() {
    let stream = stream(&small());
    let hosts = stream.problem.hosts.iter().map(HostEntry::to_host);
    let mut ledger = Ledger::new(hosts, 0);
    let planner = Planner::of(&stream.problem).expect("it is valid");
    let (at, request) = stream.requests.first().expect("there are requests");
    let decision = planner.decide(request, *at, &deadline(), &Highs);
    assert!(matches!(decision.verdict, Verdict::Accepted { .. }));
    ledger.record(request, &decision).expect("the first promise holds");
    let mut again = request.clone();
    again.id = "again".into();
    let mut holds = std::collections::BTreeMap::new();
    let Verdict::Accepted { holds: first, .. } = &decision.verdict else {
        return;
    };
    for part in &mut again.reservations {
        let hosts = first.get(&part.id).cloned().unwrap_or_default();
        part.id = format!("again.{}", part.id).into();
        holds.insert(part.id.clone(), hosts);
    }
    let twice = Decision {
        at: *at,
        tier: Tier::Count,
        verdict: Verdict::Accepted {
            holds,
            moves: Vec::new(),
        },
    };
    let breach = ledger.record(&again, &twice).expect_err("the hosts are taken");
    assert!(breach.0.contains("both hold"), "{breach}");
}

/// Upstream counts a reservation with many instances on a host as one instance there.
#[test]
fn upstreams_rule_overbooks_hosts_with_instances_and_first_fit_does_not() {
    let stream = stream(&Parameters {
        instances: 1.0,
        load: 1.2,
        ..small()
    });
    assert!(by_rule(&stream, Rule::Upstream).overbooked > 0);
    assert_eq!(by_rule(&stream, Rule::BestFit).overbooked, 0);
}
