//! Why not: a resource class runs out at one instant.
//!
//! Invariant: the count is the checker's. Of the hosts in question the listed reservations that are placed
//! can use no others, the fixed ones stand on them, a whole host counts with all it has, and together that
//! is more than the hosts have. Without any one member it is not.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{Demand, Kind, Takes, World};
use crate::certificate::minimal::{Member, minimal, needed};
use crate::deadline::Deadline;
use crate::hosts::HostNumber;
use crate::model::{Interval, ReservationId, Seconds};
use crate::wording;

/// Too little of a resource class.
pub(super) struct Shortage<'a> {
    pub(super) resource_class: usize,
    pub(super) hosts: BTreeSet<HostNumber>,
    pub(super) interval: Interval,
    pub(super) needed: u128,
    pub(super) exist: u64,
    pub(super) members: Vec<&'a ReservationId>,
    /// What the request needs.
    asked: Needs,
    /// What earlier leases among the members need.
    earlier: Needs,
    /// The instant that was counted.
    pub(super) at: Seconds,
    /// Whether all members are of whole hosts. Then hosts are short, too: the fewest amounts that so many hosts have,
    /// beside those of hosts that are taken, do not exceed the sum unless the hosts do.
    pub(super) is_whole: bool,
}

/// What members need of the hosts together.
#[derive(Debug, Clone, Copy, Default)]
struct Needs {
    /// Whole hosts, and the amount that they have at least.
    hosts: u64,
    with_hosts: u128,
    /// The amount that instances take.
    instances: u128,
}

impl Shortage<'_> {
    /// Whole hosts are counted in hosts and instances beside instances in amounts, whoever asks for them.
    pub(super) fn in_words(&self, world: &World<'_>) -> String {
        let Self { asked, earlier, .. } = self;
        let class = world.resource_classes[self.resource_class];
        let suit = self.hosts.len() as u64;
        let hosts = wording::count(suit, "host that suits has", "hosts that suit have");
        let whole = asked.hosts + earlier.hosts;
        let left = match suit.saturating_sub(whole) {
            0 => "none is left for".to_owned(),
            1 => "the one left has too little room for".to_owned(),
            left => format!("the {left} left have too little room for"),
        };
        let all = format!("of the {suit} that {}", if suit == 1 { "suits" } else { "suit" });
        let counted = |hosts| wording::count(hosts, "host", "hosts");
        let (at, until) = (
            wording::instant(self.interval.start),
            wording::instant(self.interval.end),
        );
        let why = match (asked.hosts, earlier.hosts) {
            (0, 0) if earlier.instances == 0 => {
                format!(
                    "your request needs {} {class}; the {hosts} {}",
                    asked.instances, self.exist
                )
            }
            (0, 0) => self.in_amounts(class, &hosts),
            _ if self.is_whole => self.in_amounts(class, &hosts),
            (0, _) if earlier.instances == 0 => format!(
                "earlier leases need {} whole {all}; {left} your request of {}",
                counted(earlier.hosts),
                wording::count(self.instances_asked(world), "instance", "instances"),
            ),
            (_, 0) if asked.instances == 0 => format!(
                "your request needs {} whole {all}; {left} the instances of earlier leases",
                counted(asked.hosts),
            ),
            _ if asked.instances == 0 => format!(
                "your request needs {} whole and earlier leases {} {all}; {left} the instances of earlier leases",
                counted(asked.hosts),
                earlier.hosts,
            ),
            _ => format!(
                "{} {class} are needed by the instances of your request ({}) and of earlier leases ({}); beside the {} \
                 that {} needed whole, the {hosts} {} at most",
                asked.instances + earlier.instances,
                asked.instances,
                earlier.instances,
                counted(whole),
                if whole == 1 { "is" } else { "are" },
                u128::from(self.exist).saturating_sub(asked.with_hosts + earlier.with_hosts),
            ),
        };
        format!("at {at} (until {until}), {why}")
    }

    fn in_amounts(&self, class: &str, hosts: &str) -> String {
        let amount = |needs: &Needs| needs.with_hosts + needs.instances;
        format!(
            "{} {class} are needed by your request ({}) and by earlier leases ({}); the {hosts} {}",
            self.needed,
            amount(&self.asked),
            amount(&self.earlier),
            self.exist,
        )
    }

    /// How many instances the request needs, with those it keeps.
    fn instances_asked(&self, world: &World<'_>) -> u64 {
        let requested = world.demands[..world.requested].iter();
        let members = requested.filter(|demand| self.members.contains(&demand.reservation));
        let needed = members
            .map(|demand| u64::from(demand.least) + demand.kept.values().map(|&kept| u64::from(kept)).sum::<u64>());
        needed.sum()
    }
}

