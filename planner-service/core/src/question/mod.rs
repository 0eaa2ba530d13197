//! Questions about capacity: what is free when, what would become of a request or of a change of the
//! fleet, why a request was refused and what would be accepted instead.
//!
//! Invariants: a question is answered on a snapshot of the book, away from the writer, and changes
//! nothing; it takes no longer than a decision may, and of one project one is worked on at a time. Whoever asks learns numbers; names of leases, of
//! reservations and of hosts only as far as the rules let the caller read those very objects.

mod availability;
mod consequences;
mod fleet_change;
mod in_the_way;
mod mismatch;
mod refusal;
mod visibility;
mod what_if;

use std::sync::Arc;

use solver::deadline::Part;
use solver::planner::Planner;
use solver::question::{MOST_DECISIONS, Question};

pub use availability::{AvailabilityAnswer, AvailabilityQuestion, MOST_STEPS};
pub use consequences::{HostsAnswer, LostReservation, MovedReservation, Moves};
pub use fleet_change::{HostChange, MOST_BYTES, MOST_HOSTS};
pub use refusal::{ConflictReport, Offer, Scarce, Shortage};
pub use solver::question::{Earliest, Most, Necessity, Slot, Step};
pub use what_if::{LeaseAnswer, Outcome, WhatIfAnswer, WhatIfQuestion};

use crate::admission::minute;
use crate::allowance::{Allowance, Allowances};
use crate::authority::{Caller, Policy};
use crate::book::handle::BookHandle;
use crate::domain::Timestamp;
use crate::ports::Clock;
use crate::service::{ServiceError, Settings};
use crate::turns::{Turn, Turns};

/// Longest range a question may be about, in seconds: two years.
pub const LONGEST_RANGE: i64 = 2 * 366 * 86_400;
/// Questions that are worked on at the same time; more wait.
const AT_ONCE: usize = 2;
/// Seconds spent on offers to a refused request.
const OFFER_SECONDS: i64 = 1;
/// Seconds after its time within which a question has to have seen that it is over.
const GRACE_SECONDS: i64 = 2;

/// Answers questions. Cheap to clone.
#[derive(Clone)]
pub struct Questions {
    pub(crate) book: BookHandle,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: Arc<dyn Policy>,
    pub(crate) allowances: Allowances,
    pub(crate) settings: Arc<Settings>,
    pub(crate) turns: Turns,
}

impl Questions {
    /// As many turns as questions may be worked on at once.
    pub(crate) fn turns() -> Turns {
        Turns::new(AT_ONCE)
    }

    /// Runs `work` where it may block, with as much time as a decision may take. Waits for a turn of the caller's project
    /// no longer than that first.
    async fn ask<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnOnce(&Asking) -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        let limit = self.settings.decision_limit();
        let turn = tokio::select! {
            turn = self.turns.take(&caller.project_id) => turn,
            () = self.clock.sleep_until(self.clock.now() + limit) => None,
        };
        let Some(turn) = turn else {
            return Err(ServiceError::Unavailable(
                "too many questions about capacity are asked at once; try again".to_owned(),
            ));
        };
        self.answer(turn, limit, work).await
    }

    /// Runs `work` for at most these seconds. What does not see by itself that its time is over is left alone then: it
    /// keeps its turn until it ends.
    async fn answer<T: Send + 'static>(
        &self,
        turn: Turn,
        seconds: i64,
        work: impl FnOnce(&Asking) -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        let seconds = u32::try_from(seconds).unwrap_or(1);
        let asking = Asking {
            now: minute(self.clock.now()),
            allowance: self.allowances.of(f64::from(seconds)),
        };
        let working = tokio::task::spawn_blocking(move || {
            let answer = work(&asking);
            drop(turn);
            answer
        });
        let answer = tokio::select! {
            answer = working => answer,
            () = self.clock.sleep_until(self.clock.now() + i64::from(seconds) + GRACE_SECONDS) => {
                tracing::warn!(seconds, "a question about capacity goes on after its time");
                return Err(ServiceError::Undecided(format!(
                    "not answered within {seconds} s; ask about less at once"
                )));
            }
            () = self.allowances.shutdown.cancelled() => {
                return Err(ServiceError::Unavailable("the service is shutting down".to_owned()));
            }
        };
        answer.map_err(|error| {
            tracing::error!(%error, "a question about capacity was not answered");
            ServiceError::Unavailable("the question could not be answered".to_owned())
        })
    }
}

