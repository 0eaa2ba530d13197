//! How near the bound larger batches come. Run with `--ignored --nocapture`.

use std::time::Instant;

use solver::batch::{self, Limits};
use solver::planner::Planner;
use solver_highs::Highs;

use super::stream;

fn measure(hosts: usize, classes: usize, days: f64, seconds: f64, seed: u64) -> f64 {
    let (fleet, requests) = stream::fleet(seed, hosts, classes, 1.3, days);
    let mut planner = Planner::new(0);
    for host in fleet {
        planner.put_host(host);
    }
    let requests: Vec<_> = requests
        .into_iter()
        .map(|request| {
            let asked = &request.reservations[0];
            let value = u64::from(asked.min) * u64::try_from(asked.window.seconds()).unwrap();
            (request, value)
        })
        .collect();
    let started = Instant::now();
    let limits = Limits {
        seconds: Some(seconds),
        rounds: u32::MAX,
        seed: 1,
    };
    let clock = || u64::try_from(started.elapsed().as_micros()).unwrap();
    let batch = batch::choose(&planner, &requests, 0, limits, &Highs, &mut { clock }).unwrap();
    let gap = 100.0 * (batch.bound - batch.value) as f64 / batch.bound as f64;
    println!(
        "{hosts} hosts, {classes} classes, {} requests, seed {seed}: gap {gap:.3} % in {:.1} s",
        requests.len(),
        started.elapsed().as_secs_f64()
    );
    gap
}

/// `BATCH=300,12,14,10,1,10 cargo test ... figures::batches`: hosts, classes, days, seconds, first and last seed.
#[test]
#[ignore = "a measurement"]
fn batches() {
    let given = std::env::var("BATCH").unwrap_or_else(|_| "300,20,20,10,1,3".to_owned());
    let given: Vec<usize> = given.split(',').map(|part| part.parse().unwrap()).collect();
    let [hosts, classes, days, seconds, first, last] = given[..] else {
        panic!("six numbers are needed: {given:?}");
    };
    for seed in first..=last {
        measure(hosts, classes, days as f64, seconds as f64, seed as u64);
    }
}
