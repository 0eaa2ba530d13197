//! The report on a lease: domain to wire.

use api_types::date::ZonedTime;
use api_types::report as wire;
use planner_core::domain::{Lease, Reservation};
use planner_core::service::LeaseReport;

/// The report as clients see it.
pub(crate) fn write(report: &LeaseReport) -> wire::LeaseReport {
    let lease = report.lease.as_ref();
    wire::LeaseReport {
        lease: wire::ReportedLease {
            id: lease.id.clone(),
            name: lease.name.clone(),
            user_id: lease.user_id.clone(),
            project_id: lease.project_id.clone(),
            status: lease.status.as_str().to_owned(),
            degraded: lease.degraded,
            start: ZonedTime(lease.start),
            end: ZonedTime(lease.end),
            created_at: ZonedTime(lease.created_at),
            updated_at: lease.updated_at.map(ZonedTime),
        },
        events: events(lease),
        reservations: reservations(report),
        findings: report
            .findings
            .iter()
            .map(|finding| wire::Finding {
                kind: finding.kind.clone(),
                host: finding.host.clone(),
                detail: finding.detail.clone(),
                repaired: finding.repaired,
            })
            .collect(),
    }
}

fn events(lease: &Lease) -> Vec<wire::ReportedEvent> {
    lease
        .events
        .iter()
        .map(|event| wire::ReportedEvent {
            event_type: event.event_type.as_str().to_owned(),
            time: ZonedTime(event.time),
            status: event.status.as_str().to_owned(),
            attempts: event.attempts,
            not_before: event.not_before.map(ZonedTime),
            waiting: event.waiting.clone(),
        })
        .collect()
}

fn reservations(report: &LeaseReport) -> Vec<wire::ReportedReservation> {
    let tentative = report.tentative;
    let write = |reservation: &Reservation| {
        let units = report.units.get(&reservation.id);
        let on_hosts = reservation.holding().into_iter().filter(|_| units.is_none());
        wire::ReportedReservation {
            id: reservation.id.clone(),
            resource_type: reservation.spec.resource_type().to_owned(),
            status: reservation.status.as_str().to_owned(),
            hosts: on_hosts
                .map(|(host_id, places)| wire::ReportedHost {
                    name: report.hosts.get(&host_id).cloned(),
                    host_id,
                    tentative,
                    places,
                })
                .collect(),
            units: units
                .into_iter()
                .flatten()
                .map(|name| wire::ReportedUnit {
                    name: name.clone(),
                    tentative,
                })
                .collect(),
        }
    };
    report.lease.reservations.iter().map(write).collect()
}
