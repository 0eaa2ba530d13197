//! Leases with everything in them, and their rows.

use std::collections::HashMap;
use std::hash::Hash;

use planner_core::domain::{
    Event, EventStatus, EventType, Handover, Lease, LeaseStatus, Reservation, ReservationStatus,
};
use planner_core::ports::StoreError;

use super::specification::{Specifications, add_rows};
use super::{corrupt, position};
use crate::entity::{
    allocation, countable_reservation, event, flavor_reservation, floating_ip_reservation, host_reservation,
    instance_place, instance_reservation, lease, required_floating_ip, reservation,
};

/// The row of a lease.
fn lease_row(lease: &Lease) -> lease::Model {
    lease::Model {
        id: lease.id.clone(),
        name: lease.name.clone(),
        user_id: lease.user_id.clone(),
        project_id: lease.project_id.clone(),
        trust_id: lease.trust_id.clone(),
        start_at: lease.start,
        end_at: lease.end,
        status: lease.status.as_str().to_owned(),
        degraded: lease.degraded,
        created_at: lease.created_at,
        updated_at: lease.updated_at,
    }
}

/// The row of the `index`-th reservation of a lease.
fn reservation_row(lease: &Lease, index: usize, reservation: &Reservation) -> Result<reservation::Model, StoreError> {
    let handover = handover_text(&reservation.id, &reservation.handover)?;
    Ok(reservation::Model {
        id: reservation.id.clone(),
        lease_id: lease.id.clone(),
        position: position(index),
        resource_id: reservation.resource_id.clone(),
        resource_type: reservation.spec.resource_type().to_owned(),
        status: reservation.status.as_str().to_owned(),
        missing_resources: reservation.missing_resources,
        resources_changed: reservation.resources_changed,
        created_at: reservation.created_at,
        updated_at: reservation.updated_at,
        handover: Some(handover),
    })
}

/// The row of the `index`-th event of a lease.
fn event_row(lease: &Lease, index: usize, event: &Event) -> event::Model {
    event::Model {
        id: event.id.clone(),
        lease_id: lease.id.clone(),
        position: position(index),
        event_type: event.event_type.as_str().to_owned(),
        due_at: event.time,
        status: event.status.as_str().to_owned(),
        attempts: event.attempts.into(),
        not_before: event.not_before,
        waiting: event.waiting.clone(),
        created_at: event.created_at,
        updated_at: event.updated_at,
    }
}

/// The rows of some leases, in any order.
#[derive(Debug, Default)]
pub(crate) struct LeaseRows {
    pub(crate) leases: Vec<lease::Model>,
    pub(crate) reservations: Vec<reservation::Model>,
    pub(crate) host_reservations: Vec<host_reservation::Model>,
    pub(crate) allocations: Vec<allocation::Model>,
    pub(crate) instance_reservations: Vec<instance_reservation::Model>,
    pub(crate) flavor_reservations: Vec<flavor_reservation::Model>,
    pub(crate) instance_places: Vec<instance_place::Model>,
    pub(crate) floating_ip_reservations: Vec<floating_ip_reservation::Model>,
    pub(crate) required_floating_ips: Vec<required_floating_ip::Model>,
    pub(crate) countable_reservations: Vec<countable_reservation::Model>,
    pub(crate) events: Vec<event::Model>,
}

impl LeaseRows {
    /// Adds the rows of a lease.
    ///
    /// # Errors
    /// As [`add_rows`].
    pub(crate) fn add(&mut self, lease: &Lease) -> Result<(), StoreError> {
        self.leases.push(lease_row(lease));
        for (index, reservation) in lease.reservations.iter().enumerate() {
            self.reservations.push(reservation_row(lease, index, reservation)?);
            add_rows(self, reservation)?;
        }
        let events = lease.events.iter().enumerate();
        self.events
            .extend(events.map(|(index, event)| event_row(lease, index, event)));
        Ok(())
    }
}

