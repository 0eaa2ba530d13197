//! From which shift on the classes have enough hosts free for one reservation, without moves.
//!
//! One sweep forward in time. Each class has what it has beyond its peak load in the reservation's window.
//! That grows only when the window has left the peak behind, so only those shifts are looked at, soonest
//! first; and what comes into the window at its end is looked at only when enough seems free without it.
//! Where too few hosts are free at the window's last instant, the window jumps beyond it.
//!
//! Invariant: no shift between the one asked from and the one found has enough, as counted by
//! [`super::classes`]; each step of a class comes into the window once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::classes::{Class, Course};
use crate::model::{Interval, RequestedReservation, Seconds};

/// The window moved along time.
pub(super) struct Sweep<'a> {
    asked: RequestedReservation,
    /// Greatest shift.
    last: Seconds,
    tracks: Vec<Track<'a>>,
    /// The classes that are out of service at times.
    blocked: Vec<usize>,
    /// When the load of each class at the window's end may change next.
    entering: Vec<Seconds>,
    /// First second after what has come into the window.
    until: Seconds,
    /// When each class may have more than is known, soonest first.
    relaxing: BinaryHeap<Reverse<(Seconds, usize)>>,
    /// Hosts of all classes.
    hosts: i64,
    /// Hosts in use at the last instant that has come into the window.
    in_use: i64,
    /// No more than this is free in all classes together, at the shift looked at or later until one relaxes.
    free: i64,
}

/// One class in the window.
struct Track<'a> {
    class: Class<'a>,
    course: Course<'a>,
    /// Greatest load in the window.
    peak: i64,
    /// What the class has free throughout.
    free: i64,
    /// The shift at which that may grow.
    relaxes: Seconds,
}

impl<'a> Sweep<'a> {
    /// A sweep from shift `from` to `last`.
    pub(super) fn new(classes: Vec<Class<'a>>, asked: &RequestedReservation, from: Seconds, last: Seconds) -> Self {
        let until = asked.occupation().end.saturating_add(from);
        let tracks: Vec<Track<'a>> = classes
            .into_iter()
            .map(|class| Track {
                course: class.course(until.saturating_sub(1)),
                peak: class.hosts,
                class,
                free: 0,
                relaxes: Seconds::MIN,
            })
            .collect();
        Self {
            asked: asked.clone(),
            last,
            blocked: (0..tracks.len())
                .filter(|&number| !tracks[number].class.blocks().is_empty())
                .collect(),
            entering: tracks.iter().map(|track| track.course.next).collect(),
            until,
            relaxing: (0..tracks.len())
                .map(|number| Reverse((Seconds::MIN, number)))
                .collect(),
            hosts: tracks.iter().map(|track| track.class.hosts).sum(),
            in_use: tracks.iter().map(|track| track.course.value).sum(),
            free: 0,
            tracks,
        }
    }

    /// The first shift from `from` on at which enough is free. `from` may not fall between calls.
    pub(super) fn next(&mut self, from: Seconds) -> Option<Seconds> {
        let wanted = i64::from(self.asked.min);
        let mut at = from;
        loop {
            at = self.beyond_short_ends(at, wanted)?;
            self.relax(at);
            if self.free >= wanted {
                return Some(at);
            }
            while self.free < wanted {
                at = self.relaxing.peek().map(|Reverse((relaxes, _))| *relaxes)?;
                if at > self.last {
                    return None;
                }
                self.relax(at);
            }
        }
    }

    /// Lets everything into the window that belongs there at a shift, and moves on while its last instant
    /// has too few hosts free.
    fn beyond_short_ends(&mut self, mut at: Seconds, wanted: i64) -> Option<Seconds> {
        let occupation = self.asked.occupation();
        while at <= self.last {
            self.enter(at);
            if self.hosts - self.in_use >= wanted {
                return Some(at);
            }
            // It stays so until something changes, and the window has to begin after that.
            let changes = self.entering.iter().copied().min().unwrap_or(Seconds::MAX);
            at = changes.saturating_sub(occupation.start);
        }
        None
    }

    fn enter(&mut self, shift: Seconds) {
        let until = self.asked.occupation().end.saturating_add(shift);
        if until <= self.until {
            return;
        }
        self.until = until;
        for number in 0..self.tracks.len() {
            if self.entering[number] >= until {
                continue;
            }
            let track = &mut self.tracks[number];
            let before = track.course.value;
            let mut relaxes = None;
            while track.course.next < until {
                track.course.advance();
                if track.course.value >= track.peak {
                    track.peak = track.course.value;
                    relaxes = Some(track.course.next);
                }
            }
            self.entering[number] = track.course.next;
            self.in_use += track.course.value - before;
            if let Some(relaxes) = relaxes
                && track.class.blocks().is_empty()
            {
                let (peak, relaxes) = (track.peak, shift_to(relaxes, self.asked.occupation().start));
                self.know(number, peak, relaxes);
            }
        }
        // A block may have come in.
        for place in 0..self.blocked.len() {
            self.look(self.blocked[place], shift);
        }
    }

    /// Looks at the classes that may have more at a shift than is known.
    fn relax(&mut self, shift: Seconds) {
        while let Some(&Reverse((relaxes, number))) = self.relaxing.peek()
            && relaxes <= shift
        {
            self.relaxing.pop();
            if self.tracks[number].relaxes == relaxes {
                self.look(number, shift);
            }
        }
    }

    /// Learns what a class has at a shift, as far as things have come into the window.
    fn look(&mut self, number: usize, shift: Seconds) {
        let class = &self.tracks[number].class;
        let window = Interval::new(
            self.asked.window.start.saturating_add(shift),
            self.asked.window.end.saturating_add(shift),
        );
        let overlapping = class.blocks().iter().filter(|block| block.overlaps(&window));
        if let Some(end) = overlapping.map(|block| block.end).max() {
            let hosts = class.hosts;
            self.know(number, hosts, shift_to(end, self.asked.window.start));
            return;
        }
        let start = self.asked.occupation().start;
        let first = start.saturating_add(shift);
        let (peak, until) = class.peak_in(Interval::new(first, self.until.max(first.saturating_add(1))));
        self.know(number, peak, shift_to(until, start));
    }

    fn know(&mut self, number: usize, peak: i64, relaxes: Seconds) {
        let track = &mut self.tracks[number];
        track.peak = peak;
        let free = (track.class.hosts - peak).max(0);
        self.free += free - track.free;
        track.free = free;
        if track.relaxes != relaxes {
            track.relaxes = relaxes;
            self.relaxing.push(Reverse((relaxes, number)));
        }
    }
}

/// By how much an instant lies after another; never, for the end of time.
const fn shift_to(at: Seconds, start: Seconds) -> Seconds {
    match at {
        Seconds::MAX => Seconds::MAX,
        at => at.saturating_sub(start),
    }
}
