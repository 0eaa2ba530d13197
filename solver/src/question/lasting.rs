//! How long the hosts of a counted shortage stay short.
//!
//! A refusal counts a shortage at one instant: promises that can use no other hosts need, together with the
//! request, more of them than there are. The same hosts are counted here at every other instant.
//!
//! Invariant: at every instant of a run, the hosts are in use by fixed work and by promises restricted to
//! them so far that the requested reservation, restricted to them as well, lacks some.

use crate::decision::Conflict;
use crate::index::IndexClass;
use crate::model::{Interval, RequestedReservation, Seconds};
use crate::planner::Planner;

/// When hosts are short.
pub(super) struct Lasting {
    /// Ascending and disjoint.
    runs: Vec<Interval>,
}

impl Lasting {
    /// When the hosts of a conflict are short for the only reservation of a request, within an interval;
    /// `None` if the reservation or what the conflict counts is not restricted to them for good.
    pub(super) fn new(
        planner: &Planner,
        now: Seconds,
        asked: &RequestedReservation,
        conflict: &Conflict,
        within: Interval,
    ) -> Option<Self> {
        if conflict.reason != "capacity" {
            return None;
        }
        let hosts = Hosts::new(planner, conflict);
        let own = planner.predicate_number(&asked.predicate)?;
        let restricted: Vec<bool> = (0..)
            .take(planner.predicate_numbers())
            .map(|number| hosts.are_all_for(number))
            .collect();
        if !restricted.get(own as usize).is_some_and(|&restricted| restricted) {
            return None;
        }
        let mut stays = vec![false; planner.reservation_numbers() as usize];
        for part in planner.stored().flat_map(|stored| &stored.parts) {
            stays[part.number as usize] = restricted[part.predicate as usize];
        }
        let mut changes: Vec<(Seconds, i64)> = Vec::new();
        let carried = planner.hosts.values().zip(&hosts.contested);
        for (carried, _) in carried.filter(|(_, contested)| **contested) {
            let here = carried.overlapping(within).iter();
            for taken in here.filter(|taken| taken.is_fixed(now, planner.freeze) || stays[taken.number as usize]) {
                changes.push((taken.interval.start, 1));
                changes.push((taken.interval.end, -1));
            }
        }
        changes.sort_unstable();
        let room = i64::try_from(conflict.hosts_matching.len()).unwrap_or(i64::MAX) - i64::from(asked.min);
        let mut runs: Vec<Interval> = Vec::new();
        let (mut in_use, mut since) = (0, None);
        for same in changes.chunk_by(|one, other| one.0 == other.0) {
            let at = same[0].0;
            in_use += same.iter().map(|(_, change)| change).sum::<i64>();
            match (in_use > room, since) {
                (true, None) => since = Some(at),
                (false, Some(start)) => {
                    runs.push(Interval::new(start, at));
                    since = None;
                }
                (true, Some(_)) | (false, None) => {}
            }
        }
        Some(Self { runs })
    }

    /// The first start, no earlier than its own, at which an interval of this length meets no run.
    pub(super) fn beyond(&self, interval: Interval) -> Seconds {
        let length = interval.end - interval.start;
        let mut start = interval.start;
        let first = self.runs.partition_point(|run| run.end <= start);
        for run in &self.runs[first..] {
            if run.start >= start.saturating_add(length) {
                break;
            }
            start = run.end;
        }
        start
    }
}

/// The contested hosts.
struct Hosts<'a> {
    planner: &'a Planner,
    /// Of each host by number, whether it is one.
    contested: Vec<bool>,
    /// Of each class of the index, whether all of its hosts are.
    classes: Vec<bool>,
}

impl<'a> Hosts<'a> {
    fn new(planner: &'a Planner, conflict: &Conflict) -> Self {
        let index = planner.index();
        let mut classes = vec![true; index.classes()];
        let mut named = conflict.hosts_matching.iter().peekable();
        let contested = planner.hosts.keys().enumerate().map(|(number, id)| {
            let contested = named.next_if_eq(&id).is_some();
            classes[index.class_of(number)] &= contested;
            contested
        });
        Self {
            planner,
            contested: contested.collect(),
            classes,
        }
    }

    /// Whether an expression admits no other hosts.
    fn are_all_for(&self, number: u32) -> bool {
        let eligible = self.planner.index().eligible(number);
        eligible.is_some_and(|eligible| {
            let classes = eligible.classes.iter();
            classes.into_iter().all(|&class| self.classes[class as IndexClass])
        })
    }
}