/// A demand that can use none but the hosts in question, and what it needs of them by resource class.
pub(super) struct Confined<'w, 'a> {
    pub(super) demand: &'w Demand<'a>,
    needs: Vec<u64>,
}

/// The hosts that suit each kind of requested reservation, and those that suit any; small sets first.
pub(super) fn suitable(world: &World<'_>) -> Vec<BTreeSet<HostNumber>> {
    let requested = &world.demands[..world.requested];
    let suitable = |demand: &Demand<'_>| -> BTreeSet<HostNumber> {
        (0..world.places.len())
            .filter(|&host| world.suits(demand, host))
            .collect()
    };
    // Those that ask for the same kind of host at the same time share a set.
    let mut kinds = BTreeMap::new();
    for demand in requested.iter().filter(|demand| demand.least > 0) {
        let kind = (demand.predicate, demand.window);
        kinds.entry(kind).or_insert_with(|| suitable(demand));
    }
    let mut sets: Vec<BTreeSet<HostNumber>> = kinds.into_values().collect();
    if sets.len() > 1 {
        sets.push(sets.iter().flatten().copied().collect());
    }
    sets.sort_by_key(BTreeSet::len);
    sets.dedup();
    sets
}

/// Looks at all hosts that suit a requested reservation, or all of them, when anything begins.
pub(super) fn of_request<'a>(world: &World<'a>, deadline: &Deadline) -> Option<Shortage<'a>> {
    let requested = &world.demands[..world.requested];
    suitable(world).into_iter().find_map(|hosts| {
        let confined = confined(world, &hosts, deadline);
        let starts = confined.iter().map(|confined| confined.demand.occupation.start);
        let fixed = hosts.iter().flat_map(|&host| &world.places[host].fixed);
        let starts = starts.chain(fixed.map(|fixed| fixed.interval.start));
        let within = |at: &Seconds| requested.iter().any(|demand| demand.occupation.contains(*at));
        let instants: BTreeSet<Seconds> = starts.filter(within).collect();
        most_needed(world, &hosts, &confined, &instants)
            .and_then(|(at, class)| at_instant(world, &hosts, &confined, at, class))
    })
}

/// Looks at these hosts at this instant.
pub(super) fn of_hosts<'a>(
    world: &World<'a>,
    hosts: &BTreeSet<HostNumber>,
    at: Seconds,
    deadline: &Deadline,
) -> Option<Shortage<'a>> {
    let confined = confined(world, hosts, deadline);
    let (at, class) = most_needed(world, hosts, &confined, &BTreeSet::from([at]))?;
    at_instant(world, hosts, &confined, at, class)
}

/// The demands that can use none but these hosts, as far as the deadline allows: without some of them less is short.
pub(super) fn confined<'w, 'a>(
    world: &'w World<'a>,
    hosts: &BTreeSet<HostNumber>,
    deadline: &Deadline,
) -> Vec<Confined<'w, 'a>> {
    let others: Vec<HostNumber> = (0..world.places.len()).filter(|host| !hosts.contains(host)).collect();
    let is_confined = |demand: &&Demand<'_>| {
        demand.least > 0
            && demand.holds.keys().all(|host| hosts.contains(host))
            && !others.iter().any(|&host| world.suits(demand, host))
    };
    let goes_on = |_: &&Demand<'_>| {
        deadline.spend(1);
        !deadline.is_over()
    };
    let confined = world.demands.iter().take_while(goes_on).filter(is_confined);
    confined
        .map(|demand| Confined {
            needs: needs(world, demand, hosts),
            demand,
        })
        .collect()
}

fn needs(world: &World<'_>, demand: &Demand<'_>, hosts: &BTreeSet<HostNumber>) -> Vec<u64> {
    match &demand.kind {
        Kind::Instances { amounts, .. } => super::world::times(amounts, demand.least),
        Kind::Whole => (0..world.resource_classes.len())
            .map(|class| {
                let may = |host: &&HostNumber| {
                    (world.suits(demand, **host) && !demand.kept.contains_key(*host))
                        || demand.holds.contains_key(*host)
                };
                let mut amounts: Vec<u64> = hosts
                    .iter()
                    .filter(may)
                    .map(|&host| world.places[host].capacity[class])
                    .collect();
                amounts.sort_unstable();
                let least = amounts.iter().take(demand.least as usize);
                least.copied().fold(0, u64::saturating_add)
            })
            .collect(),
    }
}

