//! Questions about capacity, answered on a snapshot: how many hosts are free when, how many one request
//! could have, when it could start earliest, what would change if the fleet changed.
//!
//! Invariant: a question changes nothing. Every answer is either exact or says that it is not, and holds
//! for the snapshot alone: nothing is reserved by asking.
//!
//! *Without moves* means throughout: no pending promise leaves its class. Exchanges among hosts that no
//! reservation can tell apart are no moves (see [`crate::decision::Move::counted`]).

mod amount;
mod availability;
mod classes;
mod consequences;
mod earliest;
mod fleet;
mod kinds;
mod lasting;
mod latest;
mod obstacles;
mod sweep;

pub use amount::Most;
pub use availability::{Availability, Step};
pub use consequences::{Consequence, Consequences, Necessity};
pub use earliest::{Earliest, Slot};
pub use fleet::{FleetChange, FleetError, changed};
pub use latest::Latest;
pub use obstacles::{Obstacle, Obstacles};

use crate::deadline::{Deadline, Part};
use crate::decision::{Decision, Verdict};
use crate::model::{Interval, Request, Seconds};
use crate::planner::{ModelSolver, Planner};

/// Most decisions one question takes unless it is told otherwise.
pub const MOST_DECISIONS: u32 = 200;

/// A snapshot to ask, and what an answer may cost.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The snapshot.
    pub planner: &'a Planner,
    /// The moment to decide at.
    pub now: Seconds,
    /// For the whole answer; what was found by then is given, marked as not proved.
    pub deadline: &'a Deadline,
    /// What each single decision may take of it.
    pub each: Part,
    /// Solves what counting leaves open.
    pub solver: &'a dyn ModelSolver,
    /// Most decisions in one answer, which end it like the deadline.
    pub decisions: u32,
}

/// Whether a request works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// It works, with this many counted moves.
    Works(u32),
    Fails,
    /// Nobody knows: the deadline ended.
    Open,
}

impl Question<'_> {
    /// Decides a request in what one decision may take.
    pub fn decide(&self, request: &Request) -> Decision {
        let deadline = self.deadline.part(self.each);
        self.planner.decide(request, self.now, &deadline, self.solver)
    }

    /// The fewest counted moves by which a request works; `None` if it does not, or nobody knows in time.
    pub fn moves_for(&self, request: &Request) -> Option<u32> {
        match Answer::of(&Asked::new(*self).decide(request)?) {
            Answer::Works(moves) => Some(moves),
            Answer::Fails | Answer::Open => None,
        }
    }
}

/// Counts the decisions of one answer.
struct Asked<'a> {
    question: Question<'a>,
    left: u32,
}

impl<'a> Asked<'a> {
    const fn new(question: Question<'a>) -> Self {
        Self {
            question,
            left: question.decisions,
        }
    }

    /// Whether one more decision may be taken; counts it.
    fn may_ask(&mut self) -> bool {
        if self.left == 0 || self.question.deadline.is_over() {
            return false;
        }
        self.left -= 1;
        true
    }

    /// Decides, or `None` when no more decisions may be taken.
    fn decide(&mut self, request: &Request) -> Option<Decision> {
        if !self.may_ask() {
            return None;
        }
        Some(self.question.decide(request))
    }
}

impl Answer {
    fn of(decision: &Decision) -> Self {
        match &decision.verdict {
            Verdict::Accepted { .. } => Self::Works(decision.counted_moves()),
            Verdict::Refused { .. } => Self::Fails,
            Verdict::Undecided(_) => Self::Open,
        }
    }
}

/// The request later by `shift` seconds, or `None` beyond the end of time. Asks for no more than the least
/// amounts: what is only wanted decides no verdict.
fn shifted(request: &Request, shift: Seconds) -> Option<Request> {
    let mut later = least(request);
    for asked in &mut later.reservations {
        asked.window = Interval::new(
            asked.window.start.checked_add(shift)?,
            asked.window.end.checked_add(shift)?,
        );
        asked.window.end.checked_add(asked.cleaning)?;
    }
    Some(later)
}

/// The request without what is wanted beyond the least amounts, unless it may have to keep more.
fn least(request: &Request) -> Request {
    let mut least = request.clone();
    if request.replaces.is_none() {
        for asked in &mut least.reservations {
            asked.max = asked.min;
        }
    }
    least
}
