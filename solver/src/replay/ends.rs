//! When leases are over, and what is remembered of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::document::RequestEntry;
use crate::model::{Lease, LeaseId, Seconds};
use crate::planner::{Planner, StateError};

/// Leases remembered before the first attempt to forget some.
const FEW: usize = 1024;

/// Leases by the end of their last cleaning. A lease that was changed waits at its former ends too; it is
/// looked at then and kept.
#[derive(Default)]
pub(super) struct Ends {
    waiting: BinaryHeap<Reverse<(Seconds, LeaseId)>>,
    /// Leases that are over but may have run while a lease of the state did, by their end.
    past: BTreeMap<(Seconds, LeaseId), Lease>,
    /// Size of `past` at which it is worth looking for what can be forgotten.
    crowded: usize,
}

impl Ends {
    /// Waits for the end of a lease as it is now.
    pub(super) fn expect(&mut self, lease: &Lease) {
        self.waiting.push(Reverse((end(lease), lease.id.clone())));
    }

    /// Takes every lease out of the planner that is over at `clock`, cleaning included.
    pub(super) fn retire(&mut self, planner: &mut Planner, clock: Seconds) {
        while let Some(Reverse((at, _))) = self.waiting.peek()
            && *at <= clock
        {
            let Some(Reverse((at, id))) = self.waiting.pop() else {
                return;
            };
            if let Some(lease) = planner.lease(&id).filter(|lease| end(lease) <= clock) {
                self.past.insert((at, id.clone()), lease.clone());
                planner.remove_lease(&id);
            }
        }
        if self.past.len() > self.crowded.max(FEW) {
            let starts = planner.leases().flat_map(|lease| &lease.reservations);
            let earliest = starts.map(|held| held.window.start).min().unwrap_or(clock);
            self.past = self.past.split_off(&(earliest, LeaseId::from("")));
            self.crowded = 2 * self.past.len();
        }
    }

    /// The planner with the leases that ended after the start of the running lease a request re-decides;
    /// nothing if it re-decides none.
    pub(super) fn with_past(&self, planner: &Planner, entry: &RequestEntry) -> Result<Option<Planner>, StateError> {
        let Some(lease) = entry.replaces.as_ref().and_then(|lease| planner.lease(lease)) else {
            return Ok(None);
        };
        let starts = lease.reservations.iter().map(|held| held.window.start);
        let since = starts.min().unwrap_or(Seconds::MAX);
        let mut with_past = planner.clone();
        for over in self.past.range((since, LeaseId::from(""))..).map(|(_, lease)| lease) {
            with_past.put_lease(over.clone())?;
        }
        Ok(Some(with_past))
    }
}

/// The moment from which a lease occupies nothing any more.
fn end(lease: &Lease) -> Seconds {
    let ends = lease.reservations.iter().map(|held| held.occupation().end);
    ends.max().unwrap_or(Seconds::MIN)
}
