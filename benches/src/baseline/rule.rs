//! Which of the free hosts is taken.

use std::cmp::Reverse;

use crate::random::Random;

/// A rule of choice.
#[derive(Debug, Clone)]
pub enum Rule {
    /// Upstream's default for hosts: those without any reservation at any time first, else those free in the window
    /// before those; in the order of the inventory. For instances: hosts that have some in the window first, and each
    /// reservation on a host counted as one instance.
    Upstream,
    /// The same in random order (upstream's option `randomize_host_selection`).
    UpstreamRandom(Random),
    /// The first hosts in the order of the inventory that are free or, for instances, have room.
    FirstFit,
    /// Poorest capability first, then the smallest idle gap around the window. For instances: the hosts of which the
    /// least is left of what an instance takes most of, in shares of the host.
    BestFit,
}

impl Rule {
    /// Name in tables.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::UpstreamRandom(_) => "upstream, random",
            Self::FirstFit => "first fit",
            Self::BestFit => "best fit",
        }
    }

    /// Whether upstream's way of counting instances is used.
    pub(super) const fn is_upstream(&self) -> bool {
        match self {
            Self::Upstream | Self::UpstreamRandom(_) => true,
            Self::FirstFit | Self::BestFit => false,
        }
    }

    /// Whether the tightest hosts for instances come first.
    pub(super) const fn is_best_fit(&self) -> bool {
        matches!(self, Self::BestFit)
    }

    /// Puts hosts into the order in which the inventory gives them.
    pub(super) fn arrange<T>(&mut self, hosts: &mut [T]) {
        if let Self::UpstreamRandom(random) = self {
            random.shuffle(hosts);
        }
    }

    /// Takes at least `min` and at most `max` of the candidates, or none.
    pub(super) fn choose(&mut self, mut candidates: Vec<Candidate>, min: usize, max: usize) -> Option<Vec<usize>> {
        if !self.is_upstream() {
            if self.is_best_fit() {
                candidates.sort_by_key(|candidate| (candidate.richness, candidate.gap, candidate.host));
            }
            let chosen = candidates.iter().take(max).map(|candidate| candidate.host).collect();
            return (candidates.len() >= min).then_some(chosen);
        }
        self.arrange(&mut candidates);
        let untouched: Vec<usize> = candidates
            .iter()
            .filter(|candidate| candidate.untouched)
            .map(|candidate| candidate.host)
            .collect();
        if untouched.len() >= min {
            return Some(untouched.into_iter().take(max).collect());
        }
        candidates.sort_by_key(|candidate| Reverse(!candidate.untouched));
        let chosen = candidates.iter().take(max).map(|candidate| candidate.host).collect();
        (candidates.len() >= min).then_some(chosen)
    }
}

/// A host that is free in the window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) host: usize,
    /// Nothing is on it, now or later.
    pub(super) untouched: bool,
    pub(super) richness: u64,
    /// Idle seconds around the window.
    pub(super) gap: u64,
}
