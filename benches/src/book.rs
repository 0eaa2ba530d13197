//! A fleet and a book of leases to measure single decisions on.

use std::collections::BTreeMap;
use std::sync::Arc;

use solver::deadline::Deadline;
use solver::decision::Verdict;
use solver::model::{Host, Interval, Request, RequestedReservation, Resource, Seconds};
use solver::planner::Planner;
use solver::predicate::{Operator, Predicate};
use solver::program::{ModelSolver, Outcome, Program};

use crate::random::Random;

/// Seconds in an hour.
const HOUR: Seconds = 3_600;
/// How far ahead leases are made.
const HORIZON_HOURS: i64 = 60 * 24;

/// Gives up on every program, so that only decisions by counting come through.
#[derive(Debug, Clone, Copy)]
pub struct CountingOnly;

impl ModelSolver for CountingOnly {
    fn solve(&self, _: &Program, _: &Deadline) -> Outcome {
        Outcome::WorkLimit
    }
}

fn host(number: usize, random: &mut Random) -> Host {
    let cpus = 16 << random.between(0, 2);
    let mut properties = BTreeMap::from([("vcpus".to_owned(), cpus.to_string())]);
    for (name, share) in [("gpu", 20), ("ssd", 40), ("infiniband", 10)] {
        if random.between(1, 100) <= share {
            properties.insert(name.to_owned(), "True".to_owned());
        }
    }
    Host {
        id: format!("host-{number:05}").into(),
        properties,
        zone: Some(format!("az{}", random.between(1, 2))),
        rack: None,
        capacity: BTreeMap::from([("VCPU".to_owned(), u64::try_from(cpus).unwrap_or(0))]),
        blocks: Vec::new(),
        reservable: true,
    }
}

/// A request for a few hosts of some capability.
pub fn request(number: usize, now: Seconds, random: &mut Random) -> Request {
    let compare = |operator, property: &str, value: &str| Predicate::Compare {
        operator,
        property: property.to_owned(),
        value: value.to_owned(),
    };
    let predicate = match random.between(0, 9) {
        0..=3 => Predicate::All(Vec::new()),
        4 => compare(Operator::Equal, "gpu", "True"),
        5 => compare(Operator::Equal, "ssd", "True"),
        6 => compare(Operator::AtLeast, "vcpus", "32"),
        7 => compare(Operator::Equal, "zone", "az1"),
        8 => Predicate::All(vec![
            compare(Operator::Equal, "gpu", "True"),
            compare(Operator::AtLeast, "vcpus", "32"),
        ]),
        _ => compare(Operator::Equal, "infiniband", "True"),
    };
    let start = now + HOUR * random.between(1, HORIZON_HOURS);
    let hosts = u32::try_from(random.between(1, 8)).unwrap_or(1);
    Request {
        id: format!("lease-{number}").into(),
        replaces: None,
        reservations: vec![RequestedReservation {
            id: format!("reservation-{number}").into(),
            resource: Resource::Host,
            window: Interval::new(start, start + HOUR * random.between(6, 90)),
            cleaning: HOUR / 2,
            min: hosts,
            max: hosts,
            predicate: Arc::new(predicate),
        }],
    }
}

/// A planner with this many hosts and leases, all placed by counting.
pub fn book(hosts: usize, leases: usize, now: Seconds, random: &mut Random) -> Planner {
    let mut planner = Planner::new(0);
    for number in 0..hosts {
        planner.put_host(host(number, random));
    }
    let (mut placed, mut number) = (0, 0);
    while placed < leases && number < 4 * leases {
        let request = request(number, now, random);
        number += 1;
        let decision = planner.decide(&request, now, &Deadline::none(), &CountingOnly);
        if matches!(decision.verdict, Verdict::Accepted { .. }) && planner.apply(&request, &decision).is_ok() {
            placed += 1;
        }
    }
    planner
}
