//! `/capacity/v1/leases/{id}`: a lease with the state of the work it causes. Times are RFC 3339.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::date::ZonedTime;

/// The report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaseReport {
    /// The lease.
    pub lease: ReportedLease,
    /// Its scheduled actions, internal ones included.
    pub events: Vec<ReportedEvent>,
    /// Its reservations with their hosts.
    pub reservations: Vec<ReportedReservation>,
    /// Where the outside world disagreed with the plan.
    pub findings: Vec<Finding>,
}

/// The lease itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportedLease {
    /// UUID with dashes.
    pub id: String,
    /// Free text.
    pub name: String,
    /// Who made it.
    pub user_id: String,
    /// Who owns it.
    pub project_id: String,
    /// `PENDING`, `ACTIVE`, ...
    pub status: String,
    /// Whether a resource was lost or replaced.
    pub degraded: bool,
    /// First second.
    pub start: ZonedTime,
    /// First second after.
    pub end: ZonedTime,
    /// When it was made.
    pub created_at: ZonedTime,
    /// When it was last changed.
    pub updated_at: Option<ZonedTime>,
}

/// A scheduled action and how it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportedEvent {
    /// `start_lease`, `end_lease`, `before_end_lease`, `delete_lease`
    pub event_type: String,
    /// When it is due.
    pub time: ZonedTime,
    /// `UNDONE`, `IN_PROGRESS`, `DONE`, `ERROR`
    pub status: String,
    /// Attempts that did not succeed.
    pub attempts: u32,
    /// Not tried again before.
    pub not_before: Option<ZonedTime>,
    /// Why it waits.
    pub waiting: Option<String>,
}

/// A reservation and its hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportedReservation {
    /// UUID with dashes.
    pub id: String,
    /// `physical:host`, ...
    pub resource_type: String,
    /// `pending`, `active`, `deleted`, `error`
    pub status: String,
    /// The hosts that serve it.
    pub hosts: Vec<ReportedHost>,
    /// What it has of things that are no hosts: floating IPs, or units of a resource type that the operator has named.
    #[serde(default)]
    pub units: Vec<ReportedUnit>,
}

/// A unit of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportedUnit {
    /// The address of a floating IP, the name of another unit.
    pub name: String,
    /// Whether the planner may still choose another.
    pub tentative: bool,
}

/// A host of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportedHost {
    /// The host's id.
    pub host_id: String,
    /// Its name, shown to every caller who may read the lease; null if the host is no longer registered.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether the planner may still choose another.
    pub tentative: bool,
    /// How many instances of the reservation have their place there; 1 of a host held whole.
    #[serde(default = "one")]
    pub places: u32,
}

const fn one() -> u32 {
    1
}

/// A disagreement between plan and outside world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Stable code.
    pub kind: String,
    /// The host concerned, empty if none.
    pub host: String,
    /// One sentence.
    pub detail: String,
    /// Whether it has been repaired.
    pub repaired: bool,
}