/// What a question is answered with, apart from the snapshot.
struct Asking {
    /// The present minute.
    now: Timestamp,
    /// For the whole question.
    allowance: Allowance,
}

impl Asking {
    /// Asks about a snapshot.
    fn of<T>(&self, planner: &Planner, ask: impl FnOnce(Question<'_>) -> T) -> T {
        ask(Question {
            planner,
            now: self.now,
            deadline: self.allowance.deadline(),
            each: Part::WHOLE,
            solver: self.allowance.solver(),
            decisions: MOST_DECISIONS,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use solver::deadline::Deadline;
    use solver::planner::ModelSolver;
    use solver::program::{Outcome, Program};
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::book::time::BookClock;
    use crate::book::writer::{Writer, WriterParts};
    use crate::book::{Book, Premises};
    use crate::testing::{AllowAll, ManualClock, MemoryStore};

    /// A whole minute.
    const NOON: Timestamp = 1_900_000_020;

    struct NoSolver;

    impl ModelSolver for NoSolver {
        fn solve(&self, _: &Program, _: &Deadline) -> Outcome {
            Outcome::TimeLimit
        }
    }

    fn of(project_id: &str) -> Caller {
        Caller {
            user_id: "user".to_owned(),
            project_id: project_id.to_owned(),
            roles: Vec::new(),
            is_admin: false,
            trust_id: None,
        }
    }

    fn questions(clock: &ManualClock) -> Questions {
        let settings = Arc::new(Settings::default());
        let allowances = Allowances {
            solver: Arc::new(NoSolver),
            clock: Arc::new(clock.clone()),
            shutdown: CancellationToken::new(),
        };
        let writing = WriterParts {
            store: Arc::new(MemoryStore::default()),
            clock: BookClock::new(Arc::new(clock.clone()), NOON),
            allowances: allowances.clone(),
            announcer: None,
            settings: Arc::clone(&settings),
            tasks: TaskTracker::new(),
        };
        let (_, book) = Writer::new(Book::empty(Premises::default()), writing);
        Questions {
            book,
            clock: Arc::new(clock.clone()),
            policy: Arc::new(AllowAll),
            allowances,
            settings,
            turns: Questions::turns(),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn v5_a_question_that_does_not_end_with_its_time_is_left_alone() {
        let clock = ManualClock::at(NOON);
        let questions = questions(&clock);
        let (let_go, go_on) = mpsc::channel::<()>();
        let (say, mut begun) = tokio::sync::mpsc::unbounded_channel();
        let asking = questions.clone();
        let endless = tokio::task::JoinSet::from_iter([async move {
            let work = move |asking: &Asking| {
                say.send(()).unwrap();
                go_on.recv().ok();
                asking.allowance.deadline().is_over()
            };
            asking.ask(&of("busy"), work).await
        }]);
        begun.recv().await.unwrap();
        // Another project has a turn beside it, the same one has not.
        assert_eq!(questions.ask(&of("other"), |_| 1).await, Ok(1));
        assert!(questions.turns.try_take("busy").is_none());
        clock.advance(questions.settings.decision_limit() + GRACE_SECONDS);
        let answer = endless.join_all().await;
        assert!(matches!(answer[..], [Err(ServiceError::Undecided(_))]), "{answer:?}");
        assert!(
            questions.turns.try_take("busy").is_none(),
            "it keeps its turn to its end"
        );
        let_go.send(()).unwrap();
        assert!(questions.turns.take("busy").await.is_some());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn v5_a_service_that_stops_waits_for_no_question() {
        let questions = questions(&ManualClock::at(NOON));
        let (let_go, go_on) = mpsc::channel::<()>();
        questions.allowances.shutdown.cancel();
        let answer = questions.ask(&of("busy"), move |_| go_on.recv().ok()).await;
        assert!(matches!(answer, Err(ServiceError::Unavailable(_))), "{answer:?}");
        let_go.send(()).unwrap();
    }
}
