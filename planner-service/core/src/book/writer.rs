//! The one way the book changes: decide on a snapshot, commit by compare-and-set, publish.
//!
//! Invariants: jobs are decided in the order of the [`queue`](super::queue), each on the state the one before left; a job
//! that fails leaves nothing; all jobs of a batch are committed in one transaction; a snapshot is
//! published only after its commit; nobody is told "done" before that. When another process has
//! committed first, the snapshot is refreshed from the change feed and the batch decided again.
//!
//! Nobody waits long for others: a batch commits what it has when its time is used up, and a request whose decision takes
//! longer than a slice is decided [apart](super::apart).

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Book;
use super::apart::{AT_ONCE, Apart};
use super::handle::{BookHandle, REFRESH_LIMIT};
use super::job::{Draft, Origin, Outcome, Submitted};
use super::queue::Queue;
use super::time::BookClock;
use crate::allowance::Allowances;
use crate::attempts::{Attempts, Missed};
use crate::causes::causes;
use crate::condition::Commits;
use crate::notification::Announcer;
use crate::ports::{Change, Clock, Commit, Store, StoreError};
use crate::service::Settings;
use crate::turns::Turns;

/// Most jobs committed together.
const MAX_BATCH: usize = 256;

/// Time after which a batch takes no further job, and the longest that the decision of one request is with the writer.
const SLICE: Duration = Duration::from_millis(250);

/// Allocations after which a batch takes no further job: writing them is work, too.
const MOST_ALLOCATIONS: usize = 20_000;

/// How often a batch is decided again because other processes committed first.
const MAX_REDECISIONS: u32 = 20;

/// What the writer works with.
pub(crate) struct WriterParts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: BookClock,
    pub(crate) allowances: Allowances,
    pub(crate) announcer: Option<Announcer>,
    pub(crate) settings: Arc<Settings>,
    /// Runs the decisions taken apart.
    pub(crate) tasks: TaskTracker,
}

/// The task that owns changing the book.
pub struct Writer {
    apart: Apart,
    tasks: TaskTracker,
    /// A commit ended without an answer: the store may be ahead of the snapshot.
    in_doubt: bool,
}

/// What became of the jobs of a batch.
struct Batch {
    draft: Draft,
    /// The jobs that the draft answers, each with the leases its fences name.
    done: Vec<(Submitted, Vec<String>)>,
    /// Jobs whose decisions take longer.
    long: Vec<Submitted>,
    /// Jobs that were not got to.
    late: Vec<Submitted>,
}

impl Writer {
    /// A writer over `book`, which must be the store's present state, and the handle to it.
    pub(crate) fn new(book: Book, parts: WriterParts) -> (Self, BookHandle) {
        let (published, _) = watch::channel(book.epoch());
        let handle = BookHandle {
            current: Arc::new(ArcSwap::from_pointee(book)),
            queue: Arc::new(Queue::default()),
            stopped: CancellationToken::new(),
            published,
            store: parts.store,
            clock: parts.clock.clone(),
            refreshes: Attempts::new(parts.tasks.clone()),
            probes: Attempts::new(parts.tasks.clone()),
            commits: watch::channel(Commits::default()).0,
            shared: Arc::new(AtomicBool::new(parts.settings.shared)),
        };
        let writer = Self {
            apart: Apart {
                handle: handle.clone(),
                turns: Turns::new(AT_ONCE),
                clock: parts.clock,
                allowances: parts.allowances,
                announcer: parts.announcer,
                settings: parts.settings,
            },
            tasks: parts.tasks,
            in_doubt: false,
        };
        (writer, handle)
    }

