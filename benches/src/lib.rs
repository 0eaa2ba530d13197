//! Fleets and books of leases to measure on.
//!
//! Invariant: the same seed gives the same fleet and the same leases on every machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use solver::decision::Verdict;
use solver::model::{Host, Interval, Request, RequestedReservation, Resource, Seconds};
use solver::planner::{Budget, Planner};
use solver::predicate::{Operator, Predicate};
use solver::program::{ModelSolver, Outcome, Program, Solved};

/// Seconds in an hour.
const HOUR: Seconds = 3_600;
/// How far ahead leases are made.
const HORIZON_HOURS: i64 = 60 * 24;

/// The generator `SplitMix64`: small, seeded, the same everywhere.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator with this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in `[low, high]`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.next() % high.abs_diff(low).saturating_add(1)).unwrap_or(0)
    }
}

/// Gives up on every program, so that only decisions by counting come through.
#[derive(Debug, Clone, Copy)]
pub struct CountingOnly;

impl ModelSolver for CountingOnly {
    fn solve(&self, _: &Program, _: Option<f64>) -> Solved {
        Solved {
            outcome: Outcome::Limit,
            seconds: 0.0,
        }
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
        let decision = planner.decide(&request, now, Budget { seconds: None }, &CountingOnly);
        if matches!(decision.verdict, Verdict::Accepted { .. }) && planner.apply(&request, &decision).is_ok() {
            placed += 1;
        }
    }
    planner
}
