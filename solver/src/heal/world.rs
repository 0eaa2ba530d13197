//! What is to be healed, with small numbers for names.
//!
//! Invariant: everything that must stay is in [`World::fixed`]; every [`Job`] is what remains to be placed
//! of one reservation, from now on. Numbers follow identifiers, so equal input gives equal numbers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::occupancy::{Occupancy, Use};
use crate::columns::Columns;
use crate::model::{Host, HostId, Instances, Interval, Reservation, Resource, Seconds};
use crate::planner::Planner;
use crate::predicate::Predicate;

/// What remains to be placed of one reservation.
pub(super) struct Job<'a> {
    /// The reservation as it is promised.
    pub(super) held: &'a Reservation,
    /// Its window as far as it is still to come.
    pub(super) window: Interval,
    /// The window and the cleaning after it.
    pub(super) occupation: Interval,
    /// Hosts or instances to place.
    pub(super) size: u32,
    /// Where it may stay: hosts it holds that are in order; of a reservation that is fixed, none, because
    /// what it keeps is not to be placed. Sorted; a host stands once for each instance.
    pub(super) stays: Vec<usize>,
    /// Hosts it must leave, likewise.
    pub(super) leaves: Vec<usize>,
    /// Number of its predicate.
    predicate: usize,
    /// Hosts on which a fixed part of it stands.
    own: Vec<usize>,
}

impl Job<'_> {
    /// What one instance takes; nothing for whole hosts.
    pub(super) fn instances(&self) -> Option<&Arc<Instances>> {
        match &self.held.resource {
            Resource::Instances(instances) => Some(instances),
            Resource::Host | Resource::Units(_) => None,
        }
    }

    /// Whether all it has is in order.
    pub(super) const fn is_unharmed(&self) -> bool {
        self.leaves.is_empty()
    }

    /// How it uses a host on which it has `count`.
    pub(super) fn uses(&self, count: u32) -> Use {
        match self.instances() {
            Some(instances) => Use::Part(Arc::clone(instances), count),
            None => Use::Whole,
        }
    }

    /// Most it may have on one host.
    pub(super) fn most_on_a_host(&self) -> u32 {
        match self.instances().map(|instances| instances.affinity) {
            Some(None | Some(true)) => self.size,
            Some(Some(false)) | None => 1,
        }
    }

    /// Whether all of it must stand on one host.
    pub(super) fn is_together(&self) -> bool {
        self.instances()
            .is_some_and(|instances| instances.affinity == Some(true))
    }
}

/// Work that stays where it is.
pub(super) struct Stay<'a> {
    pub(super) held: &'a Reservation,
    pub(super) occupation: Interval,
    pub(super) hosts: Vec<usize>,
}

/// Everything the answer depends on.
pub(super) struct World<'a> {
    pub(super) now: Seconds,
    pub(super) hosts: Vec<&'a Host>,
    pub(super) richness: Vec<u64>,
    /// Class of each host, as moves are counted between: equal under all live predicates and in zone, rack,
    /// blocks, reservability and capacity.
    pub(super) class_of: Vec<usize>,
    /// Which predicates the hosts of each class satisfy.
    truth: Vec<Vec<bool>>,
    /// What stays.
    pub(super) fixed: Occupancy<'a>,
    /// The reservations it is of.
    pub(super) stays: Vec<Stay<'a>>,
    /// What is to be placed: all that is pending, and what stands on hosts that are out of order.
    pub(super) jobs: Vec<Job<'a>>,
}

