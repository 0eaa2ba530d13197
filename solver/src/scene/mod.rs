//! Everything one decision depends on, with small numbers for names.
//!
//! Invariant: the numbers of hosts follow their identifiers, those of demands put the requested
//! reservations first, then the pending ones by lease, in a part of the fleet by time; so equal input gives equal
//! numbers.

mod expressions;
mod part;
mod whole;

use std::ops::Index;

pub(crate) use crate::hosts::HostNumber;
use crate::model::{Host, HostId, Interval, ReservationId};
use crate::planner::Planner;
use crate::predicate::Predicate;

pub(crate) use part::{Extent, Part};

/// A demand's number.
pub(crate) type DemandNumber = usize;

/// Work that stays where it is.
pub(crate) struct Fixed<'a> {
    pub(crate) reservation: &'a ReservationId,
    pub(crate) interval: Interval,
}

/// A reservation whose hosts are to be chosen.
pub(crate) struct Demand<'a> {
    pub(crate) reservation: &'a ReservationId,
    pub(crate) window: Interval,
    pub(crate) occupation: Interval,
    /// Number of its predicate in [`Scene::predicates`].
    pub(crate) predicate: usize,
    /// Fewest hosts.
    pub(crate) least: u32,
    /// Most hosts.
    pub(crate) most: u32,
    /// What a pending reservation holds, sorted; nothing for a requested one.
    pub(crate) holds: Vec<HostNumber>,
    /// Hosts it would rather have than others, sorted; for a pending one those it holds.
    pub(crate) likes: Vec<HostNumber>,
    /// `false`: pending, so that leaving a class is a move.
    pub(crate) requested: bool,
}

/// What stays on each host: `fixed[host]` is a slice.
#[derive(Default)]
pub(crate) struct FixedWork<'a> {
    all: Vec<Fixed<'a>>,
    /// Where each host's part begins, and the end of the last.
    begins: Vec<usize>,
}

impl<'a> FixedWork<'a> {
    /// The hosts' parts in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[Fixed<'a>]> {
        self.begins.windows(2).map(|pair| &self.all[pair[0]..pair[1]])
    }
}

impl<'a> FromIterator<Vec<Fixed<'a>>> for FixedWork<'a> {
    fn from_iter<I: IntoIterator<Item = Vec<Fixed<'a>>>>(hosts: I) -> Self {
        let (mut all, mut begins) = (Vec::new(), vec![0]);
        for fixed in hosts {
            all.extend(fixed);
            begins.push(all.len());
        }
        Self { all, begins }
    }
}

impl<'a> Index<HostNumber> for FixedWork<'a> {
    type Output = [Fixed<'a>];

    fn index(&self, host: HostNumber) -> &Self::Output {
        &self.all[self.begins[host]..self.begins[host + 1]]
    }
}

/// A class's number.
pub(crate) type ClassNumber = usize;

/// One decision's world.
pub(crate) struct Scene<'a> {
    pub(crate) hosts: Vec<&'a Host>,
    pub(crate) richness: Vec<u64>,
    /// What stays on each host.
    pub(crate) fixed: FixedWork<'a>,
    pub(crate) demands: Vec<Demand<'a>>,
    /// The distinct expressions of all reservations alive and of the request.
    pub(crate) predicates: Vec<&'a Predicate>,
    /// The coarse class of each host: see `classes`.
    pub(crate) coarse_of: Vec<ClassNumber>,
    /// Which of the predicates the hosts of each coarse class satisfy.
    pub(crate) truth: Vec<Vec<bool>>,
}

impl Scene<'_> {
    /// Whether the rules allow a demand on a host, other work aside: new work must suit, and what a
    /// pending reservation holds it may keep.
    pub(crate) fn permits(&self, demand: &Demand<'_>, host: HostNumber) -> bool {
        demand.holds.binary_search(&host).is_ok()
            || self.hosts[host].suits(self.predicates[demand.predicate], demand.window)
    }

    /// Numbers of the requested demands.
    pub(crate) fn requested(&self) -> impl Iterator<Item = DemandNumber> {
        (0..self.demands.len()).take_while(|&number| self.demands[number].requested)
    }
}

fn numbers(planner: &Planner, ids: &[HostId]) -> Vec<HostNumber> {
    ids.iter().filter_map(|id| planner.hosts.number(id)).collect()
}
