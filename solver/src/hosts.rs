//! The fleet: every host with what it carries, in the order of identifiers.
//!
//! Invariant: a host's number is its place in that order, so equal fleets have equal numbers however they
//! came about. Numbers shift when a host comes or goes. Clones share structure.

use std::sync::Arc;

use imbl::Vector;

use crate::model::{Host, HostId, Instances, Interval, LeaseId, ReservationId, Seconds};

/// A host's number.
pub(crate) type HostNumber = usize;
/// A reservation's number in the planner's table.
pub(crate) type ReservationNumber = u32;

/// Part of a host's time that is taken.
#[derive(Debug, Clone)]
pub(crate) struct Occupation {
    /// From the start of the reservation, or later when that has passed, to the end of the cleaning after it.
    pub(crate) interval: Interval,
    pub(crate) lease: LeaseId,
    pub(crate) reservation: ReservationId,
    /// The reservation in the planner's table.
    pub(crate) number: ReservationNumber,
    pub(crate) pinned: bool,
}

impl Occupation {
    /// As [`crate::model::Reservation::is_fixed`]: an occupation starts when its reservation does, or after that and
    /// no later than any `now` that is asked about.
    pub(crate) const fn is_fixed(&self, now: Seconds, freeze: Seconds) -> bool {
        self.pinned || self.interval.start <= now || self.interval.start < now.saturating_add(freeze)
    }
}

/// What the instances of one reservation take of a host.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    pub(crate) taken: Occupation,
    /// How many instances stand on the host.
    pub(crate) count: u32,
    pub(crate) instances: Arc<Instances>,
}

/// A host and what it carries.
#[derive(Debug, Clone)]
pub(crate) struct Carried {
    pub(crate) host: Arc<Host>,
    /// How much the host can do that others cannot; the poor are given away first.
    pub(crate) richness: u64,
    /// What host reservations take, sorted by time and disjoint.
    pub(crate) occupations: Vec<Occupation>,
    /// What instance reservations take of it: once for each reservation, sorted by start. They overlap
    /// each other, but no occupation.
    pub(crate) shares: Vec<Share>,
}

impl Carried {
    /// A host that carries nothing.
    pub(crate) fn empty(host: Host) -> Self {
        Self {
            richness: richness(&host),
            host: Arc::new(host),
            occupations: Vec::new(),
            shares: Vec::new(),
        }
    }

    /// Everything it carries, whole-host reservations first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Occupation> {
        self.occupations
            .iter()
            .chain(self.shares.iter().map(|share| &share.taken))
    }

    /// The occupations that share a second with the interval.
    pub(crate) fn overlapping(&self, interval: Interval) -> &[Occupation] {
        let first = self
            .occupations
            .partition_point(|taken| taken.interval.end <= interval.start);
        let rest = &self.occupations[first..];
        let count = rest
            .iter()
            .take_while(|taken| taken.interval.start < interval.end)
            .count();
        &rest[..count]
    }

    /// Everything that keeps a host reservation away during the interval: other host reservations and
    /// instances.
    pub(crate) fn in_use(&self, interval: Interval) -> impl Iterator<Item = &Occupation> {
        let shares = self.shares.iter().map(|share| &share.taken);
        self.overlapping(interval)
            .iter()
            .chain(shares.filter(move |taken| taken.interval.overlaps(&interval)))
    }

    /// The times at which the host is in use, disjoint.
    pub(crate) fn used(&self) -> Vec<Interval> {
        self.used_beside(|_| false)
    }

    /// The times at which the host is in use by others than some of the instances on it, disjoint.
    pub(crate) fn used_beside(&self, aside: impl Fn(&Occupation) -> bool) -> Vec<Interval> {
        let occupations = self.occupations.iter().map(|taken| taken.interval);
        if self.shares.is_empty() {
            return occupations.collect();
        }
        let shares = self
            .shares
            .iter()
            .map(|share| &share.taken)
            .filter(|taken| !aside(taken));
        let mut all: Vec<Interval> = occupations.chain(shares.map(|taken| taken.interval)).collect();
        all.sort_unstable();
        let mut used: Vec<Interval> = Vec::with_capacity(all.len());
        for interval in all {
            match used.last_mut() {
                Some(last) if interval.start <= last.end => last.end = last.end.max(interval.end),
                _ => used.push(interval),
            }
        }
        used
    }

    /// The times at which the host is not in use.
    pub(crate) fn idle(&self) -> Vec<Interval> {
        between(&self.used())
    }

    /// The time around an interval in which no host reservation but that of the interval itself, if there is one, takes
    /// the host.
    pub(crate) fn idle_besides(&self, interval: Interval) -> Interval {
        let before = self
            .occupations
            .partition_point(|taken| taken.interval.end <= interval.start);
        let after = self
            .occupations
            .partition_point(|taken| taken.interval.end <= interval.end);
        let start = before.checked_sub(1).map(|last| self.occupations[last].interval.end);
        let end = self.occupations.get(after).map(|taken| taken.interval.start);
        Interval::new(start.unwrap_or(Seconds::MIN), end.unwrap_or(Seconds::MAX))
    }
}

