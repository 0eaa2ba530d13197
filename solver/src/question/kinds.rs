//! The classes of hosts a question tells apart, and how much of each is in use when.
//!
//! Invariant: two hosts of one kind satisfy the same live expressions and the ones asked about, and are
//! equal in zone, rack, blocks, reservability and capacity; a host that a pending promise may only keep
//! because it holds it already is a kind of its own. So a promise may use all hosts of a kind or none.

use std::collections::{BTreeSet, HashMap};

use crate::index::IndexClass;
use crate::model::{Host, HostId, Reservation, Resource, Seconds};
use crate::planner::Planner;
use crate::predicate::Predicate;

/// A kind's number.
pub(super) type KindNumber = usize;

/// Hosts that no reservation can tell apart.
pub(super) struct Kind<'a> {
    /// One of them; the others are equal in all that is read of it here.
    pub(super) host: &'a Host,
    /// Their class in the planner's index.
    class: IndexClass,
    /// How many there are and how many are in use.
    pub(super) load: Load,
}

/// How many hosts of a kind there are, and how many are in use when.
#[derive(Debug, Clone, Default)]
pub(super) struct Load {
    /// How many there are.
    pub(super) count: i64,
    /// From which instant on how many of them are in use, ascending; none are before the first.
    pub(super) steps: Vec<(Seconds, i64)>,
}

/// All of them.
pub(super) struct Kinds<'a> {
    planner: &'a Planner,
    pub(super) all: Vec<Kind<'a>>,
    of: HashMap<&'a HostId, KindNumber>,
}

/// A promise whose hosts may be chosen anew.
pub(super) struct Pending<'a> {
    pub(super) held: &'a Reservation,
    /// How many hosts it holds of each kind.
    pub(super) counts: Vec<(KindNumber, i64)>,
}

impl<'a> Kinds<'a> {
    /// The kinds at `now`.
    pub(super) fn new(planner: &'a Planner, now: Seconds) -> Self {
        let index = planner.index();
        let only_kept = only_kept(planner, now);
        let mut numbers: HashMap<(IndexClass, Option<&HostId>), KindNumber> = HashMap::new();
        let mut kinds = Self {
            planner,
            all: Vec::new(),
            of: HashMap::new(),
        };
        for (place, carried) in planner.hosts.values().enumerate() {
            let host = carried.host.as_ref();
            let class = index.class_of(place);
            let alone = only_kept.contains(&host.id).then_some(&host.id);
            let number = *numbers.entry((class, alone)).or_insert_with(|| {
                kinds.all.push(Kind {
                    host,
                    class,
                    load: Load::default(),
                });
                kinds.all.len() - 1
            });
            kinds.of.insert(&host.id, number);
            let load = &mut kinds.all[number].load;
            load.count += 1;
            for interval in carried.used() {
                load.steps.push((interval.start, 1));
                load.steps.push((interval.end, -1));
            }
        }
        for kind in &mut kinds.all {
            kind.load.steps = running(std::mem::take(&mut kind.load.steps));
        }
        kinds
    }

    /// The kinds that satisfy a predicate the planner knows.
    pub(super) fn matching(&self, predicate: &Predicate) -> Vec<KindNumber> {
        let Some(eligible) = self.planner.eligible(predicate) else {
            return Vec::new();
        };
        let kinds = self.all.iter().enumerate();
        let matching = kinds.filter(|(_, kind)| eligible.admits(kind.class));
        matching.map(|(number, _)| number).collect()
    }

    /// The promises of whole hosts that may be chosen anew.
    pub(super) fn pending(&self, now: Seconds) -> impl Iterator<Item = Pending<'a>> {
        let planner = self.planner;
        let held = planner.leases().flat_map(|lease| &lease.reservations);
        let free = held.filter(move |held| held.resource == Resource::Host && !held.is_fixed(now, planner.freeze));
        free.map(|held| {
            let mut numbers: Vec<KindNumber> = held.holds.iter().filter_map(|id| self.of.get(id).copied()).collect();
            numbers.sort_unstable();
            let counts = numbers.chunk_by(|one, other| one == other);
            let counts = counts.filter_map(|same| Some((*same.first()?, i64::try_from(same.len()).ok()?)));
            Pending {
                held,
                counts: counts.collect(),
            }
        })
    }

    /// The kinds a pending promise may use, ascending.
    pub(super) fn usable(&self, pending: &Pending<'_>) -> Vec<KindNumber> {
        let eligible = self.planner.eligible(&pending.held.predicate);
        let suits = |kind: &Kind<'_>| {
            kind.host.reservable
                && eligible.is_some_and(|eligible| eligible.admits(kind.class))
                && kind.host.in_service(pending.held.window)
        };
        let holds = |number: KindNumber| pending.counts.iter().any(|&(held, _)| held == number);
        let kinds = self.all.iter().enumerate();
        let usable = kinds.filter(|&(number, kind)| suits(kind) || holds(number));
        usable.map(|(number, _)| number).collect()
    }
}

/// Hosts that a pending promise holds although they do not suit it any more.
fn only_kept(planner: &Planner, now: Seconds) -> BTreeSet<&HostId> {
    let held = planner.leases().flat_map(|lease| &lease.reservations);
    let free = held.filter(|held| held.resource == Resource::Host && !held.is_fixed(now, planner.freeze));
    let index = planner.index();
    free.flat_map(|held| {
        let eligible = planner.eligible(&held.predicate);
        let unsuitable = move |id: &&HostId| {
            planner.hosts.number(id).is_some_and(|number| {
                let admits = eligible.is_some_and(|eligible| eligible.admits(index.class_of(number)));
                let takes = || {
                    planner
                        .hosts
                        .at(number)
                        .is_some_and(|carried| carried.host.takes(held.window))
                };
                !(admits && takes())
            })
        };
        held.holds.iter().filter(unsuitable)
    })
    .collect()
}

/// The running sum of changes, at each instant at which it changes.
fn running(mut changes: Vec<(Seconds, i64)>) -> Vec<(Seconds, i64)> {
    changes.sort_unstable();
    let mut loads: Vec<(Seconds, i64)> = Vec::new();
    let mut load = 0;
    for same in changes.chunk_by(|one, other| one.0 == other.0) {
        let change: i64 = same.iter().map(|(_, change)| change).sum();
        load += change;
        if change != 0 {
            loads.push((same[0].0, load));
        }
    }
    loads
}
