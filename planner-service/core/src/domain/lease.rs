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

    /// Whether its end has been tried and has to be tried again.
    pub fn is_ending(&self) -> bool {
        let mut reservations = self.reservations.iter();
        reservations.any(|reservation| reservation.handover.is_ending())
    }

    /// Whether nothing more is handed over to it: its end is reached, or it was given back before that.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.end <= now || self.is_ending()
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
            *holding.entry(allocation.host_id.clone()).or_default() += allocation.places;
        }
        holding
    }

    /// How much it holds: hosts, instances, addresses or units.
    pub fn amount(&self) -> u32 {
        let places = self.allocations.iter().map(|allocation| allocation.places);
        places.fold(0, u32::saturating_add)
    }
}

/// A host, places for instances on it, a floating IP or a unit, held by a reservation for a time.
///
/// A reservation has one for each resource and time: places on one host differ where some joined a running lease later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allocation {
    /// The id of the host or floating IP.
    pub host_id: String,
    /// First second held.
    pub start: Timestamp,
    /// First second after the cleaning that follows the lease: what the host is occupied for.
    pub occupied_until: Timestamp,
    /// How many instances have their place there; 1 of what is held whole.
    pub places: u32,
}

impl Allocation {
    /// One that is never empty, which no database takes: what is given back in the second in which it was taken is held
    /// for that second.
    pub fn during(host_id: String, start: Timestamp, occupied_until: Timestamp, places: u32) -> Self {
        Self {
            host_id,
            start,
            occupied_until: occupied_until.max(start.saturating_add(1)),
            places,
        }
    }

    /// The same places, sorted, each resource once for each time it is held.
    pub fn gathered(allocations: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut rows: Vec<Self> = allocations.into_iter().collect();
        rows.sort();
        rows.dedup_by(|next, kept| {
            let is_same =
                (&next.host_id, next.start, next.occupied_until) == (&kept.host_id, kept.start, kept.occupied_until);
            if is_same {
                kept.places = kept.places.saturating_add(next.places);
            }
            is_same
        });
        rows
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However places are written down, each resource and time stands once, and none is lost.
        #[test]
        fn v3_gathered_places_are_the_same_places(rows in prop::collection::vec((0..3_u8, 0..2_i64, 1..4_u32), 0..12)) {
            let one = |host: u8, start, places| Allocation::during(host.to_string(), start, 9, places);
            let counted = rows.iter().map(|(host, start, places)| one(*host, *start, *places));
            let singly = rows.iter().flat_map(|(host, start, places)| (0..*places).map(|_| one(*host, *start, 1)));
            let gathered = Allocation::gathered(counted);
            prop_assert_eq!(&gathered, &Allocation::gathered(singly));
            let different = gathered.windows(2).all(|pair| (&pair[0].host_id, pair[0].start) < (&pair[1].host_id, pair[1].start));
            prop_assert!(different, "{:?}", gathered);
            let sum = |rows: &[Allocation]| rows.iter().map(|row| row.places).sum::<u32>();
            prop_assert_eq!(sum(&gathered), rows.iter().map(|row| row.2).sum::<u32>());
        }
    }
}