/// The instant and the class of which the most is missing.
fn most_needed(
    world: &World<'_>,
    hosts: &BTreeSet<HostNumber>,
    confined: &[Confined<'_, '_>],
    instants: &BTreeSet<Seconds>,
) -> Option<(Seconds, usize)> {
    let classes = (0..world.resource_classes.len()).filter(|&class| !world.resource_classes[class].is_empty());
    let mut worst: Option<(i128, Seconds, usize)> = None;
    for class in classes {
        let mut changes: BTreeMap<Seconds, i128> = instants.iter().map(|&at| (at, 0)).collect();
        let mut add = |interval: Interval, amount: u64| {
            if amount > 0 {
                *changes.entry(interval.start).or_default() += i128::from(amount);
                *changes.entry(interval.end).or_default() -= i128::from(amount);
            }
        };
        for confined in confined {
            add(confined.demand.occupation, confined.needs[class]);
        }
        for &host in hosts {
            let place = &world.places[host];
            for fixed in &place.fixed {
                let amount = match &fixed.takes {
                    Takes::Whole => place.capacity[class],
                    Takes::Part(amounts) => amounts[class],
                };
                add(fixed.interval, amount);
            }
        }
        let exist = exist(world, hosts, class);
        let mut needed: i128 = 0;
        for (at, change) in changes {
            needed += change;
            let excess = needed - i128::from(exist);
            if excess > worst.map_or(0, |(most, ..)| most) && instants.contains(&at) {
                worst = Some((excess, at, class));
            }
        }
    }
    worst.map(|(_, at, class)| (at, class))
}

fn exist(world: &World<'_>, hosts: &BTreeSet<HostNumber>, class: usize) -> u64 {
    let amounts = hosts.iter().map(|&host| world.places[host].capacity[class]);
    amounts.fold(0, u64::saturating_add)
}

fn at_instant<'a>(
    world: &World<'a>,
    hosts: &BTreeSet<HostNumber>,
    confined: &[Confined<'_, 'a>],
    at: Seconds,
    class: usize,
) -> Option<Shortage<'a>> {
    let mut amounts: BTreeMap<&'a ReservationId, (u64, Interval)> = BTreeMap::new();
    // `None` for what is not of whole hosts.
    let mut whole: BTreeMap<&'a ReservationId, Option<u64>> = BTreeMap::new();
    let mut add = |reservation: &'a ReservationId, interval: Interval, amount: u64, hosts: Option<u64>| {
        let counted = whole.entry(reservation).or_insert(Some(0));
        *counted = counted.zip(hosts).map(|(before, more)| before + more);
        let sum = &mut amounts.entry(reservation).or_insert((0, interval)).0;
        *sum = sum.saturating_add(amount);
    };
    let active = confined
        .iter()
        .filter(|confined| confined.demand.occupation.contains(at));
    for confined in active {
        add(
            confined.demand.reservation,
            confined.demand.occupation,
            confined.needs[class],
            matches!(confined.demand.kind, Kind::Whole).then_some(u64::from(confined.demand.least)),
        );
    }
    for &host in hosts {
        let place = &world.places[host];
        for fixed in place.fixed.iter().filter(|fixed| fixed.interval.contains(at)) {
            let (amount, hosts) = match &fixed.takes {
                Takes::Whole => (place.capacity[class], Some(1)),
                Takes::Part(amounts) => (amounts[class], None),
            };
            add(fixed.reservation, fixed.interval, amount, hosts);
        }
    }
    let requested = &world.demands[..world.requested];
    let own = |reservation: &ReservationId| requested.iter().any(|demand| demand.reservation == reservation);
    let exist = exist(world, hosts, class);
    let members = amounts.iter().filter(|(_, (amount, _))| *amount > 0);
    let members: Vec<Member<'a>> = members
        .map(|(&reservation, &(amount, _))| Member {
            reservation,
            amount,
            kind: None,
            own: own(reservation),
        })
        .collect();
    if needed(&members) <= u128::from(exist) {
        return None;
    }
    let members = minimal(members, exist);
    let hosts_of = |member: &Member<'_>| whole.get(member.reservation).copied().flatten();
    let needs = |own: bool| {
        let mut needs = Needs::default();
        for member in members.iter().filter(|member| member.own == own) {
            let amount = u128::from(member.amount);
            match hosts_of(member) {
                Some(hosts) => {
                    needs.hosts += hosts;
                    needs.with_hosts += amount;
                }
                None => needs.instances += amount,
            }
        }
        needs
    };
    let intervals = || members.iter().map(|member| amounts[member.reservation].1);
    let start = intervals().map(|interval| interval.start).max()?;
    let end = intervals().map(|interval| interval.end).min()?;
    Some(Shortage {
        resource_class: class,
        hosts: hosts.clone(),
        interval: Interval::new(start, end),
        needed: needed(&members),
        asked: needs(true),
        earlier: needs(false),
        exist,
        members: members.iter().map(|member| member.reservation).collect(),
        at,
        is_whole: members.iter().all(|member| hosts_of(member).is_some()),
    })
}
