//! Limits: work decides as if there were no clock, time ends every mode soon after it is up.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "all of it is a test"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use solver::admit::{self, Settings};
use solver::deadline::Deadline;
use solver::planner::Planner;
use solver::{batch, heal, replay};
use solver_check::check;
use solver_format::{Plan, Problem, fingerprint};
use solver_highs::Highs;

const NOW: i64 = 1_800_000_000;

/// What is asked for: of instances or hosts, how many, from when, for how long, and whether hosts have to be large.
type Asked = (bool, u32, i64, i64, bool);

fn reservation(id: &str, &(instances, count, start, length, large): &Asked) -> Value {
    let (start, end) = (NOW + 60 * (1 + start), NOW + 60 * (1 + start + length));
    let suits = if large { json!([">=", "$size", "3"]) } else { json!([]) };
    if instances {
        json!({"id": id, "type": "instance", "start": start, "end": end, "amount": count,
            "resources": {"VCPU": 1 + count % 3}, "where": suits})
    } else {
        json!({"id": id, "type": "host", "start": start, "end": end, "min": count, "max": count, "where": suits})
    }
}

/// A fleet on which the first requests were accepted as far as they fit, one host of which is out of order.
fn problem(sizes: &[u64], asked: &[Asked]) -> (Problem, String) {
    let hosts: Vec<Value> = sizes
        .iter()
        .enumerate()
        .map(|(number, size)| {
            json!({"id": format!("h{number}"), "capacity": {"VCPU": 2 * size},
                "properties": {"size": size.to_string()}})
        })
        .collect();
    let requests: Vec<Value> = asked
        .iter()
        .enumerate()
        .map(|(number, asked)| {
            json!({"id": format!("L{number:02}"), "at": NOW + 10 * number as i64, "value": 1 + number % 4,
                "reservations": [reservation(&format!("r{number:02}"), asked)]})
        })
        .collect();
    let (booked, open) = requests.split_at(requests.len() / 2);
    let document = |requests: &[Value]| json!({"format": "berth-problem/1", "now": NOW, "cleaning": 0, "hosts": hosts, "requests": requests});
    let parse = |document: &Value| Problem::parse(&document.to_string()).unwrap();
    let mut planner = Planner::of(&parse(&document(&[]))).unwrap();
    for entry in parse(&document(booked)).requests {
        let request = entry.to_request(0);
        let decision = planner.decide(&request, NOW, &Deadline::none(), &Highs);
        planner.apply(&request, &decision).unwrap();
    }
    let mut problem = planner.problem(NOW, 0, &[]);
    problem.requests = parse(&document(open)).requests;
    problem.hosts[0].reservable = false;
    let text = serde_json::to_string(&problem).unwrap();
    (Problem::parse(&text).unwrap(), fingerprint(&text))
}

fn plans(problem: &Problem, name: &str, deadline: &Deadline) -> [Plan; 4] {
    let settings = || Settings {
        deadline: deadline.clone(),
        offers: true,
    };
    [
        admit::run(problem, name, settings(), &Highs),
        replay::run(problem, name, settings(), &Highs, |_| {}),
        heal::run(problem, name, &deadline.restarted(), &Highs),
        batch::run(problem, name, &deadline.restarted(), &Highs),
    ]
    .map(Result::unwrap)
}

/// Plans but for what the clock said.
fn timeless(problem: &Problem, name: &str, deadline: &Deadline) -> [String; 4] {
    plans(problem, name, deadline).map(|mut plan| {
        for decision in &mut plan.decisions {
            decision.micros = 0;
        }
        serde_json::to_string(&plan).unwrap()
    })
}

/// Leaps forwards and backwards.
fn wild() -> impl Fn() -> Duration + Send + Sync + 'static {
    let asked = AtomicU64::new(0);
    move || {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        Duration::from_millis(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20)
    }
}

fn sizes() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(1..5_u64, 3..7)
}

