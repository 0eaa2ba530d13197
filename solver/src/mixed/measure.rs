//! How use and room of hosts are counted in rows of a program.
//!
//! A measure counts an amount in whole multiples of a divisor, rounding down. On one host the rounded
//! amounts of instances that fit together never exceed the rounded room (`sum of floor(a/m) x y <=
//! floor(room/m)`, the rounding inequality of Chvatal and Gomory), so the sum over several hosts is a
//! valid row, too; unlike plain sums it knows that what is left over on two hosts does not add up to an
//! instance.
//!
//! Instances that stand on different hosts use a host like whole ones do, one each: that is a measure for each such
//! reservation.
//!
//! Invariant: for every resource class there is a measure whose divisor divides what every unit of choice takes
//! of it. On a single host those measures say exactly what fits.

use std::collections::BTreeSet;

use super::world::{Amounts, DemandNumber, Fixed, Kind, Place, Stays, Takes, World, fitting, times};
use crate::hosts::HostNumber;
use crate::model::Seconds;

/// Divisors of one resource class besides the greatest common one.
const MOST_DIVISORS: usize = 6;
/// Reservations of instances on different hosts that have a measure.
const MOST_APART: usize = 8;

/// One way of counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Measure {
    /// Hosts: whole ones in use, whole ones free.
    Hosts,
    /// Hosts: whole ones in use, and those with an instance of a demand whose instances stand on different hosts; whole
    /// ones free, and those on which one of them fits.
    Apart { demand: DemandNumber },
    /// Multiples of an amount.
    Multiples { resource_class: usize, divisor: u64 },
}

/// The measures of a world.
pub(super) fn measures(world: &World<'_>) -> Vec<Measure> {
    let mut measures = vec![Measure::Hosts];
    let apart = (0..world.demands.len()).filter(|&number| {
        let demand = &world.demands[number];
        demand.is_apart() && demand.least as usize + demand.kept.len() > 1
    });
    measures.extend(apart.take(MOST_APART).map(|demand| Measure::Apart { demand }));
    for resource_class in 0..world.resource_classes.len() {
        let sizes: BTreeSet<u64> = world
            .demands
            .iter()
            .filter_map(|demand| match &demand.kind {
                Kind::Whole => None,
                Kind::Instances { amounts, .. } => Some(times(amounts, demand.unit())[resource_class]),
            })
            .filter(|&amount| amount > 0)
            .collect();
        let Some(common) = sizes.iter().copied().reduce(greatest_common_divisor) else {
            continue;
        };
        let capacities: BTreeSet<u64> = world
            .places
            .iter()
            .map(|place| place.capacity[resource_class])
            .collect();
        let greatest = sizes.last().copied().unwrap_or(0);
        let halves = capacities
            .iter()
            .rev()
            .take(2)
            .flat_map(|capacity| [capacity / 2 + 1, capacity / 3 + 1]);
        let mut divisors: BTreeSet<u64> = sizes.iter().rev().take(MOST_DIVISORS).copied().collect();
        divisors.extend(halves.filter(|&half| half <= greatest));
        divisors.insert(common);
        measures.extend(divisors.into_iter().map(|divisor| Measure::Multiples {
            resource_class,
            divisor,
        }));
    }
    measures
}

fn greatest_common_divisor(one: u64, other: u64) -> u64 {
    if other == 0 {
        one
    } else {
        greatest_common_divisor(other, one % other)
    }
}

