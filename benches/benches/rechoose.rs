//! Decisions that need a program to re-choose promises, in the protocol's stream of requests on a crowded fleet, by
//! several engines in turn: whole decisions from the request to the answer, and what re-choosing by itself takes. Each
//! engine decides `REPEAT` times, and the least time counts, because a busy machine disturbs it least.
//!
//! `HOSTS`, `CLASSES`, `LOAD`, `DAYS`, `FREEZE` (seconds), `SEED` and `BUDGET` (seconds) choose the stream. The
//! first half of it only fills the book. With `LEASES` a fleet that carries so many is asked instead, as by
//! `berth bench fleet`: every request on the same state, for at most `WALL` seconds. `ENGINES` names the engines, the
//! first of which decides what is promised: `highs` as in the service, `fresh` with a new object for each program.

#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement: it prints, and its numbers are small"
)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use benches::fleet::{Filled, Size};
use benches::generator::{Parameters, generate};
use solver::deadline::Deadline;
use solver::decision::{Decision, Verdict};
use solver::model::Seconds;
use solver::planner::Planner;
use solver::program::{LinearEngine, ModelSolver, Outcome, Program, Step};
use solver_highs::{Engine, Highs, Runs, runs, wall_clock};

/// What one re-choosing took.
#[derive(Default, Clone, Copy)]
struct Effort {
    micros: f64,
    programmed: bool,
    solves: usize,
    rows: usize,
    columns: usize,
    dived: bool,
    branched: bool,
}

/// A way of solving growing programs.
struct Contender {
    name: String,
    make: fn() -> Box<dyn LinearEngine>,
}

fn contenders() -> Vec<Contender> {
    let names = std::env::var("ENGINES").unwrap_or_else(|_| "highs,fresh".to_owned());
    let named = |name: &str| Contender {
        name: name.to_owned(),
        make: match name {
            "fresh" => || Box::new(Engine::fresh()),
            _ => || Box::new(Engine::new()),
        },
    };
    names.split(',').map(named).collect()
}

/// What was seen of the decision in hand.
#[derive(Default)]
struct Watch {
    begun: Option<Instant>,
    effort: Effort,
}

/// Model solvers under a stop watch.
struct Watched {
    contenders: Vec<Contender>,
    chosen: AtomicUsize,
    watch: Mutex<Watch>,
}

impl ModelSolver for Watched {
    fn solve(&self, program: &Program, deadline: &Deadline) -> Outcome {
        Highs.solve(program, deadline)
    }

    fn engine(&self) -> Option<Box<dyn LinearEngine>> {
        let chosen = self.chosen.load(Ordering::Relaxed);
        Some((self.contenders[chosen].make)())
    }

