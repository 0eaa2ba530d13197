//! How well instances are packed: streams through Berth and the rules, beside what no planner could exceed.
//!
//! `cargo run --workspace --locked --example instances -- HOSTS DAYS INSTANCES LOAD FIRST-SEED SEEDS`

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program to measure with")]

use std::time::Duration;

use benches::baseline::Rule;
use benches::bound;
use benches::generator::{Parameters, generate};
use benches::random::ratio;
use benches::replay::{self, Berth, Contender, Rival, Stream, Tally};
use solver::deadline::Deadline;
use solver::planner::Planner;
use solver_format::{HostEntry, PoolEntry};
use solver_highs::{Highs, wall_clock};

/// Ten seconds for each decision.
fn deadline() -> Deadline {
    wall_clock().limited(Some(Duration::from_secs(10)), None)
}
/// Seconds for a bound.
const BOUND: f64 = 120.0;

fn number<T: std::str::FromStr>(place: usize, otherwise: T) -> T {
    let given = std::env::args().nth(place).and_then(|given| given.parse().ok());
    given.unwrap_or(otherwise)
}

fn main() {
    let base = Parameters {
        hosts: number(1, 100),
        days: number(2, 20),
        instances: number(3, 0.5),
        load: number(4, 0.85),
        ..Parameters::default()
    };
    let (first, seeds): (u64, u64) = (number(5, 1), number(6, 10));
    let only_berth = std::env::var_os("ONLY_BERTH").is_some();
    println!(
        "seed  bound  berth  first fit  best fit  upstream | host-hours: berth  first fit  best fit  upstream | moves undecided median p99 max overbooked"
    );
    let mut sums = [0.0; 9];
    for seed in first..first + seeds {
        let parameters = Parameters { seed, ..base.clone() };
        let stream = Stream::of(generate(&parameters, |_, _| {}).expect("in range")).expect("it begins empty");
        let hosts: Vec<_> = stream.problem.hosts.iter().map(HostEntry::to_host).collect();
        let pools: Vec<_> = stream.problem.pools.iter().map(PoolEntry::to_pool).collect();
        let planner = Planner::of(&stream.problem).expect("it is valid");
        let run = |contender: &mut dyn Contender| replay::run(&stream, contender, || {}).expect("promises hold");
        let by = |rule: Rule| {
            if only_berth {
                return Tally::default();
            }
            let mut rival = Rival::new(
                rule,
                (hosts.clone(), pools.clone()),
                planner.clone(),
                deadline(),
                &Highs,
                false,
            );
            run(&mut rival)
        };
        let berth = run(&mut Berth::new(
            planner.clone(),
            stream.problem.freeze,
            deadline(),
            &Highs,
        ));
        let others = [by(Rule::FirstFit), by(Rule::BestFit), by(Rule::Upstream)];
        let bound = if only_berth {
            0.0
        } else {
            bound::processor_seconds(&stream, BOUND)
        };
        let processors = |tally: &Tally| 100.0 * ratio(tally.promised.processor_seconds, berth.asked.processor_seconds);
        let host_hours = |tally: &Tally| 100.0 * ratio(tally.promised.host_seconds, berth.asked.host_seconds);
        let mut line = vec![
            100.0 * bound / ratio(berth.asked.processor_seconds, 1),
            processors(&berth),
        ];
        line.extend(others.iter().map(processors));
        line.push(host_hours(&berth));
        line.extend(others.iter().map(host_hours));
        sums.iter_mut().zip(&line).for_each(|(sum, value)| *sum += value);
        let shown: Vec<String> = line.iter().map(|value| format!("{value:6.2}")).collect();
        let all = berth.all();
        println!(
            "{seed:4} {} | {} {} {:.0} {:.0} {:.0} {}",
            shown.join(" "),
            berth.moves,
            berth.undecided,
            all.quantile(0.5),
            all.quantile(0.99),
            all.quantile(1.0),
            others[2].overbooked
        );
    }
    let mean: Vec<String> = sums
        .iter()
        .map(|sum| format!("{:6.2}", sum / ratio(seeds, 1)))
        .collect();
    println!("mean {}", mean.join(" "));
}
