//! Turns counts per place into hosts, rewriting as little as possible.
//!
//! Invariant: the hosts given satisfy the counts exactly. Where the jobs that grow find hosts free beside
//! those that stay, nothing else changes; otherwise the place is swept by start, where the decode theorem
//! says that hosts never run out.

use std::collections::{BTreeMap, BTreeSet};

use super::model::Counts;
use super::places::Places;
use super::spare::Chosen;
use super::world::{World, counted, place};
use crate::model::Interval;

/// Hosts of every job, `None` if the counts exceed a capacity.
pub(super) fn decode(world: &World<'_>, places: &Places, counts: &Counts) -> Option<Chosen> {
    let mut users: BTreeMap<usize, Vec<User>> = BTreeMap::new();
    for (number, (job, counts)) in world.jobs.iter().zip(counts).enumerate() {
        let mut held: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &host in &job.stays {
            held.entry(places.of[host]).or_default().push(host);
        }
        let both: BTreeSet<usize> = held.keys().chain(counts.keys()).copied().collect();
        for place in both {
            users.entry(place).or_default().push(User {
                number,
                count: counts.get(&place).copied().unwrap_or(0) as usize,
                held: held.remove(&place).unwrap_or_default(),
            });
        }
    }
    let mut chosen: Chosen = vec![Vec::new(); world.jobs.len()];
    for (place, mut users) in users {
        users.sort_by_key(|user| (world.jobs[user.number].occupation.start, user.number));
        let hosts = places.list[place].hosts.as_slice();
        let given = if hosts.len() == 1 {
            users.iter().map(|user| vec![hosts[0]; user.count]).collect()
        } else {
            beside(world, places, hosts, &users).or_else(|| sweep(world, places, hosts, &users))?
        };
        for (user, given) in users.iter().zip(given) {
            chosen[user.number].extend(given);
        }
    }
    for hosts in &mut chosen {
        hosts.sort_unstable();
    }
    Some(chosen)
}

/// A job in a place.
struct User {
    number: usize,
    count: usize,
    held: Vec<usize>,
}

/// Everything stays that may; only what is more than before is placed.
fn beside(world: &World<'_>, places: &Places, hosts: &[usize], users: &[User]) -> Option<Vec<Vec<usize>>> {
    let mut taken: BTreeMap<usize, Vec<Interval>> = BTreeMap::new();
    let mut given: Vec<Vec<usize>> = Vec::new();
    for user in users {
        let stays = &user.held[..user.held.len().min(user.count)];
        let occupation = world.jobs[user.number].occupation;
        for &host in stays {
            taken.entry(host).or_default().push(occupation);
        }
        given.push(stays.to_vec());
    }
    for (user, given) in users.iter().zip(&mut given) {
        let occupation = world.jobs[user.number].occupation;
        let is_free = |host: &usize, taken: &BTreeMap<usize, Vec<Interval>>| {
            let mut others = taken.get(host).into_iter().flatten();
            places.free_from[*host] <= occupation.start && !others.any(|other| other.overlaps(&occupation))
        };
        while given.len() < user.count {
            let free = hosts.iter().copied().filter(|host| is_free(host, &taken));
            let host = free.min_by_key(|&host| (world.richness[host], host))?;
            taken.entry(host).or_default().push(occupation);
            given.push(host);
        }
    }
    Some(given)
}

/// Places every job anew by start, each on its own hosts where they are free.
fn sweep(world: &World<'_>, places: &Places, hosts: &[usize], users: &[User]) -> Option<Vec<Vec<usize>>> {
    let mut free_from: BTreeMap<usize, i64> = hosts.iter().map(|&host| (host, places.free_from[host])).collect();
    let mut given = Vec::new();
    for (position, user) in users.iter().enumerate() {
        let occupation = world.jobs[user.number].occupation;
        let waited_for = |host: usize| {
            let later = users[position + 1..].iter().filter(|other| other.held.contains(&host));
            later
                .filter(|other| world.jobs[other.number].occupation.overlaps(&occupation))
                .count()
        };
        let free = free_from.iter().filter(|&(_, &from)| from <= occupation.start);
        let mut free: Vec<_> = free
            .map(|(&host, _)| (!user.held.contains(&host), waited_for(host), world.richness[host], host))
            .collect();
        if free.len() < user.count {
            return None;
        }
        free.sort_unstable();
        let own: Vec<usize> = free.into_iter().take(user.count).map(|(.., host)| host).collect();
        for host in &own {
            free_from.insert(*host, occupation.end);
        }
        given.push(own);
    }
    Some(given)
}

/// Whether these hosts give no job more than its size, break no rule and overlap nowhere: counted once
/// more, host by host.
pub(super) fn holds(world: &World<'_>, chosen: &Chosen) -> bool {
    let mut occupancy = world.fixed.clone();
    world.jobs.iter().zip(chosen).all(|(job, hosts)| {
        let counts = counted(hosts);
        let sound = hosts.len() <= job.size as usize
            && !(job.is_together() && counts.len() > 1)
            && counts.iter().all(|(&host, &count)| {
                let room = match job.instances() {
                    Some(instances) => occupancy.headroom(host, job.occupation, instances, job.most_on_a_host()),
                    None => u32::from(occupancy.is_free(host, job.occupation)),
                };
                count <= room && world.permits(job, host)
            });
        place(&mut occupancy, job, job.occupation, hosts);
        sound
    })
}
