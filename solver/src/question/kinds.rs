//! The classes of hosts a question tells apart, and how much of each is in use when.
//!
//! Invariant: two hosts of one kind satisfy the same live expressions and the ones asked about, and are
//! equal in zone, rack, blocks, reservability and capacity: what moves are counted between. With
//! [`Split::OnlyKept`] a host that a pending promise may only keep because it holds it already is a kind of
//! its own, so that a promise may use all hosts of a kind or none.

use std::collections::{BTreeSet, HashMap};

use crate::model::{Host, HostId, Interval, Reservation, Resource, Seconds};
use crate::planner::Planner;
use crate::predicate::Predicate;

/// A kind's number.
pub(super) type KindNumber = usize;

/// How fine the kinds are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    /// As moves are counted.
    Classes,
    /// Besides, hosts that only whoever holds them may use stand alone.
    OnlyKept,
}

/// Hosts that no reservation can tell apart.
pub(super) struct Kind<'a> {
    /// One of them; the others are equal in all that is read of it here.
    pub(super) host: &'a Host,
    /// Whether they satisfy each predicate of [`Kinds::predicates`].
    truth: Vec<bool>,
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
    pub(super) all: Vec<Kind<'a>>,
    of: HashMap<&'a HostId, KindNumber>,
    predicates: HashMap<&'a Predicate, usize>,
}

/// A promise whose hosts may be chosen anew.
pub(super) struct Pending<'a> {
    pub(super) held: &'a Reservation,
    /// How many hosts it holds of each kind.
    pub(super) counts: Vec<(KindNumber, i64)>,
}

impl<'a> Kinds<'a> {
    /// The kinds at `now`, with `asked` told apart besides the expressions alive.
    pub(super) fn new(planner: &'a Planner, asked: &[&'a Predicate], now: Seconds, split: Split) -> Self {
        let mut predicates: HashMap<&Predicate, usize> = HashMap::new();
        let alive = planner.leases().flat_map(|lease| &lease.reservations);
        let alive = alive.filter(|held| held.window.end > now);
        for predicate in asked.iter().copied().chain(alive.map(|held| held.predicate.as_ref())) {
            let next = predicates.len();
            predicates.entry(predicate).or_insert(next);
        }
        let mut list: Vec<(usize, &Predicate)> = predicates
            .iter()
            .map(|(&predicate, &number)| (number, predicate))
            .collect();
        list.sort_unstable_by_key(|&(number, _)| number);
        let only_kept = match split {
            Split::Classes => BTreeSet::new(),
            Split::OnlyKept => only_kept(planner, now),
        };
        let mut numbers = HashMap::new();
        let mut kinds = Self {
            all: Vec::new(),
            of: HashMap::new(),
            predicates,
        };
        for carried in planner.hosts.values() {
            let host = carried.host.as_ref();
            let truth: Vec<bool> = list.iter().map(|(_, predicate)| host.matches(predicate)).collect();
            let alone = only_kept.contains(&host.id).then_some(&host.id);
            let key = (
                truth.clone(),
                (&host.zone, &host.rack, &host.blocks, host.reservable, &host.capacity),
                alone,
            );
            let number = *numbers.entry(key).or_insert_with(|| {
                kinds.all.push(Kind {
                    host,
                    truth,
                    load: Load::default(),
                });
                kinds.all.len() - 1
            });
            kinds.of.insert(&host.id, number);
            let load = &mut kinds.all[number].load;
            load.count += 1;
            let occupations = carried.occupations.iter().map(|taken| taken.interval);
            let shares = union(carried.shares.iter().map(|share| share.taken.interval).collect());
            for interval in occupations.chain(shares) {
                load.steps.push((interval.start, 1));
                load.steps.push((interval.end, -1));
            }
        }
        for kind in &mut kinds.all {
            kind.load.steps = running(std::mem::take(&mut kind.load.steps));
        }
        kinds
    }

    /// Whether hosts of a kind satisfy a predicate that is alive or asked about.
    pub(super) fn matches(&self, kind: KindNumber, predicate: &Predicate) -> bool {
        let number = self.predicates.get(predicate);
        number.is_some_and(|&number| self.all[kind].truth[number])
    }

    /// Whether hosts of a kind suit new work.
    pub(super) fn suits(&self, kind: KindNumber, predicate: &Predicate, window: Interval) -> bool {
        let host = self.all[kind].host;
        host.reservable && self.matches(kind, predicate) && host.in_service(window)
    }

    /// The promises of whole hosts that may be chosen anew.
    pub(super) fn pending(&self, planner: &'a Planner, now: Seconds) -> Vec<Pending<'a>> {
        let held = planner.leases().flat_map(|lease| &lease.reservations);
        let free = held.filter(|held| held.resource == Resource::Host && !held.is_fixed(now, planner.freeze));
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
        .collect()
    }

    /// Whether a pending promise may use hosts of a kind.
    pub(super) fn permits(&self, pending: &Pending<'_>, kind: KindNumber) -> bool {
        self.suits(kind, &pending.held.predicate, pending.held.window)
            || pending.counts.iter().any(|&(held, _)| held == kind)
    }
}

impl Load {
    /// How many stay free throughout an interval if only exchanges inside the kind are made, and the
    /// first start from which on an equally long interval could leave more free.
    pub(super) fn room(&self, during: Interval) -> (i64, Seconds) {
        let (mut greatest, mut relaxes) = (0, Seconds::MAX);
        let begun = self.steps.partition_point(|&(from, _)| from <= during.start);
        let first = begun.saturating_sub(1);
        for (position, &(from, load)) in self.steps.iter().enumerate().skip(first) {
            if from >= during.end {
                break;
            }
            if load > 0 && load >= greatest {
                let until = self.steps.get(position + 1).map_or(Seconds::MAX, |next| next.0);
                (greatest, relaxes) = (load, until);
            }
        }
        (self.count - greatest, relaxes)
    }
}

/// Hosts that a pending promise holds although they do not suit it any more.
fn only_kept(planner: &Planner, now: Seconds) -> BTreeSet<&HostId> {
    let held = planner.leases().flat_map(|lease| &lease.reservations);
    let free = held.filter(|held| held.resource == Resource::Host && !held.is_fixed(now, planner.freeze));
    free.flat_map(|held| {
        let unsuitable = move |id: &&HostId| {
            let host = planner.host(id);
            host.is_some_and(|host| !host.suits(&held.predicate, held.window))
        };
        held.holds.iter().filter(unsuitable)
    })
    .collect()
}

/// The instants that lie in any of the intervals, as disjoint intervals.
fn union(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_unstable();
    let mut disjoint: Vec<Interval> = Vec::with_capacity(intervals.len());
    for interval in intervals {
        match disjoint.last_mut() {
            Some(last) if interval.start <= last.end => last.end = last.end.max(interval.end),
            _ => disjoint.push(interval),
        }
    }
    disjoint
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
