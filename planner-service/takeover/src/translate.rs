//! Rows of Blazar as the contents of a book.
//!
//! Invariants: every id is kept; a lease in the middle of something becomes one that Berth carries on with; what Blazar
//! may have made in the cloud is on record as handed over, so that whatever becomes of the lease, it is taken back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use planner_core::domain::{
    Allocation, Event, EventStatus, EventType, FlavorReservation, FloatingIp, FloatingIpReservation, Handover, Holding,
    Host, HostReservation, InstanceObjects, InstanceReservation, InstanceSize, Lease, LeaseStatus, Property,
    Reservation, ReservationSpec, ReservationStatus, Timestamp,
};
use planner_core::ports::Contents;
use plugin_api::{Inventory, Provision};

use crate::row::{Row, RowError};
use crate::source::Source;

/// Why the source cannot be taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranslateError {
    /// A value makes no sense.
    #[error(transparent)]
    Value(#[from] RowError),
    /// A lease that is not over reserves what Berth does not know; leaving it out would give its hosts to others.
    #[error("lease {lease} reserves {resource_type}, which cannot be taken over; end or delete it first")]
    Unsupported {
        /// The lease.
        lease: String,
        /// What it reserves.
        resource_type: String,
    },
}

/// Something that is not taken over as it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Id of the lease, host or other object.
    pub id: String,
    /// What is different, for the operator.
    pub text: String,
}

/// The source as a book.
#[derive(Debug, Clone, Default)]
pub struct Translation {
    /// What is taken over.
    pub contents: Contents,
    /// What is not, or differs.
    pub notes: Vec<Note>,
}

/// Translates everything. `now` dates what the source does not; hosts stay free for `cleaning` seconds after a lease.
///
/// # Errors
/// When a value makes no sense, or a lease that is not over cannot be taken over.
pub fn translate(source: &Source, now: Timestamp, cleaning: i64) -> Result<Translation, TranslateError> {
    let mut notes = Vec::new();
    let known = Known::new(source);
    let properties = source
        .properties
        .iter()
        .filter(|row| row.text("resource_type") == HostReservation::RESOURCE_TYPE);
    let properties = properties
        .map(|row| property(row, now))
        .collect::<Result<Vec<_>, _>>()?;
    let hosts = source
        .hosts
        .iter()
        .map(|row| host(row, &known, now, &mut notes))
        .collect::<Result<Vec<_>, _>>()?;
    let floating_ips = source
        .floatingips
        .iter()
        .map(|row| floating_ip(row, now))
        .collect::<Result<Vec<_>, _>>()?;
    let mut leases = Vec::new();
    for row in &source.leases {
        leases.extend(lease(row, &known, now, cleaning, &mut notes)?);
    }
    Ok(Translation {
        contents: Contents {
            epoch: 0,
            leases,
            hosts,
            floating_ips,
            properties,
            findings: Vec::new(),
        },
        notes,
    })
}

/// Rows by what they belong to.
struct Known<'a> {
    reservations: BTreeMap<&'a str, Vec<&'a Row>>,
    events: BTreeMap<&'a str, Vec<&'a Row>>,
    specifications: BTreeMap<(&'static str, &'a str), &'a Row>,
    required: BTreeMap<&'a str, Vec<&'a Row>>,
    allocations: BTreeMap<&'a str, Vec<&'a str>>,
    property_names: BTreeMap<&'a str, &'a str>,
    capabilities: BTreeMap<&'a str, Vec<&'a Row>>,
    inventories: BTreeMap<&'a str, Vec<&'a Row>>,
    traits: BTreeMap<&'a str, Vec<&'a Row>>,
}

impl<'a> Known<'a> {
    fn new(source: &'a Source) -> Self {
        let mut allocations: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (rows, column) in [
            (&source.host_allocations, "compute_host_id"),
            (&source.floatingip_allocations, "floatingip_id"),
        ] {
            for row in rows {
                if let (Some(reservation), Some(resource)) = (row.optional("reservation_id"), row.optional(column)) {
                    allocations.entry(reservation).or_default().push(resource);
                }
            }
        }
        let specifications = source.host_reservations.iter();
        let specifications = specifications
            .chain(&source.instance_reservations)
            .chain(&source.floatingip_reservations);
        let specifications = specifications.filter_map(|row| Some(((row.table, row.optional("reservation_id")?), row)));
        let names = source.properties.iter();
        let names = names.filter_map(|row| Some((row.optional("id")?, row.optional("property_name")?)));
        Self {
            reservations: by(&source.reservations, "lease_id"),
            events: by(&source.events, "lease_id"),
            specifications: specifications.collect(),
            required: by(&source.required_floatingips, "floatingip_reservation_id"),
            allocations,
            property_names: names.collect(),
            capabilities: by(&source.capabilities, "computehost_id"),
            inventories: by(&source.inventories, "computehost_id"),
            traits: by(&source.traits, "computehost_id"),
        }
    }
}

