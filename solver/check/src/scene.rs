//! The question whether a request can be granted at all, as the checker asks it.
//!
//! Invariant: a scene leaves nothing out that could matter. Everything that cannot move stands on its
//! place; everything that can, and that has to do with the request directly or through others, is a
//! demand.

use std::collections::BTreeMap;

use solver_format::model::{
    HostId, Interval, Request, RequestedReservation, Reservation, ReservationId, Resource, Seconds,
};
use solver_format::predicate::Predicate;

use super::book::{Book, Place, less, times};
use super::load::{Capacity, Load, Share};

/// A host or unit and what cannot move from it.
pub(super) struct Spot<'a> {
    pub(super) capacity: Option<&'a Capacity>,
    pub(super) loads: Vec<Load<'a>>,
}

/// Something that needs places.
pub(super) struct Demand<'a> {
    pub(super) reservation: &'a ReservationId,
    pub(super) resource: &'a Resource,
    pub(super) occupation: Interval,
    /// How many it needs.
    pub(super) need: u32,
    /// Places it may use, by number, sorted.
    pub(super) options: Vec<usize>,
    /// Places it must be given.
    pub(super) required: Vec<usize>,
    /// Places it held before, to be tried first.
    pub(super) before: Vec<usize>,
}

/// Places, what stands on them, and what needs them.
#[derive(Default)]
pub(super) struct Scene<'a> {
    pub(super) spots: Vec<Spot<'a>>,
    numbers: BTreeMap<Place, usize>,
    pub(super) demands: Vec<Demand<'a>>,
}

/// What of a book may be chosen anew.
pub(super) type Movable<'f> = &'f dyn Fn(&Reservation) -> bool;

impl<'a> Scene<'a> {
    /// All places of a book, empty.
    fn empty(book: &'a Book) -> Self {
        let mut scene = Self::default();
        let hosts = book.hosts.values();
        let hosts = hosts.map(|host| (Place::Host(host.id.clone()), Some(&host.capacity)));
        let units = book.pools.iter().flat_map(|(pool, units)| {
            let place = move |unit: &HostId| (Place::Unit(pool.clone(), unit.clone()), None);
            units.iter().map(place)
        });
        for (place, capacity) in hosts.chain(units) {
            scene.numbers.insert(place, scene.spots.len());
            let loads = Vec::new();
            scene.spots.push(Spot { capacity, loads });
        }
        scene
    }

    /// Whether a request can be granted while what is movable is placed anew. Nothing if there would be
    /// more than `largest` pairs of a demand and a place to look at.
    pub(super) fn of_request(
        book: &'a Book,
        request: &'a Request,
        movable: Movable<'_>,
        largest: usize,
    ) -> Option<Self> {
        let occupation = |asked: &RequestedReservation| book.ahead(asked.occupation());
        let asked = request.reservations.iter().map(occupation);
        let held: Vec<&Reservation> = book.reservations().filter(|held| !book.frees(request, held)).collect();
        let pending: Vec<&Reservation> = reached(&held, asked.collect(), movable);
        let demands = pending.len() + request.reservations.len();
        if demands.saturating_mul(book.hosts.len().max(1)) > largest {
            return None;
        }
        let mut scene = Self::empty(book);
        let first = request.reservations.iter().map(|asked| occupation(asked).start);
        let first = first.chain(pending.iter().map(|held| held.window.start)).min()?;
        for held in &held {
            if !movable(held) && held.occupation().end > first {
                scene.stand(held, held.occupation(), &held.holds);
            }
        }
        for held in pending {
            scene.pending(book, held, held.window);
        }
        for asked in &request.reservations {
            let kept = book.kept(request, asked);
            scene.fix(&asked.id, &asked.resource, occupation(asked), kept);
            let held = u32::try_from(kept.len()).unwrap_or(u32::MAX);
            let window = book.ahead(asked.window);
            let mut options = scene.options(book, &asked.resource, &asked.predicate, window);
            let kept = scene.named(&asked.resource, kept);
            if is_single(&asked.resource) {
                options.retain(|option| !kept.contains(option));
            }
            if is_together(&asked.resource) && !kept.is_empty() {
                options.retain(|option| kept.iter().all(|kept| kept == option));
            }
            let mut required = scene.required(&asked.resource);
            required.retain(|unit| !kept.contains(unit));
            scene.demands.push(Demand {
                reservation: &asked.id,
                resource: &asked.resource,
                occupation: occupation(asked),
                need: asked.min.saturating_sub(held),
                options,
                required,
                before: Vec::new(),
            });
        }
        Some(scene)
    }

