//! Which connections are served.
//!
//! Invariants: no more are open than the limit and [`RESERVED`]; a new one takes the place of the one that has been
//! idle for longest, so that clients who are silent never keep out those who ask.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::RESERVED;

/// [`Connection::idle_since`] of one with a request under way.
const BUSY: u64 = 0;

/// The connections that are open.
pub(super) struct Connections(Arc<Shared>);

struct Shared {
    most: usize,
    /// Counts how often connections become idle, from 1.
    turns: AtomicU64,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next: u64,
    open: HashMap<u64, Arc<Connection>>,
    /// Whether the limit has been reached and said so.
    is_full: bool,
}

struct Connection {
    /// The turn in which it became idle, or [`BUSY`].
    idle_since: AtomicU64,
    revoked: CancellationToken,
}

/// A connection's place, kept until this is dropped.
pub(super) struct Admission {
    shared: Arc<Shared>,
    number: u64,
    connection: Arc<Connection>,
    /// Whether it came beyond the limit, with no idle one to give way.
    pub(super) is_reserved: bool,
}

/// A request under way.
pub(super) struct Busy {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
}

impl Connections {
    /// At most `most` at once, apart from those reserved.
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Shared {
            most,
            turns: AtomicU64::new(BUSY),
            table: Mutex::default(),
        }))
    }

    /// A place for one more connection; `None` if there is none.
    pub(super) fn admit(&self) -> Option<Admission> {
        let shared = &self.0;
        let mut table = shared.table();
        if table.open.len() >= shared.most {
            table.make_room(shared.most);
        }
        let is_reserved = table.open.len() >= shared.most;
        if table.open.len() >= shared.most + RESERVED {
            return None;
        }
        let connection = Arc::new(Connection {
            idle_since: AtomicU64::new(shared.turn()),
            revoked: CancellationToken::new(),
        });
        table.next += 1;
        let number = table.next;
        table.open.insert(number, Arc::clone(&connection));
        Some(Admission {
            shared: Arc::clone(shared),
            number,
            connection,
            is_reserved,
        })
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Table {
    /// Closes the connection that has been idle for longest, if one is idle.
    fn make_room(&mut self, most: usize) {
        if !self.is_full {
            self.is_full = true;
            tracing::warn!(
                connections = most,
                "as many clients are connected as --max-connections allows; those idle for longest give way"
            );
        }
        let idle = self.open.iter().filter_map(|(number, connection)| {
            let since = connection.idle_since.load(Ordering::Relaxed);
            (since != BUSY).then_some((since, *number))
        });
        let longest = idle.min().and_then(|(_, longest)| self.open.remove(&longest));
        if let Some(connection) = longest {
            connection.revoked.cancel();
        }
    }
}

impl Admission {
    /// Returns when the connection has to give way to another.
    pub(super) async fn revoked(&self) {
        self.connection.revoked.cancelled().await;
    }

    /// Marks the connection as busy until the answer is dropped.
    pub(super) fn busy(&self) -> Busy {
        self.connection.idle_since.store(BUSY, Ordering::Relaxed);
        Busy {
            shared: Arc::clone(&self.shared),
            connection: Arc::clone(&self.connection),
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut table = self.shared.table();
        table.open.remove(&self.number);
        // Said again only after it has been far from full.
        if table.open.len() < self.shared.most / 2 {
            table.is_full = false;
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.connection.idle_since.store(self.shared.turn(), Ordering::Relaxed);
    }
}
