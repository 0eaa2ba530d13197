//! The common case: enough suitable hosts are free as things stand, and nothing has to change.
//!
//! Invariant: what is found is an assignment without moves. Poor classes are given away before rich ones;
//! within a class the hosts with the smallest idle gap before the start, then by identifier. A class is
//! opened only if its profile says that some of its hosts are free.

use std::collections::{BTreeMap, BTreeSet};

use crate::decision::Verdict;
use crate::hosts::{Carried, HostNumber};
use crate::index::{Eligible, IndexClass};
use crate::model::{HostId, Interval, Request, ReservationId, Seconds};
use crate::planner::Planner;
use crate::request::Ask;

/// Free hosts of a class that are compared beyond those needed: the tightest of so many is tight enough.
const MOST_COMPARED: usize = 64;

/// Hosts for every requested reservation.
pub(crate) struct Found<'a> {
    chosen: Vec<BTreeSet<&'a HostId>>,
    /// No other assignment without moves could give any reservation more hosts.
    pub(crate) complete: bool,
}

impl Found<'_> {
    /// The hosts as an answer; nothing moves.
    pub(crate) fn verdict(&self, asks: &[Ask<'_>]) -> Verdict {
        let holds: BTreeMap<ReservationId, Vec<HostId>> = asks
            .iter()
            .zip(&self.chosen)
            .map(|(ask, chosen)| {
                let all: BTreeSet<&HostId> = ask.kept.iter().chain(chosen.iter().copied()).collect();
                (ask.asked.id.clone(), all.into_iter().cloned().collect())
            })
            .collect();
        Verdict::Accepted {
            holds,
            moves: Vec::new(),
        }
    }
}

/// The search for one request.
struct Search<'a> {
    planner: &'a Planner,
    asks: &'a [Ask<'a>],
    request: &'a Request,
    now: Seconds,
    /// Hosts and times this request has taken so far.
    taken: Vec<(HostNumber, Interval)>,
}

/// Looks for hosts that are free during the whole of each requested reservation.
pub(crate) fn search<'a>(
    planner: &'a Planner,
    asks: &'a [Ask<'a>],
    request: &'a Request,
    now: Seconds,
) -> Option<Found<'a>> {
    let mut search = Search {
        planner,
        asks,
        request,
        now,
        taken: Vec::new(),
    };
    for ask in asks {
        let occupation = ask.asked.occupation();
        for id in ask.kept {
            let number = planner.hosts.number(id)?;
            if !search.is_free(planner.hosts.at(number)?, occupation) {
                return None;
            }
            search.taken.push((number, occupation));
        }
    }
    let mut chosen: Vec<BTreeSet<&HostId>> = vec![BTreeSet::new(); asks.len()];
    // Every least amount comes before any more than that.
    for (ask, chosen) in asks.iter().zip(&mut chosen) {
        if !search.give(ask, ask.least, chosen)? {
            return None;
        }
    }
    let mut complete = true;
    for (ask, chosen) in asks.iter().zip(&mut chosen) {
        complete &= search.give(ask, ask.most, chosen)? || chosen.len() == search.most(ask)?;
    }
    Some(Found { chosen, complete })
}

impl<'a> Search<'a> {
    fn is_free(&self, carried: &Carried, interval: Interval) -> bool {
        carried
            .in_use(interval)
            .all(|taken| Ask::frees(self.request, taken, self.now))
    }