impl<'a> World<'a> {
    pub(super) fn new(planner: &'a Planner, now: Seconds) -> Self {
        let hosts: Vec<&Host> = planner.hosts.values().map(|carried| carried.host.as_ref()).collect();
        let numbers: HashMap<&HostId, usize> = planner.hosts.keys().enumerate().map(|(n, id)| (id, n)).collect();
        let mut predicates: Vec<&Predicate> = Vec::new();
        let mut numbered: HashMap<&Predicate, usize> = HashMap::new();
        let mut fixed = Occupancy::new(hosts.clone());
        let (mut jobs, mut stays) = (Vec::new(), Vec::new());
        for held in planner.leases().flat_map(|lease| &lease.reservations) {
            if matches!(held.resource, Resource::Units(_)) || held.occupation().end <= now {
                continue;
            }
            let mut holds: Vec<usize> = held.holds.iter().filter_map(|id| numbers.get(id).copied()).collect();
            holds.sort_unstable();
            let window = Interval::new(held.window.start.max(now), held.window.end);
            let mut job = Job {
                held,
                window,
                occupation: Interval::new(window.start, held.occupation().end),
                size: 0,
                stays: Vec::new(),
                leaves: Vec::new(),
                predicate: 0,
                own: Vec::new(),
            };
            if held.window.end <= now {
                // Only the cleaning is left.
                stays.push(Stay::new(&mut fixed, &job, holds));
                continue;
            }
            job.predicate = *numbered.entry(&*held.predicate).or_insert_with(|| {
                predicates.push(&held.predicate);
                predicates.len() - 1
            });
            let in_order = |host: &usize| hosts[*host].reservable && hosts[*host].in_service(window);
            (job.stays, job.leaves) = holds.iter().partition(|host| in_order(host));
            if held.is_fixed(now, planner.freeze) {
                job.own = std::mem::take(&mut job.stays);
                stays.push(Stay::new(&mut fixed, &job, job.own.clone()));
            }
            job.size = u32::try_from(job.stays.len() + job.leaves.len()).unwrap_or(u32::MAX);
            if job.size > 0 {
                jobs.push(job);
            }
        }
        let (class_of, truth) = classes(&hosts, &predicates);
        Self {
            now,
            richness: planner.hosts.values().map(|carried| carried.richness).collect(),
            hosts,
            class_of,
            truth,
            fixed,
            stays,
            jobs,
        }
    }

    /// Whether the rules allow a job on a host, other work aside.
    pub(super) fn permits(&self, job: &Job<'_>, host: usize) -> bool {
        if job.stays.binary_search(&host).is_ok() {
            return true;
        }
        let is_own = || job.own.binary_search(&host).is_ok();
        let keeps_rule = match job.instances().and_then(|instances| instances.affinity) {
            None => true,
            Some(true) => job.own.is_empty() || is_own(),
            Some(false) => !is_own(),
        };
        self.suits(job, host) && keeps_rule
    }

    /// Whether the host suits the job as new work.
    pub(super) fn suits(&self, job: &Job<'_>, host: usize) -> bool {
        let candidate = self.hosts[host];
        self.truth[self.class_of[host]][job.predicate] && candidate.reservable && candidate.in_service(job.window)
    }
}

impl<'a> Stay<'a> {
    /// The part of a job's reservation that stays on these hosts; they are taken from now on.
    fn new(fixed: &mut Occupancy<'_>, job: &Job<'a>, hosts: Vec<usize>) -> Self {
        let occupation = job.held.occupation();
        place(fixed, job, occupation, &hosts);
        Self {
            held: job.held,
            occupation,
            hosts,
        }
    }
}

/// Host to how often it stands in the list.
pub(super) fn counted(hosts: &[usize]) -> BTreeMap<usize, u32> {
    let mut counts = BTreeMap::new();
    for &host in hosts {
        *counts.entry(host).or_insert(0) += 1;
    }
    counts
}

/// Puts what a job has on hosts into the occupancy.
pub(super) fn place(occupancy: &mut Occupancy<'_>, job: &Job<'_>, during: Interval, hosts: &[usize]) {
    for (host, count) in counted(hosts) {
        occupancy.take(host, during, job.uses(count));
    }
}

/// Partitions the hosts by everything a promise can ask for.
fn classes(hosts: &[&Host], predicates: &[&Predicate]) -> (Vec<usize>, Vec<Vec<bool>>) {
    let admitted = Columns::default().admitted(hosts, predicates);
    let mut numbers = HashMap::new();
    let mut truths = Vec::new();
    let of = hosts.iter().enumerate().map(|(number, host)| {
        let truth: Vec<bool> = admitted.iter().map(|set| set.contains(number)).collect();
        let rest = (&host.zone, &host.rack, &host.blocks, host.reservable, &host.capacity);
        *numbers.entry((truth, rest)).or_insert_with_key(|(truth, _)| {
            truths.push(truth.clone());
            truths.len() - 1
        })
    });
    (of.collect(), truths)
}
