//! The one way the book changes: decide on a snapshot, commit by compare-and-set, publish.
//!
//! Invariants: jobs are decided in the order they arrive, each on the state the one before left; a job
//! that fails leaves nothing; all jobs of a batch are committed in one transaction; a snapshot is
//! published only after its commit; nobody is told "done" before that. When another process has
//! committed first, the snapshot is refreshed from the change feed and the batch decided again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arc_swap::ArcSwap;
use solver::planner::ModelSolver;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Book;
use super::handle::BookHandle;
use super::job::{Draft, Job, Outcome};
use super::time::BookClock;
use crate::causes::causes;
use crate::notification::Announcer;
use crate::ports::{Clock, Commit, Store, StoreError};

/// Most jobs committed together.
const MAX_BATCH: usize = 256;

/// How often a batch is decided again because other processes committed first.
const MAX_REDECISIONS: u32 = 20;

/// The task that owns changing the book.
pub struct Writer {
    handle: BookHandle,
    jobs: mpsc::Receiver<Box<dyn Job>>,
    clock: BookClock,
    solver: Arc<dyn ModelSolver>,
    announcer: Option<Announcer>,
    /// A commit ended without an answer: the store may be ahead of the snapshot.
    in_doubt: bool,
}

impl Writer {
    /// A writer over `book`, which must be the store's present state, and the handle to it.
    pub(crate) fn new(
        book: Book,
        shared: bool,
        store: Arc<dyn Store>,
        clock: BookClock,
        solver: Arc<dyn ModelSolver>,
        announcer: Option<Announcer>,
    ) -> (Self, BookHandle) {
        let (sender, receiver) = mpsc::channel(4 * MAX_BATCH);
        let (published, _) = watch::channel(book.epoch());
        let handle = BookHandle {
            current: Arc::new(ArcSwap::from_pointee(book)),
            jobs: sender,
            published,
            store,
            clock: clock.clone(),
            refreshing: Arc::new(tokio::sync::Mutex::new(())),
            shared,
        };
        (
            Self {
                handle: handle.clone(),
                jobs: receiver,
                clock,
                solver,
                announcer,
                in_doubt: false,
            },
            handle,
        )
    }

    /// Works until `shutdown`; jobs already accepted are finished first.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut batch: Vec<Box<dyn Job>> = Vec::new();
        loop {
            let received = tokio::select! {
                biased;
                count = self.jobs.recv_many(&mut batch, MAX_BATCH) => count,
                () = shutdown.cancelled() => 0,
            };
            if received == 0 {
                return;
            }
            batch = self.process(batch).await;
            batch.clear();
        }
    }

    async fn process(&mut self, mut batch: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
        let mut redecisions = 0;
        loop {
            if let Err(error) = self.clock.check() {
                tracing::error!(%error, "nothing is decided");
                return finish_all(batch, &Outcome::Unavailable(error.to_string()));
            }
            if self.handle.shared || self.in_doubt || redecisions > 0 {
                match self.handle.refresh().await {
                    Ok(()) => self.in_doubt = false,
                    Err(error) => return finish_all(batch, &Outcome::Unavailable(causes(&error))),
                }
            }
            let base = self.handle.snapshot();
            let (decided, draft, returned) = match self.decide(batch, &base).await {
                Ok(parts) => parts,
                Err(reason) => {
                    tracing::error!(%reason, "deciding a batch failed");
                    return Vec::new();
                }
            };
            batch = returned;
            if draft.changes.is_empty() {
                return finish_all(batch, &Outcome::Committed);
            }
            let commit = Commit {
                expected: base.epoch(),
                changes: draft.changes,
                fences: draft.fences,
            };
            match self.handle.store.commit(&commit).await {
                Ok(epoch) => {
                    let mut next = draft.book;
                    next.set_epoch(epoch);
                    self.handle.publish(next);
                    return finish_all(batch, &Outcome::Committed);
                }
                Err(StoreError::Stale { .. }) => {
                    redecisions += 1;
                    if redecisions > MAX_REDECISIONS {
                        return finish_all(batch, &Outcome::Contended);
                    }
                }
                Err(StoreError::FenceLost { lease_id }) => {
                    batch = drop_fenced(batch, &decided, &lease_id);
                    if batch.is_empty() {
                        return batch;
                    }
                }
                // The store refuses what some job wrote, for good: the others must not suffer for it.
                Err(StoreError::Overlap(_) | StoreError::Corrupt { .. }) if batch.len() > 1 => {
                    for job in batch {
                        Box::pin(self.process(vec![job])).await;
                    }
                    return Vec::new();
                }
                // Its words are the operator's to read: whoever asked cannot mend what a decision has wrong.
                Err(error @ (StoreError::Overlap(_) | StoreError::Corrupt { .. })) => {
                    tracing::error!(reason = %causes(&error), "the store refused a decision");
                    let reason = "the decision was refused when it was to be recorded; nothing was changed";
                    return finish_all(batch, &Outcome::Unavailable(reason.to_owned()));
                }
                Err(error) => {
                    self.in_doubt = true;
                    let reason = causes(&error);
                    tracing::error!(%reason, jobs = batch.len(), "a commit failed");
                    return finish_all(batch, &Outcome::Unavailable(reason));
                }
            }
        }
    }

    /// Decides all jobs one after another, off the runtime's threads. Returns which leases each job's
    /// fences name, the resulting draft, and the jobs.
    async fn decide(
        &self,
        mut batch: Vec<Box<dyn Job>>,
        base: &Arc<Book>,
    ) -> Result<(Vec<Vec<String>>, Draft, Vec<Box<dyn Job>>), tokio::task::JoinError> {
        let base = Arc::clone(base);
        let now = self.clock.now();
        let solver = Arc::clone(&self.solver);
        let announcer = self.announcer.clone();
        tokio::task::spawn_blocking(move || {
            let mut draft = Draft::on(&base, now, solver, announcer);
            let mut fenced = Vec::with_capacity(batch.len());
            for job in &mut batch {
                let (book, changes, fences) = (draft.book.clone(), draft.changes.len(), draft.fences.len());
                // A fault in one job must not take the others of the batch with it.
                let decided = catch_unwind(AssertUnwindSafe(|| job.decide(&mut draft)));
                if decided.is_err() {
                    job.finish(Outcome::Unavailable(
                        "deciding failed; this is a fault of the service".to_owned(),
                    ));
                }
                if !decided.unwrap_or(false) {
                    draft.book = book;
                    draft.changes.truncate(changes);
                    draft.fences.truncate(fences);
                }
                fenced.push(
                    draft.fences[fences..]
                        .iter()
                        .map(|fence| fence.lease_id.clone())
                        .collect(),
                );
            }
            (fenced, draft, batch)
        })
        .await
    }
}

/// Finishes the jobs that depend on a lost claim; the others are to be decided again.
fn drop_fenced(batch: Vec<Box<dyn Job>>, fenced: &[Vec<String>], lease_id: &str) -> Vec<Box<dyn Job>> {
    let mut rest = Vec::with_capacity(batch.len());
    for (mut job, leases) in batch.into_iter().zip(fenced) {
        if leases.iter().any(|lease| lease == lease_id) {
            job.finish(Outcome::FenceLost);
        } else {
            rest.push(job);
        }
    }
    rest
}

fn finish_all(mut batch: Vec<Box<dyn Job>>, outcome: &Outcome) -> Vec<Box<dyn Job>> {
    for job in &mut batch {
        job.finish(outcome.clone());
    }
    batch
}
