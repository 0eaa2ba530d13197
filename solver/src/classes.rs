//! Hosts that no reservation can tell apart.
//!
//! Two partitions. A *coarse* class is what moves are counted between: its hosts satisfy the same live
//! expressions and are equal in zone, rack, blocks, reservability and capacity. A *fine* class is the
//! part of it whose hosts also have the same calendar of fixed work to come. Work fixed on a host that
//! begins no later than any demand is no calendar entry: it only says from when on the host is free.
//!
//! Invariant (the decode theorem): counts per fine class that respect [`Fine::room`] at the start of
//! every demand can be turned into hosts. Sweeping the demands by start, a host that is not busy at a
//! start has no fixed work before the demand's end, because the calendar is common to the class and
//! demands that meet it are not eligible, and no later demand has been placed yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::{Interval, Seconds};
use crate::scene::{ClassNumber, Demand, DemandNumber, HostNumber, Scene};

/// A fine class.
pub(crate) struct Fine {
    /// The coarse class it is part of.
    pub(crate) coarse: ClassNumber,
    /// Its hosts, sorted.
    pub(crate) hosts: Vec<HostNumber>,
    /// Fixed work to come, the same on every host.
    calendar: Vec<Interval>,
    /// When busy hosts become free, sorted; hosts that are free already are not listed.
    releases: Vec<Seconds>,
    /// Pending demands that may stay although the host does not suit them any more.
    exceptions: BTreeSet<DemandNumber>,
}

impl Fine {
    /// Whether the fixed work to come on every host of the class meets the interval.
    pub(crate) fn is_taken(&self, interval: Interval) -> bool {
        self.calendar.iter().any(|taken| taken.overlaps(&interval))
    }

    /// Fixed work to come, the same on every host.
    pub(crate) fn calendar(&self) -> &[Interval] {
        &self.calendar
    }

    /// Pending demands that may stay although the hosts do not suit them any more.
    pub(crate) const fn exceptions(&self) -> &BTreeSet<DemandNumber> {
        &self.exceptions
    }

    /// How many of its hosts fixed work leaves free at an instant no demand starts before.
    pub(crate) fn room(&self, at: Seconds) -> u32 {
        let free = self.releases.partition_point(|&release| release <= at);
        u32::try_from(self.hosts.len() - self.releases.len() + free).unwrap_or(u32::MAX)
    }
}

/// The two partitions.
pub(crate) struct Classes {
    /// Fine class of each host.
    pub(crate) fine_of: Vec<ClassNumber>,
    /// The fine classes.
    pub(crate) fine: Vec<Fine>,
    /// When each host becomes free of the fixed work that began before every demand.
    pub(crate) free_from: Vec<Seconds>,
}

impl Classes {
    pub(crate) fn new(scene: &Scene<'_>) -> Self {
        let first_start = scene
            .demands
            .iter()
            .map(|demand| demand.occupation.start)
            .min()
            .unwrap_or(Seconds::MIN);
        let last_end = scene
            .demands
            .iter()
            .map(|demand| demand.occupation.end)
            .max()
            .unwrap_or(Seconds::MIN);
        Self::during(scene, first_start, |_| last_end)
    }

    /// As [`Classes::new`], where no demand, known or not, starts before an instant or is on hosts of a coarse class from
    /// another on: classes may be finer than the scene's demands ask for, but are those of every scene of the same decision.
    pub(crate) fn from(scene: &Scene<'_>, earliest: Seconds, until: impl Fn(ClassNumber) -> Seconds) -> Self {
        Self::during(scene, earliest, until)
    }

