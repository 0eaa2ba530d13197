//! Full re-plans: two designs agree, every promise is kept, and how long larger fleets take.

use std::collections::BTreeSet;
use std::time::Instant;

use solver::check::holdings;
use solver::model::Reservation;
use solver::planner::{Budget, Planner};
use solver::replan::{Design, Replan, replan};
use solver_highs::Highs;

use super::stream;

/// A fleet with what fits of the generator's requests, as things stand when each arrives.
fn booked(seed: u64, hosts: usize, classes: usize, load: f64, days: f64) -> Planner {
    let (fleet, requests) = stream::fleet(seed, hosts, classes, load, days);
    let mut planner = Planner::new(0);
    for host in fleet {
        planner.put_host(host);
    }
    for request in requests {
        let decision = planner.decide(&request, 0, Budget { seconds: Some(0.0) }, &Highs);
        planner.apply(&request, &decision).unwrap();
    }
    planner
}

fn run(planner: &Planner, now: i64, design: Design, seconds: Option<f64>) -> Option<Replan> {
    let started = Instant::now();
    let clock = || u64::try_from(started.elapsed().as_micros()).unwrap();
    replan(planner, now, design, Budget { seconds }, &Highs, &mut { clock }).unwrap()
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
        let planner = booked(seed, hosts, 6, 1.1, 8.0);
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
    measure(10_000, Design::Simplex, 120.0);
}
