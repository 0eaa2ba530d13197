//! What stands on one host or unit at the same time.
//!
//! Invariant: a host carries at most one host reservation, its cleaning included, or instances whose
//! amounts fit its capacity at every second; a unit of a pool is held once.

use std::collections::BTreeMap;

use solver_format::model::{Instances, Interval, Reservation, ReservationId, Resource, Seconds};

/// How much of a host or unit is taken.
#[derive(Debug, Clone, Copy)]
pub(super) enum Share<'a> {
    /// All of it.
    Whole,
    /// So many instances.
    Instances(&'a Instances, u32),
}

impl<'a> Share<'a> {
    pub(super) fn of(resource: &'a Resource, count: u32) -> Self {
        match resource {
            Resource::Host | Resource::Units(_) => Self::Whole,
            Resource::Instances(instances) => Self::Instances(instances, count),
        }
    }
}

/// A share taken for a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load<'a> {
    pub(super) interval: Interval,
    pub(super) share: Share<'a>,
    pub(super) reservation: &'a ReservationId,
}

impl<'a> Load<'a> {
    /// What a reservation takes of a place on which it stands `count` times.
    pub(super) fn of(held: &'a Reservation, count: u32) -> Self {
        Self {
            interval: held.occupation(),
            share: Share::of(&held.resource, count),
            reservation: &held.id,
        }
    }

    fn is_whole(&self) -> bool {
        matches!(self.share, Share::Whole)
    }
}

/// Amounts by resource class.
pub(super) type Capacity = BTreeMap<String, u64>;

/// Everything wrong with what stands on one place. Without a capacity amounts are not looked at.
pub(super) fn clashes(what: &str, capacity: Option<&Capacity>, mut loads: Vec<Load<'_>>) -> Vec<String> {
    loads.sort_by_key(|load| (load.interval, load.reservation));
    let mut reasons = Vec::new();
    // What lasts longest so far, so that nothing hides behind something short.
    let (mut whole, mut instances): (Option<Load<'_>>, Option<Load<'_>>) = (None, None);
    for load in &loads {
        let beside = [whole, instances.filter(|_| load.is_whole())];
        for other in beside.into_iter().flatten() {
            if other.interval.overlaps(&load.interval) {
                reasons.push(format!(
                    "reservations `{}` and `{}` both occupy the {what} at {}",
                    other.reservation, load.reservation, load.interval.start
                ));
            }
        }
        let longest = if load.is_whole() { &mut whole } else { &mut instances };
        if longest.is_none_or(|before| before.interval.end < load.interval.end) {
            *longest = Some(*load);
        }
    }
    if let Some(capacity) = capacity {
        for at in starts(&loads) {
            let sums = taken(&loads, at);
            let over = sums.iter().find(|(class, sum)| **sum > of(capacity, class));
            if let Some((class, sum)) = over {
                let most = of(capacity, class);
                reasons.push(format!("{sum} {class} of the {what} are taken at {at}, it has {most}"));
            }
        }
    }
    reasons
}

fn of(capacity: &Capacity, class: &str) -> u128 {
    u128::from(capacity.get(class).copied().unwrap_or(0))
}

/// When instances begin: between such instants the sums do not grow.
fn starts(loads: &[Load<'_>]) -> Vec<Seconds> {
    let instances = loads.iter().filter(|load| !load.is_whole());
    let mut starts: Vec<Seconds> = instances.map(|load| load.interval.start).collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// What instances take at an instant.
fn taken<'a>(loads: &[Load<'a>], at: Seconds) -> BTreeMap<&'a str, u128> {
    let mut sums = BTreeMap::new();
    for load in loads.iter().filter(|load| load.interval.contains(at)) {
        if let Share::Instances(instances, count) = load.share {
            for (class, &amount) in &instances.resources {
                *sums.entry(class.as_str()).or_default() += u128::from(amount) * u128::from(count);
            }
        }
    }
    sums
}

/// How many shares of one instance fit beside the loads during the interval, at most `most`; for a whole
/// place 1 or 0.
pub(super) fn room(
    capacity: Option<&Capacity>,
    loads: &[Load<'_>],
    interval: Interval,
    resource: &Resource,
    most: u32,
) -> u32 {
    let beside = || loads.iter().filter(|load| load.interval.overlaps(&interval));
    let Resource::Instances(instances) = resource else {
        return u32::from(beside().next().is_none());
    };
    let Some(capacity) = capacity else { return 0 };
    if beside().any(Load::is_whole) {
        return 0;
    }
    let instants = beside().map(|load| load.interval.start.max(interval.start));
    let mut least = u128::from(most);
    for at in instants.chain([interval.start]) {
        let sums = taken(loads, at);
        for (class, &amount) in instances.resources.iter().filter(|(_, amount)| **amount > 0) {
            let used = sums.get(class.as_str()).copied().unwrap_or(0);
            least = least.min(of(capacity, class).saturating_sub(used) / u128::from(amount));
        }
    }
    u32::try_from(least).unwrap_or(most)
}
