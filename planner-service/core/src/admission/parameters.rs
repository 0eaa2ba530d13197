//! New parameters of the reservations of a lease.
//!
//! Invariant: what has started, or soon will, keeps what it holds: parameters that contradict that are refused.

use std::collections::{BTreeMap, BTreeSet};

use plugin_api::echo::shortened;

use crate::book::job::Draft;
use crate::domain::{
    CountableReservation, FlavorReservation, FloatingIpReservation, HostReservation, InstanceReservation, Lease,
    Reservation, ReservationSpec, ReservationStatus,
};
use crate::properties;
use crate::question::{Scarce, Shortage};
use crate::service::{NewAffinity, ReservationChange, ServiceError};

/// The reservations' new parameters, by reservation id.
pub(super) fn new_specs(
    lease: &Lease,
    changes: &[ReservationChange],
) -> Result<BTreeMap<String, ReservationSpec>, ServiceError> {
    let known = |id: &str| lease.reservations.iter().find(|reservation| reservation.id == id);
    let unknown: Vec<&str> = changes
        .iter()
        .map(|change| change.id.as_str())
        .filter(|id| known(id).is_none())
        .collect();
    if !unknown.is_empty() {
        return Err(ServiceError::Invalid(format!(
            "Please enter valid reservation IDs. Invalid reservation IDs are: {}",
            shortened(&unknown.join(","))
        )));
    }
    let mut specs = BTreeMap::new();
    for reservation in &lease.reservations {
        let change = changes.iter().find(|change| change.id == reservation.id);
        let spec = match change {
            None => reservation.spec.clone(),
            Some(change) => changed(reservation, change)?,
        };
        specs.insert(reservation.id.clone(), spec);
    }
    Ok(specs)
}

fn changed(reservation: &Reservation, change: &ReservationChange) -> Result<ReservationSpec, ServiceError> {
    let renamed = |name: &str| name != reservation.spec.resource_type();
    if change.resource_type.as_deref().is_some_and(renamed) {
        return Err(ServiceError::Conflict("resource_type cannot be updated".to_owned()));
    }
    match &reservation.spec {
        ReservationSpec::Host(spec) => changed_hosts(spec, change).map(ReservationSpec::Host),
        ReservationSpec::Instance(spec) => {
            changed_instances(reservation.status, spec, change).map(ReservationSpec::Instance)
        }
        ReservationSpec::Countable(spec) => {
            let amount = changed_places(reservation.status, spec.amount, change)?;
            let resource_type = spec.resource_type.clone();
            Ok(ReservationSpec::Countable(CountableReservation {
                resource_type,
                amount,
            }))
        }
        ReservationSpec::Flavor(spec) => changed_flavor(reservation.status, spec, change).map(ReservationSpec::Flavor),
        ReservationSpec::FloatingIp(spec) => {
            changed_floating_ips(reservation.status, spec, change).map(ReservationSpec::FloatingIp)
        }
    }
}

fn changed_hosts(spec: &HostReservation, change: &ReservationChange) -> Result<HostReservation, ServiceError> {
    let mut spec = spec.clone();
    spec.min = change.min.unwrap_or(spec.min);
    spec.max = change.max.unwrap_or(spec.max);
    if spec.max < spec.min {
        return Err(ServiceError::Invalid(
            "Invalid values for min/max of hosts. Max must be equal to or larger than min.".to_owned(),
        ));
    }
    if let Some(text) = &change.hypervisor_properties {
        spec.hypervisor_properties.clone_from(text);
    }
    if let Some(text) = &change.resource_properties {
        spec.resource_properties.clone_from(text);
    }
    Ok(spec)
}

fn changed_instances(
    status: ReservationStatus,
    spec: &InstanceReservation,
    change: &ReservationChange,
) -> Result<InstanceReservation, ServiceError> {
    let others = change.vcpus.is_some()
        || change.memory_mb.is_some()
        || change.disk_gb.is_some()
        || change.affinity.is_some()
        || change.resource_properties.is_some();
    if status == ReservationStatus::Active && others {
        return Err(ServiceError::Conflict(
            "An active reservation only accepts to update amount.".to_owned(),
        ));
    }
    if status == ReservationStatus::Error && others {
        return Err(in_error());
    }
    let mut spec = spec.clone();
    spec.amount = changed_places(status, spec.amount, change)?;
    if let Some(NewAffinity(rule)) = change.affinity
        && rule != spec.affinity
    {
        spec.affinity = rule;
        // The group of another rule does not serve this one. Where there is no rule any more, it is still to be deleted.
        if rule.is_some() {
            spec.objects.server_group_id = None;
        }
    }
    spec.size.vcpus = change.vcpus.unwrap_or(spec.size.vcpus);
    spec.size.memory_mb = change.memory_mb.unwrap_or(spec.size.memory_mb);
    spec.size.disk_gb = change.disk_gb.unwrap_or(spec.size.disk_gb);
    if let Some(text) = &change.resource_properties {
        spec.resource_properties.clone_from(text);
    }
    spec.size
        .check()
        .map_err(|text| ServiceError::Invalid(text.to_owned()))?;
    Ok(spec)
}

