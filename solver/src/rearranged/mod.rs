//! What hosts carry once some of it has changed hands.
//!
//! Only hosts that are touched are read; of all others the index knows when they are idle. Nothing here knows why
//! something changes hands: see `tails` for what counting proves possible, `scope` for what was re-chosen.
//!
//! Invariant: a touched host carries what is written here, every other host what the planner says. An answer is told
//! only after it was recounted on the planner's hosts, without the index and without what is written here.

mod clearing;
mod exchange;
#[cfg(test)]
mod tests;
mod told;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::hosts::{Carried, HostNumber, ReservationNumber};
use crate::index::IndexClass;
use crate::model::{Instances, Interval, Resource, Seconds};
use crate::planner::Planner;
use crate::request::Ask;

/// Whose time on a host it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holder {
    /// A requested reservation, by its place in the request.
    Requested(usize),
    /// A reservation the planner holds.
    Standing(ReservationNumber),
}

/// Part of a host's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    during: Interval,
    holder: Holder,
    /// The host itself (1), or how many instances stand on it.
    count: u32,
}

/// A host that could be given; the first comes first.
type Candidate = (u64, Reverse<Seconds>, HostNumber);

/// The fleet as it will be.
pub(crate) struct Rearranged<'a> {
    planner: &'a Planner,
    asks: &'a [Ask<'a>],
    now: Seconds,
    /// Reservations that the request frees.
    freed: Vec<ReservationNumber>,
    /// What touched hosts carry, in order of time.
    hosts: BTreeMap<HostNumber, Vec<Piece>>,
}

impl<'a> Rearranged<'a> {
    /// The fleet as it stands, without what the request frees.
    pub(crate) fn new(planner: &'a Planner, asks: &'a [Ask<'a>], now: Seconds, freed: &[ReservationNumber]) -> Self {
        let mut rearranged = Self {
            planner,
            asks,
            now,
            freed: freed.to_vec(),
            hosts: BTreeMap::new(),
        };
        for held in freed.iter().filter_map(|&number| planner.index().held(number)) {
            for &host in &held.hosts {
                rearranged.touch(host as HostNumber);
            }
        }
        rearranged
    }

    /// What a host carried before, in order of time.
    fn before(&self, host: HostNumber) -> Vec<Piece> {
        let Some(carried) = self.carried(host) else {
            return Vec::new();
        };
        let wholes = carried.occupations.iter().map(|taken| (taken, 1));
        let shares = carried.shares.iter().map(|share| (&share.taken, share.count));
        let stays = wholes
            .chain(shares)
            .filter(|(taken, _)| !self.freed.contains(&taken.number));
        let mut pieces: Vec<Piece> = stays
            .map(|(taken, count)| Piece {
                during: taken.interval,
                holder: Holder::Standing(taken.number),
                count,
            })
            .collect();
        pieces.sort_unstable();
        pieces
    }

    /// What a host carries, in order of time.
    fn pieces(&self, host: HostNumber) -> Cow<'_, [Piece]> {
        let touched = self.hosts.get(&host);
        touched.map_or_else(
            || Cow::Owned(self.before(host)),
            |pieces| Cow::Borrowed(pieces.as_slice()),
        )
    }

    /// What a host carries, to be changed.
    fn touch(&mut self, host: HostNumber) -> &mut Vec<Piece> {
        if !self.hosts.contains_key(&host) {
            let pieces = self.before(host);
            self.hosts.insert(host, pieces);
        }
        self.hosts.entry(host).or_default()
    }

    /// The time around an instant in which a touched host is idle.
    fn idle_around(&self, host: HostNumber, at: Seconds) -> Option<Interval> {
        let mut idle = Interval::new(Seconds::MIN, Seconds::MAX);
        for Piece { during, .. } in self.hosts.get(&host)? {
            if during.contains(at) {
                return None;
            }
            if during.end <= at {
                idle.start = idle.start.max(during.end);
            } else {
                idle.end = idle.end.min(during.start);
            }
        }
        Some(idle)
    }