    /// The classes if no demand starts before an instant or lasts beyond another.
    fn during(scene: &Scene<'_>, earliest: Seconds, until: impl Fn(ClassNumber) -> Seconds) -> Self {
        let coarse_of = &scene.coarse_of;
        let mut exceptions: Vec<BTreeSet<DemandNumber>> = vec![BTreeSet::new(); scene.hosts.len()];
        for (number, demand) in scene.demands.iter().enumerate() {
            for &host in &demand.holds {
                if !suits(scene, demand, host) {
                    exceptions[host].insert(number);
                }
            }
        }
        let mut free_from = Vec::with_capacity(scene.hosts.len());
        let mut fine_of = Vec::with_capacity(scene.hosts.len());
        let mut fine: Vec<Fine> = Vec::new();
        // Most hosts have no fixed work to come; theirs is the first fine class of the coarse one.
        let mut plain: Vec<Option<ClassNumber>> = vec![None; scene.truth.len()];
        let mut numbers: HashMap<(ClassNumber, Vec<Interval>, Option<HostNumber>), ClassNumber> = HashMap::new();
        for (host, exceptions) in exceptions.into_iter().enumerate() {
            let coarse = coarse_of[host];
            let until = until(coarse);
            let mut release: Option<Seconds> = None;
            let mut calendar: Vec<Interval> = Vec::new();
            for fixed in &scene.fixed[host] {
                let interval = fixed.interval;
                if interval.end <= earliest || interval.start >= until {
                    continue;
                }
                if interval.start <= earliest {
                    release = release.max(Some(interval.end));
                } else {
                    calendar.push(interval);
                }
            }
            free_from.push(release.unwrap_or(Seconds::MIN));
            let mut open = |calendar, exceptions| {
                fine.push(Fine {
                    coarse,
                    hosts: Vec::new(),
                    calendar,
                    releases: Vec::new(),
                    exceptions,
                });
                fine.len() - 1
            };
            let number = if calendar.is_empty() && exceptions.is_empty() {
                *plain[coarse].get_or_insert_with(|| open(calendar, exceptions))
            } else {
                calendar.sort_unstable();
                let alone = (!exceptions.is_empty()).then_some(host);
                *numbers
                    .entry((coarse, calendar.clone(), alone))
                    .or_insert_with(|| open(calendar, exceptions))
            };
            fine[number].hosts.push(host);
            fine[number].releases.extend(release);
            fine_of.push(number);
        }
        for class in &mut fine {
            class.releases.sort_unstable();
        }
        Self {
            fine_of,
            fine,
            free_from,
        }
    }

    /// Whether the hosts of a fine class suit a demand, all other work aside.
    pub(crate) fn suitable(&self, scene: &Scene<'_>, number: DemandNumber, class: ClassNumber) -> bool {
        let demand = &scene.demands[number];
        let class = &self.fine[class];
        class.exceptions.contains(&number) || suits(scene, demand, class.hosts[0])
    }

    /// Whether a demand may use hosts of a fine class, as far as the other demands are left aside.
    pub(crate) fn eligible(&self, scene: &Scene<'_>, number: DemandNumber, class: ClassNumber) -> bool {
        !self.fine[class].is_taken(scene.demands[number].occupation) && self.suitable(scene, number, class)
    }

    /// Hosts held before that are missing now, class by class: exchanges inside a class do not count.
    pub(crate) fn counted_moves(&self, before: &[HostNumber], after: &BTreeSet<HostNumber>) -> u32 {
        let mut balance: BTreeMap<ClassNumber, i64> = BTreeMap::new();
        for &host in before {
            *balance.entry(self.fine[self.fine_of[host]].coarse).or_default() += 1;
        }
        for &host in after {
            *balance.entry(self.fine[self.fine_of[host]].coarse).or_default() -= 1;
        }
        let left: i64 = balance.values().filter(|&&missing| missing > 0).sum();
        u32::try_from(left).unwrap_or(u32::MAX)
    }
}

/// Whether a host takes new work of a demand, all other work aside.
fn suits(scene: &Scene<'_>, demand: &Demand<'_>, host: HostNumber) -> bool {
    let facts = scene.hosts[host];
    facts.reservable && scene.truth[scene.coarse_of[host]][demand.predicate] && facts.in_service(demand.window)
}
