//! Generated problems keep the protocol they are drawn by.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use benches::generator::{Parameters, generate};
use solver_format::{Kind, Problem};

fn drawn(parameters: &Parameters) -> Problem {
    generate(parameters, |_, _| {}).expect("the parameters are in range")
}

fn text(problem: &Problem) -> String {
    serde_json::to_string(problem).expect("a problem can be written")
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
    let parameters = Parameters::default();
    let other = Parameters {
        seed: 2,
        ..Parameters::default()
    };
    assert_eq!(text(&drawn(&parameters)), text(&drawn(&parameters)));
    assert_ne!(text(&drawn(&parameters)), text(&drawn(&other)));
}

/// With everything switched on that a problem may have.
#[test]
fn the_same_seed_gives_the_same_bytes_whatever_is_drawn() {
    let parameters = Parameters {
        hosts: 80,
        days: 15,
        zones: 3,
        racks: 9,
        zoned: 0.2,
        elastic: 0.2,
        multiple: 0.2,
        extended: 0.3,
        instances: 0.2,
        pools: 2,
        unit_requests: 0.2,
        maintenance: 4,
        failures: 6,
        ..Parameters::default()
    };
    assert_eq!(text(&drawn(&parameters)), text(&drawn(&parameters)));
    let unequal = Parameters {
        rarity: 0.0,
        ..parameters.clone()
    };
    assert_ne!(drawn(&unequal).hosts, drawn(&parameters).hosts);
}

#[test]
fn another_load_leaves_the_fleet_as_it_is() {
    let parameters = Parameters::default();
    let heavier = Parameters {
        load: 1.3,
        ..Parameters::default()
    };
    let (light, heavy) = (drawn(&parameters), drawn(&heavier));
    assert_eq!(light.hosts, heavy.hosts);
    assert!(light.requests.len() < heavy.requests.len());
}

#[test]
fn requests_arrive_in_order_at_whole_minutes_and_none_starts_before_it_arrives() {
    for seed in 1..=5 {
        let problem = drawn(&Parameters {
            seed,
            extended: 0.3,
            multiple: 0.2,
            ..Parameters::default()
        });
        let arrivals: Vec<i64> = problem.requests.iter().filter_map(|request| request.at).collect();
        assert_eq!(arrivals.len(), problem.requests.len());
        assert!(arrivals.is_sorted());
        assert!(problem.requests.iter().any(|request| request.replaces.is_some()));
        for request in &problem.requests {
            let at = request.at.expect("checked above");
            assert_eq!((at - problem.now) % 60, 0);
            for part in &request.reservations {
                assert_eq!((part.start - problem.now) % 60, 0);
                assert_eq!((part.end - part.start) % 60, 0);
                assert!(part.start >= at || request.replaces.is_some());
            }
        }
    }
}

#[test]
fn the_stream_asks_for_the_load_within_one_request() {
    let parameters = Parameters::default();
    let problem = drawn(&parameters);
    let asked: Vec<i64> = problem
        .requests
        .iter()
        .flat_map(|request| &request.reservations)
        .map(|part| i64::from(part.max.expect("hosts have a bound")) * (part.end - part.start) / 60)
        .collect();
    let (total, largest): (i64, i64) = (asked.iter().sum(), asked.iter().copied().max().unwrap_or(0));
    let wanted = 300 * 60 * 1_440 * 85 / 100;
    assert!((wanted..=wanted + largest).contains(&total), "{total} of {wanted}");
}

#[test]
fn no_request_is_larger_than_the_caps_allow() {
    let problem = drawn(&Parameters::default());
    for part in problem.requests.iter().flat_map(|request| &request.reservations) {
        let predicate = part.condition.clone().expect("hosts have a condition").0;
        let suit = problem
            .hosts
            .iter()
            .filter(|host| host.to_host().matches(&predicate))
            .count() as u64;
        let most = u64::from(part.max.expect("hosts have a bound"));
        assert!(most <= 36, "12 % of 300");
        assert!(2 * most <= suit.max(2), "{most} of {suit}");
    }
}

#[test]
fn as_many_classes_exist_as_asked_for() {
    for classes in [1, 4, 48, 300] {
        let problem = drawn(&Parameters {
            classes,
            ..Parameters::default()
        });
        let kinds: BTreeSet<String> = problem
            .hosts
            .iter()
            .map(|host| format!("{:?}", host.properties))
            .collect();
        assert_eq!(kinds.len(), classes);
    }
}

#[test]
fn a_document_with_whole_hosts_reads_back_as_it_was_written() {
    let problem = drawn(&Parameters {
        zones: 3,
        racks: 12,
        zoned: 0.2,
        elastic: 0.3,
        maintenance: 4,
        failures: 5,
        freeze: 3_600,
        cleaning: 600,
        extended: 0.2,
        ..Parameters::default()
    });
    assert_eq!(Problem::parse(&text(&problem)).expect("it is valid"), problem);
    let blocked = problem.hosts.iter().filter(|host| !host.blocks.is_empty()).count();
    assert!(blocked >= 90, "{blocked} hosts have blocks");
}

#[test]
fn instances_and_units_are_asked_for_when_wanted() {
    let problem = drawn(&Parameters {
        instances: 0.5,
        pools: 2,
        unit_requests: 0.3,
        ..Parameters::default()
    });
    let of = |kind: Kind| {
        let parts = problem.requests.iter().flat_map(|request| &request.reservations);
        parts.filter(|part| part.kind == kind).count()
    };
    assert!(of(Kind::Host) > 0 && of(Kind::Instance) > 0 && of(Kind::Units) > 0);
}

#[test]
fn parameters_out_of_range_are_named() {
    let wrong = [
        (
            Parameters {
                drop: 1.5,
                ..Parameters::default()
            },
            "drop",
        ),
        (
            Parameters {
                load: 0.0,
                ..Parameters::default()
            },
            "load",
        ),
        (
            Parameters {
                classes: 301,
                ..Parameters::default()
            },
            "classes",
        ),
        (
            Parameters {
                zoned: 0.5,
                ..Parameters::default()
            },
            "zoned",
        ),
        (
            Parameters {
                shape: f64::NAN,
                ..Parameters::default()
            },
            "shape",
        ),
    ];
    for (parameters, name) in wrong {
        let error = generate(&parameters, |_, _| {}).expect_err("out of range").to_string();
        assert!(error.contains(name), "{error}");
    }
}
