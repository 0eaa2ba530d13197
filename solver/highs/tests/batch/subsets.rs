//! Small batches against all subsets, each decided by the planner as one request of all its reservations.

use std::collections::BTreeMap;
use std::time::Duration;

use solver::batch::{self, Batch, Chosen};
use solver::deadline::Deadline;
use solver::decision::Verdict;
use solver::model::{Host, Interval, Lease, LeaseId, Request, RequestedReservation, Reservation, Seconds};
use solver::planner::Planner;
use solver::predicate::Predicate;
use solver_check::{Report, holdings, report};
use solver_format::{DecisionEntry, Problem, VerdictName, fingerprint};
use solver_highs::Highs;

use super::stream::{Random, at_least, host, reservation};

const CASES: u64 = 250;

struct Case {
    planner: Planner,
    now: Seconds,
    requests: Vec<(Request, u64)>,
}

fn predicate(random: &mut Random) -> Predicate {
    match random.between(0, 3) {
        0 => at_least("gpu", 1),
        1 => at_least("size", 1),
        _ => Predicate::All(Vec::new()),
    }
}

fn asked(random: &mut Random, from: Seconds, id: &str, hosts: i64) -> RequestedReservation {
    let start = from + random.between(0, 12);
    let min = random.between(1, (hosts / 2).max(1));
    let max = if random.percent(25) {
        random.between(min, hosts)
    } else {
        min
    };
    let size = |size: i64| u32::try_from(size).unwrap();
    let end = start + random.between(1, 8);
    reservation(id, start, end, size(min), size(max), predicate(random))
}

fn request(random: &mut Random, from: Seconds, id: &str, hosts: i64) -> Request {
    let parts = if random.percent(20) { 2 } else { 1 };
    Request {
        id: id.into(),
        replaces: None,
        reservations: (0..parts)
            .map(|part| asked(random, from, &format!("{id}.{part}"), hosts))
            .collect(),
    }
}

/// A reservation asked for otherwise than before.
fn changed(random: &mut Random, mut asked: RequestedReservation, now: Seconds) -> RequestedReservation {
    let (mut start, end) = (asked.window.start, asked.window.end);
    if start > now {
        start = (start + random.between(-2, 3)).max(now);
    }
    asked.window = Interval::new(start, (end + random.between(-2, 5)).max(start + 1));
    asked.min = (asked.min + u32::from(random.percent(40))).max(1);
    asked.max = asked.max.max(asked.min);
    asked
}

fn case(seed: u64) -> Case {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let hosts = random.between(2, 6);
    let mut planner = Planner::new(if random.percent(30) { 2 } else { 0 });
    for number in 0..hosts {
        let mut host: Host = host(
            format!("h{number}"),
            &[("gpu", random.between(0, 1)), ("size", random.between(0, 1))],
        );
        if random.percent(15) {
            let start = random.between(2, 14);
            host.blocks = vec![Interval::new(start, start + random.between(1, 4))];
        }
        planner.put_host(host);
    }
    for number in 0..random.between(0, 5) {
        let request = request(&mut random, 0, &format!("L{number}"), hosts);
        let decision = planner.decide(&request, 0, &Deadline::none(), &Highs);
        planner.apply(&request, &decision).unwrap();
    }
    let now = random.between(0, 6);
    let mut leases: Vec<Lease> = planner.leases().cloned().collect();
    for lease in &mut leases {
        if lease.reservations.iter().all(|held| held.window.end <= now) {
            planner.remove_lease(&lease.id);
        } else if random.percent(15) {
            lease.reservations.iter_mut().for_each(|held| held.pinned = true);
            planner.put_lease(lease.clone()).unwrap();
        }
    }
    let mut requests: Vec<(Request, u64)> = (0..random.between(2, 7))
        .map(|number| {
            let request = request(&mut random, now, &format!("Q{number}"), hosts);
            (request, u64::try_from(random.between(0, 12)).unwrap())
        })
        .collect();
    // Leases are asked to change: longer, later, larger or another kind of host.
    let alive: Vec<Lease> = planner.leases().cloned().collect();
    for name in ["R", "S"] {
        if alive.is_empty() || !random.percent(if name == "R" { 60 } else { 30 }) {
            continue;
        }
        let lease = &alive[usize::try_from(random.next() % alive.len() as u64).unwrap()];
        let parts = lease.reservations.iter().map(|held| {
            let mut asked = reservation(
                &held.id,
                held.window.start,
                held.window.end,
                held.min,
                held.max,
                (*held.predicate).clone(),
            );
            asked.cleaning = held.cleaning;
            asked
        });
        let request = Request {
            id: name.into(),
            replaces: Some(lease.id.clone()),
            reservations: parts.map(|part| changed(&mut random, part, now)).collect(),
        };
        let place = usize::try_from(random.next() % (requests.len() as u64 + 1)).unwrap();
        requests.insert(place, (request, u64::try_from(random.between(0, 12)).unwrap()));
    }
    // And so are requests of the batch, some of them twice.
    for name in ["X", "Y"] {
        if !random.percent(if name == "X" { 40 } else { 20 }) {
            continue;
        }
        let place = usize::try_from(random.next() % requests.len() as u64).unwrap();
        let (of, _) = requests[place].clone();
        let request = Request {
            id: name.into(),
            replaces: Some(of.replaces.unwrap_or(of.id)),
            reservations: of
                .reservations
                .into_iter()
                .map(|part| changed(&mut random, part, now))
                .collect(),
        };
        requests.push((request, u64::try_from(random.between(0, 12)).unwrap()));
    }
    Case { planner, now, requests }
}

