//! What is to be healed, with small numbers for names.
//!
//! Invariant: everything that must stay is in [`World::fixed`]; every [`Job`] is what remains to be placed
//! of one reservation, from now on. Numbers follow identifiers, so equal input gives equal numbers.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::occupancy::{Occupancy, Use};
use crate::hosts::{Carried, HostNumber, ReservationNumber};
use crate::index::{Held, PredicateNumber};
use crate::model::{Host, Instances, Interval, LeaseId, Reservation, ReservationId, Resource, Seconds};
use crate::planner::Planner;
use crate::reach::Spreading;

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
    /// What the planner calls it.
    number: ReservationNumber,
    /// Its expression.
    predicate: PredicateNumber,
    /// Hosts on which a fixed part of it stands.
    own: Vec<usize>,
}

impl<'a> Job<'a> {
    /// Without hosts.
    fn new(held: &'a Held, now: Seconds) -> Self {
        Self {
            held: held.reservation(),
            window: Interval::new(held.window.start.max(now), held.window.end),
            occupation: ahead(held, now),
            size: 0,
            stays: Vec::new(),
            leaves: Vec::new(),
            number: held.part.number,
            predicate: held.part.predicate,
            own: Vec::new(),
        }
    }

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
    pub(super) id: &'a ReservationId,
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
    /// Which expressions the hosts of each class satisfy.
    truth: HashMap<usize, HashSet<PredicateNumber>>,
    /// What stays.
    pub(super) fixed: Occupancy<'a>,
    /// The reservations it is of.
    pub(super) stays: Vec<Stay<'a>>,
    /// What is to be placed: what stands on hosts that are out of order, and all that is pending and may have to make room.
    pub(super) jobs: Vec<Job<'a>>,
}

impl<'a> World<'a> {
    /// What has to leave hosts that are out of order at `now`, and what that reaches (see [`crate::reach`]).
    pub(super) fn new(planner: &'a Planner, now: Seconds) -> Self {
        let index = planner.index();
        let harmed = harmed(planner, now);
        let mut spreading = Spreading::new(planner, now, &[]);
        for held in &harmed {
            let rest = ahead(held, now);
            spreading.send(held.part.predicate, rest);
            for &host in &held.hosts {
                spreading.enter(index.class_of(host as HostNumber), rest);
            }
        }
        let reached = spreading.spread();
        let groups = index.groups(now, &[]);
        let classes = reached.classes();
        let mut numbers: Vec<HostNumber> = classes
            .flat_map(|class| index.hosts_of(class))
            .map(|&host| host as HostNumber)
            .collect();
        numbers.sort_unstable();
        let carried: Vec<&'a Carried> = numbers
            .iter()
            .filter_map(|&host| planner.hosts.at(host).map(AsRef::as_ref))
            .collect();
        let hosts: Vec<&Host> = carried.iter().map(|carried| carried.host.as_ref()).collect();
        let mut jobs: BTreeMap<(&LeaseId, usize), Job<'a>> = BTreeMap::new();
        for held in harmed.into_iter().chain(reached.pending(index)) {
            jobs.entry(held.order()).or_insert_with(|| Job::new(held, now));
        }
        let mut jobs: Vec<Job<'a>> = jobs.into_values().collect();
        let of: HashMap<ReservationNumber, usize> = jobs.iter().enumerate().map(|(job, of)| (of.number, job)).collect();
        let mut fixed = Occupancy::new(hosts.clone());
        let mut stays: BTreeMap<(&LeaseId, usize), Stay<'a>> = BTreeMap::new();
        for (host, carried) in carried.iter().enumerate() {
            let span = reached.span(index.class_of(numbers[host]));
            let wholes = carried.occupations.iter().map(|taken| (taken, None));
            let shares = carried.shares.iter().map(|share| (&share.taken, Some(share)));
            for (taken, share) in wholes.chain(shares) {
                if taken.interval.end <= now {
                    continue;
                }
                let count = share.map_or(1, |share| share.count as usize);
                let is_fixed = taken.is_fixed(now, planner.freeze);
                if let Some(&job) = of.get(&taken.number) {
                    let job = &mut jobs[job];
                    let in_order = hosts[host].reservable && hosts[host].in_service(job.window);
                    let place = match (in_order, is_fixed) {
                        (false, _) => &mut job.leaves,
                        (true, true) => &mut job.own,
                        (true, false) => &mut job.stays,
                    };
                    place.extend(std::iter::repeat_n(host, count));
                    if !(in_order && is_fixed) {
                        continue;
                    }
                } else if !is_fixed || span.is_none_or(|span| span.end <= taken.interval.start) {
                    // Nobody meets it.
                    continue;
                }
                let used = share.map_or(Use::Whole, |share| Use::Part(Arc::clone(&share.instances), share.count));
                fixed.take(host, taken.interval, used);
                let Some(held) = index.held(taken.number) else { continue };
                let stay = stays.entry(held.order()).or_insert_with(|| Stay {
                    id: &held.id,
                    occupation: taken.interval,
                    hosts: Vec::new(),
                });
                stay.hosts.extend(std::iter::repeat_n(host, count));
            }
        }
        for job in &mut jobs {
            job.size = u32::try_from(job.stays.len() + job.leaves.len()).unwrap_or(u32::MAX);
        }
        jobs.retain(|job| job.size > 0);
        let mut truth: HashMap<usize, HashSet<PredicateNumber>> = HashMap::new();
        let mut class_of = Vec::with_capacity(hosts.len());
        for &host in &numbers {
            let class = index.class_of(host);
            let group = groups.of(class);
            class_of.push(group);
            truth.entry(group).or_insert_with(|| {
                let predicates = jobs.iter().map(|job| job.predicate);
                let admits = |number: &PredicateNumber| {
                    let eligible = index.eligible(*number);
                    eligible.is_some_and(|eligible| eligible.admits(class))
                };
                predicates.filter(admits).collect()
            });
        }
        Self {
            now,
            richness: carried.iter().map(|carried| carried.richness).collect(),
            hosts,
            class_of,
            truth,
            fixed,
            stays: stays.into_values().collect(),
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
        self.truth[&self.class_of[host]].contains(&job.predicate)
            && candidate.reservable
            && candidate.in_service(job.window)
    }
}

/// The reservations that hold hosts which are not reservable, or out of service at some time still to come of their
/// windows.
fn harmed(planner: &Planner, now: Seconds) -> Vec<&Held> {
    let index = planner.index();
    let mut harmed: BTreeMap<(&LeaseId, usize), &Held> = BTreeMap::new();
    for carried in planner.hosts.values() {
        let host = &carried.host;
        if host.reservable && host.blocks.is_empty() {
            continue;
        }
        for held in carried.all().filter_map(|taken| index.held(taken.number)) {
            let window = Interval::new(held.window.start.max(now), held.window.end);
            if window.start < window.end && !host.takes(window) {
                harmed.insert(held.order(), held);
            }
        }
    }
    harmed.into_values().collect()
}

/// What a reservation occupies of its hosts from now on.
fn ahead(held: &Held, now: Seconds) -> Interval {
    Interval::new(held.occupation.start.max(now), held.occupation.end)
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