    fn observe(&self, step: Step) {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = watch.begun.map_or(0.0, |started| started.elapsed().as_secs_f64() * 1e6);
        let effort = &mut watch.effort;
        match step {
            Step::Begun => {
                watch.begun = Some(Instant::now());
            }
            Step::Programming => {
                effort.programmed = true;
            }
            Step::Solved { rows, columns } => {
                effort.solves += 1;
                (effort.rows, effort.columns) = (rows, columns);
            }
            Step::Diving => effort.dived = true,
            Step::Branching => effort.branched = true,
            Step::Ended => {
                effort.micros = spent;
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
    let solver = Watched {
        contenders: contenders(),
        chosen: AtomicUsize::default(),
        watch: Mutex::default(),
    };
    let mut times = Times::new(&solver);
    if setting("LEASES", 0.0) > 0.0 {
        fleet(&solver, &mut times);
    } else {
        stream(&solver, &mut times);
    }
    times.print();
}

/// What an engine did for one decision; the least times of several.
#[derive(Clone)]
struct Took {
    micros: f64,
    effort: Effort,
    runs: Runs,
    kind: &'static str,
    moves: u32,
}

/// What all engines did.
struct Times<'s> {
    solver: &'s Watched,
    /// Microseconds of the decisions that needed no program.
    others: Vec<f64>,
    /// Of every decision that needed one, what each engine did.
    took: Vec<Vec<Took>>,
}

impl<'s> Times<'s> {
    const fn new(solver: &'s Watched) -> Self {
        Self {
            solver,
            others: Vec::new(),
            took: Vec::new(),
        }
    }

    /// Decides by one engine.
    fn timed(&self, engine: usize, decide: impl Fn() -> Decision) -> (Decision, Took) {
        let latest = || self.solver.watch.lock().unwrap_or_else(PoisonError::into_inner);
        self.solver.chosen.store(engine, Ordering::Relaxed);
        latest().effort = Effort::default();
        let (before, started) = (runs(), Instant::now());
        let decision = decide();
        let micros = started.elapsed().as_secs_f64() * 1e6;
        let took = Took {
            micros,
            effort: latest().effort,
            runs: runs() - before,
            kind: name(&decision),
            moves: decision.counted_moves(),
        };
        (decision, took)
    }

    /// Decides once, and if a program was needed several times more by every engine in turn.
    fn decide(&mut self, decide: impl Fn() -> Decision) -> Decision {
        let (decision, first) = self.timed(0, &decide);
        if !first.effort.programmed {
            self.others.push(first.micros);
            return decision;
        }
        let engines = self.solver.contenders.len();
        let mut took: Vec<Took> = (1..engines).map(|engine| self.timed(engine, &decide).1).collect();
        took.insert(0, first);
        for round in 1..setting("REPEAT", 5.0) as usize {
            for place in 0..engines {
                let engine = (place + round) % engines;
                let (_, again) = self.timed(engine, &decide);
                let best = &mut took[engine];
                best.micros = best.micros.min(again.micros);
                best.effort.micros = best.effort.micros.min(again.effort.micros);
            }
        }
        self.took.push(took);
        decision
    }

    fn print(self) {
        quantiles("decided without a program", self.others);
        let otherwise = self.took.iter().filter(|took| {
            let alike = |one: &Took| (one.kind, one.moves) == (took[0].kind, took[0].moves);
            !took.iter().all(alike)
        });
        println!(
            "  {} decisions by a program, {} of them not the same by all engines",
            self.took.len(),
            otherwise.count()
        );
        for (engine, contender) in self.solver.contenders.iter().enumerate() {
            println!("{}", contender.name);
            let of = |value: &dyn Fn(&Took) -> f64| self.took.iter().map(|took| value(&took[engine])).collect();
            quantiles("whole decision", of(&|took| took.micros));
            let shares = self
                .took
                .iter()
                .map(|took| 100.0 * took[engine].micros / took[0].micros);
            quantiles("  percent of the first's", shares.collect());
            quantiles("re-choosing", of(&|took| took.effort.micros));
            quantiles("  solves", of(&|took| took.effort.solves as f64));
            quantiles(
                "  runs of HiGHS",
                of(&|took| (took.runs.linear + took.runs.integer) as f64),
            );
            quantiles("  rows", of(&|took| took.effort.rows as f64));
            quantiles("  columns", of(&|took| took.effort.columns as f64));
            let of = |chosen: fn(&Effort) -> bool| self.took.iter().filter(|took| chosen(&took[engine].effort)).count();
            println!(
                "  {} dived, {} branched",
                of(|effort| effort.dived),
                of(|effort| effort.branched)
            );
        }
    }
}

fn deadline() -> Deadline {
    wall_clock().limited(Some(Duration::from_secs_f64(setting("BUDGET", 30.0))), None)
}

/// Requests to a fleet that carries many leases, each on the same state.
fn fleet<'s>(solver: &'s Watched, times: &mut Times<'s>) {
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
fn stream<'s>(solver: &'s Watched, times: &mut Times<'s>) {
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
            *times = Times::new(solver);
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
