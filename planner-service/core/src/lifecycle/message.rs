//! The words of a message to the receivers of a reservation, and its key.
//!
//! Invariant: the key is a digest of everything the message says.

use std::fmt::Write as _;

use plugin_api::{Assignment, Content, Message, Resources, ToldFloatingIps, ToldHost, ToldInstances};
use sha2::{Digest, Sha256};

use super::assignment::assignment;
use crate::book::Book;
use crate::book::countables::unit_name;
use crate::domain::handover::{Outline, Purpose};
use crate::domain::{EventType, Holding, Lease, Reservation, ReservationSpec, Timestamp};

/// What carrying out an event is for.
pub(super) const fn purpose(event_type: EventType) -> Purpose {
    match event_type {
        EventType::StartLease | EventType::ApplyChange => Purpose::HandOver,
        EventType::BeforeEndLease => Purpose::BeforeEnd,
        EventType::EndLease | EventType::DeleteLease => Purpose::TakeBack,
    }
}

/// Puts an attempt at the event on record in the reservation, and gives what its plugin is told.
pub(super) fn begin(
    book: &Book,
    lease: &Lease,
    reservation: &mut Reservation,
    event_type: EventType,
    now: Timestamp,
) -> Assignment {
    let mut assignment = assignment(book, lease, reservation);
    let mut handover = reservation.handover.clone();
    let begun = handover.begin(purpose(event_type), reservation.holding(), now, |outline| {
        key(&content(book, lease, reservation, &assignment, outline))
    });
    assignment.message = begun.map(|(outline, key, attempt)| Message {
        content: content(book, lease, reservation, &assignment, &outline),
        key,
        attempt,
    });
    reservation.handover = handover;
    assignment
}

/// SHA-256 over the content as JSON, in hexadecimal digits.
fn key(content: &Content) -> String {
    // Texts and numbers always have a form.
    let text = serde_json::to_vec(content).unwrap_or_default();
    Sha256::digest(&text).iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

fn content(
    book: &Book,
    lease: &Lease,
    reservation: &Reservation,
    assignment: &Assignment,
    outline: &Outline,
) -> Content {
    let told = |holding: &Holding| resources(book, &reservation.spec, holding);
    let kind = outline.kind.into();
    let is_change = kind == plugin_api::MessageKind::Change;
    let is_start_over = kind == plugin_api::MessageKind::Start && !outline.removed.is_empty();
    Content {
        event: kind,
        sequence: outline.number,
        lease_id: lease.id.clone(),
        lease_name: lease.name.clone(),
        reservation_id: reservation.id.clone(),
        resource_type: assignment.resource_type.clone(),
        user_id: lease.user_id.clone(),
        project_id: lease.project_id.clone(),
        start: lease.start,
        end: lease.end,
        resources: told(&outline.resources),
        added: is_change.then(|| told(&outline.added)),
        removed: (is_change || is_start_over).then(|| told(&outline.removed)),
        instances: assignment.instances.as_ref().map(|instances| ToldInstances {
            vcpus: instances.vcpus,
            memory_mb: instances.memory_mb,
            disk_gb: instances.disk_gb,
            affinity: instances.affinity,
        }),
    }
}

fn resources(book: &Book, spec: &ReservationSpec, holding: &Holding) -> Resources {
    let hosts = |is_shared: bool| Resources {
        hosts: holding
            .iter()
            .map(|(id, count)| {
                let host = book.host(id);
                let name = |name: fn(&crate::domain::Host) -> &String| host.map_or(id, |host| name(host)).clone();
                ToldHost {
                    id: id.clone(),
                    hypervisor_hostname: name(|host| &host.hypervisor_hostname),
                    service_name: name(|host| &host.service_name),
                    places: is_shared.then_some(*count),
                }
            })
            .collect(),
        ..Resources::default()
    };
    match spec {
        ReservationSpec::Host(_) => hosts(false),
        ReservationSpec::Instance(_) | ReservationSpec::Flavor(_) => hosts(true),
        ReservationSpec::FloatingIp(spec) => {
            let address = |id: &String| {
                book.floating_ip(id)
                    .map_or(id, |known| &known.floating_ip_address)
                    .clone()
            };
            Resources {
                floating_ips: Some(ToldFloatingIps {
                    network_id: spec.network_id.clone(),
                    addresses: holding.keys().map(address).collect(),
                }),
                ..Resources::default()
            }
        }
        ReservationSpec::Countable(spec) => {
            let name = |id: &String| unit_name(&spec.resource_type, id).to_owned();
            Resources {
                units: Some(holding.keys().map(name).collect()),
                ..Resources::default()
            }
        }
    }
}
