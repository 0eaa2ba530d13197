//! What becomes of promises: which would move, which of them must, which would be lost.
//!
//! *Must* and *may*: a promise that moves in the best answer must move if nothing as good exists while it
//! stays where it is. Each is tested alone, by asking again with its hosts pinned.

use std::collections::BTreeSet;

use super::{Answer, Asked, Question};
use crate::decision::Move;
use crate::heal::{Healed, Unkept, heal};
use crate::model::{HostId, Lease, LeaseId, Request, Reservation, ReservationId, Seconds};
use crate::planner::{Planner, StateError};

/// Whether a promise could stay where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Necessity {
    /// Nothing as good exists while it stays.
    Must,
    /// Something else could move instead.
    May,
    /// The deadline ended before it was known.
    Open,
}

/// A promise that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consequence {
    /// The lease it belongs to.
    pub lease: LeaseId,
    /// What changes.
    pub change: Move,
    /// It stands on a host that is out of order.
    pub displaced: bool,
    /// Whether it has to.
    pub necessity: Necessity,
}

/// What follows from hosts being out of order.
pub struct Consequences {
    /// Every promise that changes, sorted by reservation.
    pub moves: Vec<Consequence>,
    /// Promises that cannot be kept, with their leases; as few as possible.
    pub unkept: Vec<(LeaseId, Unkept)>,
    /// Whether no fewer promises could be lost, or moved with as few lost.
    pub proved: bool,
    /// The snapshot after that.
    pub after: Planner,
}

impl Question<'_> {
    /// What becomes of the promises of a snapshot in which hosts are out of order: everything leaves hosts
    /// that are not reservable or are out of service during its window. `affected` are the hosts whose
    /// promises count as displaced.
    ///
    /// # Errors
    /// When the answer contradicts the snapshot, which is a defect.
    pub fn consequences(&self, affected: &BTreeSet<HostId>) -> Result<Consequences, StateError> {
        let healed = self.heal(self.planner);
        let after = apply(self.planner, &healed.moves, self.now)?;
        let mut asked = Asked::new(*self);
        let moves = healed.moves.iter().filter_map(|change| {
            let (lease, _) = reservation(self.planner, &change.reservation)?;
            let displaced = change.from.iter().any(|host| affected.contains(host));
            let necessity = match (displaced, healed.proved) {
                (true, _) => Necessity::Must,
                (false, true) => self.loses_more(&mut asked, &healed, &change.reservation),
                (false, false) => Necessity::Open,
            };
            Some(Consequence {
                lease: lease.id.clone(),
                change: change.clone(),
                displaced,
                necessity,
            })
        });
        let moves = moves.collect();
        let lease_of = |unkept: Unkept| {
            let (lease, _) = reservation(self.planner, &unkept.reservation)?;
            Some((lease.id.clone(), unkept))
        };
        Ok(Consequences {
            moves,
            proved: healed.proved,
            unkept: healed.unkept.into_iter().filter_map(lease_of).collect(),
            after,
        })
    }

    fn heal(&self, planner: &Planner) -> Healed {
        heal(planner, self.now, &self.deadline.part(self.each), self.solver)
    }

    /// Whether more promises are lost if one stays where it is.
    fn loses_more(&self, asked: &mut Asked<'_>, best: &Healed, stays: &ReservationId) -> Necessity {
        let (true, Some(planner)) = (asked.may_ask(), pinned(self.planner, stays)) else {
            return Necessity::Open;
        };
        let other = self.heal(&planner);
        if !other.proved {
            return Necessity::Open;
        }
        if other.unkept.len() > best.unkept.len() {
            Necessity::Must
        } else {
            Necessity::May
        }
    }

    /// The moves by which a request is accepted, each with its lease and whether it has to be.
    pub fn moves(&self, request: &Request, moves: &[Move]) -> Vec<Consequence> {
        let mut asked = Asked::new(*self);
        let consequence = |change: &Move| {
            let (lease, _) = reservation(self.planner, &change.reservation)?;
            let necessity = if asked.may_ask() {
                pinned(self.planner, &change.reservation).map_or(Necessity::Open, |planner| {
                    let decision = Question {
                        planner: &planner,
                        ..*self
                    }
                    .decide(&super::least(request));
                    match Answer::of(&decision) {
                        Answer::Works(_) => Necessity::May,
                        Answer::Fails => Necessity::Must,
                        Answer::Open => Necessity::Open,
                    }
                })
            } else {
                Necessity::Open
            };
            Some(Consequence {
                lease: lease.id.clone(),
                change: change.clone(),
                displaced: false,
                necessity,
            })
        };
        moves.iter().filter_map(consequence).collect()
    }
}

/// A reservation and its lease.
fn reservation<'a>(planner: &'a Planner, id: &ReservationId) -> Option<(&'a Lease, &'a Reservation)> {
    planner.leases().find_map(|lease| {
        let part = lease.reservations.iter().find(|part| part.id == *id)?;
        Some((lease, part))
    })
}

/// The snapshot with a reservation bound to the hosts it holds.
fn pinned(planner: &Planner, id: &ReservationId) -> Option<Planner> {
    let (lease, _) = reservation(planner, id)?;
    let mut lease = lease.clone();
    lease
        .reservations
        .iter_mut()
        .filter(|part| part.id == *id)
        .for_each(|part| part.pinned = true);
    let mut next = planner.clone();
    next.put_lease(lease).ok()?;
    Some(next)
}

/// The snapshot with hosts exchanged, all at once. What has ended by `now` is left out: a running promise
/// may take a host that something else had before.
fn apply(planner: &Planner, moves: &[Move], now: Seconds) -> Result<Planner, StateError> {
    let mut next = planner.clone();
    let has_ended = |part: &Reservation| part.occupation().end <= now;
    for lease in planner
        .leases()
        .filter(|lease| lease.reservations.iter().any(has_ended))
    {
        let mut left = lease.clone();
        left.reservations.retain(|part| !has_ended(part));
        next.put_lease(left)?;
    }
    let mut leases: Vec<Lease> = Vec::new();
    for change in moves {
        let stale = || StateError::Stale {
            name: change.reservation.to_string(),
        };
        let (owner, _) = reservation(planner, &change.reservation).ok_or_else(stale)?;
        if leases.iter().all(|lease| lease.id != owner.id) {
            leases.extend(next.lease(&owner.id).cloned());
            next.remove_lease(&owner.id);
        }
        let parts = leases.iter_mut().flat_map(|lease| &mut lease.reservations);
        let part = parts
            .into_iter()
            .find(|part| part.id == change.reservation)
            .ok_or_else(stale)?;
        for left in &change.from {
            let place = part.holds.binary_search(left).map_err(|_| stale())?;
            part.holds.remove(place);
        }
        part.holds.extend(change.to.iter().cloned());
        part.holds.sort();
    }
    for lease in leases {
        next.put_lease(lease)?;
    }
    Ok(next)
}
