//! The time that a decision or a question may take at the model solver.
//!
//! Invariant: nothing is solved after an allowance is over, and nothing for longer than is left of it, however many
//! programs are solved on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use solver::planner::ModelSolver;
use solver::program::{LinearEngine, Outcome, Program, Solved, Status, Step};
use tokio_util::sync::CancellationToken;

use crate::ports::Clock;

/// What allowances are made of. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Allowances {
    pub(crate) solver: Arc<dyn ModelSolver>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Ends all of them when the service stops.
    pub(crate) shutdown: CancellationToken,
}

impl Allowances {
    /// An allowance of so many seconds from now on.
    pub(crate) fn of(&self, seconds: f64) -> Allowance {
        let seconds = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        Allowance {
            until: self.clock.elapsed().saturating_add(seconds),
            given: self.clone(),
            cut: Arc::default(),
        }
    }
}

/// A model solver for a limited time. Clones share it.
#[derive(Clone)]
pub(crate) struct Allowance {
    given: Allowances,
    /// When it is over, by [`Clock::elapsed`].
    until: Duration,
    /// Whether something might have been found with more time.
    cut: Arc<AtomicBool>,
}

impl Allowance {
    /// Whether nothing is left.
    pub(crate) fn is_over(&self) -> bool {
        let is_over = self.given.shutdown.is_cancelled() || self.given.clock.elapsed() >= self.until;
        if is_over {
            self.leave_open();
        }
        is_over
    }

    /// Whether more time might have led to another answer.
    pub(crate) fn was_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// Seconds that are left.
    pub(crate) fn seconds(&self) -> f64 {
        self.until.saturating_sub(self.given.clock.elapsed()).as_secs_f64()
    }

    /// Something was not decided, which more time might have.
    pub(crate) fn leave_open(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    /// Runs `work` for at most these seconds and no longer than is left; `None` if nothing is. `is_limit` says whether its
    /// answer is that time ran out.
    fn spend<T>(
        &self,
        seconds: Option<f64>,
        work: impl FnOnce(Option<f64>) -> T,
        is_limit: impl FnOnce(&T) -> bool,
    ) -> Option<T> {
        if self.is_over() {
            return None;
        }
        let left = self.seconds();
        let is_cut = seconds.is_none_or(|seconds| left < seconds);
        let answer = work(Some(seconds.map_or(left, |seconds| seconds.min(left))));
        if is_cut && is_limit(&answer) {
            self.leave_open();
        }
        Some(answer)
    }
}

impl ModelSolver for Allowance {
    fn solve(&self, program: &Program, seconds: Option<f64>) -> Solved {
        let solve = |seconds| self.given.solver.solve(program, seconds);
        let solved = self.spend(seconds, solve, |solved| solved.outcome == Outcome::Limit);
        solved.unwrap_or(Solved {
            outcome: Outcome::Limit,
            seconds: 0.0,
        })
    }

    fn engine(&self) -> Option<Box<dyn LinearEngine>> {
        let inner = self.given.solver.engine()?;
        Some(Box::new(Engine {
            inner,
            allowance: self.clone(),
        }))
    }

    fn observe(&self, step: Step) {
        self.given.solver.observe(step);
    }
}

/// An engine on an allowance.
struct Engine {
    inner: Box<dyn LinearEngine>,
    allowance: Allowance,
}

impl LinearEngine for Engine {
    fn add_column(&mut self, cost: f64, bounds: (f64, f64), entries: &[(usize, f64)]) -> usize {
        self.inner.add_column(cost, bounds, entries)
    }

    fn add_row(&mut self, bounds: (f64, f64), entries: &[(usize, f64)]) -> usize {
        self.inner.add_row(bounds, entries)
    }

    fn set_cost(&mut self, column: usize, cost: f64) {
        self.inner.set_cost(column, cost);
    }

    fn set_bounds(&mut self, column: usize, bounds: (f64, f64)) {
        self.inner.set_bounds(column, bounds);
    }

    fn set_row_bounds(&mut self, row: usize, bounds: (f64, f64)) {
        self.inner.set_row_bounds(row, bounds);
    }

    fn set_integer(&mut self, integer: bool) {
        self.inner.set_integer(integer);
    }

    fn propose(&mut self, values: &[f64]) {
        self.inner.propose(values);
    }

    fn solve(&mut self, seconds: Option<f64>) -> Status {
        let Self { inner, allowance } = self;
        let status = allowance.spend(
            seconds,
            |seconds| inner.solve(seconds),
            |status| *status == Status::Limit,
        );
        status.unwrap_or(Status::Limit)
    }

    fn values(&self) -> &[f64] {
        self.inner.values()
    }

    fn duals(&self) -> &[f64] {
        self.inner.duals()
    }

    fn bound(&self) -> f64 {
        self.inner.bound()
    }

    fn ray(&mut self) -> Option<Vec<f64>> {
        if self.allowance.is_over() {
            None
        } else {
            self.inner.ray()
        }
    }

    fn elapsed(&self) -> f64 {
        self.inner.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::testing::ManualClock;

    /// Takes all the seconds it is given, up to four, and notes how many it was given.
    struct Slow {
        clock: ManualClock,
        given: Mutex<Vec<Option<f64>>>,
    }

    impl ModelSolver for Slow {
        fn solve(&self, _program: &Program, seconds: Option<f64>) -> Solved {
            self.given.lock().unwrap().push(seconds);
            let outcome = if seconds.is_some_and(|seconds| seconds < 4.0) {
                Outcome::Limit
            } else {
                Outcome::Infeasible
            };
            self.clock.advance(4);
            Solved { outcome, seconds: 4.0 }
        }
    }

    #[test]
    fn v5_nothing_is_solved_for_longer_than_is_left() {
        let clock = ManualClock::at(1_000);
        let solver = Arc::new(Slow {
            clock: clock.clone(),
            given: Mutex::default(),
        });
        let allowances = Allowances {
            solver: solver.clone(),
            clock: Arc::new(clock),
            shutdown: CancellationToken::new(),
        };
        let allowance = allowances.of(10.0);
        let outcomes =
            [None, Some(5.0), None, None].map(|seconds| allowance.solve(&Program::default(), seconds).outcome);
        let expected = [Outcome::Infeasible, Outcome::Infeasible, Outcome::Limit, Outcome::Limit];
        assert_eq!(outcomes, expected);
        let given = solver.given.lock().unwrap().clone();
        assert_eq!(
            given,
            [Some(10.0), Some(5.0), Some(2.0)],
            "the fourth was not solved at all"
        );
        assert!(allowance.was_cut() && allowance.is_over());
        let next = allowances.of(10.0);
        assert!(!next.is_over());
        allowances.shutdown.cancel();
        assert!(next.is_over(), "a service that stops solves nothing more");
    }
}
