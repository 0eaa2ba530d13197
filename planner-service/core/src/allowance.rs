//! The time that a decision or a question may take.
//!
//! Invariant: nothing is solved after an allowance is over, and nothing for longer than is left of it, however many
//! programs are solved on it. All of them are over when the service stops.

use std::sync::Arc;
use std::time::Duration;

use solver::deadline::Deadline;
use solver::planner::ModelSolver;
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
        let (clock, shutdown) = (Arc::clone(&self.clock), self.shutdown.clone());
        // A service that stops is at the end of time.
        let read = move || {
            if shutdown.is_cancelled() {
                Duration::MAX
            } else {
                clock.elapsed()
            }
        };
        let seconds = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        Allowance {
            solver: Arc::clone(&self.solver),
            deadline: Deadline::by(read).limited(Some(seconds), None),
        }
    }
}

/// The time of one decision or question. Clones share it.
#[derive(Clone)]
pub(crate) struct Allowance {
    solver: Arc<dyn ModelSolver>,
    deadline: Deadline,
}

impl Allowance {
    /// When it is over.
    pub(crate) const fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// What solves models by then.
    pub(crate) fn solver(&self) -> &dyn ModelSolver {
        &*self.solver
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use solver::program::{Outcome, Program};

    use super::*;
    use crate::testing::ManualClock;

    /// Takes all the time it is given, up to four seconds, and notes how much that was.
    struct Slow {
        clock: ManualClock,
        given: Mutex<Vec<Option<Duration>>>,
    }

    impl ModelSolver for Slow {
        fn solve(&self, _program: &Program, deadline: &Deadline) -> Outcome {
            if deadline.is_over() {
                return Outcome::TimeLimit;
            }
            let left = deadline.left();
            self.given.lock().unwrap().push(left);
            self.clock.advance(4);
            if deadline.is_over() {
                Outcome::TimeLimit
            } else {
                Outcome::Infeasible
            }
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
        let solve = || allowance.solver().solve(&Program::default(), allowance.deadline());
        let outcomes = [solve(), solve(), solve(), solve()];
        let expected = [
            Outcome::Infeasible,
            Outcome::Infeasible,
            Outcome::TimeLimit,
            Outcome::TimeLimit,
        ];
        assert_eq!(outcomes, expected);
        let given = solver.given.lock().unwrap().clone();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(
            given,
            [seconds(10), seconds(6), seconds(2)],
            "the fourth was not solved at all"
        );
        assert!(allowance.deadline().has_run_out());
        let next = allowances.of(10.0);
        assert!(!next.deadline().is_over() && !next.deadline().has_run_out());
        allowances.shutdown.cancel();
        assert!(next.deadline().is_over(), "a service that stops solves nothing more");
    }
}
