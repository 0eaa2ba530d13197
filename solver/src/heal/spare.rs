//! The common case: what has to leave finds room as things stand.
//!
//! Invariant: nothing but what has to leave changes. If all of it finds room, no answer has fewer changes:
//! each host that is left counts, because no host of its class is in order either.

use super::occupancy::Occupancy;
use super::world::{Job, World, counted, place};
use crate::deadline::Deadline;

/// Hosts of every job, sorted, a host once for each instance.
pub(super) type Chosen = Vec<Vec<usize>>;

/// Puts all that has to leave on hosts that have room, as far as they do and the deadline allows.
pub(super) fn search(world: &World<'_>, deadline: &Deadline) -> Chosen {
    let mut occupancy = world.fixed.clone();
    for job in &world.jobs {
        place(&mut occupancy, job, job.occupation, &job.stays);
    }
    let mut chosen: Chosen = world.jobs.iter().map(|job| job.stays.clone()).collect();
    let mut leaving: Vec<usize> = (0..world.jobs.len())
        .filter(|&number| !world.jobs[number].leaves.is_empty())
        .collect();
    let choice = |number: &usize| {
        let job = &world.jobs[*number];
        (0..world.hosts.len()).filter(|&host| world.suits(job, host)).count()
    };
    leaving.sort_by_cached_key(|number| (choice(number), *number));
    for number in leaving {
        deadline.spend(1);
        if deadline.is_over() {
            break;
        }
        let job = &world.jobs[number];
        let given = if job.is_together() {
            together(world, job, &occupancy)
        } else {
            apart(world, job, &occupancy)
        };
        for (host, count) in counted(&given) {
            occupancy.take(host, job.occupation, job.uses(count));
        }
        chosen[number].extend(given);
        chosen[number].sort_unstable();
    }
    chosen
}

/// Hosts in the order in which they are given away: those instances use already before others, if
/// instances are placed; poor before rich.
fn in_order(world: &World<'_>, job: &Job<'_>, occupancy: &Occupancy<'_>) -> Vec<usize> {
    let permitted = (0..world.hosts.len()).filter(|&host| world.permits(job, host) && !job.stays.contains(&host));
    let mut hosts: Vec<usize> = permitted.collect();
    let unused = |host: usize| job.instances().is_some() && occupancy.is_free(host, job.occupation);
    hosts.sort_by_cached_key(|&host| (unused(host), world.richness[host], host));
    hosts
}

fn together(world: &World<'_>, job: &Job<'_>, occupancy: &Occupancy<'_>) -> Vec<usize> {
    let Some(instances) = job.instances() else {
        return Vec::new();
    };
    if !job.stays.is_empty() {
        // Part of it stands elsewhere: all of it would have to go there, or that part to leave.
        return Vec::new();
    }
    let enough = |host: &usize| occupancy.headroom(*host, job.occupation, instances, job.size) >= job.size;
    let host = in_order(world, job, occupancy).into_iter().find(enough);
    host.map_or_else(Vec::new, |host| vec![host; job.size as usize])
}

fn apart(world: &World<'_>, job: &Job<'_>, occupancy: &Occupancy<'_>) -> Vec<usize> {
    let mut given = Vec::new();
    for host in in_order(world, job, occupancy) {
        let missing = job.leaves.len() - given.len();
        if missing == 0 {
            break;
        }
        let most = u32::try_from(missing).unwrap_or(u32::MAX).min(job.most_on_a_host());
        let room = match job.instances() {
            Some(instances) => occupancy.headroom(host, job.occupation, instances, most),
            None => u32::from(occupancy.is_free(host, job.occupation)),
        };
        given.extend(std::iter::repeat_n(host, room as usize));
    }
    given
}
