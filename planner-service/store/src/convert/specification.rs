//! What a reservation reserves and holds, and its rows, by resource type.
//!
//! What can be held by one reservation at a time, hosts and floating IPs, is in one table.

use std::collections::HashMap;

use planner_core::domain::{
    Allocation, CountableReservation, FlavorReservation, FloatingIpReservation, HostReservation, InstanceObjects,
    InstanceReservation, InstanceSize, Reservation, ReservationSpec,
};
use planner_core::ports::StoreError;

use super::lease::{LeaseRows, count, group};
use super::{corrupt, position};
use crate::entity::{
    allocation, countable_reservation, flavor_reservation, floating_ip_reservation, host_reservation, instance_place,
    instance_reservation, required_floating_ip,
};
use crate::limits;

/// Adds the rows of a reservation.
///
/// # Errors
/// [`StoreError::Corrupt`] when the text of a flavor is longer than the book takes, [`StoreError::Overlap`] when a host or
/// unit is held twice.
pub(super) fn add_rows(rows: &mut LeaseRows, reservation: &Reservation) -> Result<(), StoreError> {
    let reservation_id = || reservation.id.clone();
    match &reservation.spec {
        ReservationSpec::Host(spec) => {
            rows.host_reservations.push(host_reservation::Model {
                reservation_id: reservation_id(),
                minimum: spec.min.into(),
                maximum: spec.max.into(),
                hypervisor_properties: spec.hypervisor_properties.clone(),
                resource_properties: spec.resource_properties.clone(),
                before_end: spec.before_end.clone(),
            });
            rows.allocations.extend(allocations(reservation)?);
        }
        ReservationSpec::FloatingIp(spec) => {
            rows.floating_ip_reservations.push(floating_ip_reservation::Model {
                reservation_id: reservation_id(),
                network_id: spec.network_id.clone(),
                amount: spec.amount.into(),
            });
            let required = spec.required_floatingips.iter().enumerate();
            rows.required_floating_ips
                .extend(required.map(|(index, address)| required_floating_ip::Model {
                    reservation_id: reservation_id(),
                    position: position(index),
                    address: address.clone(),
                }));
            rows.allocations.extend(allocations(reservation)?);
        }
        ReservationSpec::Instance(spec) => {
            rows.instance_reservations.push(instance_reservation::Model {
                reservation_id: reservation_id(),
                vcpus: spec.size.vcpus.into(),
                memory_mb: spec.size.memory_mb.into(),
                disk_gb: spec.size.disk_gb.into(),
                amount: spec.amount.into(),
                affinity: spec.affinity,
                resource_properties: spec.resource_properties.clone(),
                aggregate_id: spec.objects.aggregate_id,
                server_group_id: spec.objects.server_group_id.clone(),
            });
            rows.instance_places.extend(places(reservation));
        }
        ReservationSpec::Countable(spec) => {
            rows.countable_reservations.push(countable_reservation::Model {
                reservation_id: reservation_id(),
                amount: spec.amount.into(),
            });
            rows.allocations.extend(allocations(reservation)?);
        }
        ReservationSpec::Flavor(spec) => {
            let flavor = serde_json::to_string(&spec.flavor)
                .map_err(|error| corrupt(format!("flavor {}: {error}", spec.flavor.id)))?;
            limits::long_text("a reservation's flavor", &flavor)?;
            rows.flavor_reservations.push(flavor_reservation::Model {
                reservation_id: reservation_id(),
                flavor,
                amount: spec.amount.into(),
                aggregate_id: spec.objects.aggregate_id,
            });
            rows.instance_places.extend(places(reservation));
        }
    }
    Ok(())
}

/// Rows of places on hosts, which others may share.
fn places(reservation: &Reservation) -> impl Iterator<Item = instance_place::Model> {
    let held = reservation.allocations.iter().enumerate();
    held.map(|(index, held)| instance_place::Model {
        reservation_id: reservation.id.clone(),
        position: position(index),
        host_id: held.host_id.clone(),
        start_at: held.start,
        occupied_until: held.occupied_until,
        places: held.places.into(),
    })
}

/// Rows of what nobody else holds at the same time, nor the reservation itself a second time.
fn allocations(reservation: &Reservation) -> Result<Vec<allocation::Model>, StoreError> {
    if let Some(twice) = reservation.allocations.iter().find(|held| held.places != 1) {
        return Err(StoreError::Overlap(twice.host_id.clone()));
    }
    let held = reservation.allocations.iter().enumerate();
    let rows = held.map(|(index, held)| allocation::Model {
        reservation_id: reservation.id.clone(),
        position: position(index),
        host_id: held.host_id.clone(),
        start_at: held.start,
        occupied_until: held.occupied_until,
    });
    Ok(rows.collect())
}

/// What reservations reserve and hold, by reservation.
pub(super) struct Specifications {
    hosts: HashMap<String, host_reservation::Model>,
    instances: HashMap<String, instance_reservation::Model>,
    flavors: HashMap<String, flavor_reservation::Model>,
    floating_ips: HashMap<String, floating_ip_reservation::Model>,
    countables: HashMap<String, countable_reservation::Model>,
    required: HashMap<String, Vec<required_floating_ip::Model>>,
    held: HashMap<String, Vec<Allocation>>,
}

