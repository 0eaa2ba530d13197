//! The earliest start of a whole request.
//!
//! Lemma (why few starts are tried): let the request move as a whole. As long as the hosts of all other
//! promises are left as they are, the starts that work are a union of intervals, each of which begins at
//! the requested start or where an occupation (with its cleaning) or a block ends. The starts that work
//! with other promises chosen anew are the union of these over all choices, so they begin there too.
//!
//! Without moves nothing is decided where counting is exact: see [`super::sweep`]. With moves a start is
//! decided, and a refusal there excludes others: a counted shortage as long as the request covers an instant
//! at which the same hosts are short ([`super::lasting`]), a sum over rows as long as it covers all of them,
//! each until a block ends. A start found without moves ends the search.

use std::cell::OnceCell;

use super::classes::classes;
use super::lasting::Lasting;
use super::sweep::Sweep;
use super::{Answer, Asked, Question, shifted};
use crate::decision::{Conflict, Verdict};
use crate::model::{Interval, Request, RequestedReservation, Resource, Seconds};

/// A start, and whether none is earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// A start of the request at which it works; `None`: none was found.
    pub start: Option<Seconds>,
    /// No earlier start works; without a start: none does.
    pub proved: bool,
}

/// Nothing works.
const NOTHING: Slot = Slot {
    start: None,
    proved: true,
};

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
        let Some(mut search) = Search::new(*self, request, latest) else {
            return Earliest {
                without_moves: NOTHING,
                with_moves: NOTHING,
            };
        };
        match search.counted() {
            Some(without_moves) => Earliest {
                without_moves,
                with_moves: search.with_moves(without_moves),
            },
            None => search.both(),
        }
    }

    /// [`Earliest::without_moves`] alone. Where counting is exact this decides nothing: for one reservation
    /// of hosts that replaces nothing, if no promise starts later that equal hosts may not exchange.
    pub fn earliest_without_moves(&self, request: &Request, latest: Seconds) -> Slot {
        if let Some(planner) = &self.planner.knowing(request) {
            return Question { planner, ..*self }.earliest_without_moves(request, latest);
        }
        let Some(mut search) = Search::new(*self, request, latest) else {
            return NOTHING;
        };
        match search.counted() {
            Some(slot) => slot,
            None => search.without_moves(0),
        }
    }

    /// Whether a request may have no more hosts without moves than its classes have beyond their peak load:
    /// it asks for hosts alone and replaces nothing, and no instances may be put together on fewer hosts.
    pub(super) fn counts(&self, request: &Request) -> bool {
        let is_hosts = |asked: &RequestedReservation| asked.resource == Resource::Host;
        request.replaces.is_none()
            && request.reservations.iter().all(is_hosts)
            && !self.planner.may_move_instances(self.now)
    }

    /// Whether equal hosts may exchange everything that starts after an instant, so that counts of a class
    /// can be turned into hosts for a reservation that starts then.
    const fn may_exchange_after(&self, start: Seconds) -> bool {
        let fixed = self.now.saturating_add(self.planner.freeze);
        start >= self.now && start.saturating_add(1) >= fixed && start >= self.planner.kept_until
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
    /// Whether it may have no more without moves than its classes have beyond their peak load.
    counts: bool,
    /// What they have, one for each reservation.
    sweeps: Option<Vec<Sweep<'a>>>,
    /// Shifts at which anything may begin to work.
    ends: OnceCell<Ends>,
    /// What refusals have shown of other starts.
    lasting: Vec<Lasting>,
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

impl<'a> Search<'a> {
    /// `None` for a request without reservations.
    fn new(question: Question<'a>, request: &'a Request, latest: Seconds) -> Option<Self> {
        let start = request.reservations.iter().map(|asked| asked.window.start).min()?;
        Some(Self {
            asked: Asked::new(question),
            request,
            start,
            last: if question.may_shift(request) {
                latest.saturating_sub(start)
            } else {
                0
            },
            counts: question.counts(request),
            sweeps: None,
            ends: OnceCell::new(),
            lasting: Vec::new(),
        })
    }

    /// The first start without moves by counting; `None` if that does not decide it.
    fn counted(&mut self) -> Option<Slot> {
        let question = self.asked.question;
        let [asked] = &self.request.reservations[..] else {
            return None;
        };
        let is_sound = 0 < asked.min && asked.min <= asked.max && asked.cleaning >= 0;
        if !is_sound || asked.window.start >= asked.window.end || self.last < 0 || !self.counts {
            return None;
        }
        let planner = question.planner;
        if question.may_exchange_after(asked.window.start)
            && let Some(eligible) = planner.eligible(&asked.predicate)
            && planner
                .index()
                .free(eligible, asked.window, asked.occupation(), asked.min)
                >= asked.min
        {
            return Some(self.slot(0, true));
        }
        match self.bounded(Some(0)) {
            None => Some(NOTHING),
            Some(shift) if shifted(self.request, shift).is_none() => Some(NOTHING),
            Some(shift) => question
                .may_exchange_after(asked.window.start.saturating_add(shift))
                .then(|| self.slot(shift, true)),
        }
    }

    /// The first start with moves, given the first without.
    fn with_moves(&mut self, without_moves: Slot) -> Slot {
        let before = without_moves.start.map_or(Seconds::MAX, |start| start - self.start);
        let (found, _) = self.first(before);
        Slot {
            start: found.start.or(without_moves.start),
            proved: found.proved,
        }
    }

    /// Both by deciding; the first start without moves is not earlier than that with moves.
    fn both(&mut self) -> Earliest {
        let (with_moves, moves) = self.first(Seconds::MAX);
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
        Earliest {
            without_moves: self.without_moves(from),
            with_moves,
        }
    }

    /// The first start without moves from a shift on, by deciding.
    fn without_moves(&mut self, from: Seconds) -> Slot {
        let mut proved = true;
        let mut shift = self.bounded(Some(from));
        while let Some(at) = shift {
            let next = match self.ask(at) {
                Next::Found { moves: 0 } => return self.slot(at, proved),
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
        Slot { start: None, proved }
    }

    /// The first shift below `before` that works, and its moves.
    fn first(&mut self, before: Seconds) -> (Slot, u32) {
        let mut proved = true;
        let within = |shift: &Seconds, last: Seconds| *shift <= last && *shift < before;
        let mut shift = Some(0).filter(|shift| within(shift, self.last));
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
            shift = next.filter(|shift| within(shift, self.last));
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
                Verdict::Accepted { .. } | Verdict::Undecided(_) => Next::From(self.next_end(shift + 1)),
            },
        }
    }

    /// The first shift after `shift` that the refusals so far leave open, the last of them there.
    fn after(&mut self, request: &Request, conflict: &Conflict, shift: Seconds) -> Option<Seconds> {
        let blocks = &self.ends().blocks;
        let block = blocks.get(blocks.partition_point(|&end| end <= shift)).copied();
        let passed = match conflict.reason {
            "malformed" => return None,
            // Nothing but blocks keeps hosts from suiting.
            "no_matching_hosts" => return block,
            "capacity" => passes(request, conflict).map(|seconds| shift.saturating_add(seconds)),
            "rows" => passes_rows(request, conflict).map(|seconds| shift.saturating_add(seconds)),
            _ => None,
        };
        let skip = passed.map_or(shift, |passed| block.map_or(passed, |block| passed.min(block)));
        if let ([asked], None) = (&self.request.reservations[..], &self.request.replaces) {
            let occupation = asked.occupation();
            let within = Interval::new(
                occupation.start.saturating_add(shift),
                occupation.end.saturating_add(self.last),
            );
            let question = self.asked.question;
            let lasting = Lasting::new(question.planner, question.now, asked, conflict, within);
            self.lasting.extend(lasting);
        }
        self.beyond_lasting(skip.max(shift + 1))
    }

    /// The first shift from `from` on at which anything may begin to work and no known shortage lasts.
    fn beyond_lasting(&self, from: Seconds) -> Option<Seconds> {
        let mut shift = self.next_end(from)?;
        let Some(asked) = self.request.reservations.first() else {
            return Some(shift);
        };
        let occupation = asked.occupation();
        loop {
            let later = |instant: Seconds| instant.saturating_add(shift);
            let interval = Interval::new(later(occupation.start), later(occupation.end));
            let starts = self.lasting.iter().map(|lasting| lasting.beyond(interval));
            let beyond = starts
                .max()
                .map_or(shift, |start| start.saturating_sub(occupation.start));
            if beyond <= shift {
                return Some(shift);
            }
            shift = self.next_end(beyond)?;
        }
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

    /// The first shift from `from` on at which the classes may have enough without moves.
    fn bounded(&mut self, from: Option<Seconds>) -> Option<Seconds> {
        let (question, request, last) = (self.asked.question, self.request, self.last);
        let mut shift = from.filter(|&shift| shift <= last)?;
        if self.counts {
            let sweep = |asked: &RequestedReservation| {
                let classes = classes(question.planner, request, asked, question.now);
                Sweep::new(classes, asked, shift, last)
            };
            let sweeps = self
                .sweeps
                .get_or_insert_with(|| request.reservations.iter().map(sweep).collect());
            loop {
                let mut next = shift;
                for sweep in &mut *sweeps {
                    next = sweep.next(next)?;
                }
                if next == shift {
                    break;
                }
                shift = next;
            }
        }
        Some(shift)
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

/// After how many more seconds the request covers a row less of those that a refusal sums up. Rows it comes
/// to cover only make it use more.
fn passes_rows(request: &Request, conflict: &Conflict) -> Option<Seconds> {
    let parts = request.reservations.iter().map(RequestedReservation::occupation);
    let left = parts.flat_map(|part| {
        let covered = conflict.certificate.iter().filter(move |row| part.contains(row.at));
        covered.map(move |row| row.at - part.start + 1)
    });
    left.min()
}