fn by<'a>(rows: &'a [Row], column: &str) -> BTreeMap<&'a str, Vec<&'a Row>> {
    let mut grouped: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        if let Some(key) = row.optional(column) {
            grouped.entry(key).or_default().push(row);
        }
    }
    grouped
}

fn created(row: &Row, now: Timestamp) -> Result<Timestamp, RowError> {
    Ok(row.optional_time("created_at")?.unwrap_or(now))
}

fn property(row: &Row, now: Timestamp) -> Result<Property, RowError> {
    Ok(Property {
        id: row.text("id"),
        name: row.text("property_name"),
        private: row.boolean("private")?.unwrap_or(false),
        created_at: created(row, now)?,
        updated_at: row.optional_time("updated_at")?,
    })
}

fn host(row: &Row, known: &Known<'_>, now: Timestamp, notes: &mut Vec<Note>) -> Result<Host, RowError> {
    let id = row.text("id");
    let cpu_info = row.text("cpu_info");
    // Blazar writes a Python dictionary where Nova gives an object; clients read JSON.
    let readable = [cpu_info.clone(), cpu_info.replace('\'', "\"")]
        .into_iter()
        .find(|text| serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.is_object()));
    if readable.is_none() && !cpu_info.is_empty() {
        notes.push(Note {
            id: id.clone(),
            text: "its cpu_info is no JSON object and is left empty".to_owned(),
        });
    }
    let mut capabilities = BTreeMap::new();
    for capability in known.capabilities.get(id.as_str()).into_iter().flatten() {
        let name = capability
            .optional("property_id")
            .and_then(|property| known.property_names.get(property));
        let name = name.ok_or_else(|| capability.wrong("property_id", "the id of a property"))?;
        capabilities.insert((*name).to_owned(), capability.text("capability_value"));
    }
    Ok(Host {
        vcpus: row.number("vcpus")?,
        cpu_info: readable.unwrap_or_default(),
        hypervisor_type: row.text("hypervisor_type"),
        hypervisor_version: row.number("hypervisor_version")?,
        hypervisor_hostname: row.text("hypervisor_hostname"),
        service_name: row.text("service_name"),
        memory_mb: row.number("memory_mb")?,
        local_gb: row.number("local_gb")?,
        availability_zone: row.text("availability_zone"),
        trust_id: row.text("trust_id"),
        reservable: row.boolean("reservable")?.unwrap_or(true),
        created_at: created(row, now)?,
        updated_at: row.optional_time("updated_at")?,
        capabilities,
        provision: provision(&id, known)?,
        id,
    })
}

/// What Placement said of a host when Blazar registered it.
fn provision(id: &str, known: &Known<'_>) -> Result<Provision, RowError> {
    let mut provision = Provision::default();
    for row in known.inventories.get(id).into_iter().flatten() {
        provision
            .inventories
            .insert(row.text("resource_class"), inventory(row)?);
    }
    let traits = known.traits.get(id).into_iter().flatten();
    provision.traits = traits.map(|row| row.text("trait")).collect();
    Ok(provision)
}

/// What there is of one resource class.
fn inventory(row: &Row) -> Result<Inventory, RowError> {
    let (total, reserved, max_unit): (u32, u32, u32) =
        (row.number("total")?, row.number("reserved")?, row.number("max_unit")?);
    let ratio: f64 = row.number("allocation_ratio")?;
    if !ratio.is_finite() || ratio < 0.0 {
        return Err(row.wrong("allocation_ratio", "a number that is not negative"));
    }
    Ok(Inventory::counted(
        total.into(),
        reserved.into(),
        ratio,
        max_unit.into(),
    ))
}

fn address(row: &Row, column: &str) -> Result<String, RowError> {
    let parsed = row.optional(column).and_then(|text| text.parse::<IpAddr>().ok());
    parsed
        .map(|address| address.to_string())
        .ok_or_else(|| row.wrong(column, "an IP address"))
}

fn floating_ip(row: &Row, now: Timestamp) -> Result<FloatingIp, RowError> {
    Ok(FloatingIp {
        id: row.text("id"),
        floating_network_id: row.text("floating_network_id"),
        subnet_id: row.text("subnet_id"),
        floating_ip_address: address(row, "floating_ip_address")?,
        reservable: row.boolean("reservable")?.unwrap_or(true),
        created_at: created(row, now)?,
        updated_at: row.optional_time("updated_at")?,
    })
}

