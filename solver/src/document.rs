//! Between the planner and the documents that carry its work.

use solver_format::{
    ConflictEntry, HostEntry, LeaseEntry, MoveEntry, PROBLEM_FORMAT, PoolEntry, Problem, RequestEntry, RowEntry, units,
};

use crate::decision::{CapacityRow, Conflict, Move};
use crate::model::{Request, Seconds};
use crate::planner::{Planner, StateError};

impl Planner {
    /// A planner that knows the problem's hosts and leases.
    ///
    /// # Errors
    /// When the leases contradict the hosts or each other.
    pub fn of(problem: &Problem) -> Result<Self, StateError> {
        let mut planner = Self::new(problem.freeze);
        for entry in &problem.hosts {
            planner.put_host(entry.to_host());
        }
        for entry in &problem.pools {
            planner.put_pool(entry.to_pool());
        }
        for entry in &problem.leases {
            planner.put_lease_since(entry.to_lease(problem.cleaning), problem.now)?;
        }
        Ok(planner)
    }

    /// The document of what the planner knows and the requests to decide on it. Documents have one cleaning time, in
    /// seconds; it is the given one for every reservation.
    pub fn problem(&self, now: Seconds, cleaning: Seconds, requests: &[Request]) -> Problem {
        Problem {
            format: PROBLEM_FORMAT.to_owned(),
            now,
            cleaning,
            freeze: self.freeze,
            hosts: self
                .hosts
                .values()
                .map(|carried| HostEntry::of(&carried.host))
                .collect(),
            pools: self.pools.values().map(|pool| PoolEntry::of(pool)).collect(),
            leases: self.leases().map(LeaseEntry::of).collect(),
            requests: requests.iter().map(RequestEntry::of).collect(),
        }
    }
}

impl From<&Move> for MoveEntry {
    fn from(change: &Move) -> Self {
        Self {
            reservation: change.reservation.clone(),
            from: units(&change.from),
            to: units(&change.to),
        }
    }
}

impl From<&Conflict> for ConflictEntry {
    fn from(conflict: &Conflict) -> Self {
        Self {
            reason: conflict.reason.to_owned(),
            from: conflict.from,
            until: conflict.until,
            needed: conflict.needed,
            exist: conflict.exist,
            hosts_matching: conflict.hosts_matching.clone(),
            reservations: conflict.reservations.clone(),
            text: conflict.text.to_string(),
            resource: conflict.resource().map(ToString::to_string),
            certificate: (conflict.reason == "rows").then(|| conflict.certificate.iter().map(RowEntry::from).collect()),
        }
    }
}

impl From<&CapacityRow> for RowEntry {
    fn from(row: &CapacityRow) -> Self {
        Self {
            hosts: row.hosts.clone(),
            at: row.at,
            weight: row.weight,
            resource: row.counted.as_ref().map(|counted| counted.resource.to_string()),
            divisor: row.counted.as_ref().map(|counted| counted.divisor),
            apart: row.apart.clone(),
        }
    }
}
