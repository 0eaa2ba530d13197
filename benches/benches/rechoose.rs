//! Decisions that need promises re-chosen, in the protocol's stream of requests on a crowded fleet: whole decisions
//! by what was answered, from the request to the answer, and how long the re-choosing itself takes. Whole decisions
//! are taken several times, because the least of several times is what a busy machine disturbs least.
//!
//! `HOSTS`, `CLASSES`, `LOAD`, `DAYS`, `FREEZE` (seconds), `SEED` and `BUDGET` (seconds) choose the stream. The
//! first half of it only fills the book. With `LEASES` a fleet that carries so many is asked instead, as by
//! `berth bench fleet`: every request on the same state, for at most `WALL` seconds.

#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement: it prints, and its numbers are small"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use benches::fleet::{Filled, Size};
use benches::generator::{Parameters, generate};
use solver::deadline::Deadline;
use solver::decision::{Decision, Verdict};
use solver::model::Seconds;
use solver::planner::Planner;
use solver::program::{LinearEngine, ModelSolver, Outcome, Program, Step};
use solver_highs::{Highs, wall_clock};

/// What one re-choosing took.
#[derive(Default, Clone, Copy)]
struct Effort {
    micros: f64,
    exchange_micros: f64,
    programmed: bool,
    solves: usize,
    rows: usize,
    columns: usize,
    dived: bool,
    branched: bool,
}

/// HiGHS under a stop watch.
#[derive(Default)]
struct Watched(Mutex<(Option<Instant>, Effort, Vec<Effort>)>);

impl ModelSolver for Watched {
    fn solve(&self, program: &Program, deadline: &Deadline) -> Outcome {
        Highs.solve(program, deadline)
    }

    fn engine(&self) -> Option<Box<dyn LinearEngine>> {
        Highs.engine()
    }

    fn observe(&self, step: Step) {
        let mut watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = watch.0.map_or(0.0, |started| started.elapsed().as_secs_f64() * 1e6);
        let effort = &mut watch.1;
        match step {
            Step::Begun => {
                *effort = Effort::default();
                watch.0 = Some(Instant::now());
            }
            Step::Programming => {
                effort.programmed = true;
                effort.exchange_micros = spent;
            }
            Step::Solved { rows, columns } => {
                effort.solves += 1;
                (effort.rows, effort.columns) = (rows, columns);
            }
            Step::Diving => effort.dived = true,
            Step::Branching => effort.branched = true,
            Step::Ended => {
                effort.micros = spent;
                let ended = *effort;
                watch.2.push(ended);
            }
        }
    }
}

/// What most decisions are counted as.
const AS_IT_STANDS: &str = "accepted, as it stands";

/// What a decision is counted as.
fn name(decision: &Decision) -> &'static str {
    match (&decision.verdict, decision.tier) {
        (Verdict::Accepted { moves, .. }, _) if moves.is_empty() => AS_IT_STANDS,
        (Verdict::Accepted { .. }, _) if decision.counted_moves() == 0 => "accepted, exchanging equals",
        (Verdict::Accepted { .. }, _) => "accepted, re-choosing",
        (Verdict::Refused { conflict }, _) => match conflict.reason {
            "capacity" => "refused, one instant",
            "rows" => "refused, several instants",
            "search" => "refused, by search",
            _ => "refused, too few match",
        },
        (Verdict::Undecided(_), _) => "undecided",
    }
}

fn quantiles(name: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        println!("  {name:<34} none");
        return;
    };
    let at = |share: f64| values[(last as f64 * share).round() as usize];
    println!(
        "  {name:<34} n {:>6}  median {:>9.0}  p95 {:>9.0}  p99 {:>9.0}  worst {:>9.0}",
        values.len(),
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0)
    );
}

fn setting(name: &str, otherwise: f64) -> f64 {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(otherwise)
}

fn main() {
    let solver = Watched::default();
    let mut times = Times::default();
    if setting("LEASES", 0.0) > 0.0 {
        fleet(&solver, &mut times);
    } else {
        stream(&solver, &mut times);
    }
    times.print();
    efforts(&solver);
}

/// Times of whole decisions in microseconds.
#[derive(Default)]
struct Times {
    all: Vec<f64>,
    /// By name: of the first time, and the least of several.
    kinds: BTreeMap<&'static str, (Vec<f64>, Vec<f64>)>,
}

impl Times {
    /// Decides once, and if hosts had to be looked for several times more: the same each time.
    fn decide(&mut self, decide: impl Fn() -> Decision) -> Decision {
        let timed = || {
            let before = Instant::now();
            let decision = decide();
            (decision, before.elapsed().as_secs_f64() * 1e6)
        };
        let (decision, once) = timed();
        let kind = name(&decision);
        let repeats = if kind == AS_IT_STANDS || once > 1e6 {
            0
        } else {
            setting("REPEAT", 4.0) as usize
        };
        let least = (0..repeats).map(|_| timed().1).fold(once, f64::min);
        self.all.push(once);
        let (onces, leasts) = self.kinds.entry(kind).or_default();
        onces.push(once);
        leasts.push(least);
        decision
    }