fn asked() -> impl Strategy<Value = Vec<Asked>> {
    let one = (any::<bool>(), 1..4_u32, 0..8_i64, 1..6_i64, any::<bool>());
    prop::collection::vec(one, 8..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn with_a_limit_of_work_no_clock_matters(
        sizes in sizes(),
        asked in asked(),
        work in prop::sample::select(vec![1_u64, 30, 300, 3_000, 30_000]),
    ) {
        let (problem, name) = problem(&sizes, &asked);
        let frozen = timeless(&problem, &name, &Deadline::none().limited(None, Some(work)));
        let wild = timeless(&problem, &name, &Deadline::by(wild()).limited(None, Some(work)));
        prop_assert_eq!(frozen, wild);
    }

    /// A clock that advances whenever it is asked: after its end each mode asks a few times more and no longer.
    #[test]
    fn every_mode_ends_soon_after_its_time(sizes in sizes(), asked in asked(), time in 0..400_u64) {
        let (problem, name) = problem(&sizes, &asked);
        let read = Arc::new(AtomicU64::new(0));
        let clock = {
            let read = Arc::clone(&read);
            Deadline::by(move || Duration::from_millis(read.fetch_add(1, Ordering::Relaxed)))
        };
        let deadline = clock.limited(Some(Duration::from_millis(time)), None);
        for plan in plans(&problem, &name, &deadline) {
            prop_assert_eq!(check(&problem, &name, &plan), []);
        }
        let all = read.load(Ordering::Relaxed);
        // Each request of two modes has the time anew, and so have the two other modes.
        let decisions = 2 * problem.requests.len() as u64 + 2;
        prop_assert!(all <= decisions * (time + MOST_AFTERWARDS), "{all} questions, {decisions} decisions, {time}");
    }
}

/// Questions that one decision asks after its time, at most.
const MOST_AFTERWARDS: u64 = 100;

/// 10,000 hosts, three leases after one another on each of them with small gaps, and requests for more than is left. With
/// `instances`, every fifth group of hosts is shared by instances.
fn saturated(instances: bool) -> Problem {
    const HOUR: i64 = 3_600;
    let size = |host: usize| 1 + host % 4;
    let hosts: Vec<Value> = (0..10_000)
        .map(|host| {
            json!({"id": format!("h{host:05}"), "capacity": {"VCPU": 16}, "zone": format!("z{}", host % 3),
                "reservable": host % 50 != 0, "properties": {"size": size(host).to_string()}})
        })
        .collect();
    let at_least = |least: usize| {
        if least > 1 {
            json!([">=", "$size", least.to_string()])
        } else {
            json!([])
        }
    };
    let mut random: u64 = 7;
    let mut below = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % bound
    };
    let mut leases = Vec::new();
    for group in 0..1_248_usize {
        // Eight hosts of one size.
        let members: Vec<usize> = (0..8).map(|place| (group / 4 * 8 + place) * 4 + group % 4).collect();
        let mut start = NOW + HOUR;
        for number in 0..3 {
            start += HOUR * below(4) as i64;
            let end = start + HOUR * (12 + below(24) as i64);
            let (lease, part) = (format!("L{group:04}-{number}"), format!("r{group:04}-{number}"));
            let suits = at_least(1 + below(size(members[0]) as u64) as usize);
            let is_shared = instances && group % 5 == 0;
            let each = if is_shared { 3 } else { 1 };
            let holds: serde_json::Map<String, Value> = members
                .iter()
                .map(|host| (format!("h{host:05}"), json!(each)))
                .collect();
            let reservation = if is_shared {
                json!({"id": part, "type": "instance", "start": start, "end": end, "amount": 8 * each,
                    "resources": {"VCPU": 4}, "where": suits, "holds": holds})
            } else {
                json!({"id": part, "type": "host", "start": start, "end": end, "min": 8, "max": 8, "where": suits,
                    "holds": holds})
            };
            leases.push(json!({"id": lease, "reservations": [reservation]}));
            start = end;
        }
    }
    let requests: Vec<Value> = (0..40)
        .map(|number| {
            let start = NOW + HOUR * (1 + below(60) as i64);
            let end = start + HOUR * (6 + below(40) as i64);
            let count = 20 + below(300);
            let suits = at_least(1 + number % 4);
            let id = format!("q{number:02}");
            let asked = if instances && number % 2 == 0 {
                json!({"id": id, "type": "instance", "start": start, "end": end, "amount": count,
                    "resources": {"VCPU": 6}, "where": suits})
            } else {
                json!({"id": id, "type": "host", "start": start, "end": end, "min": count, "max": count, "where": suits})
            };
            json!({"id": format!("Q{number:02}"), "value": 1 + below(9), "reservations": [asked]})
        })
        .collect();
    let document = json!({"format": "berth-problem/1", "now": NOW, "cleaning": 0, "hosts": hosts, "leases": leases,
        "requests": requests});
    Problem::parse(&document.to_string()).unwrap()
}

