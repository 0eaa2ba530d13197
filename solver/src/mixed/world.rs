//! Everything a decision about instances and whole hosts depends on, with small numbers for names.
//!
//! Invariant: hosts are numbered by identifier, demands put the requested reservations first and then the
//! pending ones by lease, resource classes by name; so equal input gives equal numbers. A host whose capacity
//! does not list a resource class has 0 of it.

use std::collections::BTreeMap;

use super::resource_classes::ResourceClasses;
pub(super) use super::resource_classes::{Amounts, Kind};
use crate::hosts::HostNumber;
use crate::index::PredicateNumber;
use crate::model::{Host, HostId, Interval, Request, ReservationId, Resource, Seconds, times_fitting};
use crate::planner::Planner;
use crate::request::Ask;
use crate::scene;
use crate::scene::ClassNumber;

/// A demand's number.
pub(super) type DemandNumber = usize;
/// Hosts with how many hosts (1) or instances of one reservation stand there; never 0.
pub(super) type Counts = BTreeMap<HostNumber, u32>;

/// Which fixed work is looked at.
pub(super) type Stays<'f> = &'f dyn Fn(&Fixed<'_>) -> bool;

/// What work takes of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Takes {
    /// All of it.
    Whole,
    /// Part of its capacity.
    Part(Amounts),
}

/// Work that stays where it is.
#[derive(Debug)]
pub(super) struct Fixed<'a> {
    pub(super) reservation: &'a ReservationId,
    pub(super) interval: Interval,
    pub(super) takes: Takes,
}

/// A host and what stays on it.
pub(super) struct Place<'a> {
    pub(super) host: &'a Host,
    pub(super) richness: u64,
    pub(super) capacity: Amounts,
    pub(super) fixed: Vec<Fixed<'a>>,
}

/// A reservation whose hosts are to be chosen.
pub(super) struct Demand<'a> {
    pub(super) reservation: &'a ReservationId,
    pub(super) window: Interval,
    pub(super) occupation: Interval,
    pub(super) kind: Kind,
    /// Position of its expression in the truth of each class.
    pub(super) predicate: usize,
    /// Fewest hosts or instances.
    pub(super) least: u32,
    /// Most of them.
    pub(super) most: u32,
    /// What a pending reservation holds; nothing for a requested one.
    pub(super) holds: Counts,
    /// What it would rather have than others: for a pending one what it holds.
    pub(super) likes: Counts,
    /// What a requested one keeps besides.
    pub(super) kept: Counts,
    /// `false`: pending, so that leaving a class is a move.
    pub(super) requested: bool,
}

impl Demand<'_> {
    /// Whether all of it stands on one host.
    pub(super) fn is_together(&self) -> bool {
        matches!(
            self.kind,
            Kind::Instances {
                affinity: Some(true),
                ..
            }
        )
    }

    /// Whether each of its instances needs a host of its own.
    pub(super) fn is_apart(&self) -> bool {
        matches!(
            self.kind,
            Kind::Instances {
                affinity: Some(false),
                ..
            }
        )
    }

    /// How many hosts or instances one unit of choice is: with affinity, all of them at once.
    pub(super) fn unit(&self) -> u32 {
        if self.is_together() { self.least } else { 1 }
    }

    /// What `count` of it take of a host.
    pub(super) fn takes(&self, count: u32) -> Takes {
        match &self.kind {
            Kind::Whole => Takes::Whole,
            Kind::Instances { amounts, .. } => Takes::Part(times(amounts, count)),
        }
    }
}

/// Amounts of several instances.
pub(super) fn times(amounts: &[u64], count: u32) -> Amounts {
    amounts
        .iter()
        .map(|amount| amount.saturating_mul(u64::from(count)))
        .collect()
}

/// One decision's world.
pub(super) struct World<'a> {
    pub(super) places: Vec<Place<'a>>,
    pub(super) demands: Vec<Demand<'a>>,
    /// How many of the demands are requested; they come first.
    pub(super) requested: usize,
    /// The class of each host that moves are counted between.
    pub(super) class_of: Vec<ClassNumber>,
    /// Which expressions the hosts of each class satisfy.
    pub(super) truth: Vec<Vec<bool>>,
    /// Names of the resource classes; empty for the count of instances itself.
    pub(super) resource_classes: Vec<&'a str>,
}

/// What becomes of a reservation of the planner.
#[derive(Clone, Copy)]
enum Role {
    /// It is over, or the request frees it.
    Absent,
    Fixed,
    Pending(DemandNumber),
}

