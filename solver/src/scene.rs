//! Everything one decision depends on, with small numbers for names.
//!
//! Invariant: the numbers of hosts follow their identifiers, those of demands put the requested
//! reservations first, then the pending ones by lease; so equal input gives equal numbers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::classes::Classes;
use crate::decision::{Move, Verdict};
use crate::model::{Host, HostId, Interval, Request, ReservationId, Resource, Seconds};
use crate::planner::Planner;
use crate::predicate::Predicate;
use crate::request::Ask;

/// A host's number.
pub(crate) type HostNumber = usize;
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

/// One decision's world.
pub(crate) struct Scene<'a> {
    pub(crate) hosts: Vec<&'a Host>,
    pub(crate) richness: Vec<u64>,
    /// What stays on each host.
    pub(crate) fixed: Vec<Vec<Fixed<'a>>>,
    pub(crate) demands: Vec<Demand<'a>>,
    /// The distinct expressions of all reservations alive and of the request.
    pub(crate) predicates: Vec<&'a Predicate>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(planner: &'a Planner, asks: &'a [Ask<'a>], request: &Request, now: Seconds) -> Self {
        let hosts: Vec<&Host> = planner.hosts.values().map(|carried| carried.host.as_ref()).collect();
        let numbers: HashMap<&HostId, HostNumber> = planner.hosts.keys().enumerate().map(|(n, id)| (id, n)).collect();
        let number =
            |ids: &[HostId]| -> Vec<HostNumber> { ids.iter().filter_map(|id| numbers.get(id).copied()).collect() };
        let mut predicates = Distinct::default();
        let mut fixed: Vec<Vec<Fixed<'a>>> = hosts.iter().map(|_| Vec::new()).collect();
        let mut demands = Vec::new();
        for ask in asks {
            let occupation = ask.asked.occupation();
            let predicate = predicates.number(&ask.asked.predicate);
            for host in number(ask.kept) {
                fixed[host].push(Fixed {
                    reservation: &ask.asked.id,
                    interval: occupation,
                });
            }
            demands.push(Demand {
                reservation: &ask.asked.id,
                window: ask.asked.window,
                occupation,
                predicate,
                least: ask.least,
                most: ask.most,
                holds: Vec::new(),
                likes: number(ask.before),
                requested: true,
            });
        }
        // A started reservation that grows does so for its whole window: what ended since is in its way.
        let since = asks.iter().map(|ask| ask.asked.window.start).fold(now, Seconds::min);
        for lease in planner.leases.values() {
            let replaced = request.replaces.as_ref() == Some(&lease.id);
            for held in &lease.reservations {
                let occupation = held.occupation();
                if occupation.end <= since {
                    continue;
                }
                let alive = held.window.end > now;
                let predicate = if alive { predicates.number(&held.predicate) } else { 0 };
                if replaced && Ask::frees_reservation(request, held, now) {
                    continue;
                }
                if matches!(held.resource, Resource::Units(_)) {
                    continue;
                }
                let mut holds = number(&held.holds);
                holds.dedup();
                if held.is_fixed(now, planner.freeze) {
                    for host in holds {
                        fixed[host].push(Fixed {
                            reservation: &held.id,
                            interval: occupation,
                        });
                    }
                } else if let Ok(size @ 1..) = u32::try_from(holds.len()) {
                    demands.push(Demand {
                        reservation: &held.id,
                        window: held.window,
                        occupation,
                        predicate,
                        least: size,
                        most: size,
                        likes: holds.clone(),
                        holds,
                        requested: false,
                    });
                }
            }
        }
        let richness = planner.hosts.values().map(|carried| carried.richness).collect();
        Self {
            hosts,
            richness,
            fixed,
            demands,
            predicates: predicates.list,
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

    /// The answer that gives every demand these hosts.
    pub(crate) fn accepted(&self, asks: &[Ask<'_>], classes: &Classes, chosen: &[BTreeSet<HostNumber>]) -> Verdict {
        let name = |host: &HostNumber| self.hosts[*host].id.clone();
        let mut holds = BTreeMap::new();
        let mut moves = Vec::new();
        for (demand, chosen) in self.demands.iter().zip(chosen) {
            if demand.requested {
                let kept = asks
                    .iter()
                    .find(|ask| ask.asked.id == *demand.reservation)
                    .map_or(&[][..], |ask| ask.kept);
                let all: BTreeSet<HostId> = chosen.iter().map(name).chain(kept.iter().cloned()).collect();
                holds.insert(demand.reservation.clone(), all.into_iter().collect());
                continue;
            }
            let from: Vec<HostId> = demand
                .holds
                .iter()
                .filter(|host| !chosen.contains(host))
                .map(name)
                .collect();
            if from.is_empty() {
                continue;
            }
            let to = chosen
                .iter()
                .filter(|host| demand.holds.binary_search(host).is_err())
                .map(name)
                .collect();
            let counted = classes.counted_moves(&demand.holds, chosen);
            moves.push(Move {
                reservation: demand.reservation.clone(),
                from,
                to,
                counted,
            });
        }
        moves.sort_by(|one, other| one.reservation.cmp(&other.reservation));
        Verdict::Accepted { holds, moves }
    }
}

/// Numbers for distinct predicates in the order they are met.
#[derive(Default)]
struct Distinct<'a> {
    list: Vec<&'a Predicate>,
    numbers: HashMap<&'a Predicate, usize>,
}

impl<'a> Distinct<'a> {
    fn number(&mut self, predicate: &'a Predicate) -> usize {
        *self.numbers.entry(predicate).or_insert_with(|| {
            self.list.push(predicate);
            self.list.len() - 1
        })
    }
}
