//! Whether the service can keep what it is asked to keep now, and why not.
//!
//! Invariant: ready means that the database has just carried out a transaction that writes, that the writer runs, and that
//! the clock can be right.

use std::sync::Arc;
use std::time::Duration;

use crate::attempts::Missed;
use crate::book::handle::BookHandle;
use crate::book::time::{BookClock, ClockError};
use crate::causes::causes;
use crate::domain::Timestamp;
use crate::ports::{Epoch, Store, StoreError};

/// How long the database may take to answer.
const LIMIT: Duration = Duration::from_secs(3);

/// How long an answer of the database is good for whoever asks next, unless a commit fails: asking must not be work for the
/// disk.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// What became of the writer's commits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commits {
    /// The last one that succeeded: its epoch, and when.
    pub last: Option<(Epoch, Timestamp)>,
    /// The last one that failed: why, and when.
    pub failed: Option<(String, Timestamp)>,
}

/// How the service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Why the database cannot be written now.
    pub database: Result<(), String>,
    /// Why nothing can be decided now: the machine's clock says what cannot be.
    pub clock: Result<(), ClockError>,
    /// Seconds by which the clock is behind what is recorded in the book.
    pub clock_behind: i64,
    /// Whether the writer takes jobs.
    pub is_writer_running: bool,
    /// The epoch of the snapshot that questions are answered from.
    pub epoch: Epoch,
    /// How old the snapshot may be, while the database does not say what is new.
    pub snapshot_age: Option<Duration>,
    /// What became of commits.
    pub commits: Commits,
}

impl Condition {
    /// Whether bookings can be kept.
    pub const fn is_ready(&self) -> bool {
        self.database.is_ok() && self.clock.is_ok() && self.is_writer_running
    }
}

/// Finds out how the service is. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Examiner {
    pub(crate) book: BookHandle,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: BookClock,
}

impl Examiner {
    /// How the service is, within a few seconds.
    pub(crate) async fn examine(&self) -> Condition {
        Condition {
            database: self.probe().await.map_err(|missed| match missed {
                Missed::Failed(error) => causes(error.as_ref()),
                Missed::Waiting(_) => format!("the database: {missed}"),
            }),
            clock: self.clock.check(),
            clock_behind: self.clock.behind(),
            is_writer_running: self.book.is_written(),
            epoch: self.book.snapshot().epoch(),
            snapshot_age: self.book.snapshot_age(),
            commits: self.book.commits(),
        }
    }

    async fn probe(&self) -> Result<(), Missed<StoreError>> {
        if self.book.probes().has_succeeded_within(GOOD_FOR) {
            return Ok(());
        }
        let store = Arc::clone(&self.store);
        let probe = move || {
            let store = Arc::clone(&store);
            async move { store.probe().await }
        };
        self.book.probes().join(LIMIT, probe).await
    }
}
