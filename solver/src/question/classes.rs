//! The classes between which moves are counted, as far as one reservation may use them.
//!
//! Invariant: two hosts are of one class here exactly if the decision counts no move between them: they
//! satisfy the same expressions among those alive and those of the request, and are equal in zone, rack,
//! blocks, reservability and capacity. The planner's index may be finer, so its classes are joined.

use std::collections::{BTreeMap, BTreeSet};

use super::kinds::{Load, running};
use crate::hosts::HostNumber;
use crate::index::{IndexClass, PredicateNumber};
use crate::model::{Interval, Request, RequestedReservation, Seconds};
use crate::planner::Planner;

/// A class that satisfies a reservation's expression and takes new work.
pub(super) struct Class {
    /// How many hosts it has and how many are in use.
    pub(super) load: Load,
    /// When its hosts are out of service.
    pub(super) blocks: Vec<Interval>,
}

/// The classes for one reservation of a request whose expressions the planner knows. Loads are those
/// within an interval.
pub(super) fn classes(
    planner: &Planner,
    request: &Request,
    asked: &RequestedReservation,
    now: Seconds,
    within: Interval,
) -> Vec<Class> {
    let index = planner.index();
    let Some(eligible) = planner.eligible(&asked.predicate) else {
        return Vec::new();
    };
    let expressions = expressions(planner, request, now);
    let truth = |class: IndexClass| -> Vec<bool> {
        let admits = |&number: &PredicateNumber| index.eligible(number).is_some_and(|eligible| eligible.admits(class));
        expressions.iter().map(admits).collect()
    };
    let mut joined: BTreeMap<(u32, Vec<bool>), Vec<IndexClass>> = BTreeMap::new();
    for &class in &eligible.classes {
        let class = class as IndexClass;
        joined
            .entry((index.kind_of(class), truth(class)))
            .or_default()
            .push(class);
    }
    let class = |parts: &Vec<IndexClass>| {
        let mut changes = Vec::new();
        let mut count = 0;
        for &part in parts {
            let hosts = index.hosts_of(part);
            count += i64::try_from(hosts.len()).unwrap_or(i64::MAX);
            let mut load = 0;
            let first = (within.start, index.used_at(part, within.start));
            for (at, used) in std::iter::once(first).chain(index.steps(part, within)) {
                changes.push((at, i64::from(used) - load));
                load = i64::from(used);
            }
        }
        let first = parts.first().and_then(|&part| index.hosts_of(part).first());
        let first = first.and_then(|&host| planner.hosts.at(host as HostNumber));
        Class {
            load: Load {
                count,
                steps: running(changes),
            },
            blocks: first.map_or_else(Vec::new, |carried| carried.host.blocks.clone()),
        }
    };
    joined.values().map(class).collect()
}

/// The expressions alive and those of the request, by number.
fn expressions(planner: &Planner, request: &Request, now: Seconds) -> BTreeSet<PredicateNumber> {
    let mut alive = vec![false; planner.predicate_numbers()];
    for stored in planner.stored() {
        for (held, part) in stored.lease.reservations.iter().zip(&stored.parts) {
            if let Some(alive) = alive.get_mut(part.predicate as usize) {
                *alive |= held.window.end > now;
            }
        }
    }
    let alive = (0..).zip(alive).filter(|&(_, alive)| alive).map(|(number, _)| number);
    let asked = request
        .reservations
        .iter()
        .filter_map(|asked| planner.predicate_number(&asked.predicate));
    alive.chain(asked).collect()
}
