//! What a decision can reach: hosts that somebody may be sent to and when, and the promises that may have to make room.
//!
//! Invariant: a promise that may move and holds hosts of a reached class within the time that class is reached in is
//! reached itself, and so is every class it may be sent to or stands in, while it lasts. So nothing that is reached can
//! meet a promise that is not, whatever is decided: all others stay where they are.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::decision::Conflict;
use crate::hosts::{HostNumber, ReservationNumber};
use crate::index::{Held, Holder, Index, IndexClass, PredicateNumber};
use crate::model::{Interval, Request, ReservationId, Resource, Seconds};
use crate::planner::Planner;
use crate::request::Ask;

/// What a request reaches, found when it is first asked for.
pub(crate) struct Reach<'a> {
    planner: &'a Planner,
    asks: &'a [Ask<'a>],
    request: &'a Request,
    now: Seconds,
    found: OnceCell<Reached>,
}

/// Classes and promises that are reached.
#[derive(Default)]
pub(crate) struct Reached {
    /// By class of the index: when somebody may come to its hosts; `None`: never.
    spans: Vec<Option<Interval>>,
    /// The promises that may be put elsewhere.
    pending: HashSet<ReservationNumber>,
    /// Whether one of them is of instances.
    pub(crate) has_instances: bool,
}

impl<'a> Reach<'a> {
    /// What a request reaches on a planner that knows its expressions (see [`Planner::knowing`]).
    pub(crate) const fn new(planner: &'a Planner, asks: &'a [Ask<'a>], request: &'a Request, now: Seconds) -> Self {
        Self {
            planner,
            asks,
            request,
            now,
            found: OnceCell::new(),
        }
    }

    /// Which promised instances are left aside where whole hosts are decided: all but those that stand alone by the
    /// resource class of which most of them do. `None`: there are no instances.
    pub(crate) fn aside(&self) -> Option<Aside> {
        if !self.has_instances() {
            return None;
        }
        let mut counts: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for held in self.reached().pending(self.planner.index()) {
            for class in held.alone() {
                *counts.entry(class).or_default() += 1;
            }
        }
        let most = counts.into_iter().max_by_key(|&(class, count)| (count, Reverse(class)));
        Some(Aside {
            unless: most.map(|(class, _)| Arc::clone(class)),
        })
    }

    /// Whether promised instances that may move are among those who compete. A count of hosts does not tell why, then.
    pub(crate) fn names_instances(&self, conflict: &Conflict) -> bool {
        let index = self.planner.index();
        self.has_instances() && {
            let named: HashSet<&ReservationId> = conflict.reservations.iter().collect();
            let mut pending = self.reached().pending.iter().filter_map(|&number| index.held(number));
            pending.any(|held| held.reservation().resource != Resource::Host && named.contains(&held.id))
        }
    }

    /// Whether promised instances may have to make room.
    pub(crate) fn has_instances(&self) -> bool {
        self.planner.may_move_instances(self.now) && self.reached().has_instances
    }

    /// Whether the hosts of a class are equal to all who may come to them: no work that stays begins after `start` as
    /// long as somebody may be there, nor work that may move before `movable`.
    pub(crate) fn is_even(&self, class: IndexClass, start: Seconds, movable: Seconds) -> bool {
        let holders = self.planner.index().holders(class);
        holders.is_even(start, movable, Seconds::MAX, false)
            || (self.reached().span(class)).is_some_and(|span| holders.is_even(start, movable, span.end, false))
    }

    /// What is reached.
    pub(crate) fn reached(&self) -> &Reached {
        self.found.get_or_init(|| {
            let freed = Ask::freed(self.planner, self.request, self.now);
            let mut spreading = Spreading::new(self.planner, self.now, &freed);
            let on_hosts = |ask: &&Ask<'_>| !matches!(ask.asked.resource, Resource::Units(_));
            for ask in self.asks.iter().filter(on_hosts) {
                let occupation = ask.asked.occupation();
                let predicate = self.planner.predicate_number(&ask.asked.predicate);
                predicate
                    .into_iter()
                    .for_each(|number| spreading.send(number, occupation));
                // Promises may stand where the request keeps hosts.
                for host in ask.kept.iter().filter_map(|id| self.planner.hosts.number(id)) {
                    spreading.enter(self.planner.index().class_of(host), occupation);
                }
            }
            spreading.spread()
        })
    }
}

impl Reached {
    /// When somebody may come to hosts of a class.
    pub(crate) fn span(&self, class: IndexClass) -> Option<Interval> {
        self.spans.get(class).copied().flatten()
    }

