//! The state a decision is taken on, and the entry point of every decision.
//!
//! Invariant: no two reservations occupy one host at one second. Every method that changes the
//! planner either keeps that or returns an error and changes nothing.

use crate::decision::Decision;
use crate::model::{Host, HostId, Lease, LeaseId, Request, Seconds};

/// The planner refuses a change that contradicts its state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// A lease holds a host that is not registered.
    #[error("reservation `{reservation}` holds host `{host}`, which does not exist")]
    UnknownHost {
        /// The reservation.
        reservation: String,
        /// The host it names.
        host: String,
    },
    /// Two reservations would occupy one host at one time.
    #[error("reservations `{first}` and `{second}` both occupy host `{host}` at {at}")]
    Overlap {
        /// One reservation.
        first: String,
        /// The other.
        second: String,
        /// The host.
        host: String,
        /// First second they share.
        at: Seconds,
    },
}

/// Solves the integer models the planner cannot decide by counting.
pub trait ModelSolver: Send + Sync {}

/// What one decision may use.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Wall seconds the model solver may spend, `None` without limit.
    pub seconds: Option<f64>,
}

/// Hosts and promises at one moment. Cheap to clone: clones share structure.
#[derive(Clone)]
pub struct Planner {}

impl Planner {
    /// A planner without hosts. `freeze` seconds before its start a pending reservation keeps its hosts.
    pub fn new(freeze: Seconds) -> Self {
        let _ = freeze;
        Self {}
    }

    /// Adds a host, or replaces the one with the same id; what it holds stays.
    pub fn put_host(&mut self, host: Host) {
        let _ = host;
    }

    /// Removes a host that nothing holds; `false` if something does or it is unknown.
    pub fn remove_host(&mut self, host: &HostId) -> bool {
        let _ = host;
        false
    }

    /// Adds a lease, or replaces the one with the same id, with the hosts it holds.
    pub fn put_lease(&mut self, lease: Lease) -> Result<(), StateError> {
        let _ = lease;
        Ok(())
    }

    /// Removes a lease and frees what it holds.
    pub fn remove_lease(&mut self, lease: &LeaseId) {
        let _ = lease;
    }

    /// The lease, if it is held.
    pub fn lease(&self, lease: &LeaseId) -> Option<&Lease> {
        let _ = lease;
        None
    }

    /// Decides a request at `now`: accepted if any assignment exists that keeps every promise, with
    /// the fewest counted moves. The planner itself does not change; see [`Planner::apply`].
    pub fn decide(&self, request: &Request, now: Seconds, budget: Budget, solver: &dyn ModelSolver) -> Decision {
        let _ = (request, now, budget, solver);
        Decision { verdict: crate::decision::Verdict::Undecided, tier: crate::decision::Tier::Mip }
    }

    /// Makes an accepted decision on this very state part of it.
    pub fn apply(&mut self, request: &Request, decision: &Decision) -> Result<(), StateError> {
        let _ = (request, decision);
        Ok(())
    }
}
