//! When leases are over.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::model::{Lease, LeaseId, Seconds};
use crate::planner::Planner;

/// Leases by the end of their last cleaning. A lease that was changed waits at its former ends too; it is
/// looked at then and kept.
#[derive(Default)]
pub(super) struct Ends(BinaryHeap<Reverse<(Seconds, LeaseId)>>);

impl Ends {
    /// Waits for the end of a lease as it is now.
    pub(super) fn expect(&mut self, lease: &Lease) {
        self.0.push(Reverse((end(lease), lease.id.clone())));
    }

    /// Takes every lease out of the planner that is over at `clock`, cleaning included.
    pub(super) fn retire(&mut self, planner: &mut Planner, clock: Seconds) {
        while let Some(Reverse((at, _))) = self.0.peek()
            && *at <= clock
        {
            let Some(Reverse((_, id))) = self.0.pop() else {
                return;
            };
            if planner.lease(&id).is_some_and(|lease| end(lease) <= clock) {
                planner.remove_lease(&id);
            }
        }
    }
}

/// The moment from which a lease occupies nothing any more.
fn end(lease: &Lease) -> Seconds {
    let ends = lease.reservations.iter().map(|held| held.occupation().end);
    ends.max().unwrap_or(Seconds::MIN)
}