    /// The classes that are reached.
    pub(crate) fn classes(&self) -> impl Iterator<Item = IndexClass> {
        (0..self.spans.len()).filter(|&class| self.spans[class].is_some())
    }

    /// Whether a promise may have to be put elsewhere.
    pub(crate) fn contains(&self, number: ReservationNumber) -> bool {
        self.pending.contains(&number)
    }

    /// The promises that may have to be put elsewhere, by lease.
    pub(crate) fn pending<'i>(&self, index: &'i Index) -> Vec<&'i Held> {
        let mut pending: Vec<&Held> = self.pending.iter().filter_map(|&number| index.held(number)).collect();
        pending.sort_unstable_by_key(|held| held.order());
        pending
    }
}

/// Which promised instances are left aside.
#[derive(Debug, Clone)]
pub(crate) struct Aside {
    /// Those that stand alone by this resource class are not: each of them needs a host as whole-host work does.
    unless: Option<Arc<str>>,
}

impl Aside {
    /// Whether a promise of instances is left aside.
    pub(crate) fn leaves_out(&self, held: &Held) -> bool {
        !self.unless.as_ref().is_some_and(|class| held.stands_alone(class))
    }
}

/// Reaching under way.
pub(crate) struct Spreading<'a> {
    index: &'a Index,
    /// What starts earlier does not move.
    movable: Seconds,
    freed: &'a [ReservationNumber],
    spans: Vec<Option<Interval>>,
    /// By expression: when somebody who has it was sent.
    sent: HashMap<PredicateNumber, Interval>,
    /// Classes whose time was extended.
    grown: BTreeSet<IndexClass>,
    pending: HashSet<ReservationNumber>,
    has_instances: bool,
}

impl<'a> Spreading<'a> {
    /// Nothing is reached yet. What is `freed` holds nothing.
    pub(crate) fn new(planner: &'a Planner, now: Seconds, freed: &'a [ReservationNumber]) -> Self {
        let index = planner.index();
        Self {
            index,
            movable: planner.movable_from(now),
            freed,
            spans: vec![None; index.classes()],
            sent: HashMap::new(),
            grown: BTreeSet::new(),
            pending: HashSet::new(),
            has_instances: false,
        }
    }

    /// Somebody with this expression may come during an interval.
    pub(crate) fn send(&mut self, predicate: PredicateNumber, during: Interval) {
        let before = self.sent.get(&predicate).copied();
        let all = before.map_or(during, |before| hull(before, during));
        if before == Some(all) {
            return;
        }
        self.sent.insert(predicate, all);
        for &class in self
            .index
            .eligible(predicate)
            .into_iter()
            .flat_map(|eligible| &eligible.classes)
        {
            self.enter(class as IndexClass, during);
        }
    }

    /// Somebody may be on hosts of a class during an interval.
    pub(crate) fn enter(&mut self, class: IndexClass, during: Interval) {
        let before = self.spans[class];
        let all = before.map_or(during, |before| hull(before, during));
        if before != Some(all) {
            self.spans[class] = Some(all);
            self.grown.insert(class);
        }
    }

    /// Reaches whoever may have to make room, and where they may go, until nobody is left.
    pub(crate) fn spread(mut self) -> Reached {
        let index = self.index;
        while let Some(class) = self.grown.pop_first() {
            let Some(span) = self.spans[class] else { continue };
            for holder in index.holders(class).within(span) {
                if self.may_move(holder) && self.pending.insert(holder.number) {
                    self.has_instances |= holder.instances;
                    self.send(holder.predicate, holder.interval);
                    let hosts = index.held(holder.number).map_or(&[][..], |held| held.hosts.as_slice());
                    for &host in hosts {
                        self.enter(index.class_of(host as HostNumber), holder.interval);
                    }
                }
            }
        }
        Reached {
            spans: self.spans,
            pending: self.pending,
            has_instances: self.has_instances,
        }
    }

    fn may_move(&self, holder: &Holder) -> bool {
        !holder.pinned && holder.interval.start >= self.movable && !self.freed.contains(&holder.number)
    }
}

fn hull(one: Interval, other: Interval) -> Interval {
    Interval::new(one.start.min(other.start), one.end.max(other.end))
}