fn whole(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

impl Measure {
    /// What one unit of choice of a demand uses of a host with this capacity.
    pub(super) fn used_by(self, world: &World<'_>, number: DemandNumber, capacity: &[u64]) -> i64 {
        let demand = &world.demands[number];
        match (self, &demand.kind) {
            (Self::Hosts | Self::Apart { .. }, Kind::Whole) => 1,
            (Self::Hosts, Kind::Instances { .. }) => 0,
            (Self::Apart { demand }, Kind::Instances { .. }) => i64::from(demand == number),
            (
                Self::Multiples {
                    resource_class,
                    divisor,
                },
                kind,
            ) => {
                let amount = match kind {
                    Kind::Whole => capacity[resource_class],
                    Kind::Instances { amounts, .. } => times(amounts, demand.unit())[resource_class],
                };
                whole(amount / divisor)
            }
        }
    }

    /// The resource class it counts, if it counts one.
    pub(super) const fn resource_class(self) -> Option<usize> {
        match self {
            Self::Hosts | Self::Apart { .. } => None,
            Self::Multiples { resource_class, .. } => Some(resource_class),
        }
    }

    /// What a host of this capacity has room for when nothing stands on it.
    pub(super) fn whole(self, capacity: &[u64]) -> i64 {
        match self {
            Self::Hosts | Self::Apart { .. } => 1,
            Self::Multiples {
                resource_class,
                divisor,
            } => whole(capacity[resource_class] / divisor),
        }
    }

    /// What some of the fixed work leaves room for at an instant.
    pub(super) fn room_at(self, world: &World<'_>, place: &Place<'_>, at: Seconds, stays: Stays<'_>) -> i64 {
        self.room(world, &state(place, at, stays))
    }

    /// What a host in this state has room for.
    fn room(self, world: &World<'_>, state: &State<'_>) -> i64 {
        match (self, state) {
            (Self::Hosts | Self::Apart { .. }, State::Free(_)) => 1,
            (Self::Hosts, State::Shared(..)) | (_, State::Taken) => 0,
            (Self::Apart { demand }, State::Shared(left, here)) => {
                let demand = &world.demands[demand];
                let Kind::Instances { amounts, .. } = &demand.kind else {
                    return 0;
                };
                let is_here = here.iter().any(|fixed| fixed.reservation == demand.reservation);
                i64::from(!is_here && fitting(left, &vec![0; left.len()], amounts) > 0)
            }
            (
                Self::Multiples {
                    resource_class,
                    divisor,
                },
                State::Free(left) | State::Shared(left, _),
            ) => whole(left[resource_class] / divisor),
        }
    }
}

/// What fixed work leaves of a host at an instant.
enum State<'p> {
    Taken,
    /// With what is left, and the work.
    Shared(Amounts, Vec<&'p Fixed<'p>>),
    Free(Amounts),
}

fn state<'p>(place: &'p Place<'_>, at: Seconds, stays: Stays<'_>) -> State<'p> {
    let mut left = place.capacity.clone();
    let here = place.fixed.iter().filter(|fixed| fixed.interval.contains(at));
    let here: Vec<&Fixed<'_>> = here.filter(|fixed| stays(fixed)).collect();
    for fixed in &here {
        match &fixed.takes {
            Takes::Whole => return State::Taken,
            Takes::Part(amounts) => {
                for (left, &amount) in left.iter_mut().zip(amounts) {
                    *left = left.saturating_sub(amount);
                }
            }
        }
    }
    if here.is_empty() {
        State::Free(left)
    } else {
        State::Shared(left, here)
    }
}

/// Room of several hosts over time, by measure: from each instant on, until the next.
pub(super) struct Rooms {
    steps: Vec<(Seconds, Vec<i64>)>,
}

impl Rooms {
    /// The room that fixed work leaves on these hosts.
    pub(super) fn new(world: &World<'_>, hosts: &[HostNumber], measures: &[Measure]) -> Self {
        let mut changes: std::collections::BTreeMap<Seconds, Vec<i64>> = std::collections::BTreeMap::new();
        for place in hosts.iter().map(|&host| &world.places[host]) {
            let edges: BTreeSet<Seconds> = place
                .fixed
                .iter()
                .flat_map(|fixed| [fixed.interval.start, fixed.interval.end])
                .chain([Seconds::MIN])
                .collect();
            let mut before = vec![0; measures.len()];
            for at in edges {
                let state = state(place, at, &|_| true);
                let now: Vec<i64> = measures.iter().map(|measure| measure.room(world, &state)).collect();
                let change = changes.entry(at).or_insert_with(|| vec![0; measures.len()]);
                for ((change, now), before) in change.iter_mut().zip(&now).zip(&before) {
                    *change += now - before;
                }
                before = now;
            }
        }
        let mut sum = vec![0; measures.len()];
        let steps = changes.into_iter().map(|(at, change)| {
            sum.iter_mut().zip(change).for_each(|(sum, change)| *sum += change);
            (at, sum.clone())
        });
        Self { steps: steps.collect() }
    }

    /// The room at an instant, by measure.
    pub(super) fn at(&self, at: Seconds) -> &[i64] {
        let after = self.steps.partition_point(|(from, _)| *from <= at);
        after.checked_sub(1).map_or(&[], |last| self.steps[last].1.as_slice())
    }

    /// Instants at which it changes.
    pub(super) fn instants(&self) -> impl Iterator<Item = Seconds> {
        self.steps.iter().map(|(at, _)| *at).filter(|&at| at > Seconds::MIN)
    }
}
