//! How many hosts one request could have.
//!
//! Invariant: what works with more hosts works with fewer, down to what it keeps, so the greatest number is found between one
//! that works and one that fails. A refusal's own count brings the upper end down at once: what is needed
//! beyond what exists at an instant cannot be given.

use super::classes::classes;
use super::{Answer, Asked, Question};
use crate::decision::{Conflict, Decision, Verdict};
use crate::model::{HostId, Request, RequestedReservation, Resource, times_fitting};

/// The greatest number found, and whether it is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// So many are given; 0: not even one.
    pub hosts: u32,
    /// No more than this many can be.
    pub at_most: u32,
}

impl Most {
    /// Whether no more are possible.
    pub const fn is_proved(self) -> bool {
        self.hosts == self.at_most
    }

    const fn below(at_most: u32) -> Self {
        Self { hosts: 0, at_most }
    }
}

impl Question<'_> {
    /// The most hosts the reservation number `position` of a request could have, the others as they are
    /// asked for: without moves, and with pending promises chosen anew. Without such a reservation, 0.
    pub fn most(&self, request: &Request, position: usize) -> (Most, Most) {
        if let Some(planner) = &self.planner.knowing(request) {
            return Question { planner, ..*self }.most(request, position);
        }
        let mut asked = Asked::new(*self);
        let nothing = Most { hosts: 0, at_most: 0 };
        let Some(wanted) = request.reservations.get(position) else {
            return (nothing, nothing);
        };
        let kept = self.kept(request, wanted);
        let with_moves = greatest(
            &mut asked,
            request,
            position,
            kept,
            Most::below(self.suitable(wanted, kept)),
            works,
        );
        let most = Most::below(self.room(request, wanted).min(with_moves.at_most));
        let without = greatest(&mut asked, request, position, kept, most, |answer| match answer {
            Answer::Works(moves) => Some(moves == 0),
            Answer::Fails => Some(false),
            Answer::Open => None,
        });
        (without, with_moves)
    }

    /// No more hosts than this can be had without moves: a class gives what it has beyond its peak load.
    fn room(&self, request: &Request, wanted: &RequestedReservation) -> u32 {
        if !self.counts(request) {
            return u32::MAX;
        }
        let classes = classes(self.planner, request, wanted, self.now);
        let room: i64 = classes.iter().map(|class| class.room(wanted)).sum();
        u32::try_from(room).unwrap_or(u32::MAX)
    }

    /// Hosts it keeps because what it replaces has begun or is about to.
    fn kept<'a>(&'a self, request: &Request, wanted: &RequestedReservation) -> &'a [HostId] {
        let replaced = request.replaces.as_ref().and_then(|lease| self.planner.lease(lease));
        let mut held = replaced.iter().flat_map(|lease| &lease.reservations);
        let held = held.find(|held| held.id == wanted.id && held.is_fixed(self.now, self.planner.freeze));
        held.map_or(&[], |held| &held.holds)
    }

    /// What suits a reservation, whatever stands there, or is kept by it: hosts, instances that fit on them, or units.
    fn suitable(&self, wanted: &RequestedReservation, kept: &[HostId]) -> u32 {
        let (index, eligible) = (self.planner.index(), self.planner.eligible(&wanted.predicate));
        let suits = self.planner.hosts.values().enumerate().filter_map(|(number, carried)| {
            let admits = eligible.is_some_and(|eligible| eligible.admits(index.class_of(number)));
            let keeps = kept.binary_search(&carried.host.id).is_ok();
            (admits && carried.host.takes(wanted.window) || keeps).then_some(&carried.host)
        });
        let most = match &wanted.resource {
            Resource::Host => suits.count() as u64,
            Resource::Instances(instances) => {
                // What is kept may stand where no more would fit.
                let fits = suits.map(|host| {
                    let amounts = instances.resources.iter();
                    let room = |class: &String| host.capacity.get(class).copied().unwrap_or(0);
                    times_fitting(amounts.map(|(class, &amount)| (room(class), amount))).unwrap_or(0)
                });
                let all = match instances.affinity {
                    Some(true) => fits.max().unwrap_or(0),
                    Some(false) => fits.map(|fits| fits.min(1)).sum(),
                    None => fits.fold(0, u64::saturating_add),
                };
                all.max(kept.len() as u64)
            }
            Resource::Units(units) => self
                .planner
                .pools
                .get(&units.pool)
                .map_or(0, |pool| pool.units.len() as u64),
        };
        u32::try_from(most).unwrap_or(u32::MAX)
    }
}

/// Whether something works, whatever has to move.
pub(super) const fn works(answer: Answer) -> Option<bool> {
    match answer {
        Answer::Works(_) => Some(true),
        Answer::Fails => Some(false),
        Answer::Open => None,
    }
}

/// The greatest number that works, no less than what is kept, by what the answers to single numbers say; between what
/// is known of it.
pub(super) fn greatest(
    asked: &mut Asked<'_>,
    request: &Request,
    position: usize,
    kept: &[HostId],
    known: Most,
    says: impl Fn(Answer) -> Option<bool>,
) -> Most {
    let least = u32::try_from(kept.len()).unwrap_or(u32::MAX).max(1);
    let (mut works, mut bound) = (known.hosts, known.at_most);
    let mut next = bound;
    while works < bound {
        if bound < least {
            return Most { hosts: 0, at_most: 0 };
        }
        next = next.max(least);
        let Some(decision) = asked.decide(&with(request, position, next)) else {
            break;
        };
        match says(Answer::of(&decision)) {
            Some(true) => works = next,
            Some(false) => bound = below(&decision, request, position, next).max(works),
            None => break,
        }
        // A bound that a count has brought down mostly works; after any other, halves are safer.
        let counted = bound + 1 < next;
        next = if counted {
            bound
        } else {
            works + (bound - works).div_ceil(2)
        };
    }
    Most {
        hosts: works,
        at_most: bound,
    }
}

/// A number above which nothing works, given that `number` does not.
fn below(decision: &Decision, request: &Request, position: usize, number: u32) -> u32 {
    let missing = match &decision.verdict {
        Verdict::Refused { conflict } if counts(conflict, request, position) => {
            u32::try_from(conflict.needed.saturating_sub(conflict.exist)).unwrap_or(u32::MAX)
        }
        Verdict::Refused { .. } | Verdict::Accepted { .. } | Verdict::Undecided(_) => 1,
    };
    number.saturating_sub(missing.max(1))
}

/// Whether a refusal says by how many hosts this reservation asks for too many: it counts a shortage, and
/// of the request this reservation alone takes part in it.
fn counts(conflict: &Conflict, request: &Request, position: usize) -> bool {
    let takes_part = |asked: &RequestedReservation| conflict.reservations.contains(&asked.id);
    let mut parts = request.reservations.iter().enumerate();
    matches!(conflict.reason, "capacity" | "no_matching_hosts")
        && parts.all(|(number, asked)| takes_part(asked) == (number == position))
}

fn with(request: &Request, position: usize, number: u32) -> Request {
    let mut asked = super::least(request);
    if let Some(asked) = asked.reservations.get_mut(position) {
        (asked.min, asked.max) = (number, number);
    }
    asked
}
