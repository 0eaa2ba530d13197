//! A stream of requests for instances and hosts on a busy fleet: how fast the planner decides, and how much
//! more it accepts than first fit, which never moves anything.
//!
//! `MIXED_STREAM=1000,4000 cargo test -p solver-highs --test mixed_stream -- --nocapture` runs 4,000 requests
//! on 1,000 hosts and prints the figures.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "all of it is a test"
)]

mod first_fit;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use solver::decision::{Tier, Verdict};
use solver::model::{Host, Instances, Interval, Request, RequestedReservation, Resource, Seconds};
use solver::planner::Planner;
use solver::predicate::{Operator, Predicate};
use solver_highs::{Highs, wall_clock};

const HOUR: Seconds = 3_600;

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in (0, 1].
    fn fraction(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 1.0) / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.fraction().ln()
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[(self.next() % items.len() as u64) as usize]
    }
}

fn fleet(random: &mut Random, count: usize) -> Vec<Host> {
    (0..count)
        .map(|number| {
            let (cores, memory) = random.pick(&[(16, 65_536), (32, 131_072), (32, 262_144), (64, 262_144)]);
            let mut properties = BTreeMap::from([("cores".to_owned(), cores.to_string())]);
            if random.fraction() < 0.25 {
                properties.insert("ssd".to_owned(), "True".to_owned());
            }
            Host {
                id: format!("host{number:04}").into(),
                properties,
                zone: Some(random.pick(&["a", "b"]).to_owned()),
                rack: None,
                capacity: BTreeMap::from([("VCPU".to_owned(), cores), ("MEMORY_MB".to_owned(), memory)]),
                blocks: Vec::new(),
                reservable: true,
            }
        })
        .collect()
}

fn request(random: &mut Random, now: Seconds, number: usize) -> Request {
    let lead = if random.fraction() < 0.35 {
        0.0
    } else {
        random.exponential(48.0)
    };
    let start = now + (lead as Seconds) * HOUR;
    let hours = (random.exponential(24.0) as Seconds).clamp(1, 200);
    let size = (1.0 / random.fraction().powf(1.0 / 1.3)).min(24.0) as u32;
    let is_hosts = random.fraction() < 0.15;
    let cores: u64 = random.pick(&[1, 2, 4, 4, 8, 8, 16]);
    let memory = cores * random.pick(&[2_048, 4_096, 8_192]);
    let affinity = match random.fraction() {
        share if share < 0.1 => Some(false),
        share if share < 0.15 => Some(true),
        _ => None,
    };
    let amount = match affinity {
        Some(true) => size.min(3),
        _ => size,
    };
    let resource = if is_hosts {
        Resource::Host
    } else {
        let resources = BTreeMap::from([("VCPU".to_owned(), cores), ("MEMORY_MB".to_owned(), memory)]);
        Resource::Instances(Arc::new(Instances { resources, affinity }))
    };
    let equal = |property: &str, value: &str| Predicate::Compare {
        operator: Operator::Equal,
        property: property.to_owned(),
        value: value.to_owned(),
    };
    let predicate = match random.fraction() {
        share if share < 0.15 => equal("ssd", "True"),
        share if share < 0.25 => equal("zone", random.pick(&["a", "b"])),
        share if share < 0.3 && is_hosts => equal("cores", "64"),
        _ => Predicate::All(Vec::new()),
    };
    let amount = if is_hosts { amount.min(4) } else { amount };
    Request {
        id: format!("lease{number}").into(),
        replaces: None,
        reservations: vec![RequestedReservation {
            id: format!("reservation{number}").into(),
            resource,
            window: Interval::new(start, start + hours * HOUR),
            cleaning: 0,
            min: amount,
            max: amount,
            predicate: Arc::new(predicate),
        }],
    }
}

/// VCPU-hours of what was asked for; a host counts as 32.
fn size(request: &Request) -> f64 {
    let asked = &request.reservations[0];
    let each = match &asked.resource {
        Resource::Instances(instances) => instances.resources["VCPU"] as f64,
        Resource::Host | Resource::Units(_) => 32.0,
    };
    each * f64::from(asked.min) * (asked.window.seconds() / HOUR) as f64
}

