//! A failure in a filled fleet, and upstream's rule for it.
//!
//! Invariant: what is compared starts from the same promises and the same failed hosts; neither way overbooks a host.

use std::collections::{BTreeMap, BTreeSet};

use solver::model::{Host, HostId, Interval};
use solver::planner::{Planner, StateError};

use crate::fleet::Filled;

/// Hosts that fail together, and what stands on them.
pub struct Failure {
    /// The hosts.
    pub hosts: BTreeSet<HostId>,
    /// Leases that hold one of them now or later.
    pub affected: usize,
}

/// What a way of healing came to, in hosts of reservations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Healing {
    /// Exchanged for others.
    pub moved: usize,
    /// Lost for good.
    pub lost: usize,
}

/// The busiest hosts, as few as affect `wanted` leases; all if there are not so many.
pub fn failure(filled: &Filled, wanted: usize) -> Failure {
    let mut by_host: BTreeMap<HostId, BTreeSet<usize>> = BTreeMap::new();
    for (number, lease) in filled.leases.iter().enumerate() {
        let parts = lease.reservations.iter().filter(|part| part.window.end > filled.now);
        for host in parts.flat_map(|part| &part.holds) {
            by_host.entry(host.clone()).or_default().insert(number);
        }
    }
    let mut busiest: Vec<(HostId, BTreeSet<usize>)> = by_host.into_iter().collect();
    busiest.sort_by(|one, other| other.1.len().cmp(&one.1.len()).then_with(|| one.0.cmp(&other.0)));
    let (mut hosts, mut affected) = (BTreeSet::new(), BTreeSet::new());
    for (host, leases) in busiest {
        if affected.len() >= wanted {
            break;
        }
        hosts.insert(host);
        affected.extend(leases);
    }
    Failure {
        hosts,
        affected: affected.len(),
    }
}

/// The planner of a fleet in which these hosts have failed.
///
/// # Errors
/// When the fleet contradicts itself, which is a defect.
pub fn after(filled: &Filled, failure: &Failure) -> Result<Planner, StateError> {
    let mut planner = filled.planner()?;
    for host in filled.hosts.iter().filter(|host| failure.hosts.contains(&host.id)) {
        planner.put_host(Host {
            reservable: false,
            ..host.clone()
        });
    }
    Ok(planner)
}

/// Upstream's rule: lease by lease, host by host, the first host that suits and is free; nothing else is moved.
pub fn one_by_one(filled: &Filled, failure: &Failure) -> Healing {
    let mut occupied: BTreeMap<&HostId, Vec<Interval>> = BTreeMap::new();
    for part in filled.leases.iter().flat_map(|lease| &lease.reservations) {
        for host in &part.holds {
            occupied.entry(host).or_default().push(part.occupation());
        }
    }
    let mut healing = Healing { moved: 0, lost: 0 };
    for part in filled.leases.iter().flat_map(|lease| &lease.reservations) {
        if part.window.end <= filled.now {
            continue;
        }
        let window = Interval::new(part.window.start.max(filled.now), part.window.end);
        let during = Interval::new(window.start, part.occupation().end);
        let mut own: BTreeSet<HostId> = part.holds.iter().cloned().collect();
        for _ in part.holds.iter().filter(|host| failure.hosts.contains(*host)) {
            let suits = |host: &&Host| {
                let is_free = |taken: &Vec<Interval>| !taken.iter().any(|taken| taken.overlaps(&during));
                !failure.hosts.contains(&host.id)
                    && !own.contains(&host.id)
                    && host.reservable
                    && host.in_service(window)
                    && part.predicate.matches(&|name| host.lookup(name))
                    && occupied.get(&host.id).is_none_or(is_free)
            };
            match filled.hosts.iter().find(suits) {
                Some(host) => {
                    occupied.entry(&host.id).or_default().push(during);
                    own.insert(host.id.clone());
                    healing.moved += 1;
                }
                None => healing.lost += 1,
            }
        }
    }
    healing
}

/// What the solver's answer comes to.
pub fn together(healed: &solver::heal::Healed) -> Healing {
    Healing {
        moved: healed.moves.iter().map(|change| change.to.len()).sum(),
        lost: healed.unkept.iter().map(|unkept| unkept.missing as usize).sum(),
    }
}