    fn eligible(&self, ask: &Ask<'_>) -> Option<&'a Eligible> {
        self.planner.eligible(&ask.asked.predicate).map(AsRef::as_ref)
    }

    /// Adds free hosts until there are as many as wanted; `false` if there are fewer.
    fn give(&mut self, ask: &Ask<'_>, wanted: u32, chosen: &mut BTreeSet<&'a HostId>) -> Option<bool> {
        let wanted = wanted as usize;
        if chosen.len() >= wanted {
            return Some(true);
        }
        // What a replaced lease holds is free for the request, though the profile counts it as used.
        let replaces = self.request.replaces.is_some();
        let (index, eligible) = (self.planner.index(), self.eligible(ask)?);
        let (window, occupation) = (ask.asked.window, ask.asked.occupation());
        if replaces {
            self.give_again(ask, wanted, chosen);
        } else {
            let missing = u32::try_from(wanted - chosen.len()).unwrap_or(u32::MAX);
            let least = chosen.is_empty() && self.taken.is_empty() && ask.least as usize == wanted;
            if least && index.free(eligible, window, occupation, missing) < missing {
                return Some(false);
            }
        }
        for &class in &eligible.classes {
            if chosen.len() >= wanted {
                break;
            }
            let class = class as IndexClass;
            if index.in_service(class, window) && (replaces || index.room(class, occupation) > 0) {
                self.take_from(index.hosts_of(class), ask, wanted, chosen);
            }
        }
        Some(chosen.len() >= wanted)
    }

    /// Adds the hosts the reservation held before, where they still suit and are free.
    fn give_again(&mut self, ask: &Ask<'_>, wanted: usize, chosen: &mut BTreeSet<&'a HostId>) {
        let numbers: Vec<u32> = ask
            .before
            .iter()
            .filter_map(|id| self.planner.hosts.number(id))
            .filter(|&number| {
                let host = self.planner.hosts.at(number).map(|carried| &carried.host);
                host.is_some_and(|host| host.suits(&ask.asked.predicate, ask.asked.window))
            })
            .filter_map(|number| u32::try_from(number).ok())
            .collect();
        self.take_from(&numbers, ask, wanted, chosen);
    }

    /// Adds free hosts out of these.
    fn take_from(&mut self, hosts: &[u32], ask: &Ask<'_>, wanted: usize, chosen: &mut BTreeSet<&'a HostId>) {
        let occupation = ask.asked.occupation();
        let missing = wanted.saturating_sub(chosen.len());
        let mut free: Vec<(u64, Seconds, HostNumber, &'a HostId)> = Vec::new();
        for &number in hosts {
            let number = number as HostNumber;
            let Some(carried) = self.planner.hosts.at(number) else {
                continue;
            };
            let again = |(host, interval): &(HostNumber, Interval)| *host == number && interval.overlaps(&occupation);
            if !self.is_free(carried, occupation)
                || self.taken.iter().any(again)
                || ask.kept.binary_search(&carried.host.id).is_ok()
                || chosen.contains(&carried.host.id)
            {
                continue;
            }
            let earlier = carried
                .occupations
                .partition_point(|taken| taken.interval.end <= occupation.start);
            let idle_since = earlier
                .checked_sub(1)
                .map_or(self.now, |last| carried.occupations[last].interval.end.max(self.now));
            let gap = occupation.start.saturating_sub(idle_since);
            free.push((carried.richness, gap, number, &carried.host.id));
            if free.len() >= missing.saturating_add(MOST_COMPARED) {
                break;
            }
        }
        if free.len() > missing && missing > 0 {
            free.select_nth_unstable(missing - 1);
        }
        for (.., number, id) in free.into_iter().take(missing) {
            self.taken.push((number, occupation));
            chosen.insert(id);
        }
    }

    /// A number of hosts that no assignment without moves exceeds. Hosts of the classes suffice as a bound
    /// for a single reservation; several may stand in each other's way, so for them only what fixed work
    /// leaves is counted.
    fn most(&self, ask: &Ask<'_>) -> Option<usize> {
        let (index, eligible) = (self.planner.index(), self.eligible(ask)?);
        let (window, occupation) = (ask.asked.window, ask.asked.occupation());
        let classes = eligible.classes.iter().map(|&class| class as IndexClass);
        let classes = classes.filter(|&class| index.in_service(class, window));
        if self.request.replaces.is_none() && self.asks.len() == 1 {
            return Some(classes.map(|class| index.room(class, occupation) as usize).sum());
        }
        let hosts = classes.flat_map(|class| index.hosts_of(class));
        let carried = hosts.filter_map(|&host| self.planner.hosts.at(host as HostNumber));
        let possible = carried.filter(|carried| {
            let mut others = carried
                .in_use(occupation)
                .filter(|taken| !Ask::frees(self.request, taken, self.now));
            !others.any(|taken| taken.is_fixed(self.now, self.planner.freeze))
                && ask.kept.binary_search(&carried.host.id).is_err()
        });
        Some(possible.count())
    }
}