/// A mode's name, and what plans in it.
type Mode<'m> = (&'m str, &'m dyn Fn() -> Plan);

/// For how long the thread has run, so that other work on the machine costs little; wall time where the kernel does not say.
fn run(begun: std::time::Instant) -> Duration {
    let run = std::fs::read_to_string("/proc/thread-self/schedstat");
    let nanos = run.ok().and_then(|run| run.split(' ').next()?.parse::<u64>().ok());
    nanos.map_or_else(|| begun.elapsed(), Duration::from_nanos)
}

/// `SECONDS=1,3 cargo test -p solver-highs --test deadline -- --ignored --nocapture`: by how much each mode exceeds its time.
#[test]
#[ignore = "a measurement"]
fn a_saturated_fleet_of_ten_thousand_hosts() {
    let begun = std::time::Instant::now();
    let seconds = std::env::var("SECONDS").unwrap_or_else(|_| "1,3".to_owned());
    for instances in [false, true] {
        let problem = saturated(instances);
        for seconds in seconds.split(',').map(|text| text.parse::<f64>().unwrap()) {
            let limited = || Deadline::by(move || run(begun)).limited(Some(Duration::from_secs_f64(seconds)), None);
            let settings = || Settings {
                deadline: limited(),
                offers: true,
            };
            let single = |number: usize| Problem {
                requests: vec![problem.requests[number].clone()],
                ..problem.clone()
            };
            let modes: [Mode<'_>; 7] = [
                ("admit, 40 at once", &|| {
                    admit::run(&problem, "", settings(), &Highs).unwrap()
                }),
                ("admit, one with offers", &|| {
                    admit::run(&single(3), "", settings(), &Highs).unwrap()
                }),
                ("admit, one with offers", &|| {
                    admit::run(&single(4), "", settings(), &Highs).unwrap()
                }),
                ("admit, one with offers", &|| {
                    admit::run(&single(38), "", settings(), &Highs).unwrap()
                }),
                ("replay", &|| {
                    replay::run(&problem, "", settings(), &Highs, |_| {}).unwrap()
                }),
                ("heal", &|| heal::run(&problem, "", &limited(), &Highs).unwrap()),
                ("batch", &|| batch::run(&problem, "", &limited(), &Highs).unwrap()),
            ];
            for (mode, plan) in modes {
                let before = run(begun);
                let plan = plan();
                let whole = run(begun).saturating_sub(before).as_secs_f64();
                let longest = plan.decisions.iter().map(|decision| decision.micros).max().unwrap_or(0) as f64 / 1e6;
                for decision in &plan.decisions {
                    if decision.micros as f64 / 1e6 > seconds + 0.3 {
                        println!("    {} took {} us", decision.request, decision.micros);
                    }
                }
                println!(
                    "{mode}, instances {instances}, {seconds} s: {longest:.2} s, {whole:.2} s with reading the problem; {} \
                     accepted, {} refused, {} undecided, bound {:?}",
                    plan.summary.accepted, plan.summary.refused, plan.summary.undecided, plan.summary.bound
                );
            }
        }
    }
}
