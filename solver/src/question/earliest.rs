//! The earliest start of a whole request.
//!
//! Lemma (why few starts are tried): let the request move as a whole. As long as the hosts of all other
//! promises are left as they are, the starts that work are a union of intervals, each of which begins at
//! the requested start or where an occupation (with its cleaning) or a block ends. The starts that work
//! with other promises chosen anew are the union of these over all choices, so they begin there too.
//!
//! Two ways to skip such starts. A refusal that counts a shortage holds as long as the request covers an
//! instant of it and no block has ended. And without moves a class gives what it has beyond its peak load,
//! which falls only when the request has left the peak behind.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::classes::{Class, classes};
use super::{Answer, Asked, Question, shifted};
use crate::decision::{Conflict, Verdict};
use crate::model::{Interval, Request, RequestedReservation, Seconds};

/// A start, and whether none is earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// A start of the request at which it works; `None`: none was found.
    pub start: Option<Seconds>,
    /// No earlier start works; without a start: none does.
    pub proved: bool,
}

/// When a request can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earliest {
    /// Without moves.
    pub without_moves: Slot,
    /// With pending promises chosen anew.
    pub with_moves: Slot,
}

impl Question<'_> {
    /// The earliest starts, from the requested one to `latest`, at which the whole request works. All of
    /// its reservations shift by the same amount; a start is that of the earliest of them.
    pub fn earliest(&self, request: &Request, latest: Seconds) -> Earliest {
        if let Some(planner) = &self.planner.knowing(request) {
            return Question { planner, ..*self }.earliest(request, latest);
        }
        let starts = request.reservations.iter().map(|asked| asked.window.start);
        let Some(start) = starts.min() else {
            let nothing = Slot {
                start: None,
                proved: true,
            };
            return Earliest {
                without_moves: nothing,
                with_moves: nothing,
            };
        };
        let mut search = Search {
            asked: Asked::new(*self),
            request,
            start,
            last: if self.may_shift(request) {
                latest.saturating_sub(start)
            } else {
                0
            },
            bounds: OnceCell::new(),
            ends: OnceCell::new(),
        };
        search.run()
    }

    /// Whether a request can start at another time: what it replaces may not have begun.
    fn may_shift(&self, request: &Request) -> bool {
        let replaced = request.replaces.as_ref().and_then(|lease| self.planner.lease(lease));
        !replaced.is_some_and(|lease| {
            let mut fixed = lease.reservations.iter();
            fixed.any(|held| held.is_fixed(self.now, self.planner.freeze))
        })
    }
}

struct Search<'a> {
    asked: Asked<'a>,
    request: &'a Request,
    /// The requested start.
    start: Seconds,
    /// Greatest shift.
    last: Seconds,
    /// What the classes can give without moves, one for each reservation.
    bounds: OnceCell<Vec<Bound>>,
    /// Shifts at which anything may begin to work.
    ends: OnceCell<Ends>,
}

/// Shifts at which the start of a reservation meets the end of something, ascending.
struct Ends {
    /// Of an occupation or a block.
    all: Vec<Seconds>,
    /// Of a block.
    blocks: Vec<Seconds>,
}

/// How the answer to one start goes on.
enum Next {
    Found {
        moves: u32,
    },
    /// Nothing works before this shift; `None`: nothing at all.
    From(Option<Seconds>),
    /// Not decided; the next shift to try.
    Open(Option<Seconds>),
    Stopped,
}

