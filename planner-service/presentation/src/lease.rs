//! Leases: domain to wire.

use api_types::date::{PlanTime, RecordTime};
use api_types::lease as wire;
use planner_core::book::countables::unit_names;
use planner_core::domain::{Event, EventType, Lease, Reservation, ReservationSpec};
use planner_core::properties::as_written;
use plugin_api::SourceFlavor;

/// A lease as clients see it. Internal events are not shown.
pub fn write(lease: &Lease) -> wire::Lease {
    wire::Lease {
        id: lease.id.clone(),
        name: lease.name.clone(),
        user_id: lease.user_id.clone(),
        project_id: lease.project_id.clone(),
        start_date: PlanTime(lease.start),
        end_date: PlanTime(lease.end),
        trust_id: lease.trust_id.clone().unwrap_or_default(),
        status: lease.status.as_str().to_owned(),
        degraded: lease.degraded,
        created_at: RecordTime(lease.created_at),
        updated_at: lease.updated_at.map(RecordTime),
        reservations: lease
            .reservations
            .iter()
            .map(|entry| reservation(&lease.id, entry))
            .collect(),
        events: lease
            .events
            .iter()
            .filter(|entry| is_shown(entry.event_type))
            .map(|entry| event(&lease.id, entry))
            .collect(),
    }
}

const fn is_shown(event_type: EventType) -> bool {
    match event_type {
        EventType::StartLease | EventType::BeforeEndLease | EventType::EndLease => true,
        EventType::ApplyChange | EventType::DeleteLease => false,
    }
}

fn reservation(lease_id: &str, reservation: &Reservation) -> wire::Reservation {
    let parameters = match &reservation.spec {
        ReservationSpec::Host(host) => wire::Parameters::Host(wire::HostParameters {
            hypervisor_properties: as_written(&host.hypervisor_properties),
            resource_properties: as_written(&host.resource_properties),
            before_end: host.before_end.clone(),
            min: host.min,
            max: host.max,
        }),
        ReservationSpec::Instance(instance) => wire::Parameters::Instance(wire::InstanceParameters {
            vcpus: instance.size.vcpus,
            memory_mb: instance.size.memory_mb,
            disk_gb: instance.size.disk_gb,
            amount: instance.amount,
            affinity: instance.affinity,
            resource_properties: as_written(&instance.resource_properties),
            flavor_id: reservation.id.clone(),
            aggregate_id: instance.objects.aggregate_id,
            server_group_id: instance.objects.server_group_id.clone(),
        }),
        ReservationSpec::Countable(countable) => wire::Parameters::Countable(wire::CountableParameters {
            amount: countable.amount,
            units: unit_names(&countable.resource_type, &reservation.allocations),
        }),
        ReservationSpec::Flavor(flavored) => wire::Parameters::Instance(wire::InstanceParameters {
            vcpus: flavored.flavor.vcpus,
            memory_mb: flavored.flavor.memory_mb,
            disk_gb: flavored.flavor.disk,
            amount: flavored.amount,
            affinity: None,
            resource_properties: flavor_text(&flavored.flavor),
            flavor_id: reservation.id.clone(),
            aggregate_id: flavored.objects.aggregate_id,
            server_group_id: None,
        }),
        ReservationSpec::FloatingIp(addresses) => wire::Parameters::FloatingIp(wire::FloatingIpParameters {
            network_id: addresses.network_id.clone(),
            amount: addresses.amount,
            required_floatingips: addresses.required_floatingips.clone(),
        }),
    };
    wire::Reservation {
        id: reservation.id.clone(),
        lease_id: lease_id.to_owned(),
        resource_id: reservation.resource_id.clone(),
        resource_type: reservation.spec.resource_type().to_owned(),
        status: reservation.status.as_str().to_owned(),
        missing_resources: reservation.missing_resources,
        resources_changed: reservation.resources_changed,
        created_at: RecordTime(reservation.created_at),
        updated_at: reservation.updated_at.map(RecordTime),
        parameters,
    }
}

/// A flavor as reservations carry it. That it cannot be written is impossible: its keys are texts.
fn flavor_text(flavor: &SourceFlavor) -> String {
    serde_json::to_string(flavor).unwrap_or_default()
}

fn event(lease_id: &str, event: &Event) -> wire::Event {
    wire::Event {
        id: event.id.clone(),
        lease_id: lease_id.to_owned(),
        event_type: event.event_type.as_str().to_owned(),
        time: PlanTime(event.time),
        status: event.status.as_str().to_owned(),
        created_at: RecordTime(event.created_at),
        updated_at: event.updated_at.map(RecordTime),
    }
}
