//! The reservations by number, and the holders of each class kept with them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{BTreeMap, Holder, Holders, Index, IndexClass, PredicateNumber};
use crate::hosts::{HostNumber, Hosts, ReservationNumber};
use crate::model::{Interval, Lease, LeaseId, Reservation, ReservationId, Resource, Seconds};

/// A lease with what the planner looks up often.
pub(crate) struct Stored {
    pub(crate) lease: Lease,
    /// For each of its reservations.
    pub(crate) parts: Vec<Part>,
}

/// Numbers of one reservation.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) number: ReservationNumber,
    pub(crate) predicate: PredicateNumber,
    /// It occupies its hosts from then on, if that is after its start.
    pub(crate) since: Seconds,
}

impl Part {
    /// What the reservation occupies of its hosts; nothing if that was over before it was recorded.
    pub(crate) fn occupation(&self, reservation: &Reservation) -> Option<Interval> {
        let whole = reservation.occupation();
        (whole.end > self.since).then(|| Interval::new(whole.start.max(self.since), whole.end))
    }
}

/// A reservation of hosts or instances with the hosts it stands on. What decisions ask for often lies together.
pub(crate) struct Held {
    stored: Arc<Stored>,
    /// Its place among the reservations of its lease.
    place: usize,
    pub(crate) id: ReservationId,
    pub(crate) window: Interval,
    /// What it occupies of the hosts it stands on.
    pub(crate) occupation: Interval,
    pub(crate) part: Part,
    /// Sorted, each once.
    pub(crate) hosts: Vec<u32>,
    /// See [`Held::stands_alone`].
    alone: Vec<Arc<str>>,
}

impl Held {
    fn new(index: &Index, stored: &Arc<Stored>, place: usize, hosts: Vec<u32>) -> Self {
        let reservation = &stored.lease.reservations[place];
        let part = stored.parts[place];
        Self {
            stored: Arc::clone(stored),
            place,
            id: reservation.id.clone(),
            window: reservation.window,
            occupation: part.occupation(reservation).unwrap_or_else(|| reservation.occupation()),
            part,
            alone: index.alone(reservation, part.predicate, &hosts),
            hosts,
        }
    }

    /// Whether each of its instances takes more than half of a resource class of any host that it may use, so that no
    /// two that do can share one.
    pub(crate) fn stands_alone(&self, resource_class: &str) -> bool {
        self.alone.iter().any(|class| &**class == resource_class)
    }

    /// The resource classes of which its instances take more than half, whatever host they use.
    pub(crate) fn alone(&self) -> &[Arc<str>] {
        &self.alone
    }

    /// The reservation as it is promised.
    pub(crate) fn reservation(&self) -> &Reservation {
        &self.stored.lease.reservations[self.place]
    }

    /// The order of reservations: by lease, then as the lease lists them.
    pub(crate) fn order(&self) -> (&LeaseId, usize) {
        (&self.stored.lease.id, self.place)
    }
}