impl Search<'_> {
    fn run(&mut self) -> Earliest {
        let (with_moves, moves) = self.first();
        if with_moves.proved && (with_moves.start.is_none() || moves == 0) {
            return Earliest {
                without_moves: with_moves,
                with_moves,
            };
        }
        let from = match with_moves.start {
            Some(start) if with_moves.proved => start - self.start,
            _ => 0,
        };
        let mut proved = true;
        let mut shift = self.bounded(Some(from));
        while let Some(at) = shift {
            let next = match self.ask(at) {
                Next::Found { moves: 0 } => {
                    return Earliest {
                        without_moves: self.slot(at, proved),
                        with_moves,
                    };
                }
                Next::Found { .. } => self.next_end(at + 1),
                Next::From(next) => next,
                Next::Open(next) => {
                    proved = false;
                    next
                }
                Next::Stopped => {
                    proved = false;
                    None
                }
            };
            shift = self.bounded(next);
        }
        Earliest {
            without_moves: Slot { start: None, proved },
            with_moves,
        }
    }

    /// The first shift that works, and its moves.
    fn first(&mut self) -> (Slot, u32) {
        let mut proved = true;
        let mut shift = Some(0).filter(|&shift| shift <= self.last);
        while let Some(at) = shift {
            let next = match self.ask(at) {
                Next::Found { moves } => return (self.slot(at, proved), moves),
                Next::From(next) => next,
                Next::Open(next) => {
                    proved = false;
                    next
                }
                Next::Stopped => {
                    proved = false;
                    None
                }
            };
            shift = next.filter(|&shift| shift <= self.last);
        }
        (Slot { start: None, proved }, 0)
    }

    const fn slot(&self, shift: Seconds, proved: bool) -> Slot {
        Slot {
            start: Some(self.start.saturating_add(shift)),
            proved,
        }
    }

    fn ask(&mut self, shift: Seconds) -> Next {
        let Some(request) = shifted(self.request, shift) else {
            return Next::From(None);
        };
        let Some(decision) = self.asked.decide(&request) else {
            return Next::Stopped;
        };
        match Answer::of(&decision) {
            Answer::Works(moves) => Next::Found { moves },
            Answer::Open => Next::Open(self.next_end(shift + 1)),
            Answer::Fails => match &decision.verdict {
                Verdict::Refused { conflict } => Next::From(self.after(&request, conflict, shift)),
                Verdict::Accepted { .. } | Verdict::Undecided => Next::From(self.next_end(shift + 1)),
            },
        }
    }

    /// The first shift after `shift` that a refusal there leaves open.
    fn after(&self, request: &Request, conflict: &Conflict, shift: Seconds) -> Option<Seconds> {
        let blocks = &self.ends().blocks;
        let block = blocks.get(blocks.partition_point(|&end| end <= shift)).copied();
        let passed = match conflict.reason {
            // Nothing but blocks keeps hosts from suiting.
            "no_matching_hosts" => return block,
            "capacity" => passes(request, conflict).map(|seconds| shift.saturating_add(seconds)),
            _ => None,
        };
        let skip = passed.map_or(shift, |passed| block.map_or(passed, |block| passed.min(block)));
        self.next_end(skip.max(shift + 1))
    }

    /// The first shift from `from` on at which anything may begin to work.
    fn next_end(&self, from: Seconds) -> Option<Seconds> {
        let ends = &self.ends().all;
        ends.get(ends.partition_point(|&end| end < from)).copied()
    }

    fn ends(&self) -> &Ends {
        self.ends.get_or_init(|| {
            let planner = self.asked.question.planner;
            let held = || planner.leases().flat_map(|lease| &lease.reservations);
            let held = || held().map(|held| held.occupation().end);
            let blocks = || {
                planner
                    .hosts
                    .values()
                    .flat_map(|carried| carried.host.blocks.iter().map(|block| block.end))
            };
            let blocks = self.shifts(blocks().collect());
            let mut all = self.shifts(held().collect());
            all.extend(&blocks);
            all.sort_unstable();
            all.dedup();
            Ends { all, blocks }
        })
    }

    /// Shifts by which reservations of the request start at these instants.
    fn shifts(&self, mut instants: Vec<Seconds>) -> Vec<Seconds> {
        instants.sort_unstable();
        instants.dedup();
        let mut starts: Vec<Seconds> = self
            .request
            .reservations
            .iter()
            .map(|asked| asked.window.start)
            .collect();
        starts.sort_unstable();
        starts.dedup();
        let shifts = starts
            .iter()
            .flat_map(|start| instants.iter().map(move |end| end.saturating_sub(*start)));
        let mut shifts: Vec<Seconds> = shifts.filter(|&shift| shift > 0 && shift <= self.last).collect();
        shifts.sort_unstable();
        shifts.dedup();
        shifts
    }

    /// The first shift from `from` on at which the classes may give enough without moves.
    fn bounded(&mut self, from: Option<Seconds>) -> Option<Seconds> {
        let mut shift = from?;
        if self.request.replaces.is_none() {
            self.bounds
                .get_or_init(|| bounds(&self.asked.question, self.request, self.last));
            let bounds = self.bounds.get_mut()?;
            loop {
                let mut next = shift;
                for bound in &mut *bounds {
                    next = bound.next(next, self.last)?;
                }
                if next == shift {
                    break;
                }
                shift = next;
            }
        }
        Some(shift).filter(|&shift| shift <= self.last)
    }
}

