//! How many hosts of a kind are free at every instant of a range.
//!
//! Two counts for each instant: hosts free as the plan stands, and hosts that could be free if the pending promises
//! were chosen anew. The second is the value of a maximum flow at that instant: a promise leaves a matching host for a
//! free one it may use as well, possibly by way of another promise that does the same. Where instances stand that may
//! be put elsewhere, this is a lower bound; from there the planner is asked how many hosts could be had at the instant
//! if nothing but what is active then had ever been promised.
//!
//! Invariant: the first count is exact, and so is the second for each instant taken alone, unless the planner was not
//! asked, or left open, whether instances can be put together any closer: then it is a lower bound. A request that
//! lasts longer than an instant may get fewer; [`super::Question::most`] tells how many it gets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::amount::{Most, greatest, works};
use super::kinds::{KindNumber, Kinds};
use super::{Asked, Question};
use crate::model::{Interval, Request, RequestedReservation, Reservation, ReservationId, Resource, Seconds};
use crate::planner::Planner;
use crate::predicate::Predicate;

/// From one instant to the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When it begins.
    pub from: Seconds,
    /// Matching hosts that take new work and are in service.
    pub in_service: u32,
    /// Of these, hosts that nothing uses as the plan stands, nor has to be cleaned after. Hosts count as free between
    /// two leases however little time there is, even if it is too little for another lease and the cleaning after it.
    pub free: u32,
    /// Of these, hosts that could be free at this instant if pending promises were chosen anew: at least so many; see
    /// [`Availability`].
    pub free_with_moves: u32,
}

/// A step function of time.
///
/// It is exact for each instant taken alone, but for [`Step::free_with_moves`] where instances may be put together any
/// closer and one answer's effort does not suffice to tell: then that is a lower bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Availability {
    /// Its steps, ascending; neighbours differ.
    pub steps: Vec<Step>,
    /// First instant it says nothing about: the end of the range, or earlier if that took too many steps.
    pub until: Seconds,
    /// Hosts that satisfy the predicate, whether or not they take new work.
    pub matching: u32,
}

/// What happens to a kind at an instant.
struct Event {
    at: Seconds,
    kind: KindNumber,
    /// Hosts in use from here on, if that changes.
    in_use: Option<i64>,
    /// Change of the number that promises of this group hold.
    group: Option<(usize, i64)>,
}

impl Question<'_> {
    /// The hosts that satisfy `predicate`, over a range, in at most `most_steps` steps (at least one).
    pub fn availability(&self, predicate: &Predicate, range: Interval, most_steps: usize) -> Availability {
        if let Some(planner) = &self.planner.knowing(&asking(predicate, range)) {
            return Question { planner, ..*self }.availability(predicate, range, most_steps);
        }
        let kinds = Kinds::new(self.planner, self.now);
        let mut sweep = Sweep::new(self, &kinds, predicate, range);
        let mut packing = Packing::new(self, predicate);
        let mut steps: Vec<Step> = Vec::new();
        let mut from = range.start;
        while from < range.end {
            let next = sweep.advance(from).map_or(range.end, |next| next.min(range.end));
            let mut step = sweep.step(from);
            packing.improve(&mut step);
            let differs = steps.last().is_none_or(|last| Step { from, ..*last } != step);
            let is_over = !steps.is_empty() && self.deadline.is_over();
            if is_over || differs && steps.len() >= most_steps.max(1) {
                return sweep.answer(steps, from);
            }
            if differs {
                steps.push(step);
            }
            from = next;
        }
        sweep.answer(steps, range.end)
    }
}

/// Most pairs of a host and a reservation that are looked at, over all steps of one answer, to put instances together.
const MOST_PAIRS: usize = 1_000_000;

/// Puts instances together that may be put elsewhere, as far as the effort of one answer goes.
struct Packing<'q, 'a> {
    question: &'q Question<'a>,
    predicate: &'q Predicate,
    /// When instances stand somewhere that may be put elsewhere.
    waiting: Vec<Interval>,
    decisions: u32,
    pairs: usize,
}

impl<'q, 'a> Packing<'q, 'a> {
    fn new(question: &'q Question<'a>, predicate: &'q Predicate) -> Self {
        let movable = question.planner.movable(question.now);
        let waiting = movable.filter(|held| held.resource != Resource::Host);
        Self {
            question,
            predicate,
            waiting: waiting.map(Reservation::occupation).collect(),
            decisions: question.decisions,
            pairs: MOST_PAIRS,
        }
    }