#[derive(Default, Debug)]
struct Figures {
    accepted: usize,
    refused: usize,
    undecided: usize,
    searched: usize,
    /// Refusals by reason.
    reasons: BTreeMap<&'static str, usize>,
    moves: u64,
    micros: Vec<u64>,
    core_hours: f64,
}

impl Figures {
    fn percentile(&mut self, share: f64) -> u64 {
        self.micros.sort_unstable();
        self.micros[((self.micros.len() - 1) as f64 * share) as usize]
    }
}

#[test]
fn a_stream_is_decided_fast_and_packed_better_than_by_first_fit() {
    let sizes = std::env::var("MIXED_STREAM").unwrap_or_else(|_| "40,400".to_owned());
    let (hosts, requests) = sizes.split_once(',').expect("hosts and requests");
    let (hosts, requests): (usize, usize) = (hosts.parse().unwrap(), requests.parse().unwrap());
    let mut random = Random(7);
    let fleet = fleet(&mut random, hosts);
    let capacity: u64 = fleet.iter().map(|host| host.capacity["VCPU"]).sum();
    let mut planner = Planner::new(0);
    let mut first_fit = first_fit::FirstFit::new(&fleet);
    fleet.iter().for_each(|host| planner.put_host(host.clone()));
    let (mut berth, mut plain, mut asked) = (Figures::default(), Figures::default(), 0.0);
    let mut now = 0.0;
    let mut most_pending = 0;
    for number in 0..requests {
        let at = now as Seconds;
        let request = request(&mut random, at, number);
        // So much arrives per hour that all of it would take the whole fleet.
        now += random.exponential(size(&request) / (capacity as f64) * HOUR as f64);
        let over: Vec<_> = planner
            .leases()
            .filter(|lease| lease.reservations.iter().all(|held| held.window.end <= at))
            .map(|lease| lease.id.clone())
            .collect();
        over.iter().for_each(|lease| planner.remove_lease(lease));
        most_pending = most_pending.max(
            planner
                .leases()
                .filter(|lease| lease.reservations[0].window.start > at)
                .count(),
        );
        asked += size(&request);
        let started = Instant::now();
        let decision = planner.decide(
            &request,
            at,
            &wall_clock().limited(Some(Duration::from_secs(5)), None),
            &Highs,
        );
        berth.micros.push(started.elapsed().as_micros() as u64);
        berth.searched += usize::from(decision.tier == Tier::Mip);
        berth.moves += u64::from(decision.counted_moves());
        match &decision.verdict {
            Verdict::Accepted { .. } => {
                berth.accepted += 1;
                berth.core_hours += size(&request);
            }
            Verdict::Refused { conflict } => {
                berth.refused += 1;
                *berth.reasons.entry(conflict.reason).or_default() += 1;
            }
            Verdict::Undecided(_) => {
                println!("undecided: {request:?}");
                berth.undecided += 1;
            }
        }
        planner.apply(&request, &decision).unwrap();
        if first_fit.admit(&request, at) {
            plain.accepted += 1;
            plain.core_hours += size(&request);
        }
    }
    let [median, high, higher, highest] = [0.5, 0.95, 0.99, 1.0].map(|share| berth.percentile(share));
    println!(
        "{hosts} hosts, {requests} requests, at most {most_pending} pending leases: accepted {}, refused {}, undecided \
         {}; by search {}, moves {}; micros median {median} p95 {high} p99 {higher} max {highest}",
        berth.accepted, berth.refused, berth.undecided, berth.searched, berth.moves,
    );
    println!("refusals: {:?}", berth.reasons);
    let share = |figures: &Figures| 100.0 * figures.core_hours / asked;
    println!(
        "core-hours of those asked for: {:.1} %; first fit {:.1} % ({} requests)",
        share(&berth),
        share(&plain),
        plain.accepted
    );
    assert!(berth.undecided * 100 <= requests, "{} undecided", berth.undecided);
    assert!(berth.core_hours > plain.core_hours, "first fit accepts more");
}
