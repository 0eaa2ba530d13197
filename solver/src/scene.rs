//! Everything one decision depends on, with small numbers for names.
//!
//! Invariant: the numbers of hosts follow their identifiers, those of demands put the requested
//! reservations first, then the pending ones by lease, in a part of the fleet by time; so equal input gives equal
//! numbers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Index;
use std::sync::Arc;

use crate::classes::{ClassNumber, Classes};
use crate::decision::{Move, Verdict};
use crate::decode::Changed;
pub(crate) use crate::hosts::HostNumber;
use crate::hosts::ReservationNumber;
use crate::index::{Eligible, Held, IndexClass, PredicateNumber};
use crate::model::{Host, HostId, Interval, Request, ReservationId, Resource, Seconds};
use crate::planner::Planner;
use crate::predicate::Predicate;
use crate::request::Ask;

/// A demand's number.
pub(crate) type DemandNumber = usize;

/// Work that stays where it is.
pub(crate) struct Fixed<'a> {
    pub(crate) reservation: &'a ReservationId,
    pub(crate) interval: Interval,
}

/// A reservation whose hosts are to be chosen.
pub(crate) struct Demand<'a> {
    pub(crate) reservation: &'a ReservationId,
    pub(crate) window: Interval,
    pub(crate) occupation: Interval,
    /// Number of its predicate in [`Scene::predicates`].
    pub(crate) predicate: usize,
    /// Fewest hosts.
    pub(crate) least: u32,
    /// Most hosts.
    pub(crate) most: u32,
    /// What a pending reservation holds, sorted; nothing for a requested one.
    pub(crate) holds: Vec<HostNumber>,
    /// Hosts it would rather have than others, sorted; for a pending one those it holds.
    pub(crate) likes: Vec<HostNumber>,
    /// `false`: pending, so that leaving a class is a move.
    pub(crate) requested: bool,
}

/// What stays on each host: `fixed[host]` is a slice.
#[derive(Default)]
pub(crate) struct FixedWork<'a> {
    all: Vec<Fixed<'a>>,
    /// Where each host's part begins, and the end of the last.
    begins: Vec<usize>,
}

impl<'a> FixedWork<'a> {
    /// The hosts' parts in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[Fixed<'a>]> {
        self.begins.windows(2).map(|pair| &self.all[pair[0]..pair[1]])
    }
}

impl<'a> FromIterator<Vec<Fixed<'a>>> for FixedWork<'a> {
    fn from_iter<I: IntoIterator<Item = Vec<Fixed<'a>>>>(hosts: I) -> Self {
        let (mut all, mut begins) = (Vec::new(), vec![0]);
        for fixed in hosts {
            all.extend(fixed);
            begins.push(all.len());
        }
        Self { all, begins }
    }
}

impl<'a> Index<HostNumber> for FixedWork<'a> {
    type Output = [Fixed<'a>];

    fn index(&self, host: HostNumber) -> &Self::Output {
        &self.all[self.begins[host]..self.begins[host + 1]]
    }
}

/// One decision's world.
pub(crate) struct Scene<'a> {
    pub(crate) hosts: Vec<&'a Host>,
    pub(crate) richness: Vec<u64>,
    /// What stays on each host.
    pub(crate) fixed: FixedWork<'a>,
    pub(crate) demands: Vec<Demand<'a>>,
    /// The distinct expressions of all reservations alive and of the request.
    pub(crate) predicates: Vec<&'a Predicate>,
    /// The coarse class of each host: see [`Classes`].
    pub(crate) coarse_of: Vec<ClassNumber>,
    /// Which of the predicates the hosts of each coarse class satisfy.
    pub(crate) truth: Vec<Vec<bool>>,
}

/// How much of the planner a scene shows.
pub(crate) struct Extent<'e> {
    /// Groups of classes of the index; never an empty group.
    pub(crate) groups: &'e [Vec<IndexClass>],
    /// The pending reservations; `None`: all.
    pub(crate) pending: Option<&'e BTreeSet<ReservationNumber>>,
    /// Whether each request is there; `None`: all are. Those that are not ask for nothing.
    pub(crate) asked: Option<&'e [bool]>,
    /// Whether the other pending reservations stand on their hosts all the same, asking for nothing.
    pub(crate) silent: bool,
}

