//! A change of the book as the writer sees it: work on a draft, and whoever waits for the answer.
//!
//! Invariant: work says no or leaves a draft that is whole; it is told an outcome exactly once.

use std::sync::Arc;

use solver::deadline::Deadline;
use solver::planner::ModelSolver;
use tokio::sync::oneshot;

use super::apart::Decided;
use super::queue::{MOST_WAITING, Turned};
use super::{Book, Contradiction};
use crate::allowance::Allowance;
use crate::domain::{Allocation, InstanceSize, Lease, NotificationType, ReservationSpec, Timestamp};
use crate::notification::Announcer;
use crate::ports::{Change, Fence};

/// Why the book did not change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError<E> {
    /// The job itself said no.
    #[error("{0}")]
    Refused(E),
    /// Other processes committed first too many times.
    #[error("the book is contended; try again")]
    Contended,
    /// Another worker does the lease's work now.
    #[error("another worker has taken the lease's work over")]
    FenceLost,
    /// The store does not answer; whether the change took effect is unknown.
    #[error("the book cannot be written now: {0}")]
    Unavailable(String),
    /// Too many jobs of the same project wait already.
    #[error("{MOST_WAITING} requests of this project wait already; try again when they have been answered")]
    Crowded,
    /// Nobody had time for the decision.
    #[error(
        "decisions that take long are under way for others; this is not a refusal: try again, or ask for less at once"
    )]
    Busy,
    /// The writer has stopped.
    #[error("the service is shutting down")]
    Stopped,
}

impl<E> From<Turned> for WriteError<E> {
    fn from(turned: Turned) -> Self {
        match turned {
            Turned::Crowded => Self::Crowded,
            Turned::Stopped => Self::Stopped,
        }
    }
}

/// For whom a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// For promises that were made: a transition of a lease, a failed host. It comes before every request.
    Event,
    /// For a request of this project.
    Project(Arc<str>),
}

impl Origin {
    /// For a request of a project.
    pub fn of(project_id: &str) -> Self {
        Self::Project(Arc::from(project_id))
    }
}

/// A job with what the writer has to know of it.
pub(super) struct Submitted {
    pub(super) origin: Origin,
    pub(super) job: Box<dyn Job>,
    /// What was decided away from the writer, to be taken over.
    pub(super) decided: Option<Decided>,
    /// How often it was decided away from the writer.
    pub(super) attempts: u32,
}

impl Submitted {
    pub(super) const fn new(origin: Origin, job: Box<dyn Job>) -> Self {
        Self {
            origin,
            job,
            decided: None,
            attempts: 0,
        }
    }

    pub(super) fn finish(&mut self, outcome: Outcome) {
        self.job.finish(outcome);
    }
}

/// The working copy a job changes.
pub struct Draft {
    pub(super) book: Book,
    pub(super) changes: Vec<Change>,
    pub(super) fences: Vec<Fence>,
    pub(super) now: Timestamp,
    pub(super) allowance: Allowance,
    pub(super) announcer: Option<Announcer>,
}

impl Draft {
    /// A draft on a snapshot; without an announcer nobody is told of anything.
    pub(crate) fn on(book: &Book, now: Timestamp, allowance: Allowance, announcer: Option<Announcer>) -> Self {
        Self {
            book: book.clone(),
            changes: Vec::new(),
            fences: Vec::new(),
            now,
            allowance,
            announcer,
        }
    }

    /// The state as the job has left it so far.
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// Unix seconds when the batch began.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// When decisions have to be taken.
    pub const fn deadline(&self) -> &Deadline {
        self.allowance.deadline()
    }

    /// The solver for decisions, as long as there is time.
    pub fn solver(&self) -> &dyn ModelSolver {
        self.allowance.solver()
    }