    fn carried(&self, host: HostNumber) -> Option<&'a Carried> {
        self.planner.hosts.at(host).map(AsRef::as_ref)
    }

    fn richness(&self, host: HostNumber) -> u64 {
        self.carried(host).map_or(0, |carried| carried.richness)
    }

    /// Touched hosts of classes that are idle at an instant, and when.
    fn touched(&self, classes: &[IndexClass], at: Seconds) -> impl Iterator<Item = (HostNumber, Interval)> {
        let index = self.planner.index();
        let here = self.hosts.keys().copied();
        here.filter(|&host| classes.contains(&index.class_of(host)))
            .filter_map(move |host| Some((host, self.idle_around(host, at)?)))
    }

    /// Hosts of classes that are idle throughout an interval, at most so many: poor ones first, then those that fell
    /// idle last before it, then by number.
    pub(crate) fn idle(&self, classes: &[IndexClass], during: Interval, most: usize) -> Vec<HostNumber> {
        let index = self.planner.index();
        let mut idle: Vec<Candidate> = Vec::new();
        for &class in classes {
            let others = index.gaps(class).throughout(during);
            let others = others.map(|(richness, gap)| (richness, Reverse(gap.idle.start), gap.host as HostNumber));
            idle.extend(others.filter(|other| !self.hosts.contains_key(&other.2)).take(most));
        }
        let touched = self.touched(classes, during.start);
        let long_enough = touched.filter(|(_, idle)| idle.end >= during.end);
        idle.extend(long_enough.map(|(host, idle)| (self.richness(host), Reverse(idle.start), host)));
        idle.sort_unstable();
        idle.into_iter().take(most).map(|(.., host)| host).collect()
    }

    /// Whether nobody holds a host during an interval.
    pub(crate) fn is_idle(&self, host: HostNumber, during: Interval) -> bool {
        self.pieces(host).iter().all(|piece| !piece.during.overlaps(&during))
    }

    /// Those who hold a host some time within an interval.
    pub(crate) fn in_the_way(&self, host: HostNumber, during: Interval) -> Vec<Holder> {
        let pieces = self.pieces(host);
        let met = pieces.iter().filter(|piece| piece.during.overlaps(&during));
        met.map(|piece| piece.holder).collect()
    }

    /// How rich a host is, and when it fell idle for the last time before an instant.
    pub(crate) fn idle_since(&self, host: HostNumber, at: Seconds) -> (u64, Reverse<Seconds>) {
        let pieces = self.pieces(host);
        let ends = pieces.iter().map(|piece| piece.during.end);
        let since = ends.filter(|&end| end <= at).max().unwrap_or(Seconds::MIN);
        (self.richness(host), Reverse(since))
    }

    /// A holder gives up a host.
    pub(crate) fn take_away(&mut self, holder: Holder, host: HostNumber) {
        self.touch(host).retain(|piece| piece.holder != holder);
    }

    /// Gives a host that is idle throughout an interval.
    pub(crate) fn give(&mut self, holder: Holder, host: HostNumber, during: Interval) {
        let count = 1;
        self.put(host, Piece { during, holder, count });
    }

    fn put(&mut self, host: HostNumber, piece: Piece) {
        let pieces = self.touch(host);
        let place = pieces.partition_point(|other| *other < piece);
        pieces.insert(place, piece);
    }

    /// What one instance of a holder takes; `None`: it takes whole hosts.
    fn instances(&self, holder: Holder) -> Option<&'a Instances> {
        let resource = match holder {
            Holder::Requested(number) => &self.asks.get(number)?.asked.resource,
            Holder::Standing(number) => &self.planner.index().held(number)?.reservation().resource,
        };
        match resource {
            Resource::Instances(instances) => Some(instances),
            Resource::Host | Resource::Units(_) => None,
        }
    }

    /// Whether a piece and what meets it among others fit on a host together.
    fn fits(&self, host: HostNumber, piece: &Piece, others: &[Piece]) -> bool {
        let met = others.iter().filter(|other| other.during.overlaps(&piece.during));
        let mut works = vec![(piece.during, self.instances(piece.holder), piece.count)];
        works.extend(met.map(|other| (other.during, self.instances(other.holder), other.count)));
        self.carried(host)
            .is_some_and(|carried| fit_together(&carried.host.capacity, &works))
    }

    /// The hosts among these that a holder has.
    pub(crate) fn still_held(&self, holder: Holder, hosts: &[HostNumber]) -> Vec<HostNumber> {
        let still = |host: &HostNumber| {
            let pieces = self.hosts.get(host);
            pieces.is_none_or(|pieces| pieces.iter().any(|piece| piece.holder == holder))
        };
        hosts.iter().copied().filter(still).collect()
    }
}

/// Whether whole hosts meet nothing, and amounts of instances nowhere add up to more than there is.
fn fit_together(capacity: &BTreeMap<String, u64>, works: &[(Interval, Option<&Instances>, u32)]) -> bool {
    works.iter().enumerate().all(|(number, &(during, instances, _))| {
        if instances.is_none() {
            let others = works.iter().enumerate().filter(|&(other, _)| other != number);
            return others.into_iter().all(|(_, other)| !other.0.overlaps(&during));
        }
        // The most is in use when something begins.
        let mut used: BTreeMap<&str, u64> = BTreeMap::new();
        for &(_, instances, count) in works.iter().filter(|other| other.0.contains(during.start)) {
            for (name, &amount) in instances.into_iter().flat_map(|instances| &instances.resources) {
                let sum = used.entry(name).or_default();
                *sum = sum.saturating_add(amount.saturating_mul(u64::from(count)));
            }
        }
        used.into_iter()
            .all(|(name, used)| used <= capacity.get(name).copied().unwrap_or(0))
    })
}
