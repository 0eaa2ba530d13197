//! Why not, for instances and units.

use std::collections::BTreeSet;

use super::standing::Standing;
use super::world::{DemandNumber, Kind, World, fitting};
use crate::decision::Conflict;
use crate::model::{HostId, Interval, Request, ReservationId, Resource};
use crate::planner::Planner;
use crate::request::Ask;
use crate::wording;

/// What a fixed reservation keeps that contradicts what it is to become.
pub(super) fn contradiction(planner: &Planner, asks: &[Ask<'_>], request: &Request) -> Option<Conflict> {
    let replaced = planner.lease(request.replaces.as_ref()?)?;
    for ask in asks.iter().filter(|ask| !ask.kept.is_empty()) {
        let old = replaced.reservations.iter().find(|old| old.id == ask.asked.id)?;
        let twice = ask.kept.windows(2).any(|pair| pair[0] == pair[1]);
        let why = match (&old.resource, &ask.asked.resource) {
            (Resource::Host, Resource::Host) => None,
            (Resource::Instances(_), Resource::Instances(asked)) => match asked.affinity {
                Some(true) if ask.kept.first() != ask.kept.last() => Some("stand on different hosts"),
                Some(false) if twice => Some("stand on one host"),
                _ => None,
            },
            (Resource::Units(old), Resource::Units(asked)) if old.pool == asked.pool => {
                let required = asked
                    .required
                    .iter()
                    .filter(|unit| ask.kept.binary_search(unit).is_err())
                    .count();
                (required > ask.least as usize).then_some("leave no room for what is required")
            }
            _ => Some("are of another kind"),
        };
        if let Some(why) = why {
            let mut kept: Vec<HostId> = ask.kept.to_vec();
            kept.dedup();
            let text = format!(
                "the reservation has started or is about to, and the {} it keeps {why}",
                ask.kept.len()
            );
            return Some(Conflict {
                reason: "search",
                from: ask.asked.window.start,
                until: ask.asked.window.end,
                needed: ask.kept.len() as u64,
                exist: u64::from(ask.asked.max),
                hosts_matching: kept,
                reservations: vec![ask.asked.id.clone()],
                certificate: Vec::new(),
                text: text.into(),
            });
        }
    }
    None
}

/// A host on which what the request keeps does not fit beside other fixed work.
pub(super) fn kept_without_room(world: &World<'_>) -> Option<Conflict> {
    let requested = &world.demands[..world.requested];
    for demand in requested {
        for &host in demand.kept.keys() {
            let place = &world.places[host];
            if Standing::fixed(place).is_sound() {
                continue;
            }
            let here = place
                .fixed
                .iter()
                .filter(|fixed| fixed.interval.overlaps(&demand.occupation));
            let reservations: BTreeSet<&ReservationId> = here.map(|fixed| fixed.reservation).collect();
            return Some(Conflict {
                reason: "search",
                from: demand.occupation.start,
                until: demand.occupation.end,
                needed: reservations.len() as u64,
                exist: 1,
                hosts_matching: vec![place.host.id.clone()],
                reservations: reservations.into_iter().cloned().collect(),
                certificate: Vec::new(),
                text: format!(
                    "between {} and {} what the reservation keeps on a host does not fit beside other promises that \
                     cannot move",
                    wording::instant(demand.occupation.start),
                    wording::instant(demand.occupation.end)
                )
                .into(),
            });
        }
    }
    None
}

/// Instances of which the suitable hosts could not carry enough even if they were empty.
pub(super) fn never_enough(world: &World<'_>) -> Option<Conflict> {
    let requested = world.demands[..world.requested].iter();
    requested.filter(|demand| demand.least > 0).find_map(|demand| {
        let Kind::Instances { amounts, affinity } = &demand.kind else {
            return None;
        };
        let needed = demand.least.saturating_add(demand.kept.values().sum());
        let most = if *affinity == Some(false) { 1 } else { needed };
        let mut counts: Vec<(usize, u64)> = Vec::new();
        for (host, place) in world.places.iter().enumerate() {
            let kept = demand.kept.get(&host).copied().unwrap_or(0);
            let fit = if world.suits(demand, host) {
                fitting(&place.capacity, &vec![0; place.capacity.len()], amounts).min(most)
            } else {
                0
            };
            if fit.max(kept) > 0 {
                counts.push((host, u64::from(fit.max(kept))));
            }
        }
        let all = counts.iter().map(|(_, count)| count);
        let exist: u64 = if *affinity == Some(true) {
            all.copied().max().unwrap_or(0)
        } else {
            all.sum()
        };
        (exist < u64::from(needed)).then(|| Conflict {
            reason: "no_matching_hosts",
            from: demand.window.start,
            until: demand.window.end,
            needed: u64::from(needed),
            exist,
            hosts_matching: counts
                .iter()
                .map(|&(host, _)| world.places[host].host.id.clone())
                .collect(),
            reservations: vec![demand.reservation.clone()],
            certificate: Vec::new(),
            text: format!(
                "{needed} instances are needed, the hosts that match the request and are in service from {} to {} have \
                 room for {exist}",
                wording::instant(demand.window.start),
                wording::instant(demand.window.end)
            )
            .into(),
        })
    })
}

/// What is said when every alternative was tried and no single instant shows why none works.
pub(super) fn by_search(world: &World<'_>) -> Conflict {
    let requested = &world.demands[..world.requested];
    let from = requested.iter().map(|demand| demand.window.start).min().unwrap_or(0);
    let until = requested.iter().map(|demand| demand.occupation.end).max().unwrap_or(0);
    let span = Interval::new(from, until);
    let hosts = (0..world.places.len()).filter(|&host| (0..world.requested).any(|number| permits(world, number, host)));
    let hosts: Vec<HostId> = hosts.map(|host| world.places[host].host.id.clone()).collect();
    let competing = world
        .demands
        .iter()
        .filter(|demand| demand.requested || demand.occupation.overlaps(&span));
    let mut reservations: Vec<ReservationId> = competing.map(|demand| demand.reservation.clone()).collect();
    reservations.sort();
    Conflict {
        reason: "search",
        from,
        until,
        needed: requested.iter().map(|demand| u64::from(demand.least)).sum(),
        exist: hosts.len() as u64,
        hosts_matching: hosts,
        reservations,
        certificate: Vec::new(),
        text: format!(
            "between {} and {} no choice of hosts serves your request and keeps every earlier promise; all were tried",
            wording::instant(from),
            wording::instant(until)
        )
        .into(),
    }
}

fn permits(world: &World<'_>, number: DemandNumber, host: usize) -> bool {
    world.suits(&world.demands[number], host)
}
