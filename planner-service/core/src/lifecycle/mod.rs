//! Carries out what is due: starts, before-end actions, ends, deletions.
//!
//! Invariants: due work is rows of the book, so a crash loses none; a lease's work is done by one
//! worker at a time, the holder of its claim, and only the holder's result enters the book (fencing);
//! every step towards the outside world is idempotent, so doing it again is harmless; work that fails
//! is tried again with growing waits until it succeeds or its window is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plugin_api::{Plugins, StepObserver};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::places::Places;
use crate::book::DueEntry;
use crate::book::handle::BookHandle;
use crate::domain::Timestamp;
use crate::ports::{Clock, Identifiers, Store};
use crate::service::Settings;
use crate::usage::UsageFilters;

mod assignment;
mod carry_out;
mod claim;
mod eligibility;
mod message;
mod places;
mod preparation;
pub mod reconciler;
mod transition;

/// Longest sleep of an idle process that is alone on its store, in seconds.
const IDLE_SECONDS: i64 = 30;

/// Longest sleep where other processes may add work, in seconds.
const SHARED_IDLE_SECONDS: i64 = 1;

/// What the lifecycle works with.
#[derive(Clone)]
pub struct Lifecycle {
    /// The book.
    pub book: BookHandle,
    /// Claims.
    pub store: Arc<dyn Store>,
    /// Resource types.
    pub plugins: Plugins,
    /// Told of ends.
    pub(crate) filters: UsageFilters,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers of new objects.
    pub identifiers: Arc<dyn Identifiers>,
    /// Configuration.
    pub settings: Arc<Settings>,
    /// Is told how far the work on an event has come.
    pub steps: Arc<dyn StepObserver>,
    /// The process is to stop.
    pub(crate) shutdown: CancellationToken,
}

/// Every step the lifecycle reports, in order.
pub const STEPS: &[&str] = &["event:claimed", "event:begun", "event:acted", "event:recorded"];

impl Lifecycle {
    /// Works until the process is to stop, and returns when no work is under way any more: what the outside world does not
    /// answer soon is put on record as not done.
    pub async fn run(self, tasks: TaskTracker) {
        let mut published = self.book.subscribe();
        let (finished_sender, mut finished) = mpsc::unbounded_channel::<(String, Option<Timestamp>)>();
        // Leases being worked on here, and leases whose claim somebody else holds with the time to ask again.
        let mut running = Places::default();
        // Leases of which only a delay is put on record, which takes no place.
        let mut noting: BTreeSet<String> = BTreeSet::new();
        let mut deferred: BTreeMap<String, Timestamp> = BTreeMap::new();
        loop {
            published.mark_unchanged();
            let book = self.book.fresh().await;
            let now = self.clock.now();
            deferred.retain(|_, until| *until > now);
            let plan = eligibility::plan(&book, now, |lease_id| {
                running.contains(lease_id) || noting.contains(lease_id) || deferred.contains_key(lease_id)
            });
            let report = |entry: &DueEntry| Report {
                lease_id: entry.lease_id.clone(),
                ask_again: Some(now + self.settings.claim_seconds),
                to: finished_sender.clone(),
            };
            for (entry, reason) in plan.delayed {
                noting.insert(entry.lease_id.clone());
                let (worker, report) = (self.clone(), report(&entry));
                tasks.spawn(async move {
                    let ask_again = worker.note_delay(entry, reason).await;
                    report.done(ask_again);
                });
            }
            for (entry, lane, is_repeated) in places::in_order(&book, plan.ready) {
                if !running.take(&entry.lease_id, lane, is_repeated) {
                    continue;
                }
                let (worker, report) = (self.clone(), report(&entry));
                tasks.spawn(async move {
                    let ask_again = worker.carry_out(&entry).await;
                    report.done(ask_again);
                });
            }
            let idle = if self.settings.shared {
                SHARED_IDLE_SECONDS
            } else {
                IDLE_SECONDS
            };
            let wake = deferred
                .values()
                .copied()
                .chain(plan.next)
                .fold(now + idle, Timestamp::min)
                .max(now + 1);
            tokio::select! {
                () = self.shutdown.cancelled() => break,
                Some((lease_id, ask_again)) = finished.recv() => {
                    running.give_back(&lease_id);
                    noting.remove(&lease_id);
                    deferred.extend(ask_again.map(|until| (lease_id, until)));
                }
                _ = published.changed() => {}
                () = self.clock.sleep_until(wake) => {}
            }
        }
        drop(finished_sender);
        while finished.recv().await.is_some() {}
    }
}

/// Tells the loop that a worker is done with a lease, also when the worker fails in a way nobody foresaw.
struct Report {
    lease_id: String,
    ask_again: Option<Timestamp>,
    to: mpsc::UnboundedSender<(String, Option<Timestamp>)>,
}

impl Report {
    fn done(mut self, ask_again: Option<Timestamp>) {
        self.ask_again = ask_again;
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        // The loop may have ended with the process.
        let _ = self.to.send((std::mem::take(&mut self.lease_id), self.ask_again));
    }
}
