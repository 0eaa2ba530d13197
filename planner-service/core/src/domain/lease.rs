//! Leases and what they consist of.

use super::{EventStatus, EventType, Handover, Holding, LeaseStatus, ReservationSpec, ReservationStatus, Timestamp};

/// A time window owned by a project, with reservations and events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// UUID with dashes.
    pub id: String,
    /// Free text, at most 80 characters, not unique.
    pub name: String,
    /// Who made it.
    pub user_id: String,
    /// Who owns it.
    pub project_id: String,
    /// Keystone trust of the owner, if trusts are configured.
    pub trust_id: Option<String>,
    /// First second, on a whole minute.
    pub start: Timestamp,
    /// First second after, on a whole minute.
    pub end: Timestamp,
    /// Where it is in its life.
    pub status: LeaseStatus,
    /// Whether some reservation lost or changed a resource to a failure.
    pub degraded: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Option<Timestamp>,
    /// Its reservations, in the order of the request.
    pub reservations: Vec<Reservation>,
    /// Its events.
    pub events: Vec<Event>,
}

impl Lease {
    /// The event of this type, if the lease has one.
    pub fn event(&self, event_type: EventType) -> Option<&Event> {
        self.events.iter().find(|event| event.event_type == event_type)
    }

    /// The event of this type, to change it.
    pub fn event_mut(&mut self, event_type: EventType) -> Option<&mut Event> {
        self.events.iter_mut().find(|event| event.event_type == event_type)
    }
}

/// A request for one resource type inside a lease; its window is the lease's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// UUID with dashes: the handle users and Nova's scheduler know.
    pub id: String,
    /// UUID of the type-specific record.
    pub resource_id: String,
    /// Where it is in its life.
    pub status: ReservationStatus,
    /// A failed resource could not be replaced.
    pub missing_resources: bool,
    /// A resource was replaced while the reservation was active.
    pub resources_changed: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Option<Timestamp>,
    /// What is reserved.
    pub spec: ReservationSpec,
    /// What it holds. Tentative until the reservation starts or enters the freeze horizon; empty once it has ended.
    pub allocations: Vec<Allocation>,
    /// What of it the outside world has been told.
    pub handover: Handover,
}

impl Reservation {
    /// What it holds, with the number of places on each.
    pub fn holding(&self) -> Holding {
        let mut holding = Holding::new();
        for allocation in &self.allocations {
            *holding.entry(allocation.host_id.clone()).or_default() += 1;
        }
        holding
    }
}

/// A host, a place for one instance on it, or a floating IP, held by a reservation for a time. Several places may be on
/// one host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allocation {
    /// The id of the host or floating IP.
    pub host_id: String,
    /// First second held.
    pub start: Timestamp,
    /// First second after the cleaning that follows the lease: what the host is occupied for.
    pub occupied_until: Timestamp,
}

impl Allocation {
    /// One that is never empty, which no database takes: what is given back in the second in which it was taken is held
    /// for that second.
    pub fn during(host_id: String, start: Timestamp, occupied_until: Timestamp) -> Self {
        Self {
            host_id,
            start,
            occupied_until: occupied_until.max(start.saturating_add(1)),
        }
    }
}

/// A scheduled action of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// UUID with dashes.
    pub id: String,
    /// What is to be done.
    pub event_type: EventType,
    /// When.
    pub time: Timestamp,
    /// Whether it has been done.
    pub status: EventStatus,
    /// How often it was tried and did not succeed.
    pub attempts: u32,
    /// Not to be tried again before.
    pub not_before: Option<Timestamp>,
    /// Why it waits: the last attempt's failure, for the owner and the operator.
    pub waiting: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Option<Timestamp>,
}

impl Event {
    /// An event that has not been tried yet, made at `now`.
    pub const fn undone(id: String, event_type: EventType, time: Timestamp, now: Timestamp) -> Self {
        Self {
            id,
            event_type,
            time,
            status: EventStatus::Undone,
            attempts: 0,
            not_before: None,
            waiting: None,
            created_at: now,
            updated_at: None,
        }
    }
}