/// A lease, or nothing if it is over and cannot be taken over.
fn lease(
    row: &Row,
    known: &Known<'_>,
    now: Timestamp,
    cleaning: i64,
    notes: &mut Vec<Note>,
) -> Result<Option<Lease>, TranslateError> {
    let id = row.text("id");
    let status = LeaseStatus::parse(&row.text("status")).ok_or_else(|| row.wrong("status", "a status of leases"))?;
    let mut lease = Lease {
        name: row.text("name"),
        user_id: row.text("user_id"),
        project_id: row.text("project_id"),
        trust_id: row.optional("trust_id").map(str::to_owned),
        start: row.time("start_date")?,
        end: row.time("end_date")?,
        status,
        degraded: row.boolean("degraded")?.unwrap_or(false),
        created_at: created(row, now)?,
        updated_at: row.optional_time("updated_at")?,
        reservations: Vec::new(),
        events: Vec::new(),
        id: id.clone(),
    };
    let note = |text: String| Note { id: id.clone(), text };
    for event_row in known.events.get(id.as_str()).into_iter().flatten() {
        match event(event_row, now)? {
            Some(event) => lease.events.push(event),
            None => notes.push(note(format!(
                "its event {} is nothing that is carried out",
                event_row.text("event_type")
            ))),
        }
    }
    if lease.event(EventType::StartLease).is_none() || lease.event(EventType::EndLease).is_none() {
        return Err(row.wrong("id", "a lease with events that start and end it").into());
    }
    for reservation_row in known.reservations.get(id.as_str()).into_iter().flatten() {
        let resource_type = reservation_row.text("resource_type");
        let Some(spec) = specification(reservation_row, &resource_type, known)? else {
            if status == LeaseStatus::Terminated {
                notes.push(note(format!("it is over and reserved {resource_type}: left out")));
                return Ok(None);
            }
            return Err(TranslateError::Unsupported {
                lease: id,
                resource_type,
            });
        };
        lease
            .reservations
            .push(reservation(reservation_row, spec, &lease, known, now, cleaning)?);
    }
    carry_on(&mut lease, now);
    if lease.status != status {
        notes.push(note(format!("it was {status} and is {} now", lease.status)));
    }
    Ok(Some(lease))
}

/// What the reservation is of; nothing if Berth does not know it.
fn specification(row: &Row, resource_type: &str, known: &Known<'_>) -> Result<Option<ReservationSpec>, RowError> {
    let id = row.text("id");
    let find = |table: &'static str| {
        let found = known.specifications.get(&(table, id.as_str())).copied();
        found.ok_or_else(|| row.wrong("id", "a reservation with its parameters"))
    };
    Ok(Some(match resource_type {
        HostReservation::RESOURCE_TYPE => {
            let spec = find("computehost_reservations")?;
            let range = spec.text("count_range");
            let range = range
                .split_once('-')
                .and_then(|(min, max)| Some((min.trim().parse().ok()?, max.trim().parse().ok()?)));
            let (min, max) = range.ok_or_else(|| spec.wrong("count_range", "MIN-MAX"))?;
            ReservationSpec::Host(HostReservation {
                min,
                max,
                hypervisor_properties: spec.text("hypervisor_properties"),
                resource_properties: spec.text("resource_properties"),
                before_end: spec
                    .optional("before_end")
                    .unwrap_or(HostReservation::DEFAULT_BEFORE_END)
                    .to_owned(),
            })
        }
        InstanceReservation::RESOURCE_TYPE => {
            let spec = find("instance_reservations")?;
            ReservationSpec::Instance(InstanceReservation {
                size: InstanceSize {
                    vcpus: spec.number("vcpus")?,
                    memory_mb: spec.number("memory_mb")?,
                    disk_gb: spec.number("disk_gb")?,
                },
                amount: spec.number("amount")?,
                affinity: spec.boolean("affinity")?,
                resource_properties: spec.text("resource_properties"),
                objects: InstanceObjects {
                    aggregate_id: spec.optional_number("aggregate_id")?,
                    server_group_id: spec.optional("server_group_id").map(str::to_owned),
                },
            })
        }
        FlavorReservation::RESOURCE_TYPE => {
            let spec = find("instance_reservations")?;
            let text = spec.text("resource_properties");
            let flavor =
                serde_json::from_str(&text).map_err(|_| spec.wrong("resource_properties", "a flavor as JSON"))?;
            ReservationSpec::Flavor(FlavorReservation {
                flavor,
                amount: spec.number("amount")?,
                objects: InstanceObjects {
                    aggregate_id: spec.optional_number("aggregate_id")?,
                    server_group_id: None,
                },
            })
        }
        FloatingIpReservation::RESOURCE_TYPE => {
            let spec = find("floatingip_reservations")?;
            let required = known
                .required
                .get(spec.optional("id").unwrap_or_default())
                .into_iter()
                .flatten();
            let required: BTreeSet<String> = required.map(|row| address(row, "address")).collect::<Result<_, _>>()?;
            ReservationSpec::FloatingIp(FloatingIpReservation {
                network_id: spec.text("network_id"),
                amount: spec.number("amount")?,
                required_floatingips: required.into_iter().collect(),
            })
        }
        _ => return Ok(None),
    }))
}