impl Specifications {
    /// Takes them out of the rows. Rows of places that were written one for each instance become one.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a number of places is none.
    pub(super) fn of(rows: &mut LeaseRows) -> Result<Self, StoreError> {
        rows.required_floating_ips.sort_unstable_by_key(|row| row.position);
        let hosts = rows.allocations.drain(..).map(|row| {
            let held = Allocation {
                host_id: row.host_id,
                start: row.start_at,
                occupied_until: row.occupied_until,
                places: 1,
            };
            Ok((row.reservation_id, held))
        });
        let places = rows.instance_places.drain(..).map(|row| {
            let held = Allocation {
                host_id: row.host_id,
                start: row.start_at,
                occupied_until: row.occupied_until,
                places: count("places", &row.reservation_id, row.places)?,
            };
            Ok((row.reservation_id, held))
        });
        let held: Vec<(String, Allocation)> = hosts.chain(places).collect::<Result<_, StoreError>>()?;
        let held = group(held, |(id, _)| id.clone());
        Ok(Self {
            hosts: rows
                .host_reservations
                .drain(..)
                .map(|row| (row.reservation_id.clone(), row))
                .collect(),
            instances: rows
                .instance_reservations
                .drain(..)
                .map(|row| (row.reservation_id.clone(), row))
                .collect(),
            flavors: rows
                .flavor_reservations
                .drain(..)
                .map(|row| (row.reservation_id.clone(), row))
                .collect(),
            floating_ips: rows
                .floating_ip_reservations
                .drain(..)
                .map(|row| (row.reservation_id.clone(), row))
                .collect(),
            countables: rows
                .countable_reservations
                .drain(..)
                .map(|row| (row.reservation_id.clone(), row))
                .collect(),
            required: group(std::mem::take(&mut rows.required_floating_ips), |row| {
                row.reservation_id.clone()
            }),
            held: held
                .into_iter()
                .map(|(id, held)| (id, Allocation::gathered(held.into_iter().map(|(_, held)| held))))
                .collect(),
        })
    }

    /// What a reservation holds, in order.
    pub(super) fn held(&mut self, id: &str) -> Vec<Allocation> {
        self.held.remove(id).unwrap_or_default()
    }

    /// What a reservation of this type reserves.
    pub(super) fn spec(&mut self, id: &str, resource_type: &str) -> Result<ReservationSpec, StoreError> {
        let incomplete = || corrupt(format!("reservation {id} of {resource_type} without what is reserved"));
        match resource_type {
            HostReservation::RESOURCE_TYPE => {
                let row = self.hosts.remove(id).ok_or_else(incomplete)?;
                Ok(ReservationSpec::Host(HostReservation {
                    min: count("minimum", id, row.minimum)?,
                    max: count("maximum", id, row.maximum)?,
                    hypervisor_properties: row.hypervisor_properties,
                    resource_properties: row.resource_properties,
                    before_end: row.before_end,
                }))
            }
            InstanceReservation::RESOURCE_TYPE => {
                let row = self.instances.remove(id).ok_or_else(incomplete)?;
                Ok(ReservationSpec::Instance(InstanceReservation {
                    size: InstanceSize {
                        vcpus: count("vcpus", id, row.vcpus)?,
                        memory_mb: count("memory_mb", id, row.memory_mb)?,
                        disk_gb: count("disk_gb", id, row.disk_gb)?,
                    },
                    amount: count("amount", id, row.amount)?,
                    affinity: row.affinity,
                    resource_properties: row.resource_properties,
                    objects: InstanceObjects {
                        aggregate_id: row.aggregate_id,
                        server_group_id: row.server_group_id,
                    },
                }))
            }
            FlavorReservation::RESOURCE_TYPE => {
                let row = self.flavors.remove(id).ok_or_else(incomplete)?;
                Ok(ReservationSpec::Flavor(FlavorReservation {
                    flavor: serde_json::from_str(&row.flavor)
                        .map_err(|error| corrupt(format!("the flavor of reservation {id}: {error}")))?,
                    amount: count("amount", id, row.amount)?,
                    objects: InstanceObjects {
                        aggregate_id: row.aggregate_id,
                        server_group_id: None,
                    },
                }))
            }
            FloatingIpReservation::RESOURCE_TYPE => {
                let row = self.floating_ips.remove(id).ok_or_else(incomplete)?;
                let required = self.required.remove(id).unwrap_or_default();
                Ok(ReservationSpec::FloatingIp(FloatingIpReservation {
                    network_id: row.network_id,
                    amount: count("amount", id, row.amount)?,
                    required_floatingips: required.into_iter().map(|row| row.address).collect(),
                }))
            }
            other => {
                let row = self.countables.remove(id).ok_or_else(incomplete)?;
                Ok(ReservationSpec::Countable(CountableReservation {
                    resource_type: other.to_owned(),
                    amount: count("amount", id, row.amount)?,
                }))
            }
        }
    }
}
