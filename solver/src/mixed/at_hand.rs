//! The hosts a request may use, with everything that stands on them staying there: all that is needed to
//! see whether there is room as things stand, and no lease is read for it.
//!
//! Invariant: nothing pending is a demand here, so an answer has no moves, and not finding one says
//! nothing.

use std::collections::BTreeMap;

use super::resource_classes::ResourceClasses;
use super::world::{Counts, Demand, Fixed, Place, Takes, World, kept_on, times};
use crate::hosts::HostNumber;
use crate::index::IndexClass;
use crate::model::{HostId, Request, Resource, Seconds};
use crate::planner::Planner;
use crate::request::Ask;

/// The world of these hosts.
pub(super) fn world<'a>(planner: &'a Planner, asks: &[Ask<'a>], request: &Request, now: Seconds) -> World<'a> {
    let index = planner.index();
    let asks: Vec<&Ask<'a>> = asks
        .iter()
        .filter(|ask| !matches!(ask.asked.resource, Resource::Units(_)))
        .collect();
    let eligible: Vec<_> = asks.iter().map(|ask| planner.eligible(&ask.asked.predicate)).collect();
    let mut hosts: BTreeMap<HostNumber, IndexClass> = BTreeMap::new();
    for &class in eligible.iter().flatten().flat_map(|eligible| &eligible.classes) {
        let class = class as IndexClass;
        hosts.extend(index.hosts_of(class).iter().map(|&host| (host as HostNumber, class)));
    }
    let named = asks.iter().flat_map(|ask| ask.kept.iter().chain(ask.before));
    let named = named.filter_map(|host| planner.hosts.number(host));
    hosts.extend(named.map(|host| (host, index.class_of(host))));
    let mut numbers: BTreeMap<IndexClass, usize> = BTreeMap::new();
    let mut truth = Vec::new();
    let mut class_of = Vec::with_capacity(hosts.len());
    for &class in hosts.values() {
        class_of.push(*numbers.entry(class).or_insert_with(|| {
            let admits = eligible
                .iter()
                .map(|eligible| eligible.is_some_and(|eligible| eligible.admits(class)));
            truth.push(admits.collect());
            truth.len() - 1
        }));
    }
    let small: BTreeMap<HostNumber, HostNumber> =
        hosts.keys().enumerate().map(|(small, &host)| (host, small)).collect();
    let counts = |holds: &[HostId]| -> Counts {
        let held = holds.chunk_by(|one, other| one == other);
        let counts = held.filter_map(|held| {
            let host = small.get(&planner.hosts.number(&held[0])?)?;
            Some((*host, u32::try_from(held.len()).unwrap_or(u32::MAX)))
        });
        counts.collect()
    };
    let classes = ResourceClasses::asked(&asks);
    let demands: Vec<Demand<'a>> = asks
        .iter()
        .enumerate()
        .map(|(number, ask)| Demand {
            reservation: &ask.asked.id,
            window: ask.asked.window,
            occupation: ask.asked.occupation(),
            kind: classes.kind(&ask.asked.resource),
            predicate: number,
            least: ask.least,
            most: ask.most,
            holds: Counts::new(),
            likes: counts(ask.before),
            kept: counts(ask.kept),
            requested: true,
        })
        .collect();
    let mut places = Vec::with_capacity(hosts.len());
    for (number, carried) in hosts.keys().filter_map(|&host| planner.hosts.at(host)).enumerate() {
        let mut fixed = kept_on(&demands, number);
        let wholes = carried.occupations.iter().map(|taken| (taken, None));
        let shares = carried.shares.iter().map(|share| (&share.taken, Some(share)));
        for (taken, share) in wholes.chain(shares) {
            if taken.interval.end > now && !Ask::frees(request, taken, now) {
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
    World {
        places,
        requested: demands.len(),
        demands,
        class_of,
        truth,
        resource_classes: classes.names,
    }
}