    /// Works until `shutdown`; jobs already accepted are finished first, except for decisions that take long.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let batch = self.apart.handle.queue.take(MAX_BATCH);
            if batch.is_empty() {
                tokio::select! {
                    biased;
                    () = self.apart.handle.queue.arrival() => continue,
                    () = shutdown.cancelled() => break,
                }
            }
            let long = self.process(batch).await;
            for job in long {
                let (apart, shutdown) = (self.apart.clone(), shutdown.clone());
                self.tasks.spawn(async move {
                    tokio::select! {
                        () = apart.decide(job) => {}
                        () = shutdown.cancelled() => {}
                    }
                });
            }
        }
        self.apart.handle.queue.close();
        self.apart.handle.stopped.cancel();
    }

    /// Decides and commits; gives the jobs whose decisions take longer.
    async fn process(&mut self, mut jobs: Vec<Submitted>) -> Vec<Submitted> {
        let handle = self.apart.handle.clone();
        let mut redecisions = 0;
        let mut long = Vec::new();
        loop {
            if let Err(error) = self.apart.clock.check() {
                tracing::error!(%error, "nothing is decided");
                finish_all(jobs, &Outcome::Unavailable(error.to_string()));
                return long;
            }
            if handle.is_shared() || self.in_doubt || redecisions > 0 {
                match handle.refresh(REFRESH_LIMIT).await {
                    Ok(()) => {
                        if redecisions > 0 {
                            handle.found_shared();
                        }
                        self.in_doubt = false;
                    }
                    Err(missed) => {
                        finish_all(jobs, &Outcome::Unavailable(self.failed(&missed)));
                        return long;
                    }
                }
            }
            let base = handle.snapshot();
            let batch = match self.decide(jobs, &base).await {
                Ok(batch) => batch,
                Err(reason) => {
                    tracing::error!(%reason, "deciding a batch failed");
                    return long;
                }
            };
            long.extend(batch.long);
            handle.queue.put_back(batch.late);
            let done = batch.done;
            if batch.draft.changes.is_empty() {
                finish_all(without_fences(done), &Outcome::Committed);
                return long;
            }
            let commit = Commit {
                expected: base.epoch(),
                changes: batch.draft.changes,
                fences: batch.draft.fences,
            };
            match handle.store.commit(&commit).await {
                Ok(epoch) => {
                    let mut next = batch.draft.book;
                    next.set_epoch(epoch);
                    handle.publish(next);
                    handle.committed(epoch, self.apart.clock.now());
                    finish_all(without_fences(done), &Outcome::Committed);
                    return long;
                }
                Err(StoreError::Stale { .. }) => {
                    redecisions += 1;
                    jobs = without_fences(done);
                    if redecisions > MAX_REDECISIONS {
                        finish_all(jobs, &Outcome::Contended);
                        return long;
                    }
                }
                Err(StoreError::FenceLost { lease_id }) => {
                    jobs = drop_fenced(done, &lease_id);
                    if jobs.is_empty() {
                        return long;
                    }
                }
                // The store refuses what some job wrote, for good: the others must not suffer for it.
                Err(StoreError::Overlap(_) | StoreError::Corrupt { .. }) if done.len() > 1 => {
                    for job in without_fences(done) {
                        long.extend(Box::pin(self.process(vec![job])).await);
                    }
                    return long;
                }
                // Its words are the operator's to read: whoever asked cannot mend what a decision has wrong.
                Err(error @ (StoreError::Overlap(_) | StoreError::Corrupt { .. })) => {
                    tracing::error!(reason = %causes(&error), "the store refused a decision");
                    let reason = "the decision was refused when it was to be recorded; nothing was changed";
                    finish_all(without_fences(done), &Outcome::Unavailable(reason.to_owned()));
                    return long;
                }
                Err(error) => {
                    self.in_doubt = true;
                    let reason = self.failed(&Missed::Failed(Arc::new(error)));
                    tracing::error!(%reason, jobs = done.len(), "a commit failed");
                    finish_all(without_fences(done), &Outcome::Unavailable(reason));
                    return long;
                }
            }
        }
    }

    /// Keeps in mind that nothing could be written, and why.
    fn failed(&self, missed: &Missed<StoreError>) -> String {
        let reason = match missed {
            Missed::Failed(error) => causes(error.as_ref()),
            Missed::Waiting(_) => format!("the database: {missed}"),
        };
        let now = self.apart.clock.now();
        self.apart.handle.commit_failed(reason.clone(), now);
        reason
    }

    /// Decides jobs one after another, off the runtime's threads, until the time of a batch is used up.
    async fn decide(&self, jobs: Vec<Submitted>, base: &Arc<Book>) -> Result<Batch, tokio::task::JoinError> {
        let (base, apart) = (Arc::clone(base), self.apart.clone());
        tokio::task::spawn_blocking(move || apart.batch(jobs, &base)).await
    }
}

