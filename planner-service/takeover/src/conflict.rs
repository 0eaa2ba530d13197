//! Double bookings in a source, and how they are resolved.
//!
//! Invariant: after [`give_way`] nothing that [`double_bookings`] finds is left.

use std::collections::{BTreeMap, BTreeSet};

use planner_core::domain::{Lease, LeaseStatus, ReservationSpec, Timestamp};
use planner_core::ports::Contents;

/// Two reservations that hold one host or floating IP at one time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DoubleBooking {
    /// The host or floating IP.
    pub resource: String,
    /// The lease that keeps it.
    pub keeps: String,
    /// The lease that would have to give way.
    pub gives_way: String,
    /// The reservation of the latter.
    pub reservation: String,
    /// First second they share.
    pub at: Timestamp,
}

/// One reservation on one resource.
struct Use<'a> {
    lease: &'a Lease,
    reservation: &'a str,
    /// Shares the resource with nobody.
    whole: bool,
    start: Timestamp,
    end: Timestamp,
}

impl Use<'_> {
    /// Who keeps it: what has started before what has not, then what was made first.
    fn rank(&self) -> (bool, Timestamp, &str) {
        (
            self.lease.status == LeaseStatus::Pending,
            self.lease.created_at,
            &self.lease.id,
        )
    }
}

/// All of them. Instances may share a host; how many fit is not asked, because what stands may stand on.
pub fn double_bookings(contents: &Contents) -> Vec<DoubleBooking> {
    let mut by_resource: BTreeMap<&str, Vec<Use<'_>>> = BTreeMap::new();
    for lease in &contents.leases {
        for reservation in &lease.reservations {
            let whole = !matches!(
                reservation.spec,
                ReservationSpec::Instance(_) | ReservationSpec::Flavor(_)
            );
            let mut seen = BTreeSet::new();
            for held in &reservation.allocations {
                // Places of one reservation on one host are one use of it.
                if whole || seen.insert(held.host_id.as_str()) {
                    by_resource.entry(held.host_id.as_str()).or_default().push(Use {
                        lease,
                        reservation: &reservation.id,
                        whole,
                        start: held.start,
                        end: held.occupied_until,
                    });
                }
            }
        }
    }
    let mut found = Vec::new();
    for (resource, mut uses) in by_resource {
        uses.sort_by_key(|taken| taken.start);
        for (number, one) in uses.iter().enumerate() {
            let later = uses.iter().skip(number + 1).take_while(|other| other.start < one.end);
            for other in later.filter(|other| one.whole || other.whole) {
                let (keeps, gives_way) = if one.rank() <= other.rank() {
                    (one, other)
                } else {
                    (other, one)
                };
                found.push(DoubleBooking {
                    resource: resource.to_owned(),
                    keeps: keeps.lease.id.clone(),
                    gives_way: gives_way.lease.id.clone(),
                    reservation: gives_way.reservation.to_owned(),
                    at: other.start,
                });
            }
        }
    }
    found.sort();
    found
}

/// Takes the resources from the reservations that have to give way, and flags them: the service finds others for them.
pub fn give_way(contents: &mut Contents, found: &[DoubleBooking]) {
    for lease in &mut contents.leases {
        for reservation in &mut lease.reservations {
            let lost = |resource: &str| {
                found
                    .iter()
                    .any(|booking| booking.reservation == reservation.id && booking.resource == resource)
            };
            let before = reservation.allocations.len();
            let lost: Vec<bool> = reservation.allocations.iter().map(|held| lost(&held.host_id)).collect();
            let mut lost = lost.into_iter();
            reservation.allocations.retain(|_| !lost.next().unwrap_or(false));
            if reservation.allocations.len() < before {
                reservation.missing_resources = true;
                lease.degraded = true;
            }
        }
    }
}
