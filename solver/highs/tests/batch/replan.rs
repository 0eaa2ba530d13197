//! Full re-plans: two designs agree, every promise is kept, and how long larger fleets take.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, Instant};

use solver::deadline::Deadline;
use solver::model::{HostId, Interval, Reservation};
use solver::planner::Planner;
use solver::predicate::Predicate;
use solver::program::{ModelSolver, Outcome, Program};
use solver::replan::{Counted, Design, Replan, replan};
use solver_check::holdings;
use solver_highs::{Highs, wall_clock};

use super::stream;

/// A fleet with what fits of the generator's requests, as things stand when each arrives.
fn booked(seed: u64, hosts: usize, classes: usize, load: f64, days: f64) -> Planner {
    let (fleet, requests) = stream::fleet(seed, hosts, classes, load, days);
    let mut planner = Planner::new(0);
    for host in fleet {
        planner.put_host(host);
    }
    for request in requests {
        let decision = planner.decide(
            &request,
            0,
            &Deadline::none().limited(Some(Duration::ZERO), None),
            &Highs,
        );
        planner.apply(&request, &decision).unwrap();
    }
    planner
}

fn run(planner: &Planner, now: i64, design: Design, seconds: Option<f64>) -> Option<Replan> {
    let deadline = wall_clock().limited(seconds.map(Duration::from_secs_f64), None);
    replan(planner, now, design, &deadline, &Highs).unwrap()
}

/// Every pending reservation has as many suitable hosts as before, and none twice.
fn sound(planner: &Planner, now: i64, plan: &Replan) {
    let mut all: Vec<Reservation> = Vec::new();
    for lease in planner.leases() {
        for held in &lease.reservations {
            let mut new = held.clone();
            if let Some(holds) = plan.holds.get(&held.id) {
                assert!(held.window.start > now);
                assert_eq!(holds.len(), held.holds.len());
                let suits = |host| planner.host(host).unwrap().suits(&held.predicate, held.window);
                assert!(holds.iter().all(suits));
                new.holds.clone_from(holds);
            } else {
                assert!(held.window.start <= now);
            }
            all.push(new);
        }
    }
    let hosts: BTreeSet<_> = all.iter().flat_map(|held| &held.holds).cloned().collect();
    assert_eq!(holdings(&hosts, &all), []);
}

#[test]
fn both_designs_find_the_least_cost() {
    let mut pending = 0;
    for seed in 1..=12 {
        let hosts = 20 + 10 * usize::try_from(seed).unwrap();
        let load = if seed % 2 == 0 { 2.5 } else { 1.1 };
        let planner = booked(seed, hosts, 6, load, 8.0);
        let now = 86_400 * 2;
        let own = run(&planner, now, Design::Simplex, None).unwrap();
        sound(&planner, now, &own);
        pending += own.holds.len();
        let whole = run(&planner, now, Design::Flow, None).unwrap();
        sound(&planner, now, &whole);
        assert_eq!((own.cost, own.proved), (whole.cost, true), "seed {seed}");
    }
    assert!(pending > 500, "{pending}");
}

/// The least cost with a variable for every reservation and host: a host costs, each second, one more than the
/// number of live expressions it satisfies.
fn per_host(planner: &Planner, now: i64) -> u64 {
    let all = || planner.leases().flat_map(|lease| &lease.reservations);
    let live: HashSet<&Predicate> = all()
        .filter(|held| held.window.end > now)
        .map(|held| &*held.predicate)
        .collect();
    let mut program = Program::default();
    let mut on: BTreeMap<&HostId, Vec<(Interval, usize)>> = BTreeMap::new();
    for held in all().filter(|held| held.window.start > now) {
        let mut entries = Vec::new();
        for host in planner.hosts().filter(|host| host.suits(&held.predicate, held.window)) {
            let fixed = all().filter(|other| other.window.start <= now && other.holds.contains(&host.id));
            if fixed.into_iter().any(|other| other.window.overlaps(&held.window)) {
                continue;
            }
            let price = 1 + live.iter().filter(|expression| host.matches(expression)).count();
            let column = program.column(i64::try_from(price).unwrap() * held.window.seconds(), 1);
            entries.push((column, 1));
            on.entry(&host.id).or_default().push((held.window, column));
        }
        let count = i64::try_from(held.holds.len()).unwrap();
        program.row(Some(count), Some(count), entries);
    }
    for uses in on.values() {
        for (window, _) in uses {
            let here = uses.iter().filter(|(other, _)| other.contains(window.start));
            program.row(None, Some(1), here.map(|&(_, column)| (column, 1)).collect());
        }
    }
    match Highs.solve(&program, &Deadline::none()) {
        Outcome::Optimal(values) => program.cost(&values).try_into().unwrap(),
        other @ (Outcome::Infeasible | Outcome::TimeLimit | Outcome::WorkLimit | Outcome::Unreliable) => {
            panic!("{other:?}")
        }
    }
}

#[test]
fn the_least_cost_is_that_of_the_model_of_every_host() {
    let mut pending = 0;
    for seed in 1..=40 {
        let load = [0.8, 1.5, 3.0][usize::try_from(seed).unwrap() % 3];
        let planner = booked(100 + seed, 8 + usize::try_from(seed).unwrap() % 5, 4, load, 4.0);
        let now = i64::try_from(seed).unwrap() % 2 * 86_400;
        let plan = run(&planner, now, Design::Simplex, None).unwrap();
        sound(&planner, now, &plan);
        assert!(plan.proved, "seed {seed}");
        assert_eq!(plan.cost, per_host(&planner, now), "seed {seed}");
        pending += plan.holds.len();
    }
    assert!(pending > 300, "{pending}");
}

#[test]
fn counts_become_hosts_again() {
    for seed in 1..=6 {
        let planner = booked(seed, 60, 8, 1.5, 8.0);
        for now in [0, 86_400 * 3] {
            let holds = Counted::new(&planner, now).decode().unwrap();
            let plan = Replan {
                holds,
                cost: 0,
                bound: 0,
                proved: false,
            };
            sound(&planner, now, &plan);
        }
    }
}

fn measure(hosts: usize, design: Design, seconds: f64) {
    let planner = booked(1, hosts, 20, 1.0, 10.0);
    let started = Instant::now();
    let plan = run(&planner, 0, design, Some(seconds));
    let spent = started.elapsed().as_secs_f64();
    match plan {
        Some(plan) => {
            sound(&planner, 0, &plan);
            println!(
                "{hosts} hosts, {} reservations, {design:?}: {spent:.2} s, cost {}, bound {}, proved {}",
                plan.holds.len(),
                plan.cost,
                plan.bound,
                plan.proved
            );
        }
        None => println!("{hosts} hosts, {design:?}: nothing in {spent:.2} s"),
    }
}

#[test]
#[ignore = "a measurement"]
fn figures() {
    for hosts in [300, 1_000, 3_000] {
        measure(hosts, Design::Simplex, 60.0);
    }
    for hosts in [300, 1_000] {
        measure(hosts, Design::Flow, 60.0);
    }
}

#[test]
#[ignore = "a measurement of minutes"]
fn large_figures() {
    for hosts in [10_000, 50_000] {
        measure(hosts, Design::Simplex, 120.0);
    }
}
