//! What the service needs from outside: a clock and a store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{FloatingIp, Host, Lease, Notification, Property, Timestamp};

/// Number of changes of the book so far; each commit advances it by one.
pub type Epoch = i64;

/// Where time comes from.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Unix seconds now.
    fn now(&self) -> Timestamp;

    /// Time since some moment in the past. It never goes back, whatever the date does: work is measured with it.
    fn elapsed(&self) -> Duration;

    /// Returns at `time`, or at once if that has passed.
    async fn sleep_until(&self, time: Timestamp);
}

/// Where identifiers of new objects come from.
pub trait Identifiers: Send + Sync {
    /// A UUID with dashes that was never given before.
    fn next(&self) -> String;
}

/// A change of one object of the book.
///
/// A lease is written whole (its row, reservations, events, allocations): rows that are not in the
/// value are removed. Within one commit the allocations of all changed leases are removed before any
/// is inserted, so that two leases may exchange hosts.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Insert the lease or replace it.
    PutLease(Arc<Lease>),
    /// Remove the lease.
    DeleteLease(String),
    /// Insert the host or replace it.
    PutHost(Arc<Host>),
    /// Remove the host.
    DeleteHost(String),
    /// Insert the floating IP or replace it.
    PutFloatingIp(Arc<FloatingIp>),
    /// Remove the floating IP.
    DeleteFloatingIp(String),
    /// Insert the property or replace it.
    PutProperty(Arc<Property>),
    /// Replace what the reconciler found about a lease.
    PutFindings {
        /// The lease.
        lease_id: String,
        /// Everything known now; empty removes all.
        findings: Arc<Vec<plugin_api::Finding>>,
    },
    /// Put a notification behind the others that wait in the outbox. It is no part of the book's state.
    Notify(Arc<Notification>),
}

/// A worker's right to carry out a lease's work: the commit fails if somebody took the lease over since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The lease.
    pub lease_id: String,
    /// Number of the claim; every claim of the lease gets a greater one.
    pub number: i64,
}

/// What a commit must find true, and what it writes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Commit {
    /// The epoch the changes were decided on.
    pub expected: Epoch,
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// Claims that must still be held.
    pub fences: Vec<Fence>,
}

/// Place of a notification in the outbox, in the order of commits and of changes within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutboxPosition {
    /// The epoch of its commit.
    pub epoch: Epoch,
    /// Its place among the notifications of that commit.
    pub index: i64,
}

/// A notification that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its place.
    pub position: OutboxPosition,
    /// What is to be sent.
    pub notification: Notification,
}

/// Everything in the book at one epoch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contents {
    /// The epoch.
    pub epoch: Epoch,
    /// All leases.
    pub leases: Vec<Lease>,
    /// All hosts.
    pub hosts: Vec<Host>,
    /// All floating IPs.
    pub floating_ips: Vec<FloatingIp>,
    /// All properties.
    pub properties: Vec<Property>,
    /// Findings of the reconciler by lease.
    pub findings: Vec<(String, Vec<plugin_api::Finding>)>,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The book has moved on since the changes were decided: refresh and decide again.
    #[error("the book is at another epoch than {expected}")]
    Stale {
        /// The epoch the commit expected.
        expected: Epoch,
    },
    /// Somebody else does the lease's work now.
    #[error("the work of lease {lease_id} is done by another worker")]
    FenceLost {
        /// The lease.
        lease_id: String,
    },
    /// The database refuses two occupations of one host or floating IP at one time. A second belt: the planner should have seen it.
    #[error("the database found {0} occupied twice")]
    Overlap(String),
    /// The change feed does not reach back far enough: load everything.
    #[error("changes since epoch {since} are no longer kept")]
    FeedTruncated {
        /// The epoch asked for.
        since: Epoch,
    },
    /// The database is down, slow, or answered an error; whether a commit took effect is unknown.
    #[error("the database did not {operation}")]
    Unavailable {
        /// What was asked of it.
        operation: &'static str,
        /// Its answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database has lost commits that were acknowledged: nothing may be written on top of that.
    #[error("the database is at epoch {found}, but changes up to epoch {acknowledged} have been acknowledged")]
    Behind {
        /// What the database says.
        found: Epoch,
        /// What it said when it took the newest change.
        acknowledged: Epoch,
    },
    /// A stored value makes no sense.
    #[error("the database holds {what}")]
    Corrupt {
        /// Which value, and why it makes no sense.
        what: String,
    },
}

/// The book in a database.
#[async_trait]
pub trait Store: Send + Sync {
    /// Everything, read at one epoch.
    async fn load(&self) -> Result<Contents, StoreError>;

    /// The present epoch.
    async fn epoch(&self) -> Result<Epoch, StoreError>;

    /// Carries out a transaction that writes but changes nothing: shows that the book can be written.
    async fn probe(&self) -> Result<(), StoreError>;

    /// What has changed after `since`, read at one epoch: the new epoch and the present state of every
    /// object that changed (`Delete*` for those that are gone).
    async fn changes_since(&self, since: Epoch) -> Result<(Epoch, Vec<Change>), StoreError>;

    /// One transaction: advances the epoch from `commit.expected` by one, checks the fences, writes the
    /// changes and the change feed. Returns the new epoch.
    async fn commit(&self, commit: &Commit) -> Result<Epoch, StoreError>;

    /// Claims a lease's work for `owner` until `expires`, if nobody holds an unexpired claim at `now`.
    async fn claim(
        &self,
        lease_id: &str,
        owner: &str,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<Option<Fence>, StoreError>;

    /// Extends a claim; `false` if it was lost.
    async fn renew(&self, fence: &Fence, expires: Timestamp) -> Result<bool, StoreError>;

    /// Gives a claim back.
    async fn release(&self, fence: &Fence) -> Result<(), StoreError>;

    /// Gives back every claim of owners that start with `prefix`: for a process that knows it is alone.
    async fn release_all(&self, prefix: &str) -> Result<(), StoreError>;

    /// The first notifications of an outlet that wait, at most `most`, in order.
    async fn outbox(&self, outlet: &str, most: u64) -> Result<Vec<OutboxEntry>, StoreError>;

    /// Forgets the notifications of an outlet up to and with this one: they have been sent.
    async fn remove_from_outbox(&self, outlet: &str, through: OutboxPosition) -> Result<(), StoreError>;
}