/// A request as it stands beside the state.
fn standing(case: &Case, request: &Request) -> Request {
    let mut stands = request.clone();
    let held = |lease: &&LeaseId| case.planner.lease(lease).is_some();
    if let Some(lease) = request.replaces.as_ref().filter(|lease| !held(lease)) {
        stands.id = lease.clone();
        stands.replaces = None;
    }
    stands
}

fn lease_of(request: &Request) -> &LeaseId {
    request.replaces.as_ref().unwrap_or(&request.id)
}

/// Whether a request could be granted if there were no other leases.
fn possible(case: &Case, request: &Request) -> bool {
    let mut alone = case.planner.clone();
    for lease in case
        .planner
        .leases()
        .filter(|lease| request.replaces.as_ref() != Some(&lease.id))
    {
        alone.remove_lease(&lease.id);
    }
    matches!(
        alone.decide(request, case.now, &Deadline::none(), &Highs).verdict,
        Verdict::Accepted { .. }
    )
}

/// The greatest value of any subset, and the fewest moves with it.
fn best(case: &Case) -> (u64, u32) {
    let mut best = (0, 0);
    let requests: Vec<(Request, u64)> = case
        .requests
        .iter()
        .map(|(request, value)| (standing(case, request), *value))
        .collect();
    let follows = |number: usize| case.requests[number].0.replaces.is_some() && requests[number].0.replaces.is_none();
    let sound: Vec<bool> = requests
        .iter()
        .map(|(request, _)| !starts_too_early(case, request))
        .collect();
    let possible: Vec<bool> = requests.iter().map(|(request, _)| possible(case, request)).collect();
    for subset in 1_u32..1 << requests.len() {
        let chosen = || (0..requests.len()).filter(move |number| subset & (1 << number) != 0);
        let value: u64 = chosen().map(|number| requests[number].1).sum();
        if value < best.0 || (value == best.0 && best.1 == 0) {
            continue;
        }
        let mut last: BTreeMap<&LeaseId, usize> = BTreeMap::new();
        let mut valid = chosen().all(|number| sound[number]);
        for number in chosen() {
            let before = last.insert(lease_of(&requests[number].0), number);
            valid = valid && before.is_none_or(|before| possible[before]);
            valid = valid && (before.is_some() || !follows(number));
        }
        if !valid {
            continue;
        }
        let mut merged = case.planner.clone();
        let mut parts = Vec::new();
        let mut together = Request {
            id: "together".into(),
            replaces: None,
            reservations: Vec::new(),
        };
        for (request, _) in last.values().map(|&number| &requests[number]) {
            together.reservations.extend(request.reservations.iter().cloned());
            if let Some(lease) = &request.replaces {
                parts.extend(merged.lease(lease).unwrap().reservations.iter().cloned());
                merged.remove_lease(lease);
                together.replaces = Some("merged".into());
            }
        }
        if together.replaces.is_some() {
            let lease = Lease {
                id: "merged".into(),
                reservations: parts,
            };
            merged.put_lease(lease).unwrap();
        }
        let decision = merged.decide(&together, case.now, &Deadline::none(), &Highs);
        match &decision.verdict {
            Verdict::Accepted { .. } => {
                let moves = decision.counted_moves();
                if value > best.0 || moves < best.1 {
                    best = (value, moves);
                }
            }
            Verdict::Refused { .. } => {}
            Verdict::Undecided(_) => panic!("no limit was set"),
        }
    }
    best
}

