//! Why a promise cannot be kept: more is needed at one instant than exists.
//!
//! Invariant: in a `capacity` conflict the listed reservations that are to be placed can use no host
//! outside the list from the instant on, those that stay stand on hosts of the list, and at each second of
//! its interval they need more hosts than it has. All but the promise in question are kept by the answer.

use std::collections::{BTreeMap, BTreeSet};

use super::places::Places;
use super::spare::Chosen;
use super::world::World;
use crate::certificate::hall::{Transport, Wanted};
use crate::certificate::minimal::{Member, minimal};
use crate::deadline::Deadline;
use crate::decision::Conflict;
use crate::model::{HostId, Interval, ReservationId, Seconds};
use crate::wording;

/// The conflict of a promise that lacks something in the answer. Unless that is `proved` the best, only what is counted
/// says why.
pub(super) fn conflict(
    world: &World<'_>,
    chosen: &Chosen,
    number: usize,
    proved: bool,
    deadline: &Deadline,
) -> Conflict {
    let job = &world.jobs[number];
    let kept = |&other: &usize| {
        let kept = chosen[other].len() == world.jobs[other].size as usize;
        other == number || (kept && world.jobs[other].occupation.overlaps(&job.occupation))
    };
    let competing: Vec<usize> = (0..world.jobs.len()).filter(kept).collect();
    let whole = competing.iter().all(|&other| world.jobs[other].instances().is_none());
    if whole && !deadline.is_over() {
        let places = Places::new(world);
        let starts = competing.iter().map(|&other| world.jobs[other].occupation.start);
        let instants: BTreeSet<Seconds> = starts.filter(|&at| job.occupation.contains(at)).collect();
        // What is left of another promise that is not kept may stand in the way, but explains nothing.
        let broken = (0..world.jobs.len()).filter(|&other| other != number);
        let broken = broken.filter(|&other| chosen[other].len() < world.jobs[other].size as usize);
        let broken: BTreeSet<&ReservationId> = broken.map(|other| &world.jobs[other].held.id).collect();
        let explains = |conflict: &Conflict| !conflict.reservations.iter().any(|id| broken.contains(id));
        let smallest = |at| smallest(world, &places, &competing, (number, at), deadline).filter(explains);
        let mut instants = instants.into_iter().take_while(|_| !deadline.is_over());
        if let Some(conflict) = instants.find_map(smallest) {
            return conflict;
        }
    }
    uncounted(world, &competing, number, proved)
}

/// Most promises of a conflict that are left out one by one, to see whether the rest is short as well.
const MOST_LEFT_OUT: usize = 500;

/// A shortage at one instant, without promises that it is there without, as far as the deadline allows.
fn smallest(
    world: &World<'_>,
    places: &Places,
    competing: &[usize],
    (number, at): (usize, Seconds),
    deadline: &Deadline,
) -> Option<Conflict> {
    let mut found = shortage(world, places, competing, &BTreeSet::new(), at)?;
    let own = &world.jobs[number].held.id;
    let mut out: BTreeSet<ReservationId> = BTreeSet::new();
    let others = found.reservations.clone();
    for other in others.into_iter().filter(|other| other != own).take(MOST_LEFT_OUT) {
        deadline.spend(competing.len() as u64);
        if deadline.is_over() {
            break;
        }
        let mut more = out.clone();
        more.insert(other);
        if let Some(smaller) = shortage(world, places, competing, &more, at) {
            let listed: BTreeSet<&ReservationId> = smaller.reservations.iter().collect();
            if listed.contains(own) {
                (found, out) = (smaller, more);
            }
        }
    }
    Some(found)
}

