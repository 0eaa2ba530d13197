//! Why not, for instances and units.

use std::collections::{BTreeMap, BTreeSet};

use super::apart;
use super::competing;
use super::measure::Measure;
use super::occupied::{self, Occupied};
use super::proof::Proof;
use super::shortage::{self, Shortage};
use super::standing::Standing;
use super::whole;
use super::world::{DemandNumber, Kind, Place, Takes, World, fitting};
use crate::deadline::Deadline;
use crate::decision::{CapacityRow, Conflict, Counted};
use crate::hosts::HostNumber;
use crate::model::{HostId, Interval, Request, ReservationId, Resource, Seconds};
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
                reason: "started",
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

/// What the request keeps is in the way of a promise.
pub(super) fn displaced(world: &World<'_>, deadline: &Deadline) -> Option<Conflict> {
    occupied::displaced(world, deadline).map(|occupied| of_occupied(world, &occupied))
}

/// What can be counted without a program: too little room beside fixed work, too few hosts for instances that may not
/// share one, or too much of a resource class at one instant.
pub(super) fn counted(world: &World<'_>, deadline: &Deadline) -> Option<Conflict> {
    let occupied = occupied::search(world, deadline).map(|occupied| of_occupied(world, &occupied));
    occupied
        .or_else(|| apart::of_request(world, deadline))
        .or_else(|| Some(of_shortage(world, &shortage::of_request(world, deadline)?, deadline)))
}

/// The conflict in a proof; of one resource class at one instant, if that is enough.
pub(super) fn proved(world: &World<'_>, proof: &Proof<'_>, deadline: &Deadline) -> Conflict {
    let instants: BTreeSet<Seconds> = proof.rows.iter().map(|(row, _)| row.at).collect();
    if let [at] = instants.iter().copied().collect::<Vec<_>>()[..] {
        let hosts = proof.rows.iter().flat_map(|(row, _)| row.hosts.iter().copied());
        let hosts = hosts.collect();
        if let Some(shortage) = shortage::of_hosts(world, &hosts, at, deadline) {
            return of_shortage(world, &shortage, deadline);
        }
    }
    of_rows(world, proof, &instants)
}

fn named(world: &World<'_>, hosts: impl IntoIterator<Item = HostNumber>) -> Vec<HostId> {
    let name = |host: HostNumber| world.places[host].host.id.clone();
    hosts.into_iter().map(name).collect()
}

fn of_occupied(world: &World<'_>, occupied: &Occupied<'_>) -> Conflict {
    let demand = &world.demands[occupied.demand];
    let mut reservations: Vec<ReservationId> = occupied.fixed.iter().map(|&id| id.clone()).collect();
    reservations.push(demand.reservation.clone());
    reservations.sort();
    let hosts = occupied.hosts.len() as u64;
    let by = if demand.requested { "" } else { " by an earlier lease" };
    let (placed, most) = match &demand.kind {
        Kind::Instances {
            affinity: Some(true), ..
        } => (" on one host", " on one host at most"),
        Kind::Instances {
            affinity: Some(false), ..
        } => (" on different hosts", ""),
        Kind::Instances { affinity: None, .. } | Kind::Whole => ("", ""),
    };
    let (one, more) = match &demand.kind {
        Kind::Whole => ("host", "hosts"),
        Kind::Instances { .. } => ("instance", "instances"),
    };
    Conflict {
        reason: "occupied",
        from: demand.window.start,
        until: demand.occupation.end,
        needed: occupied.needed,
        exist: occupied.exist,
        hosts_matching: named(world, occupied.hosts.iter().copied()),
        reservations,
        certificate: Vec::new(),
        text: format!(
            "{} needed{by}{placed} from {} to {}; beside work that cannot move any more, the {} in service then {} room \
             for {}{most}",
            wording::count_is(occupied.needed, one, more),
            wording::instant(demand.window.start),
            wording::instant(demand.window.end),
            wording::count(hosts, "matching host", "matching hosts"),
            if hosts == 1 { "has" } else { "have" },
            occupied.exist,
        )
        .into(),
    }
}

fn of_shortage(world: &World<'_>, shortage: &Shortage<'_>, deadline: &Deadline) -> Conflict {
    let class = world.resource_classes[shortage.resource_class];
    let Interval { start, end } = shortage.interval;
    if shortage.is_whole
        && let Some(conflict) = whole::at_instant(world, shortage.at, None, deadline)
    {
        return conflict;
    }
    let hosts = named(world, shortage.hosts.iter().copied());
    Conflict {
        reason: "resources",
        from: start,
        until: end,
        // A count beyond the range of the document is no less a shortage.
        needed: u64::try_from(shortage.needed).unwrap_or(u64::MAX),
        exist: shortage.exist,
        reservations: shortage.members.iter().map(|&id| id.clone()).collect(),
        text: shortage.in_words(world).into(),
        certificate: vec![CapacityRow {
            hosts: hosts.clone(),
            at: start,
            weight: 1,
            counted: Some(Counted {
                resource: class.into(),
                divisor: 1,
            }),
            apart: None,
        }],
        hosts_matching: hosts,
    }
}

