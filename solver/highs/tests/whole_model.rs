//! What the planner decides on the part of the fleet it looks at, against one program over all classes, all pending
//! promises and all instants: verdict and counted moves must agree on fleets too large for the per-host model.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "all of it is a test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use solver::admit::{self, Settings};
use solver::deadline::Deadline;
use solver::decision::{Decision, Verdict};
use solver::model::{Host, Interval, Lease, Request, RequestedReservation, Reservation, Resource, Seconds};
use solver::planner::Planner;
use solver::predicate::{Operator, Predicate};
use solver::program::{ModelSolver, Outcome, Program};
use solver_check::check;
use solver_format::{Problem, fingerprint};
use solver_highs::Highs;

/// `SplitMix64`: small, seeded, the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in `[low, high]`.
    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.next() % u64::try_from(high - low + 1).unwrap()).unwrap()
    }

    fn percent(&mut self, share: i64) -> bool {
        self.between(1, 100) <= share
    }
}

fn fleet(random: &mut Random) -> Vec<Host> {
    (0..random.between(40, 120))
        .map(|number| {
            let mut properties = BTreeMap::from([("cpus".to_owned(), (8 << random.between(0, 2)).to_string())]);
            for (name, share) in [("gpu", 30), ("ssd", 40)] {
                if random.percent(share) {
                    properties.insert(name.to_owned(), "True".to_owned());
                }
            }
            Host {
                id: format!("h{number:03}").into(),
                properties,
                zone: Some("z".to_owned()),
                rack: None,
                capacity: BTreeMap::new(),
                blocks: Vec::new(),
                reservable: true,
            }
        })
        .collect()
}

fn predicate(random: &mut Random) -> Predicate {
    let compare = |operator, property: &str, value: &str| Predicate::Compare {
        operator,
        property: property.to_owned(),
        value: value.to_owned(),
    };
    match random.between(0, 6) {
        0 => Predicate::All(Vec::new()),
        1 | 2 => compare(Operator::AtLeast, "cpus", "16"),
        3 => compare(Operator::Equal, "gpu", "True"),
        4 => compare(Operator::Equal, "ssd", "True"),
        5 => Predicate::Any(vec![
            compare(Operator::Equal, "gpu", "True"),
            compare(Operator::AtLeast, "cpus", "32"),
        ]),
        _ => Predicate::All(vec![
            compare(Operator::Equal, "ssd", "True"),
            compare(Operator::AtLeast, "cpus", "16"),
        ]),
    }
}

fn request(random: &mut Random, number: usize, hosts: usize, now: Seconds, leases: &[Lease]) -> Request {
    let start = now + random.between(1, 120);
    let most = i64::try_from(hosts).unwrap() / 5;
    let least = 1 + random.between(0, most).min(random.between(0, most));
    // A lease that is still to come may ask for another time.
    let later: Vec<&Lease> = leases
        .iter()
        .filter(|lease| lease.reservations[0].window.start > now)
        .collect();
    let replaced = (!later.is_empty() && random.percent(15))
        .then(|| later[usize::try_from(random.next() % u64::try_from(later.len()).unwrap()).unwrap()]);
    let part = |id: String, random: &mut Random, hosts: i64| RequestedReservation {
        id: id.into(),
        resource: Resource::Host,
        window: Interval::new(start, start + random.between(5, 90)),
        cleaning: 2,
        min: u32::try_from(hosts).unwrap(),
        max: u32::try_from(hosts + if random.percent(20) { 3 } else { 0 }).unwrap(),
        predicate: Arc::new(predicate(random)),
    };
    let mut reservations = vec![part(format!("r{number}-0"), random, least)];
    if let Some(lease) = replaced {
        reservations[0].id = Arc::clone(&lease.reservations[0].id);
    } else if random.percent(15) {
        reservations.push(part(format!("r{number}-1"), random, 1 + least / 2));
    }
    Request {
        id: format!("l{number}").into(),
        replaces: replaced.map(|lease| Arc::clone(&lease.id)),
        reservations,
    }
}

/// Somebody who is to get a number of hosts of the classes that suit.
struct Wish<'w> {
    occupation: Interval,
    predicate: &'w Predicate,
    amount: u32,
    /// Hosts held now; none: it is requested.
    held: Option<&'w [Arc<str>]>,
}