impl<'a> World<'a> {
    /// The world of a request on a planner that knows its expressions. Units are left aside.
    pub(super) fn new(planner: &'a Planner, asks: &[Ask<'a>], request: &Request, now: Seconds) -> Self {
        let mut predicates = Expressions::default();
        let classes = ResourceClasses::new(planner, asks);
        let mut demands = Vec::new();
        for ask in asks {
            let predicate = predicates.number(planner.predicate_number(&ask.asked.predicate).unwrap_or(0));
            if matches!(ask.asked.resource, Resource::Units(_)) {
                continue;
            }
            demands.push(Demand {
                reservation: &ask.asked.id,
                window: ask.asked.window,
                occupation: ask.asked.occupation(),
                kind: classes.kind(&ask.asked.resource),
                predicate,
                least: ask.least,
                most: ask.most,
                holds: Counts::new(),
                likes: counts(planner, ask.before),
                kept: counts(planner, ask.kept),
                requested: true,
            });
        }
        let requested = demands.len();
        let mut roles = vec![Role::Absent; planner.reservation_numbers() as usize];
        for stored in planner.stored() {
            let replaced = request.replaces.as_ref() == Some(&stored.lease.id);
            for (held, part) in stored.lease.reservations.iter().zip(&stored.parts) {
                let occupation = held.occupation();
                if occupation.end <= now {
                    continue;
                }
                let alive = held.window.end > now;
                let predicate = if alive { predicates.number(part.predicate) } else { 0 };
                if matches!(held.resource, Resource::Units(_)) || replaced && Ask::frees_reservation(request, held, now)
                {
                    continue;
                }
                if held.is_fixed(now, planner.freeze) {
                    roles[part.number as usize] = Role::Fixed;
                } else if let Ok(size @ 1..) = u32::try_from(held.holds.len()) {
                    roles[part.number as usize] = Role::Pending(demands.len());
                    demands.push(Demand {
                        reservation: &held.id,
                        window: held.window,
                        occupation,
                        kind: classes.kind(&held.resource),
                        predicate,
                        least: size,
                        most: size,
                        holds: Counts::new(),
                        likes: Counts::new(),
                        kept: Counts::new(),
                        requested: false,
                    });
                }
            }
        }
        let places = places(planner, &classes, &mut demands, requested, &roles);
        for demand in &mut demands[requested..] {
            demand.likes.clone_from(&demand.holds);
        }
        let (class_of, truth) = scene::coarse(planner, &predicates.known);
        Self {
            places,
            demands,
            requested,
            class_of,
            truth,
            resource_classes: classes.names,
        }
    }

    /// Whether new work of a demand may be put on a host, other work aside.
    pub(super) fn suits(&self, demand: &Demand<'_>, host: HostNumber) -> bool {
        let place = self.places[host].host;
        place.reservable && self.truth[self.class_of[host]][demand.predicate] && place.in_service(demand.window)
    }

    /// What stays on a host while an interval lasts: `None` if the host is taken whole, else the greatest
    /// amounts in use at one instant, and whether there is any work.
    fn fixed_use(&self, host: HostNumber, interval: Interval, stays: Stays<'_>) -> Option<(Amounts, bool)> {
        let place = &self.places[host];
        let here: Vec<&Fixed<'_>> = place
            .fixed
            .iter()
            .filter(|fixed| fixed.interval.overlaps(&interval) && stays(fixed))
            .collect();
        let mut greatest = vec![0; place.capacity.len()];
        for at in here.iter().map(|fixed| fixed.interval.start.max(interval.start)) {
            let mut used = vec![0; place.capacity.len()];
            for fixed in here.iter().filter(|fixed| fixed.interval.contains(at)) {
                let Takes::Part(amounts) = &fixed.takes else {
                    return None;
                };
                add(&mut used, amounts);
            }
            greatest
                .iter_mut()
                .zip(&used)
                .for_each(|(greatest, &used)| *greatest = used.max(*greatest));
        }
        Some((greatest, !here.is_empty()))
    }

    /// How many of a demand could stand on a host if all work that may move went away: either 0 or
    /// [`Demand::unit`] with affinity.
    pub(super) fn room_alone(&self, number: DemandNumber, host: HostNumber) -> u32 {
        self.room_beside(number, host, &|_| true)
    }

    /// Whether a demand cannot stay on all that it holds, even if everything else that may move went away.
    pub(super) fn is_displaced(&self, number: DemandNumber) -> bool {
        let mut holds = self.demands[number].holds.iter();
        holds.any(|(&host, &count)| self.room_alone(number, host) < count)
    }

    /// As [`World::room_alone`], beside only so much of the fixed work.
    pub(super) fn room_beside(&self, number: DemandNumber, host: HostNumber, stays: Stays<'_>) -> u32 {
        let demand = &self.demands[number];
        let room = self.carried_beside(number, host, stays);
        if demand.is_together() && room < demand.least {
            0
        } else {
            room
        }
    }

    /// As [`World::room_beside`]; with affinity also so many as are too few.
    pub(super) fn carried_beside(&self, number: DemandNumber, host: HostNumber, stays: Stays<'_>) -> u32 {
        let demand = &self.demands[number];
        let allowed = if self.suits(demand, host) {
            demand.most
        } else {
            demand.holds.get(&host).copied().unwrap_or(0)
        };
        if allowed == 0 {
            return 0;
        }
        let Some((used, any)) = self.fixed_use(host, demand.occupation, stays) else {
            return 0;
        };
        let Kind::Instances { amounts, affinity } = &demand.kind else {
            return u32::from(!any);
        };
        let room = allowed.min(fitting(&self.places[host].capacity, &used, amounts));
        let kept_here = demand.kept.contains_key(&host);
        match affinity {
            None => room,
            Some(false) => room.min(u32::from(!kept_here)),
            Some(true) if !(demand.kept.is_empty() || kept_here) => 0,
            Some(true) => room.min(demand.least),
        }
    }
}