impl Apart {
    /// Decides jobs one after another, each on the state the one before left.
    fn batch(&self, jobs: Vec<Submitted>, base: &Arc<Book>) -> Batch {
        let Self {
            clock,
            allowances,
            settings,
            ..
        } = self;
        let slice = slice(&jobs, settings);
        let of_one = |origin: &Origin| match origin {
            Origin::Event => settings.decision_seconds,
            Origin::Project(_) => slice,
        };
        let allowance = allowances.of(slice);
        let mut batch = Batch {
            draft: Draft::on(base, clock.now(), allowance, self.announcer.clone()),
            done: Vec::with_capacity(jobs.len()),
            long: Vec::new(),
            late: Vec::new(),
        };
        let begun = clock.elapsed();
        let mut written = 0;
        for mut submitted in jobs {
            let is_full = written > MOST_ALLOCATIONS || clock.elapsed().saturating_sub(begun) >= SLICE;
            if is_full && !(batch.done.is_empty() && batch.long.is_empty()) {
                batch.late.push(submitted);
                continue;
            }
            let draft = &mut batch.draft;
            draft.allowance = allowances.of(of_one(&submitted.origin));
            let (book, changes, fences) = (draft.book.clone(), draft.changes.len(), draft.fences.len());
            // A fault in one job must not take the others of the batch with it.
            let decided = catch_unwind(AssertUnwindSafe(|| {
                let Some(decided) = submitted.decided.take() else {
                    let keep = submitted.job.decide(draft);
                    let may_be_apart = matches!(submitted.origin, Origin::Project(_));
                    return (keep, may_be_apart && draft.deadline().has_run_out());
                };
                let taken = decided.take_over(draft, settings).unwrap_or_else(|contradiction| {
                    tracing::debug!(%contradiction, "a decision taken apart does not hold any more");
                    false
                });
                submitted.decided = taken.then_some(decided);
                (taken, !taken)
            }));
            if decided.is_err() {
                submitted.finish(Outcome::fault());
            }
            let (keep, takes_long) = decided.unwrap_or((false, false));
            if !keep || takes_long {
                draft.book = book;
                draft.changes.truncate(changes);
                draft.fences.truncate(fences);
            }
            if takes_long {
                batch.long.push(submitted);
                continue;
            }
            written += allocations(&draft.changes[changes..]);
            let fenced = draft.fences[fences..].iter().map(|fence| fence.lease_id.clone());
            batch.done.push((submitted, fenced.collect()));
        }
        batch
    }
}

/// Seconds that the decision of one request is with the writer. One of each project that waits together take no more than
/// a quarter of what a decision may take.
fn slice(jobs: &[Submitted], settings: &Settings) -> f64 {
    let projects = jobs.iter().filter_map(|submitted| match &submitted.origin {
        Origin::Event => None,
        Origin::Project(project) => Some(project),
    });
    let projects = u32::try_from(projects.collect::<BTreeSet<_>>().len()).unwrap_or(u32::MAX);
    let share = settings.decision_seconds / 4.0 / f64::from(projects.max(1));
    share.min(SLICE.as_secs_f64())
}

/// How many allocations the changes write.
fn allocations(changes: &[Change]) -> usize {
    let leases = changes.iter().filter_map(|change| match change {
        Change::PutLease(lease) => Some(lease),
        Change::DeleteLease(_)
        | Change::PutHost(_)
        | Change::DeleteHost(_)
        | Change::PutFloatingIp(_)
        | Change::DeleteFloatingIp(_)
        | Change::PutProperty(_)
        | Change::PutFindings { .. }
        | Change::Notify(_) => None,
    });
    let reservations = leases.flat_map(|lease| &lease.reservations);
    reservations.map(|reservation| reservation.allocations.len()).sum()
}

fn without_fences(done: Vec<(Submitted, Vec<String>)>) -> Vec<Submitted> {
    done.into_iter().map(|(job, _)| job).collect()
}

/// Finishes the jobs that depend on a lost claim; the others are to be decided again.
fn drop_fenced(done: Vec<(Submitted, Vec<String>)>, lease_id: &str) -> Vec<Submitted> {
    let mut rest = Vec::with_capacity(done.len());
    for (mut job, leases) in done {
        if leases.iter().any(|lease| lease == lease_id) {
            job.finish(Outcome::FenceLost);
        } else {
            rest.push(job);
        }
    }
    rest
}

fn finish_all(mut jobs: Vec<Submitted>, outcome: &Outcome) {
    for job in &mut jobs {
        job.finish(outcome.clone());
    }
}
