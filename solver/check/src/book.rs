//! Who holds what while a plan is followed.

use std::collections::{BTreeMap, BTreeSet};

use solver_format::Problem;
use solver_format::model::{
    Host, HostId, Interval, LeaseId, PoolId, Request, RequestedReservation, Reservation, ReservationId, Resource,
    Seconds,
};

use super::Violation;
use super::load::{Load, clashes};

/// Something that can be held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A host, for host reservations and instances.
    Host(HostId),
    /// A unit of a pool.
    Unit(PoolId, HostId),
}

impl Place {
    /// The place that a reservation of this resource means by a name.
    pub(super) fn of(resource: &Resource, name: &HostId) -> Self {
        match resource {
            Resource::Host | Resource::Instances(_) => Self::Host(name.clone()),
            Resource::Units(units) => Self::Unit(units.pool.clone(), name.clone()),
        }
    }
}

/// Hosts, pools and leases at one point of the plan. Leases that have ended stay, and what they leave to be
/// cleaned counts until it is; nothing else of the past does.
#[derive(Clone)]
pub(super) struct Book {
    pub(super) now: Seconds,
    freeze: Seconds,
    pub(super) hosts: BTreeMap<HostId, Host>,
    pub(super) pools: BTreeMap<PoolId, BTreeSet<HostId>>,
    pub(super) leases: BTreeMap<LeaseId, Vec<Reservation>>,
    /// The lease each reservation belongs to.
    owners: BTreeMap<ReservationId, LeaseId>,
    /// What each place carries.
    carried: BTreeMap<Place, BTreeSet<ReservationId>>,
}

impl Book {
    pub(super) fn new(problem: &Problem) -> Self {
        let hosts = problem.hosts.iter().map(|entry| (entry.id.clone(), entry.to_host()));
        let pools = problem.pools.iter().map(|entry| {
            let pool = entry.to_pool();
            (pool.id, pool.units.into_iter().collect())
        });
        let mut book = Self {
            now: problem.now,
            freeze: problem.freeze,
            hosts: hosts.collect(),
            pools: pools.collect(),
            leases: BTreeMap::new(),
            owners: BTreeMap::new(),
            carried: BTreeMap::new(),
        };
        for entry in &problem.leases {
            let lease = entry.to_lease(problem.cleaning);
            book.put(lease.id, lease.reservations);
        }
        book
    }

    pub(super) fn put(&mut self, lease: LeaseId, reservations: Vec<Reservation>) {
        self.remove(&lease);
        for held in &reservations {
            self.owners.insert(held.id.clone(), lease.clone());
            for name in &held.holds {
                let place = Place::of(&held.resource, name);
                self.carried.entry(place).or_default().insert(held.id.clone());
            }
        }
        self.leases.insert(lease, reservations);
    }

