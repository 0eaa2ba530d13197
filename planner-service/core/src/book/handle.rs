//! Access to the book for everybody else: snapshots to read, work for the writer.
//!
//! Invariants: a snapshot never gives way to an older one, and the book's time is never before what it records; a
//! reader waits for the store for at most [`REFRESH_LIMIT`], together with all others, and not at all while it is known
//! not to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::Book;
use super::job::{Closure, Draft, Origin, Submitted, WriteError};
use super::queue::Queue;
use super::time::BookClock;
use crate::attempts::{Attempts, Missed};
use crate::condition::Commits;
use crate::domain::Timestamp;
use crate::ports::{Epoch, Store, StoreError};

/// How long anybody waits for the store to say what other processes have changed.
pub const REFRESH_LIMIT: Duration = Duration::from_secs(3);

/// Access to the book: snapshots to read, jobs to change it. Cheap to clone.
#[derive(Clone)]
pub struct BookHandle {
    pub(super) current: Arc<ArcSwap<Book>>,
    pub(super) queue: Arc<Queue>,
    /// The writer has stopped: whoever still waits for an answer gets none.
    pub(super) stopped: CancellationToken,
    pub(super) published: watch::Sender<Epoch>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: BookClock,
    pub(super) refreshes: Attempts<StoreError>,
    /// Transactions that find out whether the store can be written.
    pub(super) probes: Attempts<StoreError>,
    pub(super) commits: watch::Sender<Commits>,
    /// Whether others write to the store: as configured, or found out.
    pub(super) shared: Arc<AtomicBool>,
}

impl BookHandle {
    /// The newest snapshot this process knows.
    pub fn snapshot(&self) -> Arc<Book> {
        self.current.load_full()
    }

    /// The newest snapshot; where other processes share the store, one that holds everything they had
    /// committed when this was called. If the store does not answer, the newest one known, whose age
    /// [`BookHandle::snapshot_age`] tells.
    pub async fn fresh(&self) -> Arc<Book> {
        if self.is_shared() {
            let was_failing = self.refreshes.failing_for().is_some();
            let limit = if was_failing { Duration::ZERO } else { REFRESH_LIMIT };
            if let Err(error) = self.refresh(limit).await
                && !was_failing
            {
                tracing::warn!(%error, "the change feed cannot be read; answering from the last snapshot");
            }
        }
        self.snapshot()
    }

    /// How old the snapshot may be; nothing while the store says what is new.
    pub fn snapshot_age(&self) -> Option<Duration> {
        self.refreshes.failing_for()
    }

    /// Whether a writer takes jobs.
    pub fn is_written(&self) -> bool {
        !self.stopped.is_cancelled()
    }

    /// Attempts at [`Store::probe`]; one that succeeded before a commit failed counts no more.
    pub(crate) const fn probes(&self) -> &Attempts<StoreError> {
        &self.probes
    }

    /// What became of the writer's commits.
    pub fn commits(&self) -> Commits {
        self.commits.borrow().clone()
    }

    pub(super) fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }

    /// Another process has written to a store that was thought to be this one's own: from now on it is asked each time.
    pub(super) fn found_shared(&self) {
        if !self.shared.swap(true, Ordering::Relaxed) {
            tracing::error!("another process writes to this database, which was taken for this process's own");
        }
    }

    pub(super) fn committed(&self, epoch: Epoch, now: Timestamp) {
        self.commits.send_modify(|commits| commits.last = Some((epoch, now)));
    }

    pub(super) fn commit_failed(&self, reason: String, now: Timestamp) {
        self.probes.belie();
        self.commits.send_modify(|commits| commits.failed = Some((reason, now)));
    }

    /// The epochs of published snapshots, to wait for the next one.
    pub fn subscribe(&self) -> watch::Receiver<Epoch> {
        self.published.subscribe()
    }

    /// Runs `work` on the newest state and commits what it changed. `work` runs again, on a newer
    /// state, if another process committed first, or if its decision takes long and is taken away from the writer.
    ///
    /// # Errors
    /// As [`WriteError`]; on [`WriteError::Refused`] nothing was changed.
    pub async fn submit<T, E>(
        &self,
        origin: Origin,
        work: impl FnMut(&mut Draft) -> Result<T, E> + Send + 'static,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Closure {
            work,
            decided: None,
            reply: Some(reply),
        });
        self.queue.push(Submitted::new(origin, job))?;
        tokio::select! {
            biased;
            answer = answer => answer.map_err(|_| WriteError::Stopped)?,
            () = self.stopped.cancelled() => Err(WriteError::Stopped),
        }
    }

    /// How many jobs wait for the writer.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Brings the snapshot up to what the store holds, within `limit`.
    pub(super) async fn refresh(&self, limit: Duration) -> Result<(), Missed<StoreError>> {
        let handle = self.clone();
        let attempt = move || {
            let handle = handle.clone();
            async move { handle.catch_up().await }
        };
        self.refreshes.join(limit, attempt).await
    }

    async fn catch_up(&self) -> Result<(), StoreError> {
        let snapshot = self.snapshot();
        if self.store.epoch().await? == snapshot.epoch() {
            return Ok(());
        }
        let next = match self.store.changes_since(snapshot.epoch()).await {
            Ok((epoch, changes)) => {
                let mut next = (*snapshot).clone();
                next.apply_all(&changes).map(|()| {
                    next.set_epoch(epoch);
                    next
                })
            }
            Err(StoreError::FeedTruncated { .. }) => {
                let contents = self.store.load().await?;
                Book::from_contents(contents, snapshot.premises.clone())
            }
            Err(error) => return Err(error),
        };
        let next = next.map_err(|contradiction| StoreError::Corrupt {
            what: contradiction.to_string(),
        })?;
        self.publish(next);
        Ok(())
    }

    /// Replaces the snapshot unless it is already newer.
    pub(super) fn publish(&self, next: Book) {
        let next = Arc::new(next);
        self.clock.record(next.latest());
        self.current.rcu(|current| {
            if current.epoch() < next.epoch() {
                Arc::clone(&next)
            } else {
                Arc::clone(current)
            }
        });
        self.published.send_replace(self.snapshot().epoch());
    }
}
