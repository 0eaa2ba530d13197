//! Batches with instances and units: the best subset of few requests, sound answers for many.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use solver::batch::{self, Batch, Chosen};
use solver::deadline::Deadline;
use solver::decision::Verdict;
use solver::model::{
    Host, HostId, Instances, Interval, LeaseId, Pool, Request, RequestedReservation, Reservation, Resource, Units,
};
use solver::planner::Planner;
use solver::predicate::Predicate;
use solver_check::{holdings, report};
use solver_format::{VerdictName, fingerprint};
use solver_highs::Highs;

use super::stream::{Random, host};

fn asked(random: &mut Random, id: String) -> RequestedReservation {
    let start = random.between(1, 8);
    let window = Interval::new(start, start + random.between(1, 5));
    let count = u32::try_from(random.between(1, 3)).unwrap();
    let resource = match random.between(0, 2) {
        0 => Resource::Host,
        1 => Resource::Instances(Arc::new(Instances {
            resources: BTreeMap::from([("VCPU".to_owned(), u64::try_from(random.between(1, 3)).unwrap())]),
            affinity: None,
        })),
        _ => Resource::Units(Arc::new(Units {
            pool: "p".into(),
            required: Vec::new(),
        })),
    };
    RequestedReservation {
        id: id.into(),
        resource,
        window,
        cleaning: 0,
        min: count,
        max: count,
        predicate: Arc::new(Predicate::All(Vec::new())),
    }
}

fn request(random: &mut Random, id: &str) -> Request {
    Request {
        id: id.into(),
        replaces: None,
        reservations: (0..random.between(1, 2))
            .map(|part| asked(random, format!("{id}.{part}")))
            .collect(),
    }
}

fn case(seed: u64, requests: usize) -> (Planner, Vec<(Request, u64)>) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut planner = Planner::new(0);
    planner.put_pool(Pool {
        id: "p".into(),
        units: (0..4).map(|unit| HostId::from(format!("u{unit}"))).collect(),
        words: None,
    });
    for number in 0..random.between(2, 4) {
        let mut host: Host = host(format!("h{number}"), &[]);
        host.capacity = BTreeMap::from([("VCPU".to_owned(), 4)]);
        planner.put_host(host);
    }
    for number in 0..2 {
        let request = request(&mut random, &format!("L{number}"));
        let decision = planner.decide(&request, 0, &Deadline::none(), &Highs);
        planner.apply(&request, &decision).unwrap();
    }
    let requests = (0..requests).map(|number| {
        let request = request(&mut random, &format!("Q{number:02}"));
        (request, u64::try_from(random.between(1, 9)).unwrap())
    });
    (planner, requests.collect())
}

fn run(planner: &Planner, requests: &[(Request, u64)]) -> Batch {
    batch::choose(planner, requests, 0, &Deadline::none(), &Highs).unwrap()
}

fn sound(batch: &Batch, before: &Planner) {
    assert!(batch.value <= batch.bound);
    let hosts_only = |held: &&Reservation| held.resource == Resource::Host;
    let all: Vec<&Reservation> = batch.planner.leases().flat_map(|lease| &lease.reservations).collect();
    let whole: Vec<&Reservation> = all.iter().copied().filter(hosts_only).collect();
    let hosts: std::collections::BTreeSet<_> = whole.iter().flat_map(|held| &held.holds).collect();
    assert_eq!(holdings(hosts, whole), []);
    for old in before.leases().flat_map(|lease| &lease.reservations) {
        let new = all.iter().find(|new| new.id == old.id).unwrap();
        assert_eq!(new.holds.len(), old.holds.len());
    }
    for at in 0..14 {
        let mut units: Vec<&HostId> = Vec::new();
        let mut used: BTreeMap<&HostId, u64> = BTreeMap::new();
        for held in all.iter().filter(|held| held.window.contains(at)) {
            match &held.resource {
                Resource::Units(_) => units.extend(&held.holds),
                Resource::Instances(instances) => {
                    for host in &held.holds {
                        *used.entry(host).or_default() += instances.resources["VCPU"];
                    }
                }
                Resource::Host => held.holds.iter().for_each(|host| *used.entry(host).or_default() += 4),
            }
        }
        assert!(used.values().all(|&used| used <= 4));
        let count = units.len();
        units.sort();
        units.dedup();
        assert_eq!(units.len(), count);
    }
}