/// Looks for a shortage at one instant, as if some promises were not there.
fn shortage(
    world: &World<'_>,
    places: &Places,
    competing: &[usize],
    out: &BTreeSet<ReservationId>,
    at: Seconds,
) -> Option<Conflict> {
    let is_there = |&&other: &&usize| {
        let job = &world.jobs[other];
        job.occupation.contains(at) && !out.contains(&job.held.id)
    };
    let active = competing.iter().filter(is_there);
    let stays = || {
        let stays = world.stays.iter().filter(|stay| stay.occupation.contains(at));
        stays.filter(|stay| !out.contains(stay.id))
    };
    let mut kinds: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    for &other in active {
        let permitted = |&place: &usize| world.permits(&world.jobs[other], places.list[place].hosts[0]);
        let groups = (0..places.list.len()).filter(permitted).collect();
        kinds.entry(groups).or_default().push(other);
    }
    let busy: BTreeSet<usize> = stays().flat_map(|stay| &stay.hosts).copied().collect();
    let room = |place: &super::places::Place| place.hosts.iter().filter(|host| !busy.contains(host)).count() as u64;
    let transport = Transport {
        room: places.list.iter().map(room).collect(),
        wanted: kinds
            .iter()
            .map(|(groups, jobs)| Wanted {
                amount: jobs.iter().map(|&other| u64::from(world.jobs[other].size)).sum(),
                groups: groups.clone(),
            })
            .collect(),
    };
    let violator = transport.violator()?;
    let groups = transport.groups_of(&violator);
    let hosts: BTreeSet<usize> = groups
        .iter()
        .flat_map(|&place| places.list[place].hosts.iter().copied())
        .collect();
    let jobs: Vec<&Vec<usize>> = kinds.values().collect();
    let of_kind = |&kind: &usize| jobs[kind].iter().map(move |&other| (kind, other));
    let mut members: Vec<Member<'_>> = violator
        .iter()
        .flat_map(of_kind)
        .map(|(kind, other)| Member {
            reservation: &world.jobs[other].held.id,
            amount: u64::from(world.jobs[other].size),
            kind: Some(kind),
            own: false,
        })
        .collect();
    // Instances of several reservations may share a host, which is in use once.
    let mut counted_already: BTreeSet<usize> = BTreeSet::new();
    for stay in stays() {
        let here = stay.hosts.iter().filter(|host| hosts.contains(host));
        let amount = here.filter(|&&host| counted_already.insert(host)).count() as u64;
        if amount > 0 {
            members.push(Member {
                reservation: stay.id,
                amount,
                kind: None,
                own: false,
            });
        }
    }
    let members = minimal(members, hosts.len() as u64);
    let listed: BTreeSet<&ReservationId> = members.iter().map(|member| member.reservation).collect();
    let to_place = world.jobs.iter().map(|job| (&job.held.id, job.occupation));
    let staying = world.stays.iter().map(|stay| (stay.id, stay.occupation));
    let covered = to_place
        .chain(staying)
        .filter(|(id, occupation)| listed.contains(id) && occupation.contains(at))
        .fold(Interval::new(Seconds::MIN, Seconds::MAX), |all, (_, other)| {
            Interval::new(all.start.max(other.start), all.end.min(other.end))
        });
    let needed = members.iter().map(|member| member.amount).sum();
    let exist = hosts.len() as u64;
    Some(Conflict {
        reason: "capacity",
        from: covered.start.max(world.now),
        until: covered.end,
        needed,
        exist,
        hosts_matching: hosts.into_iter().map(|host| world.hosts[host].id.clone()).collect(),
        reservations: listed.into_iter().cloned().collect(),
        certificate: Vec::new(),
        text: format!(
            "at {} (until {}), {} needed by this promise and others that are kept, {exist} {}",
            wording::instant(at),
            wording::instant(covered.end),
            wording::count_is(needed, "working host", "working hosts"),
            if exist == 1 { "exists" } else { "exist" },
        )
        .into(),
    })
}

/// What is said when no single instant shows why: all was tried, or there was no time for that.
fn uncounted(world: &World<'_>, competing: &[usize], number: usize, proved: bool) -> Conflict {
    let job = &world.jobs[number];
    let hosts = (0..world.hosts.len()).filter(|&host| world.permits(job, host));
    let hosts: Vec<HostId> = hosts.map(|host| world.hosts[host].id.clone()).collect();
    let mut reservations: Vec<ReservationId> = competing
        .iter()
        .map(|&other| world.jobs[other].held.id.clone())
        .collect();
    reservations.sort();
    Conflict {
        reason: if proved { "search" } else { "undecided" },
        from: job.occupation.start,
        until: job.occupation.end,
        needed: u64::from(job.size),
        exist: hosts.len() as u64,
        hosts_matching: hosts,
        reservations,
        certificate: Vec::new(),
        text: format!(
            "between {} and {} no choice of hosts {}",
            wording::instant(job.occupation.start),
            wording::instant(job.occupation.end),
            if proved {
                "keeps this promise and the others; all were tried"
            } else {
                "was found in the time there was that keeps this promise and the others; there may be one"
            }
        )
        .into(),
    }
}