    fn print(self) {
        quantiles("all decisions", self.all);
        for (kind, (once, least)) in self.kinds {
            quantiles(kind, once);
            quantiles("  least of several", least);
        }
    }
}

fn deadline() -> Deadline {
    wall_clock().limited(Some(Duration::from_secs_f64(setting("BUDGET", 30.0))), None)
}

/// Requests to a fleet that carries many leases, each on the same state.
fn fleet(solver: &Watched, times: &mut Times) {
    let size = Size {
        hosts: setting("HOSTS", 10_000.0) as u32,
        classes: setting("CLASSES", 60.0) as usize,
        leases: setting("LEASES", 20_000.0) as usize,
        seed: setting("SEED", 1.0) as u64,
    };
    let filled = Filled::new(size).expect("the size is in range");
    let planner = filled.planner().expect("the leases are consistent");
    let started = Instant::now();
    for request in &filled.requests {
        if started.elapsed().as_secs_f64() > setting("WALL", 30.0) {
            break;
        }
        times.decide(|| planner.decide(request, filled.now, &deadline(), solver));
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or_default();
    println!("{size:?}, {} leases held, {peak}; microseconds:", filled.leases.len());
}

/// A stream of requests, each on the state the one before it left.
fn stream(solver: &Watched, times: &mut Times) {
    let standard = Parameters::default();
    let parameters = Parameters {
        hosts: setting("HOSTS", 1_000.0) as u32,
        classes: setting("CLASSES", 24.0) as usize,
        load: setting("LOAD", 0.9),
        days: setting("DAYS", 40.0) as u32,
        freeze: setting("FREEZE", 0.0) as Seconds,
        seed: setting("SEED", 7.0) as u64,
        ..standard
    };
    let problem = generate(&parameters, |_, _| {}).expect("the parameters are in range");
    let mut planner = Planner::of(&problem).expect("nothing is held yet");
    let mut ends: BTreeSet<(Seconds, Arc<str>)> = BTreeSet::new();
    let (mut accepted, mut refused, mut undecided, mut moves) = (0, 0, 0, 0);
    let mut now = problem.now;
    let started = Instant::now();
    for (number, entry) in problem.requests.iter().enumerate() {
        now = entry.at.unwrap_or(now).max(now);
        while let Some((end, lease)) = ends.first().cloned()
            && end <= now
        {
            planner.remove_lease(&lease);
            ends.remove(&(end, lease));
        }
        let request = entry.to_request(problem.cleaning);
        if number == problem.requests.len() / 2 {
            solver.0.lock().unwrap_or_else(PoisonError::into_inner).2.clear();
            *times = Times::default();
        }
        let decision = times.decide(|| planner.decide(&request, now, &deadline(), solver));
        match &decision.verdict {
            Verdict::Accepted { .. } => accepted += 1,
            Verdict::Refused { .. } => refused += 1,
            Verdict::Undecided(_) => undecided += 1,
        }
        moves += decision.counted_moves();
        if matches!(decision.verdict, Verdict::Accepted { .. }) {
            planner
                .apply(&request, &decision)
                .expect("the state is the one decided on");
            let end = request
                .reservations
                .iter()
                .map(|part| part.window.end + problem.cleaning);
            ends.insert((end.max().unwrap_or(now), Arc::clone(&request.id)));
        }
    }
    let pending = planner
        .leases()
        .filter(|lease| lease.reservations[0].window.start > now)
        .count();
    println!(
        "{} hosts, {} classes, load {}, {pending} pending at the end; {accepted} accepted, {refused} refused, \
         {undecided} undecided, {moves} moves in {:.0} s; microseconds:",
        parameters.hosts,
        parameters.classes,
        parameters.load,
        started.elapsed().as_secs_f64()
    );
}

/// What re-choosing by itself took.
fn efforts(solver: &Watched) {
    let efforts = &solver.0.lock().unwrap_or_else(PoisonError::into_inner).2;
    let of = |choose: &dyn Fn(&Effort) -> bool, value: &dyn Fn(&Effort) -> f64| -> Vec<f64> {
        efforts.iter().filter(|effort| choose(effort)).map(value).collect()
    };
    quantiles("re-choosing", of(&|_| true, &|effort| effort.micros));
    quantiles(
        "  by exchanges",
        of(&|effort| !effort.programmed, &|effort| effort.micros),
    );
    quantiles(
        "  by a program",
        of(&|effort| effort.programmed, &|effort| effort.micros),
    );
    quantiles(
        "    before it",
        of(&|effort| effort.programmed, &|effort| effort.exchange_micros),
    );
    quantiles(
        "    solves",
        of(&|effort| effort.programmed, &|effort| effort.solves as f64),
    );
    quantiles(
        "    rows",
        of(&|effort| effort.programmed, &|effort| effort.rows as f64),
    );
    quantiles(
        "    columns",
        of(&|effort| effort.programmed, &|effort| effort.columns as f64),
    );
    quantiles("    with a dive", of(&|effort| effort.dived, &|effort| effort.micros));
    quantiles(
        "    with branching",
        of(&|effort| effort.branched, &|effort| effort.micros),
    );
}
