//! Why not: instances that may not share a host need more hosts at one instant than whole hosts leave.
//!
//! Invariant: where this finds an instant, `whole` finds the fewest members. At it, reservations that can use none but
//! some hosts, fixed ones that occupy some of them whole, and one reservation of instances of which each needs a host
//! of its own, need more of these hosts together than there are.

use std::collections::{BTreeMap, BTreeSet};

use super::shortage::{self, Confined};
use super::whole;
use super::world::{Demand, Kind, Takes, World};
use crate::deadline::Deadline;
use crate::decision::Conflict;
use crate::hosts::HostNumber;
use crate::model::{Interval, Seconds};

/// Looks at the hosts that suit requested reservations, when anything begins.
pub(super) fn of_request(world: &World<'_>, deadline: &Deadline) -> Option<Conflict> {
    if !world.demands.iter().any(Demand::is_apart) {
        return None;
    }
    let mut sets = shortage::suitable(world).into_iter();
    sets.find_map(|hosts| {
        let instants = |at: &Seconds| {
            let mut requested = world.demands[..world.requested].iter();
            requested.any(|demand| demand.occupation.contains(*at))
        };
        of_hosts(world, &hosts, &instants, deadline)
    })
}

/// Looks at these hosts, when anything begins at an instant that is wanted.
fn of_hosts(
    world: &World<'_>,
    hosts: &BTreeSet<HostNumber>,
    wanted: &dyn Fn(&Seconds) -> bool,
    deadline: &Deadline,
) -> Option<Conflict> {
    let confined = shortage::confined(world, hosts, deadline);
    let apart = || confined.iter().filter(|confined| confined.demand.is_apart());
    let mut starts: BTreeSet<Seconds> = confined
        .iter()
        .map(|confined| confined.demand.occupation.start)
        .collect();
    for &host in hosts {
        starts.extend(world.places[host].fixed.iter().map(|fixed| fixed.interval.start));
    }
    let whole = whole_hosts(world, hosts, &confined);
    let mut worst: Option<(u64, Seconds, &Demand<'_>)> = None;
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
    whole::at_instant(world, at, Some(demand), deadline)
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