impl Index {
    /// Derives the table and the holders from what the hosts carry.
    pub(super) fn fill<'a>(
        &mut self,
        hosts: &Hosts,
        leases: impl Iterator<Item = &'a Arc<Stored>>,
        numbers: ReservationNumber,
    ) {
        let mut standing: Vec<Vec<u32>> = vec![Vec::new(); numbers as usize];
        for (host, carried) in (0_u32..).zip(hosts.values()) {
            for taken in carried.all() {
                standing[taken.number as usize].push(host);
            }
        }
        let mut table: Vec<Option<Arc<Held>>> = (0..numbers).map(|_| None).collect();
        let mut holders: Vec<Vec<Holder>> = vec![Vec::new(); self.classes()];
        for stored in leases {
            for (place, (reservation, part)) in stored.lease.reservations.iter().zip(&stored.parts).enumerate() {
                if matches!(reservation.resource, Resource::Units(_)) {
                    continue;
                }
                let mut here = std::mem::take(&mut standing[part.number as usize]);
                here.dedup();
                let held = Held::new(self, stored, place, here);
                for (class, holder) in self.holders_of(&held) {
                    holders[class].push(holder);
                }
                *self.ends.entry((part.predicate, reservation.window.end)).or_default() += 1;
                self.allocations += held.hosts.len();
                table[part.number as usize] = Some(Arc::new(held));
            }
        }
        self.table = table.into_iter().collect();
        self.holders = holders
            .into_iter()
            .map(|holders| Arc::new(Holders::of(holders)))
            .collect();
    }

    /// Derives the holders of classes anew whose hosts changed.
    pub(super) fn split_holders(&mut self, hosts: &Hosts, classes: &[IndexClass]) {
        self.holders.resize_with(self.classes(), Arc::default);
        for &class in classes {
            let mut counts: BTreeMap<ReservationNumber, u32> = BTreeMap::new();
            for &host in self.hosts_of(class) {
                let Some(carried) = hosts.at(host as HostNumber) else {
                    continue;
                };
                for taken in carried.all() {
                    *counts.entry(taken.number).or_default() += 1;
                }
            }
            let holders = counts.into_iter().filter_map(|(number, count)| {
                let held = self.held(number)?;
                Some(self.holder(held, class, count))
            });
            self.holders[class] = Arc::new(Holders::of(holders.collect()));
        }
    }

    fn holder(&self, held: &Held, class: IndexClass, count: u32) -> Holder {
        let reservation = held.reservation();
        let instances = reservation.resource != Resource::Host;
        let admits = self
            .eligible(held.part.predicate)
            .is_some_and(|eligible| eligible.admits(class));
        Holder {
            interval: held.occupation,
            number: held.part.number,
            predicate: held.part.predicate,
            count,
            pinned: reservation.pinned,
            instances,
            suits: admits && self.is_reservable(class) && self.in_service(class, held.window),
        }
    }

    /// What a reservation holds of each class.
    fn holders_of(&self, held: &Held) -> Vec<(IndexClass, Holder)> {
        let mut classes: Vec<IndexClass> = held
            .hosts
            .iter()
            .map(|&host| self.class_of(host as HostNumber))
            .collect();
        classes.sort_unstable();
        classes
            .chunk_by(|one, other| one == other)
            .map(|same| {
                let count = u32::try_from(same.len()).unwrap_or(u32::MAX);
                (same[0], self.holder(held, same[0], count))
            })
            .collect()
    }

    /// The resource classes of which each instance of a reservation takes more than half on any host that it may use.
    fn alone(&self, reservation: &Reservation, predicate: PredicateNumber, hosts: &[u32]) -> Vec<Arc<str>> {
        let Resource::Instances(instances) = &reservation.resource else {
            return Vec::new();
        };
        if hosts.len() < reservation.holds.len() {
            return Vec::new();
        }
        let eligible = self
            .eligible(predicate)
            .into_iter()
            .flat_map(|eligible| &eligible.classes);
        let standing = hosts.iter().map(|&host| self.class_of(host as HostNumber));
        let classes: BTreeSet<IndexClass> = eligible.map(|&class| class as IndexClass).chain(standing).collect();
        let takes_most = |(name, amount): &(&String, &u64)| {
            let mut capacities = classes.iter().map(|&class| self.capacity_of(class, name));
            capacities.all(|capacity| **amount > capacity / 2)
        };
        let most = instances.resources.iter().filter(takes_most);
        most.map(|(name, _)| name.as_str().into()).collect()
    }

    /// Takes a reservation of a lease in, with the hosts it stands on; the profiles are brought up to date by [`Index::use_hosts`].
    pub(crate) fn hold(&mut self, stored: &Arc<Stored>, place: usize, hosts: Vec<u32>) {
        let held = Held::new(self, stored, place, hosts);
        for (class, holder) in self.holders_of(&held) {
            Arc::make_mut(&mut self.holders[class]).add(holder);
        }
        let (part, end) = (held.part, held.window.end);
        *self.ends.entry((part.predicate, end)).or_default() += 1;
        self.allocations += held.hosts.len();
        let number = part.number as usize;
        while self.table.len() <= number {
            self.table.push_back(None);
        }
        self.table.set(number, Some(Arc::new(held)));
    }

    /// Forgets a reservation.
    pub(crate) fn release(&mut self, number: ReservationNumber) {
        let Some(held) = self.table.get_mut(number as usize).and_then(Option::take) else {
            return;
        };
        let Interval { start, .. } = held.occupation;
        for (class, _) in self.holders_of(&held) {
            Arc::make_mut(&mut self.holders[class]).remove(start, number);
        }
        self.allocations -= held.hosts.len();
        let key = (held.part.predicate, held.window.end);
        if let Some(count) = self.ends.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.ends.remove(&key);
            }
        }
    }

    /// A reservation by its number.
    pub(crate) fn held(&self, number: ReservationNumber) -> Option<&Held> {
        self.table.get(number as usize)?.as_deref()
    }

    /// How many hosts the reservations hold together.
    pub(crate) const fn allocations(&self) -> usize {
        self.allocations
    }

    /// Who holds hosts of a class.
    pub(crate) fn holders(&self, class: IndexClass) -> &Holders {
        &self.holders[class]
    }
}