/// A scene of some classes, with the planner's names.
pub(crate) struct Part<'a> {
    pub(crate) scene: Scene<'a>,
    /// The planner's numbers of its hosts, sorted.
    pub(crate) hosts: Vec<HostNumber>,
    /// The planner's numbers of its pending demands, in their order.
    pub(crate) reservations: Vec<ReservationNumber>,
}

/// What the scene makes of a reservation of the planner.
#[derive(Clone, Copy)]
enum Role {
    /// It is over, or the request frees it.
    Absent,
    Fixed,
    Pending(DemandNumber),
}

impl<'a> Scene<'a> {
    /// The scene of a request on a planner that knows its expressions (see [`Planner::knowing`]).
    pub(crate) fn new(planner: &'a Planner, asks: &'a [Ask<'a>], request: &Request, now: Seconds) -> Self {
        let mut predicates = Distinct::new(planner);
        let mut demands = Vec::new();
        let mut kept: BTreeMap<HostNumber, Vec<Fixed<'a>>> = BTreeMap::new();
        for ask in asks {
            let occupation = ask.asked.occupation();
            for host in numbers(planner, ask.kept) {
                kept.entry(host).or_default().push(Fixed {
                    reservation: &ask.asked.id,
                    interval: occupation,
                });
            }
            demands.push(Demand {
                reservation: &ask.asked.id,
                window: ask.asked.window,
                occupation,
                predicate: predicates.of(&ask.asked.predicate),
                least: ask.least,
                most: ask.most,
                holds: Vec::new(),
                likes: numbers(planner, ask.before),
                requested: true,
            });
        }
        let requested = demands.len();
        let mut roles = vec![Role::Absent; planner.reservation_numbers() as usize];
        for stored in planner.stored() {
            let replaced = request.replaces.as_ref() == Some(&stored.lease.id);
            for (held, part) in stored.lease.reservations.iter().zip(&stored.parts) {
                let occupation = held.occupation();
                if occupation.end <= now || matches!(held.resource, Resource::Units(_)) {
                    continue;
                }
                let predicate = if held.window.end > now {
                    predicates.number(part.predicate)
                } else {
                    0
                };
                if replaced && Ask::frees_reservation(request, held, now) {
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
                        predicate,
                        least: size,
                        most: size,
                        holds: Vec::with_capacity(held.holds.len()),
                        likes: Vec::new(),
                        requested: false,
                    });
                }
            }
        }
        let count = planner.hosts.len();
        let mut fixed = FixedWork::default();
        let mut hosts = Vec::with_capacity(count);
        let mut richness = Vec::with_capacity(count);
        for (number, carried) in planner.hosts.values().enumerate() {
            hosts.push(carried.host.as_ref());
            richness.push(carried.richness);
            fixed.begins.push(fixed.all.len());
            fixed.all.extend(kept.remove(&number).into_iter().flatten());
            let shares = carried.shares.iter().map(|share| &share.taken);
            for taken in carried.occupations.iter().chain(shares) {
                match roles[taken.number as usize] {
                    Role::Absent => {}
                    Role::Fixed => fixed.all.push(Fixed {
                        reservation: &taken.reservation,
                        interval: taken.interval,
                    }),
                    Role::Pending(demand) => demands[demand].holds.push(number),
                }
            }
        }
        fixed.begins.push(fixed.all.len());
        for demand in &mut demands[requested..] {
            demand.likes.clone_from(&demand.holds);
        }
        let (coarse_of, truth) = coarse(planner, &predicates.known);
        Self {
            hosts,
            richness,
            fixed,
            demands,
            predicates: predicates.list,
            coarse_of,
            truth,
        }
    }

    /// The scene of some classes of the index only, each group of them a coarse class: their hosts, and of every
    /// pending reservation what it holds there; instances stay.
    pub(crate) fn part(
        planner: &'a Planner,
        asks: &'a [Ask<'a>],
        request: &Request,
        now: Seconds,
        extent: &Extent<'_>,
    ) -> Part<'a> {
        let index = planner.index();
        let mut members: Vec<(HostNumber, ClassNumber)> = Vec::new();
        for (group, classes) in extent.groups.iter().enumerate() {
            for &class in classes {
                members.extend(index.hosts_of(class).iter().map(|&host| (host as HostNumber, group)));
            }
        }
        members.sort_unstable();
        let place = |host: &HostNumber| members.binary_search_by_key(host, |member| member.0).ok();
        let mut predicates = Distinct::new(planner);
        let mut demands = Vec::new();
        let mut kept: BTreeMap<HostNumber, Vec<Fixed<'a>>> = BTreeMap::new();
        for (number, ask) in asks.iter().enumerate() {
            let occupation = ask.asked.occupation();
            for host in numbers(planner, ask.kept).iter().filter_map(place) {
                kept.entry(host).or_default().push(Fixed {
                    reservation: &ask.asked.id,
                    interval: occupation,
                });
            }
            let asked = extent.asked.is_none_or(|asked| asked[number]);
            demands.push(Demand {
                reservation: &ask.asked.id,
                window: ask.asked.window,
                occupation,
                predicate: predicates.of(&ask.asked.predicate),
                least: if asked { ask.least } else { 0 },
                most: if asked { ask.most } else { 0 },
                holds: Vec::new(),
                likes: numbers(planner, ask.before).iter().filter_map(place).collect(),
                requested: true,
            });
        }
        let since = asks.iter().map(|ask| ask.asked.window.start).fold(now, Seconds::min);
        let mut fixed = FixedWork::default();
        let mut hosts = Vec::with_capacity(members.len());
        let mut richness = Vec::with_capacity(members.len());
        let mut holders: HashMap<ReservationNumber, Vec<HostNumber>> = HashMap::new();
        for carried in members.iter().filter_map(|&(host, _)| planner.hosts.at(host)) {
            fixed.begins.push(fixed.all.len());
            fixed.all.extend(kept.remove(&hosts.len()).into_iter().flatten());
            let instances = carried.shares.iter().map(|share| (&share.taken, true));
            let occupations = carried.occupations.iter().map(|taken| (taken, false));
            for (taken, stays) in occupations.chain(instances) {
                if taken.interval.end <= since || Ask::frees(request, taken, now) {
                    continue;
                }
                if stays || taken.is_fixed(now, planner.freeze) {
                    fixed.all.push(Fixed {
                        reservation: &taken.reservation,
                        interval: taken.interval,
                    });
                } else if extent.silent || extent.pending.is_none_or(|pending| pending.contains(&taken.number)) {
                    holders.entry(taken.number).or_default().push(hosts.len());
                }
            }
            hosts.push(carried.host.as_ref());
            richness.push(carried.richness);
        }
        fixed.begins.push(fixed.all.len());
        let mut held: Vec<(Interval, &'a Held, Vec<HostNumber>)> = holders
            .into_iter()
            .filter_map(|(number, hosts)| index.held(number).map(|held| (held.occupation, held, hosts)))
            .collect();
        held.sort_unstable_by(|one, other| one.0.cmp(&other.0).then_with(|| one.1.id.cmp(&other.1.id)));
        let mut reservations = Vec::with_capacity(held.len());
        for (occupation, held, holds) in held {
            let part = held.part;
            let speaks = extent.pending.is_none_or(|pending| pending.contains(&part.number));
            let size = if speaks {
                u32::try_from(holds.len()).unwrap_or(u32::MAX)
            } else {
                0
            };
            reservations.push(part.number);
            demands.push(Demand {
                reservation: &held.id,
                window: held.window,
                occupation,
                predicate: predicates.number(part.predicate),
                least: size,
                most: size,
                likes: holds.clone(),
                holds,
                requested: false,
            });
        }
        let truth = |classes: &Vec<IndexClass>| -> Vec<bool> {
            let eligible = predicates.known.iter().map(|&number| index.eligible(number));
            let admits =
                |eligible: Option<&Arc<Eligible>>| eligible.is_some_and(|eligible| eligible.admits(classes[0]));
            eligible.map(admits).collect()
        };
        let scene = Self {
            hosts,
            richness,
            fixed,
            demands,
            truth: extent.groups.iter().map(truth).collect(),
            predicates: predicates.list,
            coarse_of: members.iter().map(|&(_, class)| class).collect(),
        };
        Part {
            scene,
            hosts: members.into_iter().map(|(host, _)| host).collect(),
            reservations,
        }
    }

    /// Whether the rules allow a demand on a host, other work aside: new work must suit, and what a
    /// pending reservation holds it may keep.
    pub(crate) fn permits(&self, demand: &Demand<'_>, host: HostNumber) -> bool {
        demand.holds.binary_search(&host).is_ok()
            || self.hosts[host].suits(self.predicates[demand.predicate], demand.window)
    }

    /// Numbers of the requested demands.
    pub(crate) fn requested(&self) -> impl Iterator<Item = DemandNumber> {
        (0..self.demands.len()).take_while(|&number| self.demands[number].requested)
    }

    /// The answer that gives these demands these hosts and lets the others keep what they hold.
    pub(crate) fn accepted(&self, asks: &[Ask<'_>], classes: &Classes, changed: &Changed) -> Verdict {
        let name = |host: &HostNumber| self.hosts[*host].id.clone();
        let none = BTreeSet::new();
        let mut holds = BTreeMap::new();
        for number in self.requested() {
            let id = self.demands[number].reservation;
            let kept = asks
                .iter()
                .find(|ask| ask.asked.id == *id)
                .map_or(&[][..], |ask| ask.kept);
            let chosen = changed.get(&number).unwrap_or(&none).iter().map(name);
            let all: BTreeSet<HostId> = chosen.chain(kept.iter().cloned()).collect();
            holds.insert(id.clone(), all.into_iter().collect());
        }
        let mut moves = Vec::new();
        for (&number, chosen) in changed {
            let demand = &self.demands[number];
            let left = demand.holds.iter().filter(|host| !chosen.contains(host));
            let from: Vec<HostId> = left.map(name).collect();
            if demand.requested || from.is_empty() {
                continue;
            }
            let taken = chosen.iter().filter(|host| demand.holds.binary_search(host).is_err());
            moves.push(Move {
                reservation: demand.reservation.clone(),
                from,
                to: taken.map(name).collect(),
                counted: classes.counted_moves(&demand.holds, chosen),
            });
        }
        moves.sort_by(|one, other| one.reservation.cmp(&other.reservation));
        Verdict::Accepted { holds, moves }
    }
}