/// The time before, between and after disjoint intervals in order of time.
pub(crate) fn between(used: &[Interval]) -> Vec<Interval> {
    let starts = std::iter::once(Seconds::MIN).chain(used.iter().map(|interval| interval.end));
    let ends = used.iter().map(|interval| interval.start);
    let gaps = starts.zip(ends.chain(std::iter::once(Seconds::MAX)));
    gaps.filter(|(start, end)| start < end)
        .map(|(start, end)| Interval::new(start, end))
        .collect()
}

/// Properties that say yes, or how many, each count once; size decides between equals.
fn richness(host: &Host) -> u64 {
    let says_no = |value: &str| value.is_empty() || value == "0" || value.eq_ignore_ascii_case("false");
    let abilities = host.properties.values().filter(|value| !says_no(value)).count() as u64;
    let size = host
        .capacity
        .values()
        .map(|&amount| u64::from(64 - amount.leading_zeros()))
        .sum::<u64>();
    abilities.saturating_mul(1 << 16).saturating_add(size)
}

/// The hosts.
#[derive(Clone, Default)]
pub(crate) struct Hosts(Vector<Arc<Carried>>);

impl Hosts {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The number of a host, or where it would stand.
    fn place(&self, id: &HostId) -> Result<HostNumber, HostNumber> {
        self.0.binary_search_by(|carried| carried.host.id.cmp(id))
    }

    /// A host's number.
    pub(crate) fn number(&self, id: &HostId) -> Option<HostNumber> {
        self.place(id).ok()
    }

    /// The host with this number.
    pub(crate) fn at(&self, number: HostNumber) -> Option<&Arc<Carried>> {
        self.0.get(number)
    }

    /// The host with this number, to be changed.
    pub(crate) fn at_mut(&mut self, number: HostNumber) -> Option<&mut Carried> {
        self.0.get_mut(number).map(Arc::make_mut)
    }

    pub(crate) fn get(&self, id: &HostId) -> Option<&Arc<Carried>> {
        self.0.get(self.number(id)?)
    }

    /// All hosts by number.
    pub(crate) fn values(&self) -> impl ExactSizeIterator<Item = &Arc<Carried>> + DoubleEndedIterator {
        self.0.iter()
    }

    /// All identifiers by number.
    pub(crate) fn keys(&self) -> impl ExactSizeIterator<Item = &HostId> {
        self.0.iter().map(|carried| &carried.host.id)
    }

    /// Adds a host, or replaces the one with the same identifier.
    pub(crate) fn insert(&mut self, carried: Carried) {
        match self.place(&carried.host.id) {
            Ok(number) => {
                self.0.set(number, Arc::new(carried));
            }
            Err(number) if number == self.0.len() => self.0.push_back(Arc::new(carried)),
            Err(number) => self.0.insert(number, Arc::new(carried)),
        }
    }

    pub(crate) fn remove(&mut self, id: &HostId) {
        if let Some(number) = self.number(id) {
            self.0.remove(number);
        }
    }
}