    fn remove(&mut self, lease: &LeaseId) {
        for held in self.leases.remove(lease).unwrap_or_default() {
            self.owners.remove(&held.id);
            for name in &held.holds {
                if let Some(carried) = self.carried.get_mut(&Place::of(&held.resource, name)) {
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

    /// Gives a reservation other hosts, sorted, each as often as it holds it.
    pub(super) fn rehost(&mut self, reservation: &ReservationId, holds: Vec<HostId>) {
        let Some(lease) = self.owners.get(reservation).cloned() else {
            return;
        };
        let mut reservations = self.leases.get(&lease).cloned().unwrap_or_default();
        if let Some(held) = reservations.iter_mut().find(|held| held.id == *reservation) {
            held.holds = holds;
        }
        self.put(lease, reservations);
    }

    /// What stands on a place.
    pub(super) fn on(&self, place: &Place) -> impl Iterator<Item = &Reservation> {
        let carried = self.carried.get(place).into_iter().flatten();
        carried.filter_map(|id| self.find(id))
    }

    /// All reservations, ended ones too.
    pub(super) fn reservations(&self) -> impl Iterator<Item = &Reservation> {
        self.leases.values().flatten()
    }

    /// Reservations that have not ended.
    pub(super) fn alive(&self) -> impl Iterator<Item = &Reservation> {
        self.reservations().filter(|held| held.window.end > self.now)
    }

    /// What of a window is still to come: what joins a running reservation is its own from then on.
    pub(super) fn ahead(&self, window: Interval) -> Interval {
        Interval::new(window.start.max(self.now), window.end)
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

    /// Whether the lease a request replaces is unknown or has ended.
    pub(super) fn lacks_replaced(&self, request: &Request) -> bool {
        let Some(lease) = &request.replaces else { return false };
        let over = |parts: &Vec<Reservation>| parts.iter().all(|held| held.window.end <= self.now);
        self.leases.get(lease).is_none_or(over)
    }

    /// Whether a request starts something before the clock that has not started already.
    pub(super) fn starts_in_the_past(&self, request: &Request) -> bool {
        let replaced = self.replaced(request);
        request.reservations.iter().any(|asked| {
            let mut old = replaced.iter().filter(|old| old.id == asked.id);
            asked.window.start < self.now && !old.any(|old| old.window.start <= self.now)
        })
    }

    /// Whether the request itself frees what a reservation holds.
    pub(super) fn frees(&self, request: &Request, held: &Reservation) -> bool {
        self.replaced(request).iter().any(|old| old.id == held.id)
            && (held.window.start > self.now || request.reservations.iter().any(|asked| asked.id == held.id))
    }

    /// The reservation that a requested one re-decides and whose hosts it keeps.
    pub(super) fn fixed_before(&self, request: &Request, asked: &RequestedReservation) -> Option<&Reservation> {
        let old = self.replaced(request).iter().find(|old| old.id == asked.id);
        old.filter(|old| self.is_fixed(old))
    }

    /// Hosts a requested reservation keeps: those of the fixed reservation it re-decides.
    pub(super) fn kept(&self, request: &Request, asked: &RequestedReservation) -> &[HostId] {
        self.fixed_before(request, asked).map_or(&[], |old| &old.holds)
    }

    /// Hosts that suit a requested reservation, whatever stands on them.
    pub(super) fn suitable<'a>(&'a self, asked: &'a RequestedReservation) -> impl Iterator<Item = &'a Host> {
        let suits = |host: &&Host| host.suits(&asked.predicate, self.ahead(asked.window));
        self.hosts.values().filter(suits)
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

    /// What clashes on the given places from the clock on.
    pub(super) fn clashes(&self, places: &BTreeSet<Place>) -> Vec<Violation> {
        let mut violations = Vec::new();
        for place in places {
            let (name, what) = match place {
                Place::Host(name) => (name, "host"),
                Place::Unit(_, name) => (name, "unit"),
            };
            let loads = self.on(place).filter_map(|held| {
                let mut load = Load::of(held, times(&held.holds, name));
                load.interval.start = load.interval.start.max(self.now);
                (load.interval.start < load.interval.end).then_some(load)
            });
            let capacity = match place {
                Place::Host(name) => self.hosts.get(name).map(|host| &host.capacity),
                Place::Unit(..) => None,
            };
            let reasons = clashes(what, capacity, loads.collect());
            violations.extend(reasons.into_iter().map(|reason| Violation {
                place: name.to_string(),
                reason,
            }));
        }
        violations
    }
}

/// How often a host stands in what is held, which is sorted.
pub(super) fn times(holds: &[HostId], host: &HostId) -> u32 {
    let first = holds.partition_point(|held| held < host);
    let after = holds.partition_point(|held| held <= host);
    u32::try_from(after - first).unwrap_or(u32::MAX)
}

/// What is held of one and not of the other, sorted, each as often as it stands there more.
pub(super) fn less(one: &[HostId], other: &[HostId]) -> Vec<HostId> {
    let mut left: BTreeMap<&HostId, usize> = BTreeMap::new();
    for host in other {
        *left.entry(host).or_default() += 1;
    }
    let mut more: Vec<HostId> = Vec::new();
    for host in one {
        match left.get_mut(host).filter(|count| **count > 0) {
            Some(count) => *count -= 1,
            None => more.push(host.clone()),
        }
    }
    more.sort();
    more
}

/// Whether a block of the host meets the interval.
pub(super) fn is_blocked(host: &Host, interval: Interval) -> bool {
    host.blocks.iter().any(|block| block.overlaps(&interval))
}

/// Where two of the reservations stand on one of the hosts at one second, cleaning included, unless both
/// are instances. The reservations are all that hold any of the hosts; what they hold besides, and the
/// hosts' capacity, is not looked at.
pub fn holdings<'a>(
    hosts: impl IntoIterator<Item = &'a HostId>,
    reservations: impl IntoIterator<Item = &'a Reservation>,
) -> Vec<Violation> {
    let mut taken: BTreeMap<&HostId, Vec<Load<'_>>> = hosts.into_iter().map(|host| (host, Vec::new())).collect();
    for held in reservations {
        for host in held.holds.iter().collect::<BTreeSet<_>>() {
            if let Some(taken) = taken.get_mut(host) {
                taken.push(Load::of(held, times(&held.holds, host)));
            }
        }
    }
    let mut violations = Vec::new();
    for (host, loads) in taken {
        let reasons = clashes("host", None, loads);
        violations.extend(reasons.into_iter().map(|reason| Violation {
            place: host.to_string(),
            reason,
        }));
    }
    violations
}
