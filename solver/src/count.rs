//! The common case: enough suitable hosts are free as things stand, and nothing has to change.
//!
//! Invariant: what is found is an assignment without moves. Poor classes are given away before rich ones, within a
//! class poor hosts before rich ones, of equally rich ones those that fell idle last before the start, then by
//! identifier. A class is opened only if its profile says that some of its hosts are free, and then only hosts that
//! are given are looked at: the index knows who is idle throughout.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::decision::Verdict;
use crate::hosts::{Carried, HostNumber};
use crate::index::{Eligible, IndexClass};
use crate::model::{HostId, Interval, Request, ReservationId, Seconds};
use crate::planner::Planner;
use crate::request::Ask;

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
    /// Hosts of the lease the request replaces, sorted: free for it, though the index counts them as used.
    freed: Vec<HostNumber>,
    /// Hosts and times this request has taken so far.
    taken: HashMap<HostNumber, Vec<Interval>>,
}

/// A host that could be given; the first comes first.
type Candidate = (u64, Reverse<Seconds>, HostNumber);

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
        freed: freed(planner, request, now),
        taken: HashMap::new(),
    };
    for ask in asks {
        let occupation = ask.asked.occupation();
        for id in ask.kept {
            let number = planner.hosts.number(id)?;
            if !search.is_free(planner.hosts.at(number)?, occupation) {
                return None;
            }
            search.taken.entry(number).or_default().push(occupation);
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
                self.take_from(class, ask, wanted, chosen);
            }
        }
        Some(chosen.len() >= wanted)
    }

    /// Adds the hosts the reservation held before, where they still suit and are free.
    fn give_again(&mut self, ask: &Ask<'_>, wanted: usize, chosen: &mut BTreeSet<&'a HostId>) {
        let numbers = ask.before.iter().filter_map(|id| self.planner.hosts.number(id));
        let suits = |number: &HostNumber| {
            let host = self.planner.hosts.at(*number).map(|carried| &carried.host);
            host.is_some_and(|host| host.suits(&ask.asked.predicate, ask.asked.window))
        };
        let occupation = ask.asked.occupation();
        let candidates = numbers
            .filter(suits)
            .filter_map(|host| self.candidate(host, occupation));
        let mut candidates: Vec<Candidate> = candidates.collect();
        candidates.sort_unstable();
        self.take(&candidates, occupation, wanted, chosen);
    }

    /// Adds free hosts of a class.
    fn take_from(&mut self, class: IndexClass, ask: &Ask<'_>, wanted: usize, chosen: &mut BTreeSet<&'a HostId>) {
        let occupation = ask.asked.occupation();
        let index = self.planner.index();
        let here = |host: &&HostNumber| index.class_of(**host) == class;
        let freed = self.freed.iter().filter(here);
        let mut candidates: Vec<Candidate> = freed.filter_map(|&host| self.candidate(host, occupation)).collect();
        let idle = index.gaps(class).throughout(occupation);
        let idle = idle.map(|(richness, gap)| (richness, Reverse(gap.idle.start), gap.host as HostNumber));
        let other = |candidate: &Candidate| self.freed.binary_search(&candidate.2).is_err();
        let idle = idle.filter(|candidate| other(candidate) && !self.is_taken(candidate.2, occupation));
        candidates.extend(idle.take(wanted.saturating_sub(chosen.len())));
        candidates.sort_unstable();
        self.take(&candidates, occupation, wanted, chosen);
    }

    /// A host if it is free for the request.
    fn candidate(&self, host: HostNumber, occupation: Interval) -> Option<Candidate> {
        let carried = self.planner.hosts.at(host)?;
        if !self.is_free(carried, occupation) || self.is_taken(host, occupation) {
            return None;
        }
        let stays = carried.all().filter(|taken| !Ask::frees(self.request, taken, self.now));
        let ends = stays.map(|taken| taken.interval.end);
        let idle_since = ends.filter(|&end| end <= occupation.start).max();
        Some((carried.richness, Reverse(idle_since.unwrap_or(Seconds::MIN)), host))
    }

    /// Whether the request has taken a host during an interval.
    fn is_taken(&self, host: HostNumber, occupation: Interval) -> bool {
        let times = self.taken.get(&host);
        times.is_some_and(|times| times.iter().any(|taken| taken.overlaps(&occupation)))
    }

    /// Gives these hosts, in their order, until there are as many as wanted, each counted once more.
    fn take(&mut self, free: &[Candidate], occupation: Interval, wanted: usize, chosen: &mut BTreeSet<&'a HostId>) {
        for &(.., host) in free.iter().take(wanted.saturating_sub(chosen.len())) {
            let carried = self.planner.hosts.at(host);
            if let Some(carried) = carried.filter(|carried| self.is_free(carried, occupation)) {
                self.taken.entry(host).or_default().push(occupation);
                chosen.insert(&carried.host.id);
            }
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

/// Hosts of the parts of the replaced lease that the request frees, sorted.
fn freed(planner: &Planner, request: &Request, now: Seconds) -> Vec<HostNumber> {
    let freed = Ask::freed(planner, request, now).into_iter();
    let standing = freed.filter_map(|number| planner.index().held(number));
    let hosts = standing.flat_map(|held| &held.hosts);
    let mut hosts: Vec<HostNumber> = hosts.map(|&host| host as HostNumber).collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}