/// Fewest counted moves with which the request can be served, `None` if it cannot. All fixed work has begun.
fn fewest_moves(hosts: &[Host], leases: &[Lease], request: &Request, now: Seconds) -> Option<i64> {
    let alive: Vec<&Reservation> = leases
        .iter()
        .flat_map(|lease| &lease.reservations)
        .filter(|held| held.occupation().end > now)
        .collect();
    let kept: Vec<&Reservation> = leases
        .iter()
        .filter(|lease| request.replaces.as_ref() != Some(&lease.id))
        .flat_map(|lease| &lease.reservations)
        .filter(|held| held.occupation().end > now)
        .collect();
    let telling = alive
        .iter()
        .filter(|held| held.window.end > now)
        .map(|held| held.predicate.as_ref());
    let telling: BTreeSet<&Predicate> = telling
        .chain(request.reservations.iter().map(|asked| asked.predicate.as_ref()))
        .collect();
    let mut numbers: BTreeMap<Vec<bool>, usize> = BTreeMap::new();
    let mut members: Vec<Vec<&Host>> = Vec::new();
    let mut class_of: BTreeMap<&str, usize> = BTreeMap::new();
    for host in hosts {
        let next = numbers.len();
        let truth = telling.iter().map(|predicate| host.matches(predicate)).collect();
        let class = *numbers.entry(truth).or_insert(next);
        members.resize_with(numbers.len(), Vec::new);
        members[class].push(host);
        class_of.insert(&host.id, class);
    }
    let (started, pending): (Vec<&Reservation>, Vec<&Reservation>) =
        kept.into_iter().partition(|held| held.window.start <= now);
    let asked = request.reservations.iter().map(|asked| Wish {
        occupation: asked.occupation(),
        predicate: &asked.predicate,
        amount: asked.min,
        held: None,
    });
    let wishes: Vec<Wish<'_>> = asked
        .chain(pending.iter().map(|held| Wish {
            occupation: held.occupation(),
            predicate: &held.predicate,
            amount: u32::try_from(held.holds.len()).unwrap(),
            held: Some(&held.holds),
        }))
        .collect();
    let mut program = Program::default();
    let mut given: Vec<Vec<(usize, usize)>> = Vec::new();
    for wish in &wishes {
        let mut columns = Vec::new();
        for (class, members) in members.iter().enumerate() {
            if !members[0].matches(wish.predicate) {
                continue;
            }
            let column = program.column(0, wish.amount);
            columns.push((class, column));
            if let Some(held) = wish.held {
                let before = held.iter().filter(|host| class_of[host.as_ref()] == class).count();
                let left = program.column(1, u32::try_from(before).unwrap());
                let before = i64::try_from(before).unwrap();
                program.row(Some(before), None, vec![(column, 1), (left, 1)]);
            }
        }
        let all = columns.iter().map(|&(_, column)| (column, 1)).collect();
        program.row(Some(i64::from(wish.amount)), Some(i64::from(wish.amount)), all);
        given.push(columns);
    }
    let starts: BTreeSet<Seconds> = wishes.iter().map(|wish| wish.occupation.start).collect();
    for at in starts {
        for (class, members) in members.iter().enumerate() {
            let busy = started.iter().filter(|held| held.occupation().contains(at));
            let busy = busy
                .flat_map(|held| &held.holds)
                .filter(|host| class_of[host.as_ref()] == class);
            let free = i64::try_from(members.len() - busy.count()).unwrap();
            let active = wishes
                .iter()
                .zip(&given)
                .filter(|(wish, _)| wish.occupation.contains(at));
            let here = active.flat_map(|(_, columns)| columns).filter(|(of, _)| *of == class);
            program.row(None, Some(free), here.map(|&(_, column)| (column, 1)).collect());
        }
    }
    match Highs.solve(&program, &Deadline::none()) {
        Outcome::Optimal(values) => Some(program.cost(&values)),
        Outcome::Infeasible => None,
        Outcome::TimeLimit | Outcome::WorkLimit | Outcome::Unreliable => panic!("no limit was set"),
    }
}

#[derive(Debug, Default)]
struct Tally {
    accepted: usize,
    moved: usize,
    refused: usize,
    several_instants: usize,
}

#[test]
fn looking_at_a_part_of_the_fleet_decides_as_the_whole_does() {
    let mut tally = Tally::default();
    for seed in 0..24 {
        let mut random = Random(seed);
        let hosts = fleet(&mut random);
        let mut planner = Planner::new(0);
        hosts.iter().for_each(|host| planner.put_host(host.clone()));
        let mut now = 1_000;
        for number in 0..90 {
            now += random.between(0, 4);
            let leases: Vec<Lease> = planner.leases().cloned().collect();
            for lease in &leases {
                // Some that are over stay for a while.
                let ended = lease.reservations.iter().all(|held| held.occupation().end <= now);
                if ended && random.percent(70) {
                    planner.remove_lease(&lease.id);
                }
            }
            let leases: Vec<Lease> = planner.leases().cloned().collect();
            let request = request(&mut random, number, hosts.len(), now, &leases);
            let decision = planner.decide(&request, now, &Deadline::none(), &Highs);
            let case = format!("seed {seed}, request {number}");
            let plain = decision.counted_moves() == 0 && matches!(decision.verdict, Verdict::Accepted { .. });
            if !plain || random.percent(5) {
                let expected = fewest_moves(&hosts, &leases, &request, now);
                assert_eq!(moves(&decision, &case), expected, "{case}: {decision:?}");
                checked(&planner, now, &request, &case);
            }
            match &decision.verdict {
                Verdict::Accepted { .. } => {
                    tally.accepted += 1;
                    tally.moved += usize::from(decision.counted_moves() > 0);
                }
                Verdict::Refused { conflict } => {
                    tally.refused += 1;
                    tally.several_instants += usize::from(conflict.reason == "rows");
                }
                Verdict::Undecided(_) => {}
            }
            planner.apply(&request, &decision).unwrap();
        }
    }
    println!("{tally:?}");
    assert!(tally.moved > 100 && tally.refused > 100, "{tally:?}");
}

fn moves(decision: &Decision, case: &str) -> Option<i64> {
    match &decision.verdict {
        Verdict::Accepted { .. } => Some(i64::from(decision.counted_moves())),
        Verdict::Refused { conflict } => {
            assert_ne!(conflict.reason, "search", "{case}");
            None
        }
        Verdict::Undecided(_) => panic!("{case}: undecided"),
    }
}

/// The same decision as a document passes the checker.
fn checked(planner: &Planner, now: Seconds, request: &Request, case: &str) {
    let problem = planner.problem(now, 2, std::slice::from_ref(request));
    let text = serde_json::to_string(&problem).unwrap();
    let problem = Problem::parse(&text).unwrap_or_else(|error| panic!("{case}: {error}"));
    let settings = Settings {
        deadline: Deadline::none(),
        offers: false,
    };
    let plan = admit::run(&problem, &fingerprint(&text), settings, &Highs).unwrap();
    assert_eq!(check(&problem, &fingerprint(&text), &plan), [], "{case}\n{text}");
}
