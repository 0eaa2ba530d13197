//! Everything a decision about instances and whole hosts depends on, with small numbers for names.
//!
//! Invariant: hosts are numbered by identifier, demands put the requested reservations first and then the
//! pending ones by lease, resource classes by name; so equal input gives equal numbers. A host whose capacity
//! does not list a resource class has 0 of it.

use std::collections::{BTreeMap, HashMap};

use super::resource_classes::ResourceClasses;
pub(super) use super::resource_classes::{Amounts, Kind};
use crate::hosts::{Carried, HostNumber, ReservationNumber};
use crate::index::{Held, IndexClass, PredicateNumber};
use crate::model::{Host, HostId, Interval, Request, ReservationId, Resource, Seconds, times_fitting};
use crate::planner::Planner;
use crate::reach::Reached;
use crate::request::Ask;
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

/// How much of the planner a world shows.
struct Extent<'e, 'a> {
    /// The hosts, with the classes that moves are counted between.
    hosts: BTreeMap<HostNumber, usize>,
    /// The promises that may be put elsewhere.
    pending: Vec<&'a Held>,
    /// When anybody may come to a host, where that is known: nobody meets what stands there at other times, so what may
    /// move is left out then.
    span: &'e dyn Fn(HostNumber) -> Option<Interval>,
}

