//! Why not: too few hosts suit a reservation beside work that cannot move.
//!
//! Invariant: the count is the checker's, beside the listed fixed reservations alone; without any one of
//! them there would be enough, unless the deadline ended the search for those.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{DemandNumber, Fixed, World};
use crate::deadline::Deadline;
use crate::hosts::HostNumber;
use crate::model::ReservationId;

/// Too little room beside what stays.
pub(super) struct Occupied<'a> {
    pub(super) demand: DemandNumber,
    /// Hosts that suit, or that it keeps.
    pub(super) hosts: BTreeSet<HostNumber>,
    /// How many hosts or instances it needs, and how many there is room for, with those it keeps; with affinity on
    /// one host at most.
    pub(super) needed: u64,
    pub(super) exist: u64,
    /// The fixed reservations in the way.
    pub(super) fixed: BTreeSet<&'a ReservationId>,
}

/// The first pending reservation that what the request keeps leaves too little room for.
pub(super) fn displaced<'a>(world: &World<'a>, deadline: &Deadline) -> Option<Occupied<'a>> {
    let mut pending = (world.requested..world.demands.len()).filter(|&number| world.is_displaced(number));
    pending.find_map(|number| of_demand(world, number, deadline))
}

/// The first requested reservation for which there is too little room.
pub(super) fn search<'a>(world: &World<'a>, deadline: &Deadline) -> Option<Occupied<'a>> {
    (0..world.requested).find_map(|number| of_demand(world, number, deadline))
}

fn of_demand<'a>(world: &World<'a>, number: DemandNumber, deadline: &Deadline) -> Option<Occupied<'a>> {
    let demand = &world.demands[number];
    if demand.least == 0 || deadline.is_over() {
        return None;
    }
    let suitable: Vec<HostNumber> = (0..world.places.len())
        .filter(|&host| world.suits(demand, host) || demand.holds.contains_key(&host))
        .collect();
    let own = demand.reservation;
    let mut rooms: BTreeMap<HostNumber, u32> = BTreeMap::new();
    for &host in &suitable {
        rooms.insert(host, world.carried_beside(number, host, &|_| true));
    }
    let total = |rooms: &BTreeMap<HostNumber, u32>| -> u64 {
        let rooms = rooms.values().map(|&room| u64::from(room));
        if demand.is_together() {
            rooms.max().unwrap_or(0)
        } else {
            rooms.sum()
        }
    };
    if total(&rooms) >= u64::from(demand.least) {
        return None;
    }
    // Where each fixed reservation stands in the way; the smallest are left out first.
    let mut standing: BTreeMap<&'a ReservationId, Vec<HostNumber>> = BTreeMap::new();
    for &host in &suitable {
        for fixed in &world.places[host].fixed {
            if fixed.interval.overlaps(&demand.occupation) && fixed.reservation != own {
                let hosts = standing.entry(fixed.reservation).or_default();
                if hosts.last() != Some(&host) {
                    hosts.push(host);
                }
            }
        }
    }
    let mut order: Vec<&'a ReservationId> = standing.keys().copied().collect();
    order.sort_by_key(|reservation| (standing[*reservation].len(), *reservation));
    let mut listed: BTreeSet<&'a ReservationId> = order.iter().copied().collect();
    for reservation in order {
        deadline.spend(1);
        if deadline.is_over() {
            break;
        }
        listed.remove(reservation);
        let mut without = rooms.clone();
        for &host in &standing[reservation] {
            let stays = |fixed: &Fixed<'_>| fixed.reservation == own || listed.contains(fixed.reservation);
            without.insert(host, world.carried_beside(number, host, &stays));
        }
        if total(&without) < u64::from(demand.least) {
            rooms = without;
        } else {
            listed.insert(reservation);
        }
    }
    let kept: u64 = demand.kept.values().map(|&count| u64::from(count)).sum();
    Some(Occupied {
        demand: number,
        hosts: suitable.into_iter().chain(demand.kept.keys().copied()).collect(),
        needed: u64::from(demand.least) + kept,
        exist: total(&rooms) + kept,
        fixed: listed,
    })
}