/// The greatest value of any subset that the planner accepts as one request. What replaces another request
/// is accepted with it, and instead of it.
fn best(planner: &Planner, requests: &[(Request, u64)]) -> u64 {
    let mut best = 0;
    for subset in 1_u32..1 << requests.len() {
        let chosen = || {
            requests
                .iter()
                .enumerate()
                .filter(move |(number, _)| subset & (1 << number) != 0)
                .map(|(_, request)| request)
        };
        let value = chosen().map(|(_, value)| value).sum();
        let follows = |lease: &LeaseId| chosen().any(|(request, _)| request.id == *lease);
        let closed = chosen().all(|(request, _)| request.replaces.as_ref().is_none_or(follows));
        if value <= best || !closed {
            continue;
        }
        let stands = |request: &Request| !chosen().any(|(other, _)| other.replaces.as_ref() == Some(&request.id));
        let together = Request {
            id: "together".into(),
            replaces: None,
            reservations: chosen()
                .filter(|(request, _)| stands(request))
                .flat_map(|(request, _)| request.reservations.clone())
                .collect(),
        };
        let alone = |request: &Request| {
            let mut empty = planner.clone();
            planner.leases().for_each(|lease| empty.remove_lease(&lease.id));
            matches!(
                empty.decide(request, 0, &Deadline::none(), &Highs).verdict,
                Verdict::Accepted { .. }
            )
        };
        let possible = chosen().all(|(request, _)| stands(request) || alone(request));
        let fits = || planner.decide(&together, 0, &Deadline::none(), &Highs).verdict;
        if possible && matches!(fits(), Verdict::Accepted { .. }) {
            best = value;
        }
    }
    best
}

/// One of the requests is asked for otherwise.
fn with_replacement(seed: u64, mut requests: Vec<(Request, u64)>) -> Vec<(Request, u64)> {
    let mut random = Random(seed.wrapping_mul(0xd134_2543_de82_ef95) | 1);
    let place = usize::try_from(random.next() % requests.len() as u64).unwrap();
    let (of, _) = requests[place].clone();
    let mut replacement = Request {
        id: "X".into(),
        replaces: Some(of.id),
        reservations: of.reservations,
    };
    for part in &mut replacement.reservations {
        let start = (part.window.start + random.between(-1, 2)).max(1);
        part.window = Interval::new(start, (part.window.end + random.between(-1, 4)).max(start + 1));
    }
    requests.push((replacement, u64::try_from(random.between(1, 9)).unwrap()));
    requests
}

#[test]
fn few_requests_of_every_kind_get_the_best_subset() {
    let (mut left_out, mut superseded) = (0, 0);
    for seed in 1..=25 {
        let (planner, requests) = case(seed, 5);
        let requests = with_replacement(seed, requests);
        let batch = run(&planner, &requests);
        sound(&batch, &planner);
        let best = best(&planner, &requests);
        assert_eq!((batch.value, batch.bound), (best, best), "seed {seed}");
        left_out += usize::from(batch.requests.contains(&Chosen::LeftOut));
        superseded += usize::from(
            batch
                .requests
                .iter()
                .any(|chosen| matches!(chosen, Chosen::Superseded(_))),
        );
    }
    assert!(left_out > 5 && superseded > 5, "{left_out} {superseded}");
}

/// Too many to try all subsets in the batch, but not in the test.
#[test]
fn a_dozen_requests_of_every_kind_come_near_the_best_subset() {
    let (mut reached, mut all, mut gap) = (0, 0, 0);
    for seed in 101..=106 {
        let (planner, requests) = case(seed, 12);
        let batch = run(&planner, &requests);
        sound(&batch, &planner);
        let best = best(&planner, &requests);
        assert!(batch.value <= best && best <= batch.bound, "seed {seed}");
        reached += batch.value;
        all += best;
        gap += batch.bound - best;
    }
    println!("{reached} of {all}, bounds {gap} above");
    assert!(
        reached * 100 >= all * 98 && gap * 100 <= all * 25,
        "{reached} of {all}, bounds {gap} above"
    );
}

/// The checker accepts the plan document of every small case, one that was cut short too.
#[test]
fn the_checker_accepts_every_plan() {
    let mut believed = 0;
    for seed in 1..=25 {
        let (planner, requests) = case(seed, 5);
        let (requests, values): (Vec<Request>, Vec<u64>) = with_replacement(seed, requests).into_iter().unzip();
        let mut problem = planner.problem(0, 0, &requests);
        for (entry, value) in problem.requests.iter_mut().zip(values) {
            entry.value = Some(value);
        }
        let text = serde_json::to_string(&problem).unwrap();
        let name = fingerprint(&text);
        for seconds in [None, Some(0.0)] {
            let time = seconds.map(Duration::from_secs_f64);
            let plan = batch::run(&problem, &name, &Deadline::none().limited(time, None), &Highs).unwrap();
            let found = report(&problem, &name, &plan);
            assert_eq!(found.violations, [], "seed {seed}: {text}");
            assert!(seconds.is_some() || plan.summary.undecided == 0, "seed {seed}: {text}");
            believed += usize::from(seconds.is_none() && !found.believed.is_empty());
            assert!(
                plan.decisions
                    .iter()
                    .all(|decision| decision.proved == (decision.verdict != VerdictName::Undecided))
            );
        }
    }
    println!("{believed} bounds believed");
    assert!(believed <= 2, "{believed}");
}

#[test]
fn many_requests_of_every_kind_stay_below_the_bound() {
    for seed in 1..=5 {
        let (planner, requests) = case(seed, 14);
        let batch = run(&planner, &requests);
        sound(&batch, &planner);
        assert!(batch.value > 0);
    }
}