    /// Whether promises can be kept in an order of which `stays` says what part of each stays where it is
    /// and `wanted` how many more places each needs, from the clock on.
    pub(super) fn of_promises(
        book: &'a Book,
        promises: impl IntoIterator<Item = (&'a Reservation, Vec<HostId>, u32)>,
        in_order: &dyn Fn(&Reservation, &HostId) -> bool,
        largest: usize,
    ) -> Option<Self> {
        let mut scene = Self::empty(book);
        for (held, stays, wanted) in promises {
            let window = book.ahead(held.window);
            let occupation = Interval::new(window.start.min(held.occupation().end), held.occupation().end);
            scene.stand(held, occupation, &stays);
            if wanted == 0 {
                continue;
            }
            if (scene.demands.len() + 1).saturating_mul(scene.spots.len()) > largest {
                return None;
            }
            let mut options = scene.options(book, &held.resource, &held.predicate, window);
            let ordered: Vec<HostId> = held.holds.iter().filter(|host| in_order(held, host)).cloned().collect();
            let before = scene.named(&held.resource, &less(&ordered, &stays));
            options.extend(before.iter().copied());
            options.sort_unstable();
            options.dedup();
            let stays = scene.named(&held.resource, &stays);
            if is_single(&held.resource) {
                options.retain(|option| !stays.contains(option));
            }
            scene.demands.push(Demand {
                reservation: &held.id,
                resource: &held.resource,
                occupation,
                need: wanted,
                options,
                required: Vec::new(),
                before,
            });
        }
        Some(scene)
    }

    fn pending(&mut self, book: &Book, held: &'a Reservation, window: Interval) {
        let before = self.named(&held.resource, &held.holds);
        let mut options = self.options(book, &held.resource, &held.predicate, window);
        // What it holds may stay, whether it suits or not.
        options.extend(before.iter().copied());
        options.sort_unstable();
        options.dedup();
        let need = u32::try_from(held.holds.len()).unwrap_or(u32::MAX);
        let required = if need >= held.max {
            self.required(&held.resource)
        } else {
            Vec::new()
        };
        self.demands.push(Demand {
            reservation: &held.id,
            resource: &held.resource,
            occupation: held.occupation(),
            need,
            options,
            required,
            before,
        });
    }

    /// Puts what stays of a reservation where it is.
    fn stand(&mut self, held: &'a Reservation, occupation: Interval, hosts: &[HostId]) {
        self.fix(&held.id, &held.resource, occupation, hosts);
    }

    fn fix(&mut self, reservation: &'a ReservationId, resource: &'a Resource, interval: Interval, hosts: &[HostId]) {
        for host in hosts.chunk_by(|one, other| one == other) {
            let Some(&number) = host
                .first()
                .and_then(|name| self.numbers.get(&Place::of(resource, name)))
            else {
                continue;
            };
            let count = times(host, &host[0]);
            self.spots[number].loads.push(Load {
                interval,
                share: Share::of(resource, count),
                reservation,
            });
        }
    }

    /// Places that suit new work.
    fn options(&self, book: &Book, resource: &Resource, predicate: &Predicate, window: Interval) -> Vec<usize> {
        let place = |host: &HostId| self.numbers.get(&Place::of(resource, host)).copied();
        match resource {
            Resource::Host | Resource::Instances(_) => {
                let suits = book.hosts.values().filter(|host| host.suits(predicate, window));
                suits.filter_map(|host| place(&host.id)).collect()
            }
            Resource::Units(units) => book
                .pools
                .get(&units.pool)
                .into_iter()
                .flatten()
                .filter_map(place)
                .collect(),
        }
    }

    fn required(&self, resource: &Resource) -> Vec<usize> {
        match resource {
            Resource::Units(units) => self.named(resource, &units.required),
            Resource::Host | Resource::Instances(_) => Vec::new(),
        }
    }

    fn named(&self, resource: &Resource, hosts: &[HostId]) -> Vec<usize> {
        let place = |host: &HostId| self.numbers.get(&Place::of(resource, host)).copied();
        hosts.iter().filter_map(place).collect()
    }
}

/// Whether a place is used at most once by one reservation of this resource.
pub(super) fn is_single(resource: &Resource) -> bool {
    match resource {
        Resource::Host | Resource::Units(_) => true,
        Resource::Instances(instances) => instances.affinity == Some(false),
    }
}

/// Whether all of a reservation stands on one place.
pub(super) fn is_together(resource: &Resource) -> bool {
    matches!(resource, Resource::Instances(instances) if instances.affinity == Some(true))
}

/// What is movable and overlaps the given times, or what overlaps them, and so on.
fn reached<'b>(held: &[&'b Reservation], mut times: Vec<Interval>, movable: Movable<'_>) -> Vec<&'b Reservation> {
    let mut waiting: Vec<&Reservation> = held
        .iter()
        .copied()
        .filter(|held| movable(held) && !held.holds.is_empty())
        .collect();
    let mut reached = Vec::new();
    while let Some(span) = times.pop() {
        let (meets, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|held| held.occupation().overlaps(&span));
        waiting = rest;
        let starts = meets.iter().map(|held| held.occupation().start).chain([span.start]);
        let ends = meets.iter().map(|held| held.occupation().end).chain([span.end]);
        let hull = Interval::new(starts.min().unwrap_or(Seconds::MIN), ends.max().unwrap_or(Seconds::MAX));
        if !meets.is_empty() {
            times.push(hull);
        }
        reached.extend(meets);
    }
    reached.sort_by(|one, other| one.id.cmp(&other.id));
    reached
}
