//! Questions about capacity: what is free when, what would become of a request or of a change of the
//! fleet, why a request was refused and what would be accepted instead.
//!
//! Invariants: a question is answered on a snapshot of the book, away from the writer, and changes
//! nothing; it takes no longer than a decision may, and holds no decision up longer than
//! [`crate::precedence`] says. Whoever asks learns numbers; names of leases, of
//! reservations and of hosts only as far as the rules let the caller read those very objects.

mod availability;
mod consequences;
mod fleet_change;
mod refusal;
mod visibility;
mod what_if;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use solver::planner::{Budget, Planner};
use solver::question::{MOST_DECISIONS, Question};
use tokio::sync::Semaphore;

pub use availability::{AvailabilityAnswer, AvailabilityQuestion, MOST_STEPS};
pub use consequences::{HostsAnswer, LostReservation, MovedReservation, Moves};
pub use fleet_change::{HostChange, MOST_HOSTS};
pub use refusal::{ConflictReport, Offer, Scarce, Shortage};
pub use solver::question::{Earliest, Most, Necessity, Slot, Step};
pub use what_if::{LeaseAnswer, Outcome, WhatIfAnswer, WhatIfQuestion};

use crate::admission::minute;
use crate::authority::Policy;
use crate::book::handle::BookHandle;
use crate::domain::Timestamp;
use crate::ports::Clock;
use crate::precedence::Precedence;
use crate::service::{ServiceError, Settings};

/// Longest range a question may be about, in seconds: two years.
pub const LONGEST_RANGE: i64 = 2 * 366 * 86_400;
/// Questions that are worked on at the same time; more wait.
const AT_ONCE: usize = 2;
/// Seconds spent on offers to a refused request.
const OFFER_SECONDS: i64 = 1;

/// Answers questions. Cheap to clone.
#[derive(Clone)]
pub struct Questions {
    pub(crate) book: BookHandle,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: Arc<dyn Policy>,
    pub(crate) solver: Precedence,
    pub(crate) settings: Arc<Settings>,
    pub(crate) turns: Arc<Semaphore>,
}

impl Questions {
    /// As many turns as questions may be worked on at once.
    pub(crate) fn turns() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(AT_ONCE))
    }

    /// Runs `work` where it may block, and tells it after `seconds` that its time is over. Waits for a
    /// turn no longer than that first.
    async fn ask<T: Send + 'static>(
        &self,
        seconds: i64,
        work: impl FnOnce(&Asking) -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        let waiting = tokio::select! {
            turn = Arc::clone(&self.turns).acquire_owned() => turn.ok(),
            () = self.clock.sleep_until(self.clock.now() + seconds) => None,
        };
        let Some(turn) = waiting else {
            return Err(ServiceError::Unavailable(
                "too many questions about capacity are asked at once; try again".to_owned(),
            ));
        };
        let expired = Arc::new(AtomicBool::new(false));
        let asking = Asking {
            now: minute(self.clock.now()),
            budget: Budget {
                seconds: Some(self.settings.decision_seconds),
            },
            solver: self.solver.for_question(Arc::clone(&expired)),
            expired: Arc::clone(&expired),
        };
        let mut working = tokio::task::spawn_blocking(move || {
            let answer = work(&asking);
            drop(turn);
            answer
        });
        let answer = tokio::select! {
            answer = &mut working => answer,
            () = self.clock.sleep_until(self.clock.now() + seconds) => {
                expired.store(true, Ordering::Relaxed);
                working.await
            }
        };
        answer.map_err(|error| {
            tracing::error!(%error, "a question about capacity was not answered");
            ServiceError::Unavailable("the question could not be answered".to_owned())
        })
    }

    /// Whole seconds one question may take.
    fn seconds(&self) -> i64 {
        let whole = self.settings.decision_seconds.ceil().clamp(1.0, 3600.0);
        (1..=3600)
            .find(|&seconds| f64::from(seconds) >= whole)
            .map_or(3600, i64::from)
    }
}

/// What a question is answered with, apart from the snapshot.
struct Asking {
    /// The present minute.
    now: Timestamp,
    budget: Budget,
    /// Gives nothing more when the time is over.
    solver: Precedence,
    expired: Arc<AtomicBool>,
}

impl Asking {
    /// Asks about a snapshot.
    fn of<T>(&self, planner: &Planner, ask: impl FnOnce(Question<'_>) -> T) -> T {
        ask(Question {
            planner,
            now: self.now,
            budget: self.budget,
            solver: &self.solver,
            decisions: MOST_DECISIONS,
            expired: &|| self.expired.load(Ordering::Relaxed),
        })
    }
}
