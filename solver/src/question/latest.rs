//! The latest end of a whole request that starts when it is asked to.
//!
//! Lemma (why few ends are tried): what works up to one end works up to every earlier one, on the same hosts. As long as
//! the hosts of all other promises are left as they are, the latest end is the requested one, or the work or the block
//! that comes next on a host begins there, cleaning included, or the lease ends there that the request replaces: a block
//! that it has put up with until then is none before. With other promises chosen anew it is one of the same.

use std::collections::BTreeSet;

use super::{Asked, Question, least};
use crate::decision::{Conflict, Verdict};
use crate::model::{Interval, Request, Seconds};
use crate::wording;

/// The latest end that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// The request works up to here; before the end that is asked for.
    pub end: Seconds,
    /// The counted moves it takes.
    pub moves: u32,
    /// What is in the way first: why the request does not work up to the next end that was tried.
    pub conflict: Conflict,
}

impl Latest {
    /// The end as a part of a sentence about the request.
    pub fn in_words(&self) -> String {
        format!("you can have it until {}", wording::instant(self.end))
    }
}

impl Question<'_> {
    /// The latest end, a multiple of `step` seconds, up to which a request works that was refused for this conflict; `None`
    /// if it works up to none, or none was found in time.
    pub fn latest_end(&self, request: &Request, conflict: &Conflict, step: Seconds) -> Option<Latest> {
        if let Some(planner) = &self.planner.knowing(request) {
            return Question { planner, ..*self }.latest_end(request, conflict, step);
        }
        let ends = self.ends(request, step);
        let mut asked = Asked::new(*self);
        // The first ends work, as many as `works`; those from number `fails` on do not.
        let (mut works, mut fails) = (0, ends.below(ends.all.len(), request, conflict));
        let mut found = None;
        let mut first = conflict.clone();
        // What a count leaves mostly works; after any other answer halves are safer.
        let mut next = fails.saturating_sub(1);
        while works < fails {
            let Some(decision) = asked.decide(&until(request, ends.all[next])) else {
                break;
            };
            let moves = decision.counted_moves();
            match decision.verdict {
                Verdict::Accepted { .. } => {
                    found = Some((ends.all[next], moves));
                    works = next + 1;
                }
                Verdict::Refused { conflict } => {
                    fails = ends.below(next, request, &conflict).max(works);
                    first = conflict;
                }
                Verdict::Undecided(_) => fails = next,
            }
            next = works + (fails - works) / 2;
        }
        found.map(|(end, moves)| Latest {
            end,
            moves,
            conflict: first,
        })
    }

    fn ends(&self, request: &Request, step: Seconds) -> Ends {
        let starts = request.reservations.iter().map(|asked| asked.window.start);
        let ends = request.reservations.iter().map(|asked| asked.window.end);
        let start = starts.max().unwrap_or_default().max(self.now);
        let end = ends.max().unwrap_or_default();
        let is_within = |at: &Seconds| start < *at && *at < end;
        let replaced = request.replaces.as_ref().and_then(|lease| self.planner.lease(lease));
        let before = replaced.into_iter().flat_map(|lease| &lease.reservations);
        let blocks = self.planner.hosts.values().flat_map(|carried| &carried.host.blocks);
        let service = blocks
            .map(|block| block.start)
            .chain(before.map(|held| held.window.end));
        let service: BTreeSet<Seconds> = service.filter(is_within).collect();
        let held = self.planner.leases().flat_map(|lease| &lease.reservations);
        let work = held.map(|held| held.window.start);
        // Cleaning may last into a block.
        let cleaning = request.reservations.iter().map(|asked| asked.cleaning);
        let cleaning: BTreeSet<Seconds> = cleaning.chain([0]).collect();
        let begins = work.chain(service.iter().copied());
        let ends = begins.flat_map(|begins| cleaning.iter().map(move |cleaning| begins.saturating_sub(*cleaning)));
        let whole = ends.map(|end| end.saturating_sub(end.rem_euclid(step)));
        let all: BTreeSet<Seconds> = whole.filter(is_within).collect();
        Ends {
            all: all.into_iter().collect(),
            service: service.into_iter().collect(),
        }
    }
}

/// Where a request may have to end because something begins, after its start and the present, before its end.
struct Ends {
    /// Whole steps, ascending.
    all: Vec<Seconds>,
    /// Instants at which it leaves a block behind, ascending: up to there it may use more hosts.
    service: Vec<Seconds>,
}

impl Ends {
    /// How many of the first `count` ends are left open by a refusal up to the next: the request falls short as long as it
    /// covers the instant that was counted, or the last row, and the same blocks.
    fn below(&self, count: usize, request: &Request, conflict: &Conflict) -> usize {
        let open = &self.all[..count];
        let covered = match conflict.reason {
            "capacity" | "resources" => conflict.from,
            "rows" => conflict.until.saturating_sub(1),
            _ => return count,
        };
        let parts = request.reservations.iter();
        let parts = parts.filter(|asked| conflict.reservations.contains(&asked.id));
        let Some(cleaning) = parts.map(|asked| asked.cleaning).min() else {
            return count;
        };
        let refused = self.all.get(count).copied().unwrap_or(Seconds::MAX);
        let left = self.service.partition_point(|&at| at < refused);
        let left = self.service[..left].last().copied().unwrap_or(Seconds::MIN);
        let last = covered.saturating_sub(cleaning).max(left);
        open.partition_point(|&end| end <= last)
    }
}

/// The request up to an end.
fn until(request: &Request, end: Seconds) -> Request {
    let mut shorter = least(request);
    for asked in &mut shorter.reservations {
        asked.window = Interval::new(asked.window.start, asked.window.end.min(end));
    }
    shorter
}