/// After how many more seconds the part of the request in a counted shortage has left it behind.
fn passes(request: &Request, conflict: &Conflict) -> Option<Seconds> {
    let parts = request
        .reservations
        .iter()
        .filter(|asked| conflict.reservations.contains(&asked.id));
    let last_start = parts.map(|asked| asked.window.start).max()?;
    Some(conflict.until.saturating_sub(last_start))
}

fn bounds(question: &Question<'_>, request: &Request, last: Seconds) -> Vec<Bound> {
    let bound = |asked: &RequestedReservation| {
        let occupation = asked.occupation();
        let within = Interval::new(occupation.start, occupation.end.saturating_add(last));
        let classes = classes(question.planner, request, asked, question.now, within);
        Bound::new(classes, asked)
    };
    request.reservations.iter().map(bound).collect()
}

/// What the classes can give one reservation without moves, as its shift grows.
struct Bound {
    asked: RequestedReservation,
    classes: Vec<Class>,
    /// No more than this from each class until it relaxes.
    most: Vec<i64>,
    /// When each class may give more than is known, soonest first.
    relaxing: BinaryHeap<Reverse<(Seconds, usize)>>,
    /// What they give together at most.
    total: i64,
}

impl Bound {
    fn new(classes: Vec<Class>, asked: &RequestedReservation) -> Self {
        Self {
            asked: asked.clone(),
            relaxing: (0..classes.len()).map(|class| Reverse((Seconds::MIN, class))).collect(),
            most: vec![0; classes.len()],
            classes,
            total: 0,
        }
    }

    /// The first shift from `from` to `last` at which they may give enough.
    fn next(&mut self, from: Seconds, last: Seconds) -> Option<Seconds> {
        let mut at = from;
        loop {
            while let Some(&Reverse((relaxes, class))) = self.relaxing.peek()
                && relaxes <= at
            {
                self.relaxing.pop();
                self.refresh(class, at);
            }
            if self.total < i64::from(self.asked.min) {
                at = self
                    .relaxing
                    .peek()
                    .map(|Reverse((relaxes, _))| *relaxes)
                    .filter(|&next| next <= last)?;
                continue;
            }
            // What is known of the others may be too much by now.
            self.relaxing.clear();
            for class in 0..self.classes.len() {
                self.refresh(class, at);
            }
            if self.total >= i64::from(self.asked.min) {
                return Some(at);
            }
        }
    }

    /// Learns what a class gives at a shift, and when it may give more.
    fn refresh(&mut self, number: usize, shift: Seconds) {
        let class = &self.classes[number];
        let later = |interval: Interval| {
            Interval::new(interval.start.saturating_add(shift), interval.end.saturating_add(shift))
        };
        let window = later(self.asked.window);
        let block = class.blocks.iter().find(|block| block.overlaps(&window));
        let (gives, relaxes) = match block {
            Some(block) => (0, block.end),
            None => class.load.room(later(self.asked.occupation())),
        };
        let gives = gives.max(0);
        self.total += gives - self.most[number];
        self.most[number] = gives;
        let relaxes = match relaxes {
            Seconds::MAX => Seconds::MAX,
            relaxes => relaxes.saturating_sub(self.asked.window.start),
        };
        self.relaxing.push(Reverse((relaxes, number)));
    }
}
