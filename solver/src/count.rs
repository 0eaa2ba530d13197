//! The common case: enough suitable hosts are free as things stand, and nothing has to change.
//!
//! Invariant: what is found is an assignment without moves. Poor hosts are given away before rich ones,
//! then those with the smallest idle gap before the start, then by identifier.

use std::collections::{BTreeMap, BTreeSet};

use crate::decision::Verdict;
use crate::model::{HostId, Interval, Request, ReservationId, Seconds};
use crate::planner::{Carried, Planner};
use crate::request::Ask;

/// Hosts for every requested reservation.
pub(crate) struct Found {
    chosen: Vec<BTreeSet<HostId>>,
    /// No other assignment could give any reservation more hosts.
    pub(crate) complete: bool,
}

impl Found {
    /// The hosts as an answer; nothing moves.
    pub(crate) fn verdict(&self, asks: &[Ask<'_>]) -> Verdict {
        let holds: BTreeMap<ReservationId, Vec<HostId>> = asks
            .iter()
            .zip(&self.chosen)
            .map(|(ask, chosen)| {
                let all: BTreeSet<HostId> = ask.kept.iter().chain(chosen).cloned().collect();
                (ask.asked.id.clone(), all.into_iter().collect())
            })
            .collect();
        Verdict::Accepted {
            holds,
            moves: Vec::new(),
        }
    }
}

/// A suitable host as one requested reservation sees it.
struct Candidate<'a> {
    host: &'a HostId,
    order: (bool, u64, Seconds),
    free: bool,
}

/// Looks for hosts that are free during the whole of each requested reservation.
pub(crate) fn search(planner: &Planner, asks: &[Ask<'_>], request: &Request, now: Seconds) -> Option<Found> {
    let stays_in_the_way =
        |carried: &Carried, interval: Interval| carried.in_use(interval).any(|taken| !Ask::frees(request, taken, now));
    // Hosts and times this request has taken so far.
    let mut taken: Vec<(&HostId, Interval)> = Vec::new();
    for ask in asks {
        let occupation = ask.asked.occupation();
        for id in ask.kept {
            if stays_in_the_way(planner.hosts.get(id)?, occupation) {
                return None;
            }
            taken.push((id, occupation));
        }
    }
    let candidates: Vec<Vec<Candidate<'_>>> = asks.iter().map(|ask| candidates(planner, ask, request, now)).collect();
    let mut chosen: Vec<BTreeSet<HostId>> = vec![BTreeSet::new(); asks.len()];
    let mut give = |number: usize, wanted: u32, chosen: &mut BTreeSet<HostId>| {
        let occupation = asks[number].asked.occupation();
        for candidate in candidates[number].iter().filter(|candidate| candidate.free) {
            if chosen.len() >= wanted as usize {
                break;
            }
            let available = !taken
                .iter()
                .any(|(host, interval)| *host == candidate.host && interval.overlaps(&occupation));
            if available && chosen.insert(candidate.host.clone()) {
                taken.push((candidate.host, occupation));
            }
        }
        chosen.len() >= wanted as usize
    };
    // Every least amount comes before any more than that.
    for (number, ask) in asks.iter().enumerate() {
        if !give(number, ask.least, &mut chosen[number]) {
            return None;
        }
    }
    let mut complete = true;
    for (number, ask) in asks.iter().enumerate() {
        let filled = give(number, ask.most, &mut chosen[number]);
        complete &= filled || chosen[number].len() == candidates[number].len();
    }
    Some(Found { chosen, complete })
}

/// Suitable hosts that no fixed work occupies, best first.
fn candidates<'a>(planner: &'a Planner, ask: &Ask<'_>, request: &Request, now: Seconds) -> Vec<Candidate<'a>> {
    let occupation = ask.asked.occupation();
    if ask.most == 0 {
        return Vec::new();
    }
    let mut candidates: Vec<Candidate<'a>> = planner
        .hosts
        .values()
        .filter_map(|carried| {
            let others = || {
                carried
                    .in_use(occupation)
                    .filter(|taken| !Ask::frees(request, taken, now))
            };
            if others().any(|taken| taken.is_fixed(now, planner.freeze))
                || !carried.host.suits(&ask.asked.predicate, ask.asked.window)
                || ask.kept.binary_search(&carried.host.id).is_ok()
            {
                return None;
            }
            let earlier = carried
                .occupations
                .partition_point(|taken| taken.interval.end <= occupation.start);
            let idle_since = earlier
                .checked_sub(1)
                .map_or(now, |last| carried.occupations[last].interval.end.max(now));
            let elsewhere = ask.before.binary_search(&carried.host.id).is_err();
            Some(Candidate {
                host: &carried.host.id,
                order: (elsewhere, carried.richness, occupation.start.saturating_sub(idle_since)),
                free: others().next().is_none(),
            })
        })
        .collect();
    candidates.sort_by_key(|candidate| (candidate.order, candidate.host));
    candidates
}
