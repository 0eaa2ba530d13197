//! The classes between which moves are counted, as far as one reservation may use them.
//!
//! Invariant: two hosts are of one class here exactly if the decision counts no move between them: they
//! satisfy the same expressions among those alive and those of the request, and are equal in zone, rack,
//! blocks, reservability and capacity. The planner's index may be finer, so its classes are joined.

use std::collections::BTreeMap;

use crate::index::{Index, IndexClass, PredicateNumber, Steps};
use crate::model::{Interval, Request, RequestedReservation, Seconds};
use crate::planner::Planner;

/// A class that satisfies a reservation's expression and takes new work.
pub(super) struct Class<'a> {
    index: &'a Index,
    /// The classes of the index it consists of; never empty.
    parts: Vec<IndexClass>,
    /// How many hosts it has.
    pub(super) hosts: i64,
}

/// The classes for one reservation of a request whose expressions the planner knows.
pub(super) fn classes<'a>(
    planner: &'a Planner,
    request: &Request,
    asked: &RequestedReservation,
    now: Seconds,
) -> Vec<Class<'a>> {
    let index = planner.index();
    let Some(eligible) = planner.eligible(&asked.predicate) else {
        return Vec::new();
    };
    let own = request.reservations.iter();
    let own: Vec<PredicateNumber> = own
        .filter_map(|asked| planner.predicate_number(&asked.predicate))
        .collect();
    let groups = index.groups(now, &own);
    let mut joined: BTreeMap<usize, Vec<IndexClass>> = BTreeMap::new();
    for &class in &eligible.classes {
        let class = class as IndexClass;
        joined.entry(groups.of(class)).or_default().push(class);
    }
    let class = |parts: Vec<IndexClass>| Class {
        index,
        hosts: parts.iter().map(|&part| size(index, part)).sum(),
        parts,
    };
    joined.into_values().map(class).collect()
}

fn size(index: &Index, class: IndexClass) -> i64 {
    i64::try_from(index.hosts_of(class).len()).unwrap_or(i64::MAX)
}

impl<'a> Class<'a> {
    /// When its hosts are out of service.
    pub(super) fn blocks(&self) -> &'a [Interval] {
        self.parts.first().map_or(&[], |&part| self.index.blocks_of(part))
    }

    /// The greatest number of its hosts in use within an interval, and when the last step there that has it
    /// ends.
    pub(super) fn peak_in(&self, during: Interval) -> (i64, Seconds) {
        if let [part] = self.parts[..] {
            let (peak, until) = self.index.profile(part).peak_in(during);
            return (i64::from(peak), until);
        }
        let mut course = self.course(during.start);
        let (mut peak, mut until) = (course.value, course.next);
        while course.next < during.end {
            course.advance();
            if course.value >= peak {
                (peak, until) = (course.value, course.next);
            }
        }
        (peak, until)
    }

    /// How many hosts are in use from an instant on.
    pub(super) fn course(&self, from: Seconds) -> Course<'a> {
        let index = self.index;
        let parts = self.parts.iter().map(|&part| {
            let profile = index.profile(part);
            let mut steps = profile.steps_after(from);
            let next = steps.next();
            Part {
                value: profile.value_at(from),
                next,
                steps,
            }
        });
        let mut course = Course {
            value: 0,
            next: Seconds::MAX,
            parts: parts.collect(),
        };
        course.settle();
        course
    }

    /// How many hosts a reservation may have without moves.
    pub(super) fn room(&self, asked: &RequestedReservation) -> i64 {
        if self.blocks().iter().any(|block| block.overlaps(&asked.window)) {
            return 0;
        }
        (self.hosts - self.peak_in(asked.occupation()).0).max(0)
    }
}

/// How many hosts of a class are in use, moved along time.
pub(super) struct Course<'a> {
    /// How many are in use now.
    pub(super) value: i64,
    /// When that may change next; at the end of time: never.
    pub(super) next: Seconds,
    parts: Vec<Part<'a>>,
}

struct Part<'a> {
    value: i32,
    next: Option<(Seconds, i32)>,
    steps: Steps<'a>,
}

impl Course<'_> {
    /// Moves on to when it may change next.
    pub(super) fn advance(&mut self) {
        for part in &mut self.parts {
            if let Some((_, value)) = part.next.filter(|&(start, _)| start <= self.next) {
                part.value = value;
                part.next = part.steps.next();
            }
        }
        self.settle();
    }

    fn settle(&mut self) {
        self.value = self.parts.iter().map(|part| i64::from(part.value)).sum();
        let starts = self.parts.iter().filter_map(|part| part.next.map(|(start, _)| start));
        self.next = starts.min().unwrap_or(Seconds::MAX);
    }
}