impl<'a> World<'a> {
    /// The hosts a request may use, with everything that stands on them staying there: all that is needed to see whether
    /// there is room as things stand, and no lease is read for it. An answer has no moves then, and not finding one says
    /// nothing.
    pub(super) fn at_hand(planner: &'a Planner, asks: &[Ask<'a>], request: &Request, now: Seconds) -> Self {
        let index = planner.index();
        let of_hosts = asks.iter().filter(|ask| is_on_hosts(ask));
        let mut hosts: BTreeMap<HostNumber, IndexClass> = BTreeMap::new();
        for ask in of_hosts {
            let eligible = planner.eligible(&ask.asked.predicate);
            for &class in eligible.into_iter().flat_map(|eligible| &eligible.classes) {
                let class = class as IndexClass;
                hosts.extend(index.hosts_of(class).iter().map(|&host| (host as HostNumber, class)));
            }
            let named = ask.kept.iter().chain(ask.before);
            let named = named.filter_map(|host| planner.hosts.number(host));
            hosts.extend(named.map(|host| (host, index.class_of(host))));
        }
        let extent = Extent {
            hosts,
            pending: Vec::new(),
            span: &|_| None,
        };
        Self::new(planner, asks, request, now, &extent)
    }

    /// What a request reaches, on a planner that knows its expressions.
    pub(super) fn reached(
        planner: &'a Planner,
        asks: &[Ask<'a>],
        request: &Request,
        now: Seconds,
        reached: &Reached,
    ) -> Self {
        let index = planner.index();
        let predicate = |ask: &Ask<'_>| planner.predicate_number(&ask.asked.predicate).unwrap_or_default();
        let groups = index.groups(now, &asks.iter().map(predicate).collect::<Vec<_>>());
        let mut hosts: BTreeMap<HostNumber, usize> = BTreeMap::new();
        for class in reached.classes() {
            let group = groups.of(class);
            hosts.extend(index.hosts_of(class).iter().map(|&host| (host as HostNumber, group)));
        }
        let liked = asks.iter().filter(|ask| is_on_hosts(ask)).flat_map(|ask| ask.before);
        let liked = liked.filter_map(|host| planner.hosts.number(host));
        hosts.extend(liked.map(|host| (host, groups.of(index.class_of(host)))));
        let extent = Extent {
            hosts,
            pending: reached.pending(index),
            span: &|host| {
                let nobody = Interval::new(Seconds::MAX, Seconds::MAX);
                Some(reached.span(index.class_of(host)).unwrap_or(nobody))
            },
        };
        Self::new(planner, asks, request, now, &extent)
    }

    /// Units are left aside.
    fn new(planner: &'a Planner, asks: &[Ask<'a>], request: &Request, now: Seconds, extent: &Extent<'_, 'a>) -> Self {
        let carried = |host: HostNumber| planner.hosts.at(host).map(AsRef::as_ref);
        let hosts: Vec<(&'a Carried, HostNumber)> = (extent.hosts.keys())
            .filter_map(|&host| Some((carried(host)?, host)))
            .collect();
        let small: HashMap<&HostId, HostNumber> = hosts
            .iter()
            .enumerate()
            .map(|(small, (carried, _))| (&carried.host.id, small))
            .collect();
        let counts = |holds: &[HostId]| -> Counts {
            let held = holds.chunk_by(|one, other| one == other);
            let counts = held.filter_map(|held| Some((*small.get(&held[0])?, count_of(held.len()))));
            counts.collect()
        };
        let asks: Vec<&Ask<'a>> = asks.iter().filter(|ask| is_on_hosts(ask)).collect();
        let placed = asks.iter().map(|ask| (&ask.asked.resource, u64::from(ask.asked.max)));
        let pending = extent.pending.iter().map(|held| held.reservation());
        let placed = placed.chain(pending.map(|held| (&held.resource, held.holds.len() as u64)));
        let standing = hosts.iter().flat_map(|(carried, _)| &carried.shares);
        let classes = ResourceClasses::new(placed, standing.map(|share| u64::from(share.count)).sum());
        let mut predicates = Expressions::default();
        let mut demands: Vec<Demand<'a>> = Vec::with_capacity(asks.len() + extent.pending.len());
        for ask in &asks {
            demands.push(Demand {
                reservation: &ask.asked.id,
                window: ask.asked.window,
                occupation: ask.asked.occupation(),
                kind: classes.kind(&ask.asked.resource),
                predicate: predicates.number(planner.predicate_number(&ask.asked.predicate).unwrap_or(0)),
                least: ask.least,
                most: ask.most,
                holds: Counts::new(),
                likes: counts(ask.before),
                kept: counts(ask.kept),
                requested: true,
            });
        }
        let mut numbers: HashMap<ReservationNumber, DemandNumber> = HashMap::new();
        for held in &extent.pending {
            let size = count_of(held.reservation().holds.len());
            numbers.insert(held.part.number, demands.len());
            demands.push(Demand {
                reservation: &held.id,
                window: held.window,
                occupation: held.occupation,
                kind: classes.kind(&held.reservation().resource),
                predicate: predicates.number(held.part.predicate),
                least: size,
                most: size,
                holds: Counts::new(),
                likes: Counts::new(),
                kept: Counts::new(),
                requested: false,
            });
        }
        let requested = asks.len();
        let mut places = Vec::with_capacity(hosts.len());
        for (small, &(carried, host)) in hosts.iter().enumerate() {
            let span = (extent.span)(host);
            let mut fixed = kept_on(&demands[..requested], small);
            let wholes = carried.occupations.iter().map(|taken| (taken, None));
            let shares = carried.shares.iter().map(|share| (&share.taken, Some(share)));
            for (taken, share) in wholes.chain(shares) {
                if taken.interval.end <= now || Ask::frees(request, taken, now) {
                    continue;
                }
                if let Some(&demand) = numbers.get(&taken.number) {
                    let count = share.map_or(1, |share| share.count);
                    demands[demand].holds.insert(small, count);
                    continue;
                }
                let is_met = span.is_none_or(|span| taken.interval.start < span.end);
                if is_met && (span.is_none() || taken.is_fixed(now, planner.freeze)) {
                    fixed.push(Fixed {
                        reservation: &taken.reservation,
                        interval: taken.interval,
                        takes: share.map_or(Takes::Whole, |share| {
                            Takes::Part(times(&classes.amounts(&share.instances), share.count))
                        }),
                    });
                }
            }
            places.push(Place {
                host: &carried.host,
                richness: carried.richness,
                capacity: classes.capacity(&carried.host),
                fixed,
            });
        }
        for demand in &mut demands[requested..] {
            demand.likes.clone_from(&demand.holds);
        }
        let (class_of, truth) = told_apart(planner, &extent.hosts, &predicates.known);
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

/// The class of each host by small numbers, and which expressions the hosts of each satisfy.
fn told_apart(
    planner: &Planner,
    hosts: &BTreeMap<HostNumber, usize>,
    predicates: &[PredicateNumber],
) -> (Vec<ClassNumber>, Vec<Vec<bool>>) {
    let index = planner.index();
    let eligible: Vec<_> = predicates.iter().map(|&number| index.eligible(number)).collect();
    let mut numbers: HashMap<usize, ClassNumber> = HashMap::new();
    let mut truth: Vec<Vec<bool>> = Vec::new();
    let class_of = hosts.iter().map(|(&host, &class)| {
        *numbers.entry(class).or_insert_with(|| {
            let class = index.class_of(host);
            let admits = eligible
                .iter()
                .map(|eligible| eligible.is_some_and(|eligible| eligible.admits(class)));
            truth.push(admits.collect());
            truth.len() - 1
        })
    });
    (class_of.collect(), truth)
}

fn is_on_hosts(ask: &Ask<'_>) -> bool {
    !matches!(ask.asked.resource, Resource::Units(_))
}

fn count_of(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// What demands keep on a host besides what is looked for.
fn kept_on<'a>(demands: &[Demand<'a>], host: HostNumber) -> Vec<Fixed<'a>> {
    let kept = |demand: &Demand<'a>| {
        demand.kept.get(&host).map(|&count| Fixed {
            reservation: demand.reservation,
            interval: demand.occupation,
            takes: demand.takes(count),
        })
    };
    demands.iter().filter_map(kept).collect()
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
