//! How near the bound larger batches come, by processor time. Run with `--ignored --nocapture`.

use std::time::{Duration, Instant};

use solver::batch::{self, Batch};
use solver::deadline::Deadline;
use solver::model::Request;
use solver::planner::Planner;
use solver_check::check;
use solver_format::{Problem, fingerprint};
use solver_highs::Highs;

use super::stream;

/// For how long the thread has run, so that other work on the machine costs little; wall time where the
/// kernel does not say.
fn run(started: Instant) -> Duration {
    let run = std::fs::read_to_string("/proc/thread-self/schedstat");
    let nanos = run.ok().and_then(|run| run.split(' ').next()?.parse::<u64>().ok());
    nanos.map_or_else(|| started.elapsed(), Duration::from_nanos)
}

fn deadline(seconds: f64) -> Deadline {
    let started = Instant::now();
    Deadline::by(move || run(started)).limited(Some(Duration::from_secs_f64(seconds)), None)
}

fn choose(planner: &Planner, requests: &[(Request, u64)], now: i64, seconds: f64) -> (Batch, f64) {
    let deadline = deadline(seconds);
    let begun = deadline.now();
    let batch = batch::choose(planner, requests, now, &deadline, &Highs).unwrap();
    (batch, deadline.now().saturating_sub(begun).as_secs_f64())
}

fn gap(value: u64, bound: u64) -> f64 {
    100.0 * (bound - value) as f64 / bound.max(1) as f64
}

fn measure(hosts: usize, classes: usize, days: f64, seconds: f64, seed: u64) {
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
    let (batch, spent) = choose(&planner, &requests, 0, seconds);
    println!(
        "{hosts} hosts, {classes} classes, {} requests, seed {seed}: gap {:.3} % in {spent:.1} s",
        requests.len(),
        gap(batch.value, batch.bound),
    );
}

/// `BATCH=300,12,14,10,1,10`: hosts, classes, days, seconds, first and last seed.
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

/// `BATCH_SECONDS=10 BATCH_FILES=a.json,b.json`: problem documents, each plan checked.
#[test]
#[ignore = "a measurement"]
fn documents() {
    let seconds = std::env::var("BATCH_SECONDS").map_or(10.0, |seconds| seconds.parse().unwrap());
    for file in std::env::var("BATCH_FILES")
        .unwrap_or_default()
        .split(',')
        .filter(|file| !file.is_empty())
    {
        let text = std::fs::read_to_string(file).unwrap();
        let problem = Problem::parse(&text).unwrap();
        let name = fingerprint(&text);
        let deadline = deadline(seconds);
        let begun = deadline.now();
        let plan = batch::run(&problem, &name, &deadline, &Highs).unwrap();
        let spent = deadline.now().saturating_sub(begun).as_secs_f64();
        assert_eq!(check(&problem, &name, &plan), [], "{file}");
        let sums = &plan.summary;
        println!(
            "{file}: {} requests, {} accepted, gap {:.3} % in {spent:.1} s, {} moves, proved {:?}",
            problem.requests.len(),
            sums.accepted,
            gap(sums.value, sums.bound.unwrap()),
            sums.moves,
            sums.proved
        );
    }
}
