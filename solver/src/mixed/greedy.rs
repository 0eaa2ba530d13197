//! Room for the request as everything stands: nobody else has to move.
//!
//! Invariant: what is found is an assignment without moves. Whole hosts go to demands for hosts poorest
//! first, so that the rich stay; instances go where instances are already and least of the scarcest
//! resource is left over, so that whole hosts stay free.

use std::cmp::Reverse;

use super::standing::Standing;
use super::world::{Counts, Demand, DemandNumber, Kind, World};
use crate::deadline::Deadline;
use crate::hosts::HostNumber;
use crate::model::Seconds;

/// Hosts for every requested demand.
pub(super) struct Found {
    pub(super) counts: Vec<Counts>,
    /// No other assignment without moves could give more.
    pub(super) complete: bool,
}

/// Looks for room: for one requested demand whatever the deadline says, for several as long as it allows.
pub(super) fn search(world: &World<'_>, deadline: &Deadline) -> Option<Found> {
    let mut standing: Vec<Standing<'_>> = world.places.iter().map(Standing::fixed).collect();
    for (number, demand) in world.demands.iter().enumerate() {
        for (&host, &count) in &demand.holds {
            standing[host].put(number, demand, count);
        }
    }
    let requested = &world.demands[..world.requested];
    if requested
        .iter()
        .flat_map(|demand| demand.kept.keys())
        .any(|&host| !standing[host].is_sound())
    {
        return None;
    }
    let mut search = Search {
        world,
        standing,
        counts: vec![Counts::new(); world.requested],
    };
    let mut order: Vec<DemandNumber> = (0..world.requested).collect();
    // What is hardest to place comes first.
    order.sort_by_key(|&number| {
        let demand = &world.demands[number];
        (demand.kind != Kind::Whole, !demand.is_together(), number)
    });
    for (place, &number) in order.iter().enumerate() {
        deadline.spend(1);
        let goes_on = place == 0 || !deadline.is_over();
        if !(goes_on && search.give(number, world.demands[number].least)) {
            return None;
        }
    }
    let mut complete = true;
    for &number in &order {
        let demand = &world.demands[number];
        if demand.most > demand.least && !search.give(number, demand.most) {
            let permitted = (0..world.places.len())
                .filter(|&host| world.room_alone(number, host) > 0)
                .count();
            complete &= search.counts[number].len() == permitted;
        }
    }
    Some(Found {
        counts: search.counts,
        complete,
    })
}

struct Search<'w> {
    world: &'w World<'w>,
    standing: Vec<Standing<'w>>,
    counts: Vec<Counts>,
}

impl Search<'_> {
    /// Gives a demand hosts until it has `wanted`; `false` if it ends up with fewer.
    fn give(&mut self, number: DemandNumber, wanted: u32) -> bool {
        let demand = &self.world.demands[number];
        let mut missing = wanted.saturating_sub(self.counts[number].values().sum());
        if missing == 0 {
            return true;
        }
        for (host, room) in candidates(self.world, &self.standing, number, &self.counts[number]) {
            let given = room.min(missing);
            self.standing[host].put(number, demand, given);
            *self.counts[number].entry(host).or_default() += given;
            missing -= given;
            if missing == 0 {
                return true;
            }
        }
        false
    }
}

/// Hosts on which a demand finds room, best first, with how many of it each can take.
pub(super) fn candidates(
    world: &World<'_>,
    standing: &[Standing<'_>],
    number: DemandNumber,
    has: &Counts,
) -> Vec<(HostNumber, u32)> {
    let demand = &world.demands[number];
    let scarcest = scarcest(world, demand);
    let hosts = (0..world.places.len()).filter(|host| !has.contains_key(host) && world.suits(demand, *host));
    let rooms = hosts.filter_map(|host| {
        let room = standing[host].room(demand);
        (room > 0).then(|| (host, room.min(world.room_alone(number, host))))
    });
    let mut found: Vec<(Order, HostNumber, u32)> = rooms
        .filter(|&(_, room)| room >= demand.unit().max(1))
        .map(|(host, room)| (order(world, &standing[host], demand, host, scarcest), host, room))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, host, room)| (host, room)).collect()
}

/// What makes a host a good choice, the smallest being best. It was held before; instances are there then,
/// or at least at other times; among hosts that are not it can do little; little is left over; it was idle
/// for a short time.
type Order = (bool, bool, bool, u64, u64, u64, Reverse<Option<Seconds>>);

fn order(
    world: &World<'_>,
    standing: &Standing<'_>,
    demand: &Demand<'_>,
    host: HostNumber,
    scarcest: Option<usize>,
) -> Order {
    let elsewhere = !demand.likes.contains_key(&host);
    let richness = world.places[host].richness;
    let idle_since = Reverse(standing.idle_since(demand.occupation.start));
    let Some(class) = scarcest else {
        return (elsewhere, false, standing.is_shared(), richness, 0, 0, idle_since);
    };
    let left = standing.left(demand.occupation, class);
    let unused = !standing.is_used(demand.occupation);
    let price = if unused { richness } else { 0 };
    (
        elsewhere,
        unused,
        !standing.is_shared(),
        price,
        left,
        richness,
        idle_since,
    )
}

/// The resource class of which an instance takes the greatest part of a host.
pub(super) fn scarcest(world: &World<'_>, demand: &Demand<'_>) -> Option<usize> {
    let Kind::Instances { amounts, .. } = &demand.kind else {
        return None;
    };
    let greatest = |class: usize| {
        world
            .places
            .iter()
            .map(|place| place.capacity[class])
            .max()
            .unwrap_or(0)
            .max(1)
    };
    (0..amounts.len()).max_by_key(|&class| {
        (
            amounts[class].saturating_mul(1_000_000) / greatest(class),
            Reverse(class),
        )
    })
}