    /// Counts the hosts that could be free with it at the beginning of a step.
    fn improve(&mut self, step: &mut Step) {
        let known = Most {
            hosts: step.free_with_moves,
            at_most: step.in_service,
        };
        let is_there = |during: &Interval| during.contains(step.from);
        if known.is_proved() || self.decisions == 0 || !self.waiting.iter().any(is_there) {
            return;
        }
        let planner = self.question.planner;
        let held = planner.leases().flat_map(|lease| &lease.reservations);
        let active = held.filter(|held| held.occupation().contains(step.from)).count();
        let Some(left) = self.pairs.checked_sub(active.saturating_mul(planner.hosts.len())) else {
            return;
        };
        self.pairs = left;
        let Some(planner) = at_instant(planner, step.from) else {
            return;
        };
        let mut asked = Asked {
            question: Question {
                planner: &planner,
                ..*self.question
            },
            left: self.decisions,
        };
        let request = asking(self.predicate, Interval::new(step.from, step.from.saturating_add(1)));
        step.free_with_moves = greatest(&mut asked, &request, 0, &[], known, works).hosts;
        self.decisions = asked.left;
    }
}

/// The planner without all that is not active at an instant.
fn at_instant(planner: &Planner, at: Seconds) -> Option<Planner> {
    let mut there = planner.clone();
    for lease in planner.leases() {
        let mut lease = lease.clone();
        let all = lease.reservations.len();
        lease.reservations.retain(|held| held.occupation().contains(at));
        if lease.reservations.is_empty() {
            there.remove_lease(&lease.id);
        } else if lease.reservations.len() < all {
            there.put_lease(lease).ok()?;
        }
    }
    Some(there)
}

/// A request for a host that satisfies the predicate.
fn asking(predicate: &Predicate, window: Interval) -> Request {
    let id: ReservationId = Arc::from("asked");
    Request {
        id: Arc::clone(&id),
        replaces: None,
        reservations: vec![RequestedReservation {
            id,
            resource: Resource::Host,
            window,
            cleaning: 0,
            min: 1,
            max: 1,
            predicate: Arc::new(predicate.clone()),
        }],
    }
}

/// The state at one instant, moved along time.
struct Sweep<'a> {
    kinds: &'a Kinds<'a>,
    /// Kinds that satisfy the predicate.
    matching: Vec<KindNumber>,
    /// What is still to come, earliest last.
    events: Vec<Event>,
    /// Hosts in use of each kind.
    in_use: Vec<i64>,
    /// Which kinds the promises of a group may use, ascending.
    eligible: Vec<Vec<KindNumber>>,
    /// How many hosts of each kind each group holds now.
    held: Vec<BTreeMap<KindNumber, i64>>,
}

impl<'a> Sweep<'a> {
    fn new(question: &Question<'_>, kinds: &'a Kinds<'a>, predicate: &Predicate, range: Interval) -> Self {
        let matching = kinds.matching(predicate);
        let mut events = Vec::new();
        for (kind, details) in kinds.all.iter().enumerate() {
            let loads = details.load.steps.iter();
            events.extend(loads.map(|&(at, load)| Event {
                at,
                kind,
                in_use: Some(load),
                group: None,
            }));
            // Nothing changes in use, but the kind is in service or not from here on.
            let blocks = details.host.blocks.iter().flat_map(|block| [block.start, block.end]);
            events.extend(blocks.map(|at| Event {
                at,
                kind,
                in_use: None,
                group: None,
            }));
        }
        let mut groups: BTreeMap<Vec<KindNumber>, usize> = BTreeMap::new();
        for pending in kinds.pending(question.now) {
            let during = pending.held.occupation();
            if !during.overlaps(&range) {
                continue;
            }
            let next = groups.len();
            // Promises that may use exactly the same kinds are one group.
            let group = *groups.entry(kinds.usable(&pending)).or_insert(next);
            for &(kind, count) in &pending.counts {
                for (at, change) in [(during.start, count), (during.end, -count)] {
                    events.push(Event {
                        at,
                        kind,
                        in_use: None,
                        group: Some((group, change)),
                    });
                }
            }
        }
        events.retain(|event| event.at < range.end);
        events.sort_by_key(|event| std::cmp::Reverse(event.at));
        let mut eligible = vec![Vec::new(); groups.len()];
        for (kinds, group) in groups {
            eligible[group] = kinds;
        }
        Self {
            kinds,
            matching,
            events,
            in_use: vec![0; kinds.all.len()],
            held: vec![BTreeMap::new(); eligible.len()],
            eligible,
        }
    }

