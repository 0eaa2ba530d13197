//! Whether reservations have what they were promised, and how leases say that they have not.
//!
//! Invariant: the flags of a lease follow from what it holds, whichever change of the book made it hold that. A promise is
//! as many hosts, instances or units as were asked for at least, on hosts in order, under the rule of affinity.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugin_api::Finding;
use solver::model::Interval;

use crate::book::{Book, is_bound};
use crate::domain::{
    Allocation, CountableReservation, FlavorReservation, FloatingIpReservation, HostReservation, InstanceReservation,
    Lease, Reservation, ReservationSpec, ReservationStatus, Timestamp,
};
use crate::ports::Change;
use crate::service::Settings;

/// Kind of the finding that says why a reservation lacks resources.
pub(crate) const MISSING: &str = "resources_missing";

/// What a lease lacks, seen at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) book: &'a Book,
    pub(crate) now: Timestamp,
    pub(crate) settings: &'a Settings,
}

impl Seen<'_> {
    /// Whether the lease has started, or starts so soon that hosts out of order are not waited for any more.
    pub(crate) fn is_near(&self, lease: &Lease) -> bool {
        let Settings { healing_interval, .. } = *self.settings;
        is_bound(lease) || healing_interval == 0 || lease.start < self.now.saturating_add(healing_interval)
    }

    /// Whether a host works for as long as the lease still needs it. What is no host always does.
    pub(crate) fn is_in_order(&self, lease: &Lease, reservation: &Reservation, id: &str) -> bool {
        match reservation.spec {
            ReservationSpec::FloatingIp(_) | ReservationSpec::Countable(_) => true,
            ReservationSpec::Host(_) | ReservationSpec::Instance(_) | ReservationSpec::Flavor(_) => {
                let window = Interval::new(lease.start.max(self.now), lease.end);
                let host = self.book.planner().host(&Arc::from(id));
                host.is_some_and(|host| host.reservable && host.in_service(window))
            }
        }
    }

    /// What a reservation holds on hosts that do not work.
    pub(crate) fn stranded<'r>(
        &self,
        lease: &Lease,
        reservation: &'r Reservation,
    ) -> impl Iterator<Item = &'r Allocation> {
        let held = reservation.allocations.iter();
        held.filter(|allocation| !self.is_in_order(lease, reservation, &allocation.host_id))
    }

    /// How much of what it was promised a reservation has no place for on hosts that work.
    pub(crate) fn lacks(&self, lease: &Lease, reservation: &Reservation) -> u32 {
        lacking(reservation, |id| self.is_in_order(lease, reservation, id))
    }

    /// How much it would lack even if every host worked again: what waiting does not bring back.
    pub(crate) fn lacks_for_good(reservation: &Reservation) -> u32 {
        lacking(reservation, |_| true)
    }

    /// Sets what the lease says of itself, after any change of what it holds.
    pub(crate) fn judge(&self, lease: &mut Lease) {
        let flags: Vec<bool> = lease
            .reservations
            .iter()
            .map(|reservation| match reservation.status {
                ReservationStatus::Deleted => reservation.missing_resources,
                ReservationStatus::Pending | ReservationStatus::Active | ReservationStatus::Error => {
                    self.lacks(lease, reservation) > 0
                }
            })
            .collect();
        for (reservation, missing) in lease.reservations.iter_mut().zip(flags) {
            if reservation.missing_resources != missing {
                reservation.missing_resources = missing;
                reservation.updated_at = Some(self.now);
            }
        }
        let mut reservations = lease.reservations.iter();
        lease.degraded = reservations.any(|reservation| reservation.missing_resources || reservation.resources_changed);
    }

    /// Keeps the findings of a judged lease true: a reason for each reservation that lacks something, by its id, and none
    /// for the others.
    pub(crate) fn explain(&self, lease: &Lease, reasons: &BTreeMap<&str, String>) -> Option<Change> {
        let before = self.book.findings(&lease.id);
        let mut after: Vec<Finding> = (*before).clone();
        let (lacking, whole): (Vec<&Reservation>, Vec<&Reservation>) = lease
            .reservations
            .iter()
            .partition(|reservation| reservation.missing_resources);
        let is_of = |finding: &Finding, reservation: &Reservation| {
            finding.kind == MISSING && finding.detail.contains(&reservation.id)
        };
        after.retain(|finding| !whole.iter().any(|reservation| is_of(finding, reservation)));
        for reservation in lacking {
            let known = after.iter().any(|finding| is_of(finding, reservation));
            let reason = reasons.get(reservation.id.as_str());
            if reason.is_none() && known {
                continue;
            }
            after.retain(|finding| !is_of(finding, reservation));
            let detail = format!(
                "reservation {} lacks {} of what it was promised: {}",
                reservation.id,
                self.lacks(lease, reservation),
                reason.map_or(
                    "hosts it stood on do not work, and no others were found",
                    String::as_str
                )
            );
            after.push(Finding::new(MISSING, "", detail, false));
        }
        after.sort();
        after.dedup();
        (*before != after).then(|| Change::PutFindings {
            lease_id: lease.id.clone(),
            findings: Arc::new(after),
        })
    }
}

/// What is missing to a promise when only these hosts count.
fn lacking(reservation: &Reservation, counts: impl Fn(&str) -> bool) -> u32 {
    let mut standing: BTreeMap<&str, u32> = BTreeMap::new();
    for allocation in reservation.allocations.iter().filter(|held| counts(&held.host_id)) {
        *standing.entry(&allocation.host_id).or_default() += allocation.places;
    }
    let total = standing.values().sum();
    let (promised, kept) = match &reservation.spec {
        ReservationSpec::Host(HostReservation { min, .. }) => (*min, total),
        ReservationSpec::Instance(InstanceReservation { amount, affinity, .. }) => {
            let kept = match affinity {
                None => total,
                Some(true) => standing.values().copied().max().unwrap_or(0),
                Some(false) => u32::try_from(standing.len()).unwrap_or(u32::MAX),
            };
            (*amount, kept)
        }
        ReservationSpec::Flavor(FlavorReservation { amount, .. })
        | ReservationSpec::FloatingIp(FloatingIpReservation { amount, .. })
        | ReservationSpec::Countable(CountableReservation { amount, .. }) => (*amount, total),
    };
    promised.saturating_sub(kept)
}