    /// Changes the book; all or nothing.
    ///
    /// # Errors
    /// When the planner finds a host or floating IP occupied twice, or instances that do not fit: the second check of every decision.
    pub fn change(&mut self, changes: Vec<Change>) -> Result<(), Contradiction> {
        let mut next = self.book.clone();
        next.apply_all(&changes)?;
        for change in &changes {
            if let Change::PutLease(lease) = change
                && self
                    .book
                    .lease(&lease.id)
                    .is_none_or(|before| holds_other(before, lease))
            {
                next.check_capacity(&lease.id)?;
            }
        }
        self.book = next;
        self.changes.extend(changes);
        Ok(())
    }

    /// Tells, once this is committed, what has happened to the lease; nothing if notifications are switched off.
    pub(crate) fn notify(&mut self, event_type: NotificationType, lease: &Lease) {
        if let Some(announcer) = &self.announcer {
            let notifications = announcer.announce(event_type, lease, self.now);
            self.changes.extend(notifications.into_iter().map(Change::Notify));
        }
    }

    /// Makes the commit depend on a claim that must still be held.
    pub fn require(&mut self, fence: Fence) {
        self.fences.push(fence);
    }
}

/// What a job looks like to the writer.
pub(super) trait Job: Send {
    /// Decides on the draft; `true` if the draft is to be kept.
    fn decide(&mut self, draft: &mut Draft) -> bool;
    /// Tells whoever waits.
    fn finish(&mut self, outcome: Outcome);
}

/// How a batch ended for one of its jobs.
#[derive(Clone)]
pub(super) enum Outcome {
    Committed,
    Contended,
    Busy,
    FenceLost,
    Unavailable(String),
}

impl Outcome {
    /// Deciding panicked.
    pub(super) fn fault() -> Self {
        Self::Unavailable("deciding failed; this is a fault of the service".to_owned())
    }
}

/// A job out of a closure, with whoever waits for it.
pub(super) struct Closure<F, T, E> {
    pub(super) work: F,
    pub(super) decided: Option<Result<T, E>>,
    pub(super) reply: Option<oneshot::Sender<Result<T, WriteError<E>>>>,
}

impl<F, T, E> Job for Closure<F, T, E>
where
    F: FnMut(&mut Draft) -> Result<T, E> + Send,
    T: Send,
    E: Send,
{
    fn decide(&mut self, draft: &mut Draft) -> bool {
        let decided = (self.work)(draft);
        let keep = decided.is_ok();
        self.decided = Some(decided);
        keep
    }

    fn finish(&mut self, outcome: Outcome) {
        let Some(reply) = self.reply.take() else { return };
        let answer = match outcome {
            Outcome::Committed => match self.decided.take() {
                Some(Ok(value)) => Ok(value),
                Some(Err(refusal)) => Err(WriteError::Refused(refusal)),
                None => Err(WriteError::Contended),
            },
            // A refusal may rest on jobs of the batch that were not committed, so it is not passed on either.
            Outcome::Contended => Err(WriteError::Contended),
            Outcome::Busy => Err(WriteError::Busy),
            Outcome::FenceLost => Err(WriteError::FenceLost),
            Outcome::Unavailable(reason) => Err(WriteError::Unavailable(reason)),
        };
        // Whoever asked may have gone away; the change stands all the same.
        let _ = reply.send(answer);
    }
}

/// Whether instances or floating IPs of a lease are others, or stand elsewhere, than before. What stands may stand on
/// although its host has become smaller.
fn holds_other(before: &Lease, after: &Lease) -> bool {
    let parts = |lease: &Lease| -> Vec<(Option<InstanceSize>, Vec<Allocation>)> {
        let reservations = lease.reservations.iter();
        reservations
            .filter_map(|reservation| match &reservation.spec {
                ReservationSpec::Host(_) => None,
                ReservationSpec::Instance(spec) => Some((Some(spec.size), reservation.allocations.clone())),
                // The flavor of a reservation never changes.
                ReservationSpec::Flavor(_) | ReservationSpec::FloatingIp(_) | ReservationSpec::Countable(_) => {
                    Some((None, reservation.allocations.clone()))
                }
            })
            .collect()
    };
    parts(before) != parts(after)
}