/// How many instances of the given amounts fit beside what is in use.
pub(super) fn fitting(capacity: &[u64], used: &[u64], amounts: &[u64]) -> u32 {
    let room = capacity
        .iter()
        .zip(used)
        .map(|(capacity, &used)| capacity.saturating_sub(used));
    let times = times_fitting(room.zip(amounts.iter().copied()));
    times.map_or(u32::MAX, |times| u32::try_from(times).unwrap_or(u32::MAX))
}

/// Adds amounts to others.
pub(super) fn add(sum: &mut [u64], amounts: &[u64]) {
    for (sum, &amount) in sum.iter_mut().zip(amounts) {
        *sum = sum.saturating_add(amount);
    }
}

fn places<'a>(
    planner: &'a Planner,
    classes: &ResourceClasses<'a>,
    demands: &mut [Demand<'a>],
    requested: usize,
    roles: &[Role],
) -> Vec<Place<'a>> {
    let mut places = Vec::with_capacity(planner.hosts.len());
    for (number, carried) in planner.hosts.values().enumerate() {
        let mut fixed = kept_on(&demands[..requested], number);
        let wholes = carried.occupations.iter().map(|taken| (taken, None));
        let shares = carried.shares.iter().map(|share| (&share.taken, Some(share)));
        for (taken, share) in wholes.chain(shares) {
            match roles[taken.number as usize] {
                Role::Absent => {}
                Role::Fixed => fixed.push(Fixed {
                    reservation: &taken.reservation,
                    interval: taken.interval,
                    takes: share.map_or(Takes::Whole, |share| {
                        Takes::Part(times(&classes.amounts(&share.instances), share.count))
                    }),
                }),
                Role::Pending(demand) => {
                    demands[demand]
                        .holds
                        .insert(number, share.map_or(1, |share| share.count));
                }
            }
        }
        places.push(Place {
            host: &carried.host,
            richness: carried.richness,
            capacity: classes.capacity(&carried.host),
            fixed,
        });
    }
    places
}

/// What demands keep on a host besides what is looked for.
pub(super) fn kept_on<'a>(demands: &[Demand<'a>], host: HostNumber) -> Vec<Fixed<'a>> {
    let kept = |demand: &Demand<'a>| {
        demand.kept.get(&host).map(|&count| Fixed {
            reservation: demand.reservation,
            interval: demand.occupation,
            takes: demand.takes(count),
        })
    };
    demands.iter().filter_map(kept).collect()
}

fn counts(planner: &Planner, holds: &[HostId]) -> Counts {
    let held = holds.chunk_by(|one, other| one == other);
    held.filter_map(|held| {
        Some((
            planner.hosts.number(&held[0])?,
            u32::try_from(held.len()).unwrap_or(u32::MAX),
        ))
    })
    .collect()
}

/// The distinct expressions, in the order they are met.
#[derive(Default)]
struct Expressions {
    known: Vec<PredicateNumber>,
    numbers: BTreeMap<PredicateNumber, usize>,
}

impl Expressions {
    fn number(&mut self, known: PredicateNumber) -> usize {
        *self.numbers.entry(known).or_insert_with(|| {
            self.known.push(known);
            self.known.len() - 1
        })
    }
}
