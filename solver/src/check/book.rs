//! Who holds what while a plan is replayed.

use std::collections::{BTreeMap, BTreeSet};

use super::Violation;
use crate::document::{Problem, lease_of};
use crate::model::{
    Host, HostId, Interval, LeaseId, Request, RequestedReservation, Reservation, ReservationId, Seconds,
};

/// Hosts and leases at one point of the replay.
pub(super) struct Book {
    pub(super) now: Seconds,
    freeze: Seconds,
    pub(super) hosts: BTreeMap<HostId, Host>,
    pub(super) leases: BTreeMap<LeaseId, Vec<Reservation>>,
    /// The lease each reservation belongs to.
    owners: BTreeMap<ReservationId, LeaseId>,
    /// What each host carries.
    carried: BTreeMap<HostId, BTreeSet<ReservationId>>,
}

impl Book {
    pub(super) fn new(problem: &Problem) -> Self {
        let hosts = problem
            .hosts
            .iter()
            .map(|entry| (entry.id.clone(), entry.to_host()))
            .collect();
        let mut book = Self {
            now: problem.now,
            freeze: problem.freeze,
            hosts,
            leases: BTreeMap::new(),
            owners: BTreeMap::new(),
            carried: BTreeMap::new(),
        };
        for entry in &problem.leases {
            let lease = lease_of(entry, problem.cleaning);
            book.put(lease.id, lease.reservations);
        }
        book
    }

    pub(super) fn put(&mut self, lease: LeaseId, reservations: Vec<Reservation>) {
        self.remove(&lease);
        for held in &reservations {
            self.owners.insert(held.id.clone(), lease.clone());
            for host in &held.holds {
                self.carried.entry(host.clone()).or_default().insert(held.id.clone());
            }
        }
        self.leases.insert(lease, reservations);
    }

    fn remove(&mut self, lease: &LeaseId) {
        for held in self.leases.remove(lease).unwrap_or_default() {
            self.owners.remove(&held.id);
            for host in &held.holds {
                if let Some(carried) = self.carried.get_mut(host) {
                    carried.remove(&held.id);
                }
            }
        }
    }

    pub(super) fn find(&self, reservation: &ReservationId) -> Option<&Reservation> {
        let lease = self.leases.get(self.owners.get(reservation)?)?;
        lease.iter().find(|held| held.id == *reservation)
    }

    pub(super) fn owner(&self, reservation: &ReservationId) -> Option<&LeaseId> {
        self.owners.get(reservation)
    }

    /// Gives a reservation other hosts.
    pub(super) fn rehost(&mut self, reservation: &ReservationId, holds: &[HostId]) {
        let Some(lease) = self.owners.get(reservation).cloned() else {
            return;
        };
        let mut reservations = self.leases.get(&lease).cloned().unwrap_or_default();
        for held in reservations.iter_mut().filter(|held| held.id == *reservation) {
            held.holds = holds.to_vec();
        }
        self.put(lease, reservations);
    }

    /// Whether the reservation keeps its hosts: pinned, started or about to start.
    pub(super) fn is_fixed(&self, held: &Reservation) -> bool {
        held.pinned || held.window.start <= self.now || held.window.start - self.now < self.freeze
    }

    /// What the lease a request replaces holds.
    pub(super) fn replaced(&self, request: &Request) -> &[Reservation] {
        request
            .replaces
            .as_ref()
            .and_then(|lease| self.leases.get(lease))
            .map_or(&[], Vec::as_slice)
    }

    /// Whether the request itself frees what a reservation holds.
    pub(super) fn frees(&self, request: &Request, held: &Reservation) -> bool {
        self.replaced(request).iter().any(|old| old.id == held.id)
            && (held.window.start > self.now || request.reservations.iter().any(|asked| asked.id == held.id))
    }

    /// Hosts a requested reservation keeps: those of the fixed reservation it re-decides.
    pub(super) fn kept(&self, request: &Request, asked: &RequestedReservation) -> &[HostId] {
        let old = self.replaced(request).iter().find(|old| old.id == asked.id);
        old.filter(|old| self.is_fixed(old)).map_or(&[], |old| &old.holds)
    }

    /// Hosts on which a requested reservation could stand if everything that can move went away.
    pub(super) fn attainable<'a>(
        &'a self,
        request: &'a Request,
        asked: &'a RequestedReservation,
    ) -> impl Iterator<Item = &'a HostId> {
        let taken = move |host: &HostId| {
            let here = self
                .carried
                .get(host)
                .into_iter()
                .flatten()
                .filter_map(|id| self.find(id));
            here.filter(|held| !self.frees(request, held) && self.is_fixed(held))
                .any(|held| held.occupation().overlaps(&asked.occupation()))
        };
        let suitable = self
            .hosts
            .values()
            .filter(|host| host.suits(&asked.predicate, asked.window));
        suitable.map(|host| &host.id).filter(move |host| !taken(host))
    }

    /// Reservations of leases that have not ended, and what they hold.
    pub(super) fn last(&self) -> BTreeMap<&ReservationId, &[HostId]> {
        let unended = self
            .leases
            .values()
            .filter(|parts| parts.iter().any(|held| held.window.end > self.now));
        unended
            .flatten()
            .map(|held| (&held.id, held.holds.as_slice()))
            .collect()
    }

    /// Overlaps on the given hosts.
    pub(super) fn overlaps(&self, hosts: &BTreeSet<HostId>) -> Vec<Violation> {
        let touching: BTreeSet<&ReservationId> = hosts
            .iter()
            .filter_map(|host| self.carried.get(host))
            .flatten()
            .collect();
        holdings(hosts, touching.into_iter().filter_map(|id| self.find(id)))
    }
}

/// Where two of the reservations stand on one of the hosts at one second, cleaning included. The
/// reservations are all that hold any of the hosts; what they hold besides is not looked at.
pub fn holdings<'a>(
    hosts: impl IntoIterator<Item = &'a HostId>,
    reservations: impl IntoIterator<Item = &'a Reservation>,
) -> Vec<Violation> {
    let mut taken: BTreeMap<&HostId, Vec<(Interval, &ReservationId)>> =
        hosts.into_iter().map(|host| (host, Vec::new())).collect();
    for held in reservations {
        for host in &held.holds {
            if let Some(taken) = taken.get_mut(host) {
                taken.push((held.occupation(), &held.id));
            }
        }
    }
    let mut violations = Vec::new();
    for (host, mut taken) in taken {
        taken.sort_unstable();
        // The one that lasts longest so far, so that none hides behind a short one.
        let mut longest: Option<(Interval, &ReservationId)> = None;
        for (interval, reservation) in taken {
            if let Some((before, other)) = longest
                && before.overlaps(&interval)
            {
                violations.push(Violation {
                    place: host.to_string(),
                    reason: format!(
                        "reservations `{other}` and `{reservation}` both occupy the host at {}",
                        interval.start
                    ),
                });
            }
            if longest.is_none_or(|(before, _)| before.end < interval.end) {
                longest = Some((interval, reservation));
            }
        }
    }
    violations
}
