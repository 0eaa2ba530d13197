//! Who has to do with a request that no choice of hosts serves: directly, or by way of others that would have to move.
//!
//! Invariant: the listed reservations suffice. Where a listed one may be put, nothing stands at the same time that is
//! not listed; so if the listed ones could all be served without the others, they could beside them, each of which
//! would stay where it is.

use std::collections::BTreeSet;

use super::world::{DemandNumber, World};
use crate::model::ReservationId;

/// The reservations, the requested ones included.
pub(super) fn reservations<'a>(world: &World<'a>) -> BTreeSet<&'a ReservationId> {
    let mut standing: Vec<Vec<DemandNumber>> = vec![Vec::new(); world.places.len()];
    for (number, demand) in world.demands.iter().enumerate() {
        for &host in demand.holds.keys() {
            standing[host].push(number);
        }
    }
    let mut is_listed: Vec<bool> = (0..world.demands.len())
        .map(|number| number < world.requested)
        .collect();
    let mut open: Vec<DemandNumber> = (0..world.requested).collect();
    let mut listed: BTreeSet<&'a ReservationId> = BTreeSet::new();
    while let Some(number) = open.pop() {
        let demand = &world.demands[number];
        let during = demand.occupation;
        listed.insert(demand.reservation);
        for (host, place) in world.places.iter().enumerate() {
            let keeps = demand.kept.contains_key(&host);
            if !keeps && !world.suits(demand, host) && !demand.holds.contains_key(&host) {
                continue;
            }
            let fixed = place.fixed.iter().filter(|fixed| fixed.interval.overlaps(&during));
            listed.extend(fixed.map(|fixed| fixed.reservation));
            // Beside what stays there it may not come here: then nobody has to make room for it.
            if !keeps && world.room_alone(number, host) == 0 {
                continue;
            }
            for &other in &standing[host] {
                if !is_listed[other] && world.demands[other].occupation.overlaps(&during) {
                    is_listed[other] = true;
                    open.push(other);
                }
            }
        }
    }
    listed
}
