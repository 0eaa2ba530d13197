//! Times of single decisions on a filled fleet.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use solver::deadline::Deadline;
use solver::decision::{Decision, Tier, Verdict};
use solver::planner::{ModelSolver, Planner};
use solver_highs::wall_clock;

use super::questions::{questions, with_share};
use super::refusals::Refusals;
use super::{Filled, Scan};
use crate::ledger::{Breach, Ledger};
use crate::replay::Latency;
use crate::stages::{Census, Stages};

/// What a measurement may cost.
#[derive(Debug, Clone, Copy)]
pub struct Budgets {
    /// Wall time for all decisions of a size, as much for questions, and a quarter of it for refusals.
    pub wall: Duration,
    /// Most decisions.
    pub decisions: usize,
    /// For one decision.
    pub decision: Duration,
}

impl Budgets {
    /// For a decision that begins now.
    fn deadline(&self) -> Deadline {
        wall_clock().limited(Some(self.decision), None)
    }
}

/// Decision times by what was done.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Microseconds by name.
    pub times: BTreeMap<&'static str, Latency>,
    /// Counted moves of each decision that re-chose something.
    pub moves: Vec<u32>,
    /// Requests without an answer in time.
    pub undecided: usize,
    /// Refusals whose proof was recounted.
    pub checked_refusals: usize,
    /// Stages of the requests' decisions and of those that ask for all that suits, and runs of HiGHS.
    pub census: Census,
}

impl Figures {
    pub(super) fn time<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = black_box(work());
        self.add(name, started.elapsed().as_secs_f64() * 1e6);
        result
    }

    pub(super) fn add(&mut self, name: &'static str, micros: f64) {
        self.times.entry(name).or_default().0.push(micros);
    }
}

/// Decides the fleet's requests one by one, each on the same state, and applies those accepted to a copy. Every accepted decision
/// is recounted, and the proofs of the first refusals are. `progress` hears of every decision.
pub fn measure(
    filled: &Filled,
    planner: &Planner,
    budgets: Budgets,
    solver: &dyn ModelSolver,
    mut progress: impl FnMut(),
) -> Result<Figures, Breach> {
    let mut figures = Figures::default();
    let mut refusals = Refusals::default();
    let scan = Scan::new(filled);
    let mut ledger = Ledger::of(filled.hosts.iter().cloned(), &filled.leases)?;
    let stages = Stages::new(solver);
    let until = Instant::now() + budgets.wall;
    for request in filled.requests.iter().take(budgets.decisions) {
        if Instant::now() > until {
            break;
        }
        for part in &request.reservations {
            figures.time("scan of intervals", || scan.first_free(part));
            if let Some(eligibility) = planner.eligibility(&part.predicate) {
                figures.time("count", || {
                    planner.free_hosts(&eligibility, part.window, part.cleaning, part.min)
                });
            }
        }
        let started = Instant::now();
        let decide = |solver: &dyn ModelSolver| planner.decide(request, filled.now, &budgets.deadline(), solver);
        let (decision, stage, runs) = black_box(stages.watch(decide));
        let micros = started.elapsed().as_secs_f64() * 1e6;
        figures.census.count(stage, runs);
        figures.add(name(&decision), micros);
        figures.add("all decisions", micros);
        match &decision.verdict {
            Verdict::Accepted { .. } => {
                let counted = decision.counted_moves();
                if counted > 0 {
                    figures.moves.push(counted);
                }
                ledger.trial(request, &decision)?;
                let mut next = planner.clone();
                let applied = figures.time("commit", || next.apply(request, &decision));
                applied.map_err(|error| Breach(error.to_string()))?;
                figures.time("remove a lease", || next.remove_lease(&request.id));
            }
            Verdict::Refused { .. } => refusals.keep(request, &decision),
            Verdict::Undecided(_) => figures.undecided += 1,
        }
        progress();
    }
    drop((scan, ledger));
    too_much(filled, planner, budgets, &stages, (&mut figures, &mut refusals));
    questions(filled, planner, budgets, solver, &mut figures);
    figures.checked_refusals = refusals.check(filled, budgets.wall / 4)?;
    Ok(figures)
}

/// Asks for all hosts that suit, some of which are nearly always in use: these are refused even where little is booked.
fn too_much(
    filled: &Filled,
    planner: &Planner,
    budgets: Budgets,
    stages: &Stages<'_>,
    (figures, refusals): (&mut Figures, &mut Refusals),
) {
    let until = Instant::now() + budgets.wall / 4;
    for request in filled.requests.iter().take(budgets.decisions.div_ceil(100)) {
        if Instant::now() > until {
            break;
        }
        let request = with_share(planner, request, 1);
        let started = Instant::now();
        let decide = |solver: &dyn ModelSolver| planner.decide(&request, filled.now, &budgets.deadline(), solver);
        let (decision, stage, runs) = black_box(stages.watch(decide));
        let micros = started.elapsed().as_secs_f64() * 1e6;
        figures.census.count(stage, runs);
        let name = match (&decision.verdict, decision.tier) {
            (Verdict::Refused { .. }, Tier::Static | Tier::Count | Tier::Certificate) => {
                "refuse all that suit, by certificate"
            }
            (Verdict::Refused { .. }, Tier::Mip) => "refuse all that suit, by program",
            (Verdict::Accepted { .. }, _) => "accept all that suit",
            (Verdict::Undecided(_), _) => "undecided, all that suit",
        };
        figures.add(name, micros);
        figures.undecided += usize::from(matches!(decision.verdict, Verdict::Undecided(_)));
        refusals.keep(&request, &decision);
    }
}

/// What a decision is counted as.
fn name(decision: &Decision) -> &'static str {
    match (&decision.verdict, decision.tier) {
        (Verdict::Accepted { moves, .. }, _) if decision.counted_moves() == 0 && moves.is_empty() => {
            "accept, as it stands"
        }
        (Verdict::Accepted { .. }, _) if decision.counted_moves() == 0 => "accept, exchanging equal hosts",
        (Verdict::Accepted { .. }, _) => "accept, by re-choosing",
        (Verdict::Refused { .. }, Tier::Static | Tier::Count | Tier::Certificate) => "refuse, by certificate",
        (Verdict::Refused { .. }, Tier::Mip) => "refuse, by program",
        (Verdict::Undecided(_), _) => "undecided",
    }
}