    /// Lets everything happen until an instant, itself included; when something happens next.
    fn advance(&mut self, until: Seconds) -> Option<Seconds> {
        while let Some(event) = self.events.pop_if(|event| event.at <= until) {
            if let Some(in_use) = event.in_use {
                self.in_use[event.kind] = in_use;
            }
            if let Some((group, change)) = event.group {
                *self.held[group].entry(event.kind).or_default() += change;
            }
        }
        self.events.last().map(|event| event.at)
    }

    fn step(&self, at: Seconds) -> Step {
        let instant = Interval::new(at, at.saturating_add(1));
        let usable = |&kind: &KindNumber| {
            let host = self.kinds.all[kind].host;
            host.reservable && host.in_service(instant)
        };
        let offered: Vec<KindNumber> = self.matching.iter().copied().filter(usable).collect();
        let idle = |kind: KindNumber| self.kinds.all[kind].load.count - self.in_use[kind];
        let in_service: i64 = offered.iter().map(|&kind| self.kinds.all[kind].load.count).sum();
        let free: i64 = offered.iter().map(|&kind| idle(kind)).sum();
        let mut flow = Flow {
            eligible: &self.eligible,
            held: self.held.clone(),
            idle: (0..self.kinds.all.len()).map(idle).collect(),
            offered: vec![false; self.kinds.all.len()],
        };
        for &kind in &offered {
            flow.offered[kind] = true;
        }
        Step {
            from: at,
            in_service: size(in_service),
            free: size(free),
            free_with_moves: size(free + flow.vacate()),
        }
    }

    fn answer(&self, steps: Vec<Step>, until: Seconds) -> Availability {
        let matching = self.matching.iter().map(|&kind| self.kinds.all[kind].load.count).sum();
        Availability {
            steps,
            until,
            matching: size(matching),
        }
    }
}

fn size(count: i64) -> u32 {
    u32::try_from(count.max(0)).unwrap_or(u32::MAX)
}

/// Promises that leave offered kinds for idle hosts of others, by augmenting paths over kinds.
struct Flow<'a> {
    eligible: &'a [Vec<KindNumber>],
    held: Vec<BTreeMap<KindNumber, i64>>,
    idle: Vec<i64>,
    offered: Vec<bool>,
}

/// A group of promises, the kind it leaves hosts of and the kind it takes them from.
type Exchange = (usize, KindNumber, KindNumber);

impl Flow<'_> {
    /// The most hosts of offered kinds that promises can leave.
    fn vacate(&mut self) -> i64 {
        let mut left = 0;
        while let Some((last, path)) = self.path() {
            let counts = path
                .iter()
                .map(|&(group, from, _)| self.held[group].get(&from).copied().unwrap_or(0));
            let count = counts.fold(self.idle[last], i64::min);
            for &(group, from, to) in &path {
                *self.held[group].entry(from).or_default() -= count;
                *self.held[group].entry(to).or_default() += count;
            }
            self.idle[last] -= count;
            left += count;
        }
        left
    }

    /// A shortest chain of exchanges from an offered kind to one with idle hosts: which group goes from
    /// which kind to which. No kind is entered twice.
    fn path(&self) -> Option<(KindNumber, Vec<Exchange>)> {
        let mut entered: Vec<Option<(usize, KindNumber)>> = vec![None; self.idle.len()];
        let mut seen = self.offered.clone();
        let mut tried = vec![false; self.held.len()];
        let mut open: VecDeque<KindNumber> = (0..seen.len()).filter(|&kind| seen[kind]).collect();
        while let Some(from) = open.pop_front() {
            for (group, held) in self.held.iter().enumerate() {
                if tried[group] || held.get(&from).is_none_or(|&count| count <= 0) {
                    continue;
                }
                tried[group] = true;
                for &to in &self.eligible[group] {
                    if seen[to] {
                        continue;
                    }
                    seen[to] = true;
                    entered[to] = Some((group, from));
                    if self.idle[to] > 0 {
                        return Some((to, Self::back(&entered, to)));
                    }
                    open.push_back(to);
                }
            }
        }
        None
    }

    fn back(entered: &[Option<(usize, KindNumber)>], last: KindNumber) -> Vec<Exchange> {
        let mut path = Vec::new();
        let mut to = last;
        while let Some((group, from)) = entered[to] {
            path.push((group, from, to));
            to = from;
        }
        path
    }
}
