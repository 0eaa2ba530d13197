//! Which stage took a decision, and how often HiGHS ran for it.
//!
//! Invariant: a decision counts for the last stage it reached, whatever that stage found.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};

use solver::deadline::Deadline;
use solver::decision::{Decision, Tier, Verdict};
use solver::program::{LinearEngine, ModelSolver, Outcome, Program, Step};
use solver_highs::{Runs, runs};

/// The stages of a decision, from cheap to dear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Too few hosts suit the request at any time, or it contradicts itself.
    Static,
    /// Hosts are free as things stand.
    Counting,
    /// Pending promises exchange hosts one by one.
    Exchange,
    /// A shortage is counted, without a program.
    Certificate,
    /// A linear program.
    Linear,
    /// Its point is fractional: columns are fixed one by one.
    Dive,
    /// An integer program, by branch and bound.
    Integer,
    /// All is tried in whole numbers.
    Search,
}

impl Stage {
    /// All stages.
    pub const ALL: [Self; 8] = [
        Self::Static,
        Self::Counting,
        Self::Exchange,
        Self::Certificate,
        Self::Linear,
        Self::Dive,
        Self::Integer,
        Self::Search,
    ];

    /// How reports spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Counting => "counting",
            Self::Exchange => "exchange",
            Self::Certificate => "certificate",
            Self::Linear => "linear program",
            Self::Dive => "dive",
            Self::Integer => "branch and bound",
            Self::Search => "search",
        }
    }

    /// The stage of a decision for which programs were used as far as `programmed`.
    fn of(decision: &Decision, programmed: Option<Self>) -> Self {
        match (&decision.verdict, decision.tier, programmed) {
            (_, Tier::Static, _) => Self::Static,
            (Verdict::Refused { conflict }, ..) if conflict.reason == "search" => Self::Search,
            (_, _, Some(programmed)) => programmed,
            (_, Tier::Certificate, None) => Self::Certificate,
            (Verdict::Accepted { moves, .. }, _, None) if !moves.is_empty() => Self::Exchange,
            (_, Tier::Count | Tier::Mip, None) => Self::Counting,
        }
    }
}

/// How many decisions each stage took, and how often HiGHS ran for them.
#[derive(Debug, Clone, Default)]
pub struct Census {
    /// Decisions by stage.
    pub decisions: BTreeMap<Stage, u64>,
    /// Runs of HiGHS.
    pub runs: Runs,
}

impl Census {
    /// Adds one decision.
    pub fn count(&mut self, stage: Stage, runs: Runs) {
        *self.decisions.entry(stage).or_default() += 1;
        self.runs += runs;
    }

    /// Adds all of another.
    pub fn add(&mut self, other: &Self) {
        for (&stage, &count) in &other.decisions {
            *self.decisions.entry(stage).or_default() += count;
        }
        self.runs += other.runs;
    }

    /// How many decisions a stage took.
    pub fn of(&self, stage: Stage) -> u64 {
        self.decisions.get(&stage).copied().unwrap_or(0)
    }
}

/// A model solver that hears how far decisions go. It is for one thread at a time.
pub struct Stages<'a> {
    solver: &'a dyn ModelSolver,
    /// The greatest stage with a program so far, as its place in [`Stage::ALL`]; 0 if there was none.
    programmed: AtomicU8,
}

impl<'a> Stages<'a> {
    /// Around a model solver.
    pub const fn new(solver: &'a dyn ModelSolver) -> Self {
        Self {
            solver,
            programmed: AtomicU8::new(0),
        }
    }

    /// A decision taken with this solver, its stage and how often HiGHS ran.
    pub fn watch(&self, decide: impl FnOnce(&dyn ModelSolver) -> Decision) -> (Decision, Stage, Runs) {
        self.programmed.store(0, Ordering::Relaxed);
        let before = runs();
        let decision = decide(self);
        let programmed = usize::from(self.programmed.load(Ordering::Relaxed));
        let programmed = Stage::ALL.get(programmed).copied().filter(|_| programmed > 0);
        let stage = Stage::of(&decision, programmed);
        (decision, stage, runs() - before)
    }

    fn reached(&self, stage: Stage) {
        self.programmed.fetch_max(stage as u8, Ordering::Relaxed);
    }
}

impl ModelSolver for Stages<'_> {
    fn solve(&self, program: &Program, deadline: &Deadline) -> Outcome {
        let before = runs();
        let solved = self.solver.solve(program, deadline);
        let ran = runs() - before;
        self.reached(if ran.integer > 0 { Stage::Integer } else { Stage::Linear });
        solved
    }

    fn engine(&self) -> Option<Box<dyn LinearEngine>> {
        self.reached(Stage::Linear);
        self.solver.engine()
    }

    fn observe(&self, step: Step) {
        match step {
            Step::Diving => self.reached(Stage::Dive),
            Step::Branching => self.reached(Stage::Integer),
            Step::Begun | Step::Programming | Step::Solved { .. } | Step::Ended => {}
        }
        self.solver.observe(step);
    }
}