/// Leases from their rows.
pub(crate) fn leases_from_rows(mut rows: LeaseRows) -> Result<Vec<Lease>, StoreError> {
    rows.reservations.sort_unstable_by_key(|row| row.position);
    rows.events.sort_unstable_by_key(|row| row.position);
    let mut specifications = Specifications::of(&mut rows)?;
    let mut reservations = group(rows.reservations, |row| row.lease_id.clone());
    let mut events = group(rows.events, |row| row.lease_id.clone());
    rows.leases
        .into_iter()
        .map(|row| {
            let events = events.remove(&row.id).unwrap_or_default();
            let start = events
                .iter()
                .find(|event| event.event_type == EventType::StartLease.as_str());
            Ok(Lease {
                reservations: reservations
                    .remove(&row.id)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|row| reservation(row, &mut specifications, start))
                    .collect::<Result<_, _>>()?,
                events: events.iter().cloned().map(event).collect::<Result<_, _>>()?,
                status: LeaseStatus::parse(&row.status)
                    .ok_or_else(|| corrupt(format!("status `{}` of lease {}", row.status, row.id)))?,
                id: row.id,
                name: row.name,
                user_id: row.user_id,
                project_id: row.project_id,
                trust_id: row.trust_id,
                start: row.start_at,
                end: row.end_at,
                degraded: row.degraded,
                created_at: row.created_at,
                updated_at: row.updated_at,
            })
        })
        .collect()
}

pub(super) fn group<K: Eq + Hash, T>(rows: Vec<T>, key: impl Fn(&T) -> K) -> HashMap<K, Vec<T>> {
    let mut groups: HashMap<K, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}

fn reservation(
    row: reservation::Model,
    specifications: &mut Specifications,
    start: Option<&event::Model>,
) -> Result<Reservation, StoreError> {
    let mut found = Reservation {
        status: ReservationStatus::parse(&row.status)
            .ok_or_else(|| corrupt(format!("status `{}` of reservation {}", row.status, row.id)))?,
        spec: specifications.spec(&row.id, &row.resource_type)?,
        allocations: specifications.held(&row.id),
        id: row.id,
        resource_id: row.resource_id,
        missing_resources: row.missing_resources,
        resources_changed: row.resources_changed,
        created_at: row.created_at,
        updated_at: row.updated_at,
        handover: Handover::default(),
    };
    found.handover = match row.handover {
        Some(text) => handover_from_text(&found.id, &text)?,
        None => assumed(&found, start),
    };
    Ok(found)
}

/// The stored form of what was handed over of a reservation.
pub(crate) fn handover_text(reservation: &str, handover: &Handover) -> Result<String, StoreError> {
    serde_json::to_string(handover)
        .map_err(|error| corrupt(format!("no form of what was handed over of {reservation}: {error}")))
}

/// What was handed over of a reservation, from its stored form.
pub(crate) fn handover_from_text(reservation: &str, text: &str) -> Result<Handover, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| corrupt(format!("what was handed over of reservation {reservation}: {error}")))
}

/// What must have been handed over of a reservation written before that was put on record.
fn assumed(reservation: &Reservation, start: Option<&event::Model>) -> Handover {
    let was_tried = start.is_some_and(|event| event.attempts > 0 || event.status == EventStatus::InProgress.as_str());
    match reservation.status {
        ReservationStatus::Active => Handover::of_running(reservation.holding()),
        ReservationStatus::Pending | ReservationStatus::Error if was_tried => Handover::of_tried(reservation.holding()),
        ReservationStatus::Pending | ReservationStatus::Error | ReservationStatus::Deleted => Handover::default(),
    }
}

fn event(row: event::Model) -> Result<Event, StoreError> {
    Ok(Event {
        event_type: EventType::parse(&row.event_type)
            .ok_or_else(|| corrupt(format!("type `{}` of event {}", row.event_type, row.id)))?,
        status: EventStatus::parse(&row.status)
            .ok_or_else(|| corrupt(format!("status `{}` of event {}", row.status, row.id)))?,
        attempts: count("number of attempts", &row.id, row.attempts)?,
        id: row.id,
        time: row.due_at,
        not_before: row.not_before,
        waiting: row.waiting,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

pub(super) fn count(what: &str, id: &str, value: i64) -> Result<u32, StoreError> {
    u32::try_from(value).map_err(|_| corrupt(format!("{value} as the {what} of {id}")))
}
