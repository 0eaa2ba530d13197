//! How many hosts of a kind are free at every instant of a range.
//!
//! Two counts for each instant: hosts free as the plan stands, and hosts that could be free if the pending
//! promises were chosen anew. The second is the value of a maximum flow at that instant: a promise leaves
//! a matching host for a free one it may use as well, possibly by way of another promise that does the
//! same. Instances stay where they are.
//!
//! Invariant: both counts are exact for each instant taken alone. A request that lasts longer than an
//! instant may get fewer; [`super::Question::most`] tells how many it gets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Question;
use super::kinds::{KindNumber, Kinds};
use crate::model::{Interval, Request, RequestedReservation, ReservationId, Resource, Seconds};
use crate::predicate::Predicate;

/// From one instant to the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When it begins.
    pub from: Seconds,
    /// Matching hosts that take new work and are in service.
    pub in_service: u32,
    /// Of these, hosts that nothing uses as the plan stands.
    pub free: u32,
    /// Of these, hosts that could be free at this instant if pending promises were chosen anew.
    pub free_with_moves: u32,
}

/// A step function of time.
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
        let mut steps: Vec<Step> = Vec::new();
        let mut from = range.start;
        while from < range.end {
            let next = sweep.advance(from).map_or(range.end, |next| next.min(range.end));
            let step = sweep.step(from);
            let differs = steps.last().is_none_or(|last| Step { from, ..*last } != step);
            let is_over = !steps.is_empty() && (self.expired)();
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