fn starts_too_early(case: &Case, request: &Request) -> bool {
    let lease = request.replaces.as_ref().and_then(|lease| case.planner.lease(lease));
    let started = |id: &str| {
        let parts = lease.map_or(&[][..], |lease| &lease.reservations);
        parts.iter().any(|old| *old.id == *id && old.window.start <= case.now)
    };
    request
        .reservations
        .iter()
        .any(|asked| asked.window.start < case.now && !started(&asked.id))
}

/// Every promise kept, every accepted request served, no host used twice.
fn sound(seed: u64, case: &Case, batch: &Batch) {
    let mut value = 0;
    for ((request, worth), chosen) in case.requests.iter().zip(&batch.requests) {
        let id = request.replaces.as_ref().unwrap_or(&request.id);
        if matches!(chosen, Chosen::Superseded(_)) {
            value += worth;
        }
        let Chosen::Accepted(holds) = chosen else { continue };
        value += worth;
        let lease = batch.planner.lease(id).unwrap();
        for asked in &request.reservations {
            let held = lease.reservations.iter().find(|held| held.id == asked.id).unwrap();
            assert_eq!(held.holds, holds[&asked.id], "seed {seed}");
            assert!(
                (asked.min..=asked.max).contains(&u32::try_from(held.holds.len()).unwrap()),
                "seed {seed}"
            );
        }
    }
    assert_eq!(value, batch.value, "seed {seed}");
    let replaced = |lease: &Lease| {
        let mut pairs = case.requests.iter().zip(&batch.requests);
        pairs.any(|((request, _), chosen)| {
            request.replaces.as_ref() == Some(&lease.id) && matches!(chosen, Chosen::Accepted(_))
        })
    };
    for lease in case.planner.leases().filter(|lease| !replaced(lease)) {
        for (old, new) in lease
            .reservations
            .iter()
            .zip(&batch.planner.lease(&lease.id).unwrap().reservations)
        {
            assert_eq!((&old.id, old.holds.len()), (&new.id, new.holds.len()), "seed {seed}");
            if old.is_fixed(case.now, 0) {
                assert_eq!(old.holds, new.holds, "seed {seed}");
            }
            let suits = |host| batch.planner.host(host).unwrap().suits(&new.predicate, new.window);
            let kept = |host| old.holds.contains(host);
            assert!(new.holds.iter().all(|host| kept(host) || suits(host)), "seed {seed}");
        }
    }
    let all: Vec<&Reservation> = batch.planner.leases().flat_map(|lease| &lease.reservations).collect();
    let hosts: std::collections::BTreeSet<_> = all.iter().flat_map(|held| &held.holds).collect();
    assert_eq!(holdings(hosts, all.iter().copied()), [], "seed {seed}");
}

#[test]
fn value_and_moves_are_those_of_the_best_subset() {
    let (mut left_out, mut moved, mut changed, mut superseded) = (0, 0, 0, 0);
    for seed in 1..=CASES {
        let case = case(seed);
        let batch = batch::choose(&case.planner, &case.requests, case.now, &Deadline::none(), &Highs).unwrap();
        sound(seed, &case, &batch);
        let (value, moves) = best(&case);
        assert_eq!((batch.value, batch.bound), (value, value), "seed {seed}");
        let counted: u32 = batch.moves.iter().map(|change| change.counted).sum();
        assert_eq!(counted, moves, "seed {seed}: moves");
        left_out += usize::from(batch.requests.contains(&Chosen::LeftOut));
        moved += usize::from(counted > 0);
        superseded += usize::from(
            batch
                .requests
                .iter()
                .any(|chosen| matches!(chosen, Chosen::Superseded(_))),
        );
        let mut pairs = case.requests.iter().zip(&batch.requests);
        changed += usize::from(
            pairs.any(|((request, _), chosen)| request.replaces.is_some() && matches!(chosen, Chosen::Accepted(_))),
        );
    }
    println!("{left_out} left out, {moved} moved, {changed} changed a lease, {superseded} a request of the batch");
    assert!(left_out > 50 && moved > 5 && changed > 20 && superseded > 20);
}

