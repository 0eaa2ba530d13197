//! An accepted decision becomes part of the state.
//!
//! Invariant: a decision taken on another state is refused as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Planner, StateError};
use crate::decision::{Decision, Move, Verdict};
use crate::hosts::Occupation;
use crate::model::{Lease, LeaseId, Request, Reservation, ReservationId, Seconds};

impl Planner {
    /// Makes an accepted decision on this very state part of it. Other verdicts change nothing.
    pub fn apply(&mut self, request: &Request, decision: &Decision) -> Result<(), StateError> {
        let Verdict::Accepted { holds, moves } = &decision.verdict else {
            return Ok(());
        };
        let mut next = self.clone();
        let mut changed: Vec<Lease> = Vec::new();
        // From when on what is recorded later than its start is recorded.
        let mut since: BTreeMap<ReservationId, Seconds> = BTreeMap::new();
        for change in moves {
            let stale = || StateError::Stale {
                name: change.reservation.to_string(),
            };
            let owner = &self.owner(change).ok_or_else(stale)?;
            if !changed.iter().any(|lease| lease.id == *owner) {
                changed.push(next.lease(owner).cloned().ok_or_else(stale)?);
                since.extend(next.recorded_since(owner));
                next.remove_lease(owner);
            }
            let lease = changed.iter_mut().find(|lease| lease.id == *owner).ok_or_else(stale)?;
            let mut parts = lease.reservations.iter_mut();
            let moved = parts.find(|part| part.id == change.reservation).ok_or_else(stale)?;
            for left in &change.from {
                let place = moved.holds.binary_search(left).map_err(|_| stale())?;
                moved.holds.remove(place);
            }
            moved.holds.extend(change.to.iter().cloned());
            moved.holds.sort();
        }
        let mut reservations = Vec::new();
        let mut before: &[Reservation] = &[];
        if let Some(replaced) = &request.replaces {
            let stale = || StateError::Stale {
                name: replaced.to_string(),
            };
            before = &self.lease(replaced).ok_or_else(stale)?.reservations;
            since.extend(next.recorded_since(replaced));
            next.remove_lease(replaced);
            let unnamed = before
                .iter()
                .filter(|part| !request.reservations.iter().any(|asked| asked.id == part.id));
            reservations.extend(unnamed.filter(|part| part.window.start <= decision.at).cloned());
        }
        for asked in &request.reservations {
            let stale = || StateError::Stale {
                name: asked.id.to_string(),
            };
            // What joins a reservation that has started is its own from the decision on.
            since.insert(asked.id.clone(), decision.at);
            reservations.push(Reservation {
                id: asked.id.clone(),
                resource: asked.resource.clone(),
                window: asked.window,
                cleaning: asked.cleaning,
                min: asked.min,
                max: asked.max,
                predicate: Arc::clone(&asked.predicate),
                holds: holds.get(&asked.id).cloned().ok_or_else(stale)?,
                pinned: before.iter().any(|part| part.id == asked.id && part.pinned),
            });
        }
        changed.push(Lease {
            id: request.replaces.as_ref().unwrap_or(&request.id).clone(),
            reservations,
        });
        for lease in changed {
            next.occupy(lease, |held| since.get(&held.id).copied().unwrap_or(Seconds::MIN))?;
        }
        *self = next;
        Ok(())
    }

    /// From when on the reservations of a lease are recorded.
    pub(super) fn recorded_since(&self, lease: &LeaseId) -> impl Iterator<Item = (ReservationId, Seconds)> {
        let stored = self.leases.get(lease).into_iter();
        let parts = stored.flat_map(|stored| stored.lease.reservations.iter().zip(&stored.parts));
        parts.map(|(held, part)| (held.id.clone(), part.since))
    }

    /// The lease whose reservation a change concerns.
    fn owner(&self, change: &Move) -> Option<LeaseId> {
        let names = |taken: &&Occupation| taken.reservation == change.reservation;
        let on_host = change
            .from
            .first()
            .and_then(|host| self.hosts.get(host))
            .and_then(|carried| {
                let shares = carried.shares.iter().map(|share| &share.taken);
                carried.occupations.iter().chain(shares).find(names)
            });
        on_host.map(|taken| taken.lease.clone()).or_else(|| {
            let holds = |lease: &&Lease| lease.reservations.iter().any(|part| part.id == change.reservation);
            self.leases().find(holds).map(|lease| lease.id.clone())
        })
    }
}