fn numbers(planner: &Planner, ids: &[HostId]) -> Vec<HostNumber> {
    ids.iter().filter_map(|id| planner.hosts.number(id)).collect()
}

/// Small numbers for the predicates of a scene in the order they are met.
struct Distinct<'a> {
    planner: &'a Planner,
    list: Vec<&'a Predicate>,
    /// The planner's number of each.
    known: Vec<PredicateNumber>,
    numbers: Vec<Option<usize>>,
}

impl<'a> Distinct<'a> {
    fn new(planner: &'a Planner) -> Self {
        Self {
            planner,
            list: Vec::new(),
            known: Vec::new(),
            numbers: vec![None; planner.predicate_numbers()],
        }
    }

    fn number(&mut self, known: PredicateNumber) -> usize {
        if let Some(number) = self.numbers[known as usize] {
            return number;
        }
        if let Some(predicate) = self.planner.predicate(known) {
            self.list.push(predicate);
            self.known.push(known);
        }
        self.numbers[known as usize] = Some(self.list.len() - 1);
        self.list.len() - 1
    }

    fn of(&mut self, predicate: &Predicate) -> usize {
        let known = self.planner.predicate_number(predicate);
        debug_assert!(known.is_some(), "the planner knows the request");
        known.map_or(0, |known| self.number(known))
    }
}

/// Merges the classes of the index that the predicates of the scene do not tell apart. Gives each host's
/// class and which predicates each class satisfies.
pub(crate) fn coarse(planner: &Planner, predicates: &[PredicateNumber]) -> (Vec<ClassNumber>, Vec<Vec<bool>>) {
    let index = planner.index();
    let eligible: Vec<_> = predicates.iter().map(|&number| index.eligible(number)).collect();
    let mut numbers: HashMap<(u32, Vec<bool>), ClassNumber> = HashMap::new();
    let mut truths: Vec<Vec<bool>> = Vec::new();
    let merged: Vec<ClassNumber> = (0..index.classes())
        .map(|class: IndexClass| {
            let truth: Vec<bool> = eligible
                .iter()
                .map(|eligible| eligible.is_some_and(|eligible| eligible.admits(class)))
                .collect();
            *numbers
                .entry((index.kind_of(class), truth))
                .or_insert_with_key(|(_, truth)| {
                    truths.push(truth.clone());
                    truths.len() - 1
                })
        })
        .collect();
    let of = (0..planner.hosts.len())
        .map(|host| merged[index.class_of(host)])
        .collect();
    (of, truths)
}