fn of_rows(world: &World<'_>, proof: &Proof<'_>, instants: &BTreeSet<Seconds>) -> Conflict {
    let hosts: BTreeSet<HostNumber> = proof
        .rows
        .iter()
        .flat_map(|(row, _)| row.hosts.iter().copied())
        .collect();
    let own = |id: &&ReservationId| {
        world.demands[..world.requested]
            .iter()
            .any(|demand| demand.reservation == *id)
    };
    let others = proof.members.iter().filter(|id| !own(id)).count();
    let first = instants.first().copied().unwrap_or(0);
    let last = instants.last().copied().unwrap_or(0);
    let others = wording::earlier(others as u64);
    let hosts_text = wording::count(hosts.len() as u64, "host", "hosts");
    let text = if first == last {
        format!(
            "at {} enough is free in sum, but not on single hosts: your request and {others} need more than \
             fits on {hosts_text} one by one",
            wording::instant(first),
        )
    } else {
        format!(
            "enough is free at every single instant, but not on the same hosts throughout: between {} and {} your \
             request and {others} need more than {hosts_text} can give",
            wording::instant(first),
            wording::instant(last),
        )
    };
    Conflict {
        reason: "rows",
        from: first,
        until: last + 1,
        needed: proof.needed,
        exist: proof.exist,
        hosts_matching: named(world, hosts),
        reservations: proof.members.iter().map(|&id| id.clone()).collect(),
        certificate: written(world, proof),
        text: text.into(),
    }
}

/// The rows of a proof; those of several groups of hosts that are counted alike are one.
fn written(world: &World<'_>, proof: &Proof<'_>) -> Vec<CapacityRow> {
    let mut rows: BTreeMap<(Seconds, Measure, u64), BTreeSet<HostNumber>> = BTreeMap::new();
    for (row, weight) in &proof.rows {
        rows.entry((row.at, row.measure, *weight))
            .or_default()
            .extend(&row.hosts);
    }
    let rows = rows.into_iter().map(|((at, measure, weight), hosts)| CapacityRow {
        hosts: named(world, hosts),
        at,
        weight,
        counted: match measure {
            Measure::Hosts | Measure::Apart { .. } => None,
            Measure::Multiples {
                resource_class,
                divisor,
            } => Some(Counted {
                resource: world.resource_classes[resource_class].into(),
                divisor,
            }),
        },
        apart: match measure {
            Measure::Apart { demand } => Some(world.demands[demand].reservation.clone()),
            Measure::Hosts | Measure::Multiples { .. } => None,
        },
    });
    rows.collect()
}

/// A host on which what the request keeps does not fit beside other fixed work.
pub(super) fn kept_without_room(world: &World<'_>, deadline: &Deadline) -> Option<Conflict> {
    let requested = &world.demands[..world.requested];
    let kept: BTreeSet<HostNumber> = requested
        .iter()
        .flat_map(|demand| demand.kept.keys().copied())
        .collect();
    let unsound = |host: &HostNumber| !Standing::fixed(&world.places[*host]).is_sound();
    let host = kept.into_iter().find(unsound)?;
    let place = &world.places[host];
    let starts: BTreeSet<Seconds> = place.fixed.iter().map(|fixed| fixed.interval.start).collect();
    let twice = starts.iter().find_map(|&at| twice(place, at));
    let exceeded = || {
        let shortage = |&at: &Seconds| shortage::of_hosts(world, &BTreeSet::from([host]), at, deadline);
        starts
            .iter()
            .find_map(shortage)
            .map(|shortage| of_shortage(world, &shortage, deadline))
    };
    Some(twice.or_else(exceeded).unwrap_or_else(|| by_search(world)))
}

/// A host that is kept or fixed whole and needed by something else at an instant.
fn twice(place: &Place<'_>, at: Seconds) -> Option<Conflict> {
    let mut here = place.fixed.iter().filter(|fixed| fixed.interval.contains(at));
    let whole = here.clone().find(|fixed| fixed.takes == Takes::Whole)?;
    let other = here.find(|fixed| fixed.reservation != whole.reservation)?;
    let start = whole.interval.start.max(other.interval.start);
    let end = whole.interval.end.min(other.interval.end);
    let mut reservations = vec![whole.reservation.clone(), other.reservation.clone()];
    reservations.sort();
    Some(Conflict {
        reason: "capacity",
        from: start,
        until: end,
        needed: 2,
        exist: 1,
        hosts_matching: vec![place.host.id.clone()],
        reservations,
        certificate: Vec::new(),
        text: format!(
            "at {} (until {}), a host your reservation keeps is needed whole and by another lease, and neither can move",
            wording::instant(start),
            wording::instant(end)
        )
        .into(),
    })
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
        let most = match affinity {
            Some(true) => " on one host at most",
            Some(false) => ", one on each",
            None => "",
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
                "{} needed, the hosts that match the request and are in service from {} to {} have room for {exist}{most}",
                wording::count_is(u64::from(needed), "instance", "instances"),
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
    let hosts = (0..world.places.len()).filter(|&host| (0..world.requested).any(|number| permits(world, number, host)));
    let hosts: Vec<HostId> = hosts.map(|host| world.places[host].host.id.clone()).collect();
    Conflict {
        reason: "search",
        from,
        until,
        needed: requested.iter().map(|demand| u64::from(demand.least)).sum(),
        exist: hosts.len() as u64,
        hosts_matching: hosts,
        reservations: competing::reservations(world).into_iter().cloned().collect(),
        certificate: Vec::new(),
        text: format!(
            "between {} and {} no choice of hosts serves your request and keeps every earlier lease; all were tried",
            wording::instant(from),
            wording::instant(until)
        )
        .into(),
    }
}

fn permits(world: &World<'_>, number: DemandNumber, host: usize) -> bool {
    world.suits(&world.demands[number], host)
}
