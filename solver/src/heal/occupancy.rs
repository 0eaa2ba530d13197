//! Who takes how much of which host when.
//!
//! Invariant: at every instant a host carries at most one whole use, or instances whose amounts together
//! fit its capacity. Everything is compared with everything on its host: nothing relies on an order.

use std::sync::Arc;

use crate::model::{Host, Instances, Interval, Seconds, times_fitting};

/// How a reservation uses a host.
#[derive(Debug, Clone)]
pub(super) enum Use {
    /// All of it.
    Whole,
    /// This many instances.
    Part(Arc<Instances>, u32),
}

/// The uses of every host.
#[derive(Debug, Clone)]
pub(super) struct Occupancy<'a> {
    hosts: Vec<&'a Host>,
    taken: Vec<Vec<(Interval, Use)>>,
}

impl<'a> Occupancy<'a> {
    /// Nothing is in use.
    pub(super) fn new(hosts: Vec<&'a Host>) -> Self {
        let taken = hosts.iter().map(|_| Vec::new()).collect();
        Self { hosts, taken }
    }

    /// The uses of a host.
    pub(super) fn on(&self, host: usize) -> &[(Interval, Use)] {
        &self.taken[host]
    }

    /// Adds a use.
    pub(super) fn take(&mut self, host: usize, interval: Interval, taken: Use) {
        self.taken[host].push((interval, taken));
    }

    /// Whether nothing else is on the host during the interval.
    pub(super) fn is_free(&self, host: usize, interval: Interval) -> bool {
        !self.taken[host].iter().any(|(taken, _)| taken.overlaps(&interval))
    }

    /// How many instances fit beside what is on the host, at most `most`.
    pub(super) fn headroom(&self, host: usize, interval: Interval, instances: &Instances, most: u32) -> u32 {
        let others = || self.taken[host].iter().filter(|(taken, _)| taken.overlaps(&interval));
        if others().any(|(_, taken)| matches!(taken, Use::Whole)) {
            return 0;
        }
        // The use of a resource grows only where something begins.
        let begins = others().map(|(taken, _)| taken.start.max(interval.start));
        let instants = begins.chain([interval.start]);
        let wanted = || instances.resources.iter();
        let fitting = |at: Seconds| times_fitting(wanted().map(|(name, &amount)| (self.left(host, at, name), amount)));
        let fitting = instants.filter_map(fitting).min().unwrap_or(u64::MAX);
        u32::try_from(fitting.min(u64::from(most))).unwrap_or(most)
    }

    /// How much of a resource instances leave on a host at an instant.
    pub(super) fn left(&self, host: usize, at: Seconds, name: &str) -> u64 {
        let capacity = self.hosts[host].capacity.get(name).copied().unwrap_or(0);
        let active = self.taken[host].iter().filter(|(taken, _)| taken.contains(at));
        active.fold(capacity, |left, (_, part)| match part {
            Use::Whole => left,
            Use::Part(instances, count) => {
                let amount = instances.resources.get(name).copied().unwrap_or(0);
                left.saturating_sub(amount.saturating_mul(u64::from(*count)))
            }
        })
    }
}