/// How many places there are to be. What runs only grows.
fn changed_places(status: ReservationStatus, places: u32, change: &ReservationChange) -> Result<u32, ServiceError> {
    let Some(amount) = change.amount else {
        return Ok(places);
    };
    if status == ReservationStatus::Error {
        return Err(in_error());
    }
    if status == ReservationStatus::Active && amount < places {
        return Err(ServiceError::Conflict(
            "Instance reservation doesn't allow to reduce/replace reserved instance slots when the reservation is in \
             active status."
                .to_owned(),
        ));
    }
    if amount == 0 {
        return Err(ServiceError::Invalid("amount must be >= 1".to_owned()));
    }
    Ok(amount)
}

fn in_error() -> ServiceError {
    ServiceError::Conflict("An error reservation doesn't accept an updating request.".to_owned())
}

/// Upstream refuses every change of parameters; here there may be another number of places, of the same flavor.
fn changed_flavor(
    status: ReservationStatus,
    spec: &FlavorReservation,
    change: &ReservationChange,
) -> Result<FlavorReservation, ServiceError> {
    if change.flavor_id.as_ref().is_some_and(|id| *id != spec.flavor.id) {
        return Err(ServiceError::Conflict("flavor_id cannot be updated".to_owned()));
    }
    if change.affinity.is_some_and(|NewAffinity(rule)| rule.is_some()) {
        return Err(ServiceError::Conflict(
            "Affinity not supported yet (affinity must be null)".to_owned(),
        ));
    }
    let mut spec = spec.clone();
    spec.amount = changed_places(status, spec.amount, change)?;
    Ok(spec)
}

fn changed_floating_ips(
    status: ReservationStatus,
    spec: &FloatingIpReservation,
    change: &ReservationChange,
) -> Result<FloatingIpReservation, ServiceError> {
    let refused = |reason: &str| {
        Err(ServiceError::Invalid(format!(
            "Floating IP reservation cannot be updated with requested parameters. {reason}"
        )))
    };
    if change.network_id.as_ref().is_some_and(|id| *id != spec.network_id) {
        return refused("Updating network_id is not supported");
    }
    let mut next = spec.clone();
    if let Some(required) = &change.required_floatingips {
        let as_set = |addresses: &[String]| addresses.iter().cloned().collect::<BTreeSet<_>>();
        if !required.is_empty() && as_set(required) != as_set(&spec.required_floatingips) {
            return refused("Updating required_floatingips is not supported except with an empty list");
        }
        next.required_floatingips.clone_from(required);
    }
    next.amount = change.amount.unwrap_or(spec.amount);
    if status == ReservationStatus::Active && next.amount < spec.amount {
        return refused("Cannot remove allocations from an active reservation");
    }
    next.check_required()
        .map_err(|text| ServiceError::Invalid(text.to_owned()))?;
    Ok(next)
}

/// A reservation that has started, or soon will, keeps what it holds: that must satisfy the new parameters.
pub(super) fn check_kept(draft: &Draft, reservation: &Reservation, spec: &ReservationSpec) -> Result<(), ServiceError> {
    let held = reservation.amount();
    let (most, kept, parameter) = match spec {
        ReservationSpec::Host(spec) => (spec.max, "hosts", "max"),
        ReservationSpec::Instance(spec) => (spec.amount, "places", "amount"),
        ReservationSpec::Flavor(spec) => (spec.amount, "places", "amount"),
        ReservationSpec::Countable(spec) => (spec.amount, "units", "amount"),
        ReservationSpec::FloatingIp(spec) => (spec.amount, "addresses", "amount"),
    };
    if most < held {
        return Err(shortage(
            spec,
            format!(
                "the reservation starts soon or has started and keeps its {held} {kept}; {parameter} must be at least {held}, not {most}",
            ),
        ));
    }
    if let (ReservationSpec::Instance(before), ReservationSpec::Instance(after)) = (&reservation.spec, spec)
        && (before.size != after.size || before.affinity != after.affinity)
    {
        return Err(shortage(
            spec,
            "the reservation starts soon and keeps its places, so that vcpus, memory_mb, disk_gb and affinity stay as they are"
                .to_owned(),
        ));
    }
    let predicate = properties::requirement(&spec.expressions()).map_err(ServiceError::Invalid)?;
    for allocation in &reservation.allocations {
        let Some(host) = draft.book().host(&allocation.host_id) else {
            continue;
        };
        let planned = properties::planner_host(host, draft.book().region());
        if !predicate.matches(&|name| planned.lookup(name)) {
            return Err(shortage(
                spec,
                format!(
                    "the reservation starts soon or has started and keeps host {}, which does not have the properties asked for",
                    host.hypervisor_hostname
                ),
            ));
        }
    }
    Ok(())
}

fn shortage(spec: &ReservationSpec, text: String) -> ServiceError {
    ServiceError::Shortage(Box::new(Shortage::said(Scarce::of(spec), text)))
}