/// The search alone, without the exact program, stays below the bound and is repeated to the byte.
#[test]
fn equal_batches_have_equal_answers() {
    let (fleet, requests) = super::stream::fleet(5, 60, 6, 1.3, 10.0);
    let mut planner = Planner::new(0);
    for host in fleet {
        planner.put_host(host);
    }
    let requests: Vec<(Request, u64)> = requests.into_iter().map(|request| (request, 1)).collect();
    let run = || {
        let deadline = Deadline::none().limited(None, Some(50_000));
        batch::choose(&planner, &requests, 0, &deadline, &Highs).unwrap()
    };
    let (one, other) = (run(), run());
    assert_eq!(one.requests, other.requests);
    assert!(one.value <= one.bound && one.value > 0);
}

/// The checker accepts the plan document of every small case; with no time nothing is refused that the
/// checker does not see to be impossible.
#[test]
fn the_checker_accepts_every_plan() {
    let (mut open, mut refused, mut believed) = (0, 0, 0);
    for seed in 1..=CASES {
        let case = case(seed);
        let requests: Vec<Request> = case.requests.iter().map(|(request, _)| request.clone()).collect();
        let mut problem = case.planner.problem(case.now, 0, &requests);
        for (entry, (_, value)) in problem.requests.iter_mut().zip(&case.requests) {
            entry.value = Some(*value);
        }
        let text = serde_json::to_string(&problem).unwrap();
        let name = fingerprint(&text);
        for seconds in [None, Some(0.0)] {
            let time = seconds.map(Duration::from_secs_f64);
            let plan = batch::run(&problem, &name, &Deadline::none().limited(time, None), &Highs).unwrap();
            let found = report(&problem, &name, &plan);
            assert_eq!(found.violations, [], "seed {seed}: {text}");
            believed += usize::from(seconds.is_none() && !found.believed.is_empty());
            let proved = |decision: &DecisionEntry| decision.proved == (decision.verdict != VerdictName::Undecided);
            assert!(plan.decisions.iter().all(proved), "seed {seed}");
            open += plan.summary.undecided;
            refused += plan.summary.refused;
            assert!(seconds.is_some() || plan.summary.undecided == 0, "seed {seed}");
        }
    }
    println!("{open} undecided, {refused} refused, {believed} bounds believed");
    assert!(open > 20 && refused > 20 && believed <= 10);
}

/// More requests than the checker tries all subsets of: each plan says which are accepted and refused, and its receipt
/// shows that nothing is worth more. Without the receipt the bound is only believed, and with cheaper prices, too.
#[test]
fn a_batch_without_a_limit_leaves_nothing_undecided_and_its_receipt_shows_why() {
    let (mut requests_all, mut refuted, mut prices) = (0, 0, 0);
    for seed in 1..=20 {
        let (fleet, requests) = super::stream::fleet(seed, 12, 3, 3.0, 6.0);
        let mut planner = Planner::new(0);
        for host in fleet {
            planner.put_host(host);
        }
        let problem = planner.problem(0, 0, &requests);
        let text = serde_json::to_string(&problem).unwrap();
        let name = fingerprint(&text);
        let problem = Problem::parse(&text).unwrap();
        let plan = batch::run(&problem, &name, &Deadline::none(), &Highs).unwrap();
        assert_eq!(plan.summary.undecided, 0, "seed {seed}: {:?}", plan.summary);
        assert_eq!(report(&problem, &name, &plan), Report::default(), "seed {seed}");
        requests_all += requests.len();
        let Some(receipt) = &plan.summary.receipt else { continue };
        refuted += receipt.refuted.len();
        prices += receipt.prices.len();
        let mut without = plan.clone();
        without.summary.receipt = None;
        let mut cheap = plan.clone();
        for row in &mut cheap.summary.receipt.as_mut().unwrap().prices {
            row.weight = 1;
        }
        for wrong in [without, cheap] {
            let found = report(&problem, &name, &wrong);
            assert!(!found.believed.is_empty() || requests.len() <= 6, "seed {seed}");
        }
        let mut more = plan.clone();
        let decision = more
            .decisions
            .iter_mut()
            .find(|decision| decision.verdict == VerdictName::Accepted);
        decision.unwrap().verdict = VerdictName::Undecided;
        assert_ne!(report(&problem, &name, &more).violations, [], "seed {seed}");
    }
    println!("{requests_all} requests, {prices} prices, {refuted} sets that exclude each other");
    assert!(prices > 20);
}
