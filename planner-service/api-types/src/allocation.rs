//! Which host serves which reservation, as `/v1` shows it.

use serde::{Deserialize, Serialize};

use crate::date::PlanTime;

/// Body of the answer about one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationBody {
    /// What it serves.
    pub allocation: Allocation,
}

/// Body of the listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationsBody {
    /// Every host, those that serve nothing included.
    pub allocations: Vec<Allocation>,
}

/// What a host serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// The host's id.
    pub resource_id: String,
    /// Its reservations.
    pub reservations: Vec<AllocatedReservation>,
}

/// A reservation on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocatedReservation {
    /// The reservation; null if the caller may see that the host is taken, but not by which lease.
    pub id: Option<String>,
    /// Its lease; as `id`.
    pub lease_id: Option<String>,
    /// Start of the lease.
    pub start_date: PlanTime,
    /// End of the lease.
    pub end_date: PlanTime,
    /// End of the cleaning after the lease, until when nobody else gets the host; left out where none follows. Not in
    /// upstream's answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occupied_until: Option<PlanTime>,
    /// Whether the planner may still choose another host; not in upstream's answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tentative: Option<bool>,
}
