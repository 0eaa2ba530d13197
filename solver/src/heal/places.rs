//! Groups of hosts that the program counts in.
//!
//! Invariant (the decode theorem, see `classes`): the hosts of one place are of one class and have the
//! same calendar of fixed work to come; what is fixed and has begun says only from when on a host is free.
//! So counts that respect [`Place::room`] at the start of every job can be turned into hosts. Where
//! instances are to be placed, counts do not suffice, and every host is a place of its own.

use std::collections::HashMap;

use super::occupancy::Use;
use super::world::{Job, World};
use crate::model::{Interval, Seconds};

/// A group of hosts.
pub(super) struct Place {
    /// Its hosts, sorted.
    pub(super) hosts: Vec<usize>,
    /// Class of its hosts.
    pub(super) class: usize,
    /// Fixed work to come, the same on every host.
    calendar: Vec<Interval>,
    /// When busy hosts become free, sorted; hosts that are free already are not listed.
    releases: Vec<Seconds>,
}

impl Place {
    /// How many of its hosts fixed work leaves free at an instant.
    pub(super) fn room(&self, at: Seconds) -> u32 {
        let free = self.releases.partition_point(|&release| release <= at);
        u32::try_from(self.hosts.len() - self.releases.len() + free).unwrap_or(u32::MAX)
    }
}

/// All places.
pub(super) struct Places {
    pub(super) list: Vec<Place>,
    /// Place of each host.
    pub(super) of: Vec<usize>,
    /// From when on fixed work leaves each host free.
    pub(super) free_from: Vec<Seconds>,
}

impl Places {
    pub(super) fn new(world: &World<'_>) -> Self {
        let alone = world.jobs.iter().any(|job| job.instances().is_some());
        let mut exceptions = vec![false; world.hosts.len()];
        for job in &world.jobs {
            for &host in &job.stays {
                exceptions[host] |= !world.suits(job, host);
            }
        }
        let mut places = Self {
            list: Vec::new(),
            of: Vec::with_capacity(world.hosts.len()),
            free_from: Vec::with_capacity(world.hosts.len()),
        };
        let mut numbers = HashMap::new();
        for (host, &class) in world.class_of.iter().enumerate() {
            let taken = world.fixed.on(host).iter().map(|(interval, _)| *interval);
            let (begun, mut calendar): (Vec<Interval>, Vec<Interval>) =
                taken.partition(|interval| interval.start <= world.now);
            calendar.sort_unstable();
            calendar.dedup();
            let release = begun.iter().map(|interval| interval.end).max();
            places.free_from.push(release.unwrap_or(Seconds::MIN));
            let own = (alone || exceptions[host]).then_some(host);
            let number = *numbers.entry((class, calendar.clone(), own)).or_insert_with(|| {
                places.list.push(Place {
                    hosts: Vec::new(),
                    class,
                    calendar,
                    releases: Vec::new(),
                });
                places.list.len() - 1
            });
            places.list[number].hosts.push(host);
            places.list[number].releases.extend(release);
            places.of.push(number);
        }
        for place in &mut places.list {
            place.releases.sort_unstable();
        }
        places
    }

    /// Most hosts or instances a job may have in a place, other jobs aside.
    pub(super) fn most(&self, world: &World<'_>, job: &Job<'_>, number: usize) -> u32 {
        let place = &self.list[number];
        let host = place.hosts[0];
        if !world.permits(job, host) {
            return 0;
        }
        match job.instances() {
            Some(instances) => world
                .fixed
                .headroom(host, job.occupation, instances, job.most_on_a_host()),
            None if place.calendar.iter().any(|taken| taken.overlaps(&job.occupation)) => 0,
            None => place.room(job.occupation.start).min(job.size),
        }
    }

    /// Instants at which fixed instances begin on the only host of a place.
    pub(super) fn begins(&self, world: &World<'_>, number: usize) -> Vec<Seconds> {
        let hosts = &self.list[number].hosts;
        let parts = hosts.iter().flat_map(|&host| world.fixed.on(host));
        parts
            .filter(|(_, taken)| matches!(taken, Use::Part(..)))
            .map(|(interval, _)| interval.start)
            .collect()
    }
}
