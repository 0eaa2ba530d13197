//! A scene of some classes of the index.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::ClassNumber;
use super::expressions::Distinct;
use super::{Demand, Fixed, FixedWork, Scene, numbers};
use crate::hosts::{HostNumber, ReservationNumber};
use crate::index::{Eligible, Held, IndexClass};
use crate::model::{Interval, Request, Seconds};
use crate::planner::Planner;
use crate::reach::{Aside, Reached};
use crate::request::Ask;

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
    /// Pending reservations that are not reached are left out: nobody can meet them. `None`: all are looked at.
    pub(crate) reached: Option<&'e Reached>,
    /// Which instances that may move are left out, too; the others are demands for whole hosts. `None`: all stay.
    pub(crate) aside: Option<&'e Aside>,
}

/// A scene of some classes, with the planner's names.
pub(crate) struct Part<'a> {
    pub(crate) scene: Scene<'a>,
    /// The planner's numbers of its hosts, sorted.
    pub(crate) hosts: Vec<HostNumber>,
    /// The planner's numbers of its pending demands, in their order.
    pub(crate) reservations: Vec<ReservationNumber>,
}

impl<'a> Scene<'a> {
    /// The scene of some classes of the index only, each group of them a coarse class: their hosts, and of every
    /// pending reservation what it holds there; instances stay unless they are left aside.
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
        let mut fixed = FixedWork::default();
        let mut hosts = Vec::with_capacity(members.len());
        let mut richness = Vec::with_capacity(members.len());
        let mut holders: HashMap<ReservationNumber, Vec<HostNumber>> = HashMap::new();
        for carried in members.iter().filter_map(|&(host, _)| planner.hosts.at(host)) {
            fixed.begins.push(fixed.all.len());
            fixed.all.extend(kept.remove(&hosts.len()).into_iter().flatten());
            let instances = carried.shares.iter().map(|share| (&share.taken, true));
            let occupations = carried.occupations.iter().map(|taken| (taken, false));
            for (taken, is_share) in occupations.chain(instances) {
                if taken.interval.end <= now || Ask::frees(request, taken, now) {
                    continue;
                }
                if is_share && extent.aside.is_none() || taken.is_fixed(now, planner.freeze) {
                    fixed.all.push(Fixed {
                        reservation: &taken.reservation,
                        interval: taken.interval,
                    });
                    continue;
                }
                let leaves_out = |aside: &Aside| index.held(taken.number).is_none_or(|held| aside.leaves_out(held));
                if is_share && extent.aside.is_some_and(leaves_out) {
                    continue;
                }
                let is_reached = extent.reached.is_none_or(|reached| reached.contains(taken.number));
                let speaks = extent.pending.is_none_or(|pending| pending.contains(&taken.number));
                if is_reached && (extent.silent || speaks) {
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
}
