//! Why not: instances that may not share a host need more hosts at one instant than whole hosts leave.
//!
//! Invariant: the count is the checker's. The listed reservations that are to be placed can use none but the hosts in
//! question, the fixed ones occupy some of them whole, and one reservation has instances of which each needs a host of
//! its own. Together they need more hosts than there are; without any one of the earlier ones they do not.

use std::collections::{BTreeMap, BTreeSet};

use super::shortage::{self, Confined};
use super::world::{Demand, Kind, Takes, World};
use crate::certificate::minimal::{Member, minimal, needed};
use crate::hosts::HostNumber;
use crate::model::{Interval, ReservationId, Seconds};

/// Too few hosts.
pub(super) struct Apart<'a> {
    pub(super) hosts: BTreeSet<HostNumber>,
    /// The instant that was counted, and the time around it for which the same is true.
    pub(super) at: Seconds,
    pub(super) interval: Interval,
    pub(super) members: Vec<Member<'a>>,
    /// What everything but the request needs at the instant, what no member stands for included.
    pub(super) others: u64,
    /// Whether the instances are the request's.
    pub(super) own: bool,
}

/// Looks at the hosts that suit requested reservations, when anything begins.
pub(super) fn of_request<'a>(world: &World<'a>) -> Option<Apart<'a>> {
    if !world.demands.iter().any(Demand::is_apart) {
        return None;
    }
    let mut sets = shortage::suitable(world).into_iter();
    sets.find_map(|hosts| {
        let instants = |at: &Seconds| {
            let mut requested = world.demands[..world.requested].iter();
            requested.any(|demand| demand.occupation.contains(*at))
        };
        of_hosts(world, &hosts, &instants)
    })
}

/// Looks at these hosts, when anything begins at an instant that is wanted.
fn of_hosts<'a>(
    world: &World<'a>,
    hosts: &BTreeSet<HostNumber>,
    wanted: &dyn Fn(&Seconds) -> bool,
) -> Option<Apart<'a>> {
    let confined = shortage::confined(world, hosts);
    let apart = || confined.iter().filter(|confined| confined.demand.is_apart());
    let mut starts: BTreeSet<Seconds> = confined
        .iter()
        .map(|confined| confined.demand.occupation.start)
        .collect();
    for &host in hosts {
        starts.extend(world.places[host].fixed.iter().map(|fixed| fixed.interval.start));
    }
    let whole = whole_hosts(world, hosts, &confined);
    let mut worst: Option<(u64, Seconds, &Demand<'a>)> = None;
    for Confined { demand, .. } in apart() {
        let own = hosts_of(demand, hosts);
        for &at in starts
            .iter()
            .filter(|at| demand.occupation.contains(**at) && wanted(at))
        {
            let beside = whole.range(..=at).next_back().map_or(0, |(_, &count)| count);
            let excess = (own + beside).saturating_sub(hosts.len() as u64);
            if excess > worst.map_or(0, |(most, ..)| most) {
                worst = Some((excess, at, demand));
            }
        }
    }
    let (_, at, demand) = worst?;
    Some(at_instant(world, hosts, &confined, at, demand))
}

/// How many of these hosts a reservation needs whose instances stand apart, with those it keeps.
fn hosts_of(demand: &Demand<'_>, hosts: &BTreeSet<HostNumber>) -> u64 {
    let kept = demand.kept.keys().filter(|host| hosts.contains(host)).count();
    u64::from(demand.least) + kept as u64
}

/// How many of the hosts are needed whole, from each instant on until the next.
fn whole_hosts(
    world: &World<'_>,
    hosts: &BTreeSet<HostNumber>,
    confined: &[Confined<'_, '_>],
) -> BTreeMap<Seconds, u64> {
    let mut changes: BTreeMap<Seconds, (u64, u64)> = BTreeMap::new();
    let mut add = |interval: Interval, count: u64| {
        changes.entry(interval.start).or_default().0 += count;
        changes.entry(interval.end).or_default().1 += count;
    };
    for Confined { demand, .. } in confined.iter().filter(|confined| confined.demand.kind == Kind::Whole) {
        add(demand.occupation, u64::from(demand.least));
    }
    for &host in hosts {
        let fixed = world.places[host].fixed.iter();
        fixed
            .filter(|fixed| fixed.takes == Takes::Whole)
            .for_each(|fixed| add(fixed.interval, 1));
    }
    let mut count = 0;
    let counts = changes.into_iter().map(|(at, (more, less))| {
        count = count + more - less;
        (at, count)
    });
    counts.collect()
}

fn at_instant<'a>(
    world: &World<'a>,
    hosts: &BTreeSet<HostNumber>,
    confined: &[Confined<'_, 'a>],
    at: Seconds,
    apart: &Demand<'a>,
) -> Apart<'a> {
    let mut amounts: BTreeMap<&'a ReservationId, (u64, Interval)> = BTreeMap::new();
    let mut add = |reservation: &'a ReservationId, interval: Interval, count: u64| {
        amounts.entry(reservation).or_insert((0, interval)).0 += count;
    };
    add(apart.reservation, apart.occupation, hosts_of(apart, hosts));
    for Confined { demand, .. } in confined {
        if demand.kind == Kind::Whole && demand.occupation.contains(at) {
            add(demand.reservation, demand.occupation, u64::from(demand.least));
        }
    }
    for &host in hosts {
        let fixed = world.places[host].fixed.iter();
        for fixed in fixed.filter(|fixed| fixed.takes == Takes::Whole && fixed.interval.contains(at)) {
            add(fixed.reservation, fixed.interval, 1);
        }
    }
    let requested = &world.demands[..world.requested];
    let own = |reservation: &ReservationId| requested.iter().any(|demand| demand.reservation == reservation);
    let members: Vec<Member<'a>> = amounts
        .iter()
        .map(|(&reservation, &(amount, _))| Member {
            reservation,
            amount,
            kind: None,
            own: own(reservation),
        })
        .collect();
    let others = needed(members.iter().filter(|member| !member.own));
    let members = minimal(members, hosts.len() as u64);
    let intervals = members.iter().map(|member| amounts[member.reservation].1);
    let interval = intervals.fold(Interval::new(Seconds::MIN, Seconds::MAX), |all, other| {
        Interval::new(all.start.max(other.start), all.end.min(other.end))
    });
    Apart {
        hosts: hosts.clone(),
        at,
        interval,
        own: apart.requested && members.iter().any(|member| member.reservation == apart.reservation),
        others: u64::try_from(others).unwrap_or(u64::MAX),
        members,
    }
}