fn reservation(
    row: &Row,
    spec: ReservationSpec,
    lease: &Lease,
    known: &Known<'_>,
    now: Timestamp,
    cleaning: i64,
) -> Result<Reservation, RowError> {
    let id = row.text("id");
    let status = ReservationStatus::parse(&row.text("status"));
    let status = status.ok_or_else(|| row.wrong("status", "a status of reservations"))?;
    let cleaning = if matches!(spec, ReservationSpec::Host(_)) {
        cleaning
    } else {
        0
    };
    let held = known.allocations.get(id.as_str()).into_iter().flatten();
    let held = held
        .filter(|_| status != ReservationStatus::Deleted)
        .map(|resource| Allocation {
            host_id: (*resource).to_owned(),
            start: lease.start,
            occupied_until: lease.end + cleaning,
            places: 1,
        });
    let mut allocations = Allocation::gathered(held);
    if !matches!(spec, ReservationSpec::Instance(_) | ReservationSpec::Flavor(_)) {
        // No key of the source keeps a row from standing there twice.
        allocations.iter_mut().for_each(|held| held.places = 1);
    }
    let mut reservation = Reservation {
        resource_id: row.text("resource_id"),
        status,
        missing_resources: row.boolean("missing_resources")?.unwrap_or(false),
        resources_changed: row.boolean("resources_changed")?.unwrap_or(false),
        created_at: created(row, now)?,
        updated_at: row.optional_time("updated_at")?,
        spec,
        allocations,
        handover: Handover::default(),
        id,
    };
    reservation.handover = handed_over(&reservation, lease);
    Ok(reservation)
}

/// What stands in the cloud for a reservation. Blazar makes aggregates and flavors when it books, so there is something
/// to take back before the start, with no host in it.
fn handed_over(reservation: &Reservation, lease: &Lease) -> Handover {
    let is = |event_type, status| lease.event(event_type).is_some_and(|event| event.status == status);
    if reservation.status == ReservationStatus::Deleted || is(EventType::EndLease, EventStatus::Done) {
        Handover::default()
    } else if reservation.status == ReservationStatus::Active {
        Handover::of_running(reservation.holding())
    } else if is(EventType::StartLease, EventStatus::Undone) {
        Handover::of_tried(Holding::new())
    } else {
        Handover::of_tried(reservation.holding())
    }
}

/// An event; nothing if it is one of a user's, which nobody carries out.
fn event(row: &Row, now: Timestamp) -> Result<Option<Event>, RowError> {
    let event_type = match row.text("event_type").as_str() {
        "start_lease" => EventType::StartLease,
        "before_end_lease" => EventType::BeforeEndLease,
        "end_lease" => EventType::EndLease,
        _ => return Ok(None),
    };
    let status = EventStatus::parse(&row.text("status")).ok_or_else(|| row.wrong("status", "a status of events"))?;
    Ok(Some(Event {
        id: row.text("id"),
        event_type,
        time: row.time("time")?,
        status,
        attempts: 0,
        not_before: None,
        waiting: None,
        created_at: created(row, now)?,
        updated_at: row.optional_time("updated_at")?,
    }))
}

/// Gives a lease the state from which Berth carries on, whatever Blazar was doing with it.
fn carry_on(lease: &mut Lease, now: Timestamp) {
    for event in &mut lease.events {
        if event.status == EventStatus::InProgress {
            // Done again from its beginning: every step may be repeated.
            event.status = EventStatus::Undone;
        }
    }
    if lease.status == LeaseStatus::Deleting {
        for event in &mut lease.events {
            if event.status == EventStatus::Undone {
                event.status = EventStatus::Done;
            }
        }
        // The id of the end's event, which is over with it, names what is left to do.
        let id = lease
            .event(EventType::EndLease)
            .map(|event| event.id.clone())
            .unwrap_or_default();
        lease.events.retain(|event| event.event_type != EventType::EndLease);
        lease.events.push(Event::undone(id, EventType::DeleteLease, now, now));
        return;
    }
    let status = |event_type| lease.event(event_type).map(|event| event.status);
    lease.status = match (status(EventType::StartLease), status(EventType::EndLease)) {
        (Some(EventStatus::Undone), Some(EventStatus::Undone)) => LeaseStatus::Pending,
        (Some(EventStatus::Done), Some(EventStatus::Undone)) => LeaseStatus::Active,
        (Some(EventStatus::Done), Some(EventStatus::Done)) => LeaseStatus::Terminated,
        _ => LeaseStatus::Error,
    };
}
