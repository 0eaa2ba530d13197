//! Named hosts and what they carry, the way upstream keeps them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use solver::model::{
    Host, HostId, Instances, Interval, LeaseId, Pool, Request, RequestedReservation, ReservationId, Resource, Seconds,
};
use solver::predicate::Predicate;

use super::rule::{Candidate, Rule};

/// What one reservation takes of a host.
#[derive(Debug, Clone)]
struct Taken {
    occupation: Interval,
    lease: LeaseId,
    reservation: ReservationId,
    /// The instances and how many; `None`: the whole host.
    instances: Option<(Arc<Instances>, u64)>,
}

/// Hosts chosen for each reservation.
type Holds = BTreeMap<ReservationId, Vec<HostId>>;

/// How often an upstream rule promised more of a host than it has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overbooked {
    /// Accepted requests that did.
    pub requests: u64,
    /// Hosts they did it on, summed over the requests.
    pub hosts: u64,
}

/// A fleet in which every reservation holds hosts by name from the moment it is made.
pub struct Named {
    /// The rule of choice.
    pub rule: Rule,
    /// What the rule promised without having it.
    pub overbooked: Overbooked,
    hosts: Vec<Host>,
    richness: Vec<u64>,
    taken: Vec<Vec<Taken>>,
    numbers: HashMap<HostId, usize>,
    pools: Vec<Pool>,
    units: HashMap<HostId, Vec<Taken>>,
    leases: HashMap<LeaseId, Vec<HostId>>,
    eligible: HashMap<Arc<Predicate>, Arc<Vec<usize>>>,
}

impl Named {
    /// An empty fleet.
    pub fn new(rule: Rule, hosts: Vec<Host>, pools: Vec<Pool>) -> Self {
        Self {
            rule,
            overbooked: Overbooked::default(),
            richness: hosts.iter().map(richness).collect(),
            taken: vec![Vec::new(); hosts.len()],
            numbers: hosts
                .iter()
                .enumerate()
                .map(|(number, host)| (host.id.clone(), number))
                .collect(),
            hosts,
            pools,
            units: HashMap::new(),
            leases: HashMap::new(),
            eligible: HashMap::new(),
        }
    }

    /// What the request gets at `now`, or nothing; what it gets is held.
    pub fn answer(&mut self, request: &Request, now: Seconds) -> Option<Holds> {
        let owner = request.replaces.clone().unwrap_or_else(|| request.id.clone());
        let before = self.remove(&owner);
        if request.replaces.is_some() && before.is_empty() {
            return None;
        }
        let mut holds = Holds::new();
        let mut overbooked = 0;
        for part in &request.reservations {
            let own: Vec<HostId> = before
                .iter()
                .filter(|(_, taken)| taken.reservation == part.id)
                .map(|(host, _)| host.clone())
                .collect();
            let begun = request.replaces.is_some() && part.window.start <= now;
            let Some(chosen) = self.choose(part, &own, begun) else {
                self.remove(&owner);
                for (host, taken) in before {
                    self.put(&host, taken);
                }
                return None;
            };
            overbooked += self.hold(&owner, part, &chosen);
            holds.insert(part.id.clone(), chosen);
        }
        self.overbooked.requests += u64::from(overbooked > 0);
        self.overbooked.hosts += overbooked;
        Some(holds)
    }

    /// A lease ends, by the clock or by its owner.
    pub fn end(&mut self, lease: &LeaseId) {
        self.remove(lease);
    }

    /// Frees what a lease holds; gives it back.
    fn remove(&mut self, lease: &LeaseId) -> Vec<(HostId, Taken)> {
        let mut removed = Vec::new();
        for id in self.leases.remove(lease).unwrap_or_default() {
            let list = match self.numbers.get(&id) {
                Some(&number) => Some(&mut self.taken[number]),
                None => self.units.get_mut(&id),
            };
            if let Some(list) = list {
                removed.extend(
                    list.extract_if(.., |taken| taken.lease == *lease)
                        .map(|taken| (id.clone(), taken)),
                );
            }
        }
        removed
    }

    fn put(&mut self, id: &HostId, taken: Taken) {
        let held = self.leases.entry(taken.lease.clone()).or_default();
        if !held.contains(id) {
            held.push(id.clone());
        }
        match self.numbers.get(id) {
            Some(&number) => self.taken[number].push(taken),
            None => self.units.entry(id.clone()).or_default().push(taken),
        }
    }

    /// Notes what was chosen; says on how many hosts it is more than they have.
    fn hold(&mut self, lease: &LeaseId, part: &RequestedReservation, chosen: &[HostId]) -> u64 {
        let mut overbooked = 0;
        for same in chosen.chunk_by(|one, other| one == other) {
            let instances = match &part.resource {
                Resource::Instances(instances) => Some((Arc::clone(instances), same.len() as u64)),
                Resource::Host | Resource::Units(_) => None,
            };
            let taken = Taken {
                occupation: part.occupation(),
                lease: lease.clone(),
                reservation: part.id.clone(),
                instances,
            };
            self.put(&same[0], taken);
            if let (Resource::Instances(_), Some(&number)) = (&part.resource, self.numbers.get(&same[0])) {
                let over = self.hosts[number]
                    .capacity
                    .iter()
                    .any(|(name, &has)| peak(&self.taken[number], part.occupation(), name, |count| count) > has);
                overbooked += u64::from(over);
            }
        }
        overbooked
    }

    fn choose(&mut self, part: &RequestedReservation, own: &[HostId], begun: bool) -> Option<Vec<HostId>> {
        let mut chosen = match &part.resource {
            Resource::Host => self.choose_hosts(part, own, begun)?,
            Resource::Instances(instances) => {
                let chosen = self.choose_instances(part, instances, own)?;
                if begun && own.iter().any(|host| !chosen.contains(host)) {
                    return None;
                }
                chosen
            }
            Resource::Units(units) => {
                let pool = self.pools.iter().find(|pool| pool.id == units.pool)?;
                let free = |unit: &&HostId| {
                    let held = self.units.get(*unit);
                    !held.is_some_and(|held| held.iter().any(|taken| taken.occupation.overlaps(&part.window)))
                };
                if !units
                    .required
                    .iter()
                    .all(|unit| pool.units.contains(unit) && free(&unit))
                {
                    return None;
                }
                let wanted = |unit: &&HostId| own.contains(*unit);
                let rest = pool.units.iter().filter(|unit| !units.required.contains(unit));
                let (before, others): (Vec<&HostId>, Vec<&HostId>) = rest.filter(free).partition(wanted);
                let order = units.required.iter().chain(before).chain(others);
                let chosen: Vec<HostId> = order.take(part.min as usize).cloned().collect();
                if chosen.len() < part.min as usize || (begun && own.iter().any(|unit| !chosen.contains(unit))) {
                    return None;
                }
                chosen
            }
        };
        chosen.sort();
        Some(chosen)
    }

    /// What it held and can keep, then others by the rule. What has begun keeps everything or fails.
    fn choose_hosts(&mut self, part: &RequestedReservation, own: &[HostId], begun: bool) -> Option<Vec<HostId>> {
        let eligible = self.eligible(&part.predicate);
        let is_own = |number: usize| own.contains(&self.hosts[number].id);
        let free: Vec<usize> = eligible
            .iter()
            .copied()
            .filter(|&number| self.is_free(number, part))
            .collect();
        let kept: Vec<usize> = free.iter().copied().filter(|&number| is_own(number)).collect();
        if begun && kept.len() < own.len() {
            return None;
        }
        let candidates = free
            .into_iter()
            .filter(|&number| !is_own(number))
            .map(|number| self.candidate(number, part.occupation()))
            .collect();
        let min = (part.min as usize).saturating_sub(kept.len());
        let max = (part.max as usize).saturating_sub(kept.len());
        let chosen = self.rule.choose(candidates, min, max)?;
        let numbers = kept.into_iter().take(part.max as usize).chain(chosen);
        Some(numbers.map(|number| self.hosts[number].id.clone()).collect())
    }

    fn is_free(&self, number: usize, part: &RequestedReservation) -> bool {
        let host = &self.hosts[number];
        let mut taken = self.taken[number].iter();
        host.reservable
            && host.in_service(part.window)
            && !taken.any(|taken| taken.occupation.overlaps(&part.occupation()))
    }

    fn candidate(&self, number: usize, window: Interval) -> Candidate {
        let taken = &self.taken[number];
        let before = taken
            .iter()
            .map(|taken| taken.occupation.end)
            .filter(|&end| end <= window.start)
            .max();
        let after = taken
            .iter()
            .map(|taken| taken.occupation.start)
            .filter(|&start| start >= window.end)
            .min();
        let far: u64 = 1 << 40;
        let gap = |other: Option<Seconds>, this: Seconds| other.map_or(far, |other| other.abs_diff(this));
        Candidate {
            host: number,
            untouched: taken.is_empty(),
            richness: self.richness[number],
            gap: gap(before, window.start) + gap(after, window.end),
        }
    }

    /// Upstream: hosts that have instances in the window first, slots host by host. First fit: in order; best fit:
    /// the tightest host first.
    fn choose_instances(
        &mut self,
        part: &RequestedReservation,
        instances: &Instances,
        own: &[HostId],
    ) -> Option<Vec<HostId>> {
        let eligible = self.eligible(&part.predicate);
        let upstream = self.rule.is_upstream();
        let mut slots: Vec<(bool, u64, usize, usize)> = Vec::new();
        for &number in eligible.iter() {
            let host = &self.hosts[number];
            let taken = &self.taken[number];
            let meets = |taken: &&Taken| taken.occupation.overlaps(&part.window);
            let serves_whole = taken.iter().filter(meets).any(|taken| taken.instances.is_none());
            if !host.reservable || !host.in_service(part.window) || serves_whole {
                continue;
            }
            let counted = |count: u64| if upstream { count.min(1) } else { count };
            let amounts = instances.resources.iter().filter(|(_, amount)| **amount > 0);
            let (mut fits, mut scarcest) = (u64::MAX, (0, 0));
            for (name, &amount) in amounts {
                let has = host.capacity.get(name).copied().unwrap_or(0);
                let left = has.saturating_sub(peak(taken, part.window, name, counted));
                fits = fits.min(left / amount);
                // In millionths of the host: what an instance takes, and what is left.
                let share = |part: u64| part.saturating_mul(1_000_000) / has.max(1);
                scarcest = scarcest.max((share(amount), share(left)));
            }
            let used = taken.iter().any(|taken| meets(&taken));
            let after = match &self.rule {
                rule if rule.is_best_fit() => scarcest.1,
                _ => u64::from(upstream && !used),
            };
            let fits = usize::try_from(fits).unwrap_or(usize::MAX);
            slots.push((!own.contains(&host.id), after, number, fits.min(part.min as usize)));
        }
        self.rule.arrange(&mut slots);
        slots.sort_by_key(|&(other, after, _, _)| (other, after));
        let wanted = part.min as usize;
        let id = |number: usize| self.hosts[number].id.clone();
        let chosen: Vec<HostId> = match instances.affinity {
            Some(true) => {
                let (_, _, number, _) = slots.into_iter().find(|&(_, _, _, fits)| fits >= wanted)?;
                vec![id(number); wanted]
            }
            Some(false) => {
                let different = slots.into_iter().filter(|&(_, _, _, fits)| fits > 0);
                different.take(wanted).map(|(_, _, number, _)| id(number)).collect()
            }
            None => {
                let all = slots
                    .into_iter()
                    .flat_map(|(_, _, number, fits)| std::iter::repeat_n(id(number), fits));
                all.take(wanted).collect()
            }
        };
        (chosen.len() == wanted).then_some(chosen)
    }

    fn eligible(&mut self, predicate: &Arc<Predicate>) -> Arc<Vec<usize>> {
        let hosts = &self.hosts;
        let entry = self.eligible.entry(Arc::clone(predicate)).or_insert_with(|| {
            let matching = hosts.iter().enumerate().filter(|(_, host)| host.matches(predicate));
            Arc::new(matching.map(|(number, _)| number).collect())
        });
        Arc::clone(entry)
    }
}

/// Most of a resource that instances take at any instant of the window; `counted` says how many instances a
/// reservation on the host counts for.
fn peak(taken: &[Taken], window: Interval, name: &str, counted: impl Fn(u64) -> u64) -> u64 {
    let at = |instant: Seconds| -> u64 {
        let there = taken.iter().filter(|taken| taken.occupation.contains(instant));
        there
            .filter_map(|taken| taken.instances.as_ref())
            .map(|(instances, count)| instances.resources.get(name).copied().unwrap_or(0) * counted(*count))
            .sum()
    };
    let begins = taken
        .iter()
        .map(|taken| taken.occupation.start)
        .filter(|&start| window.contains(start));
    begins.chain([window.start]).map(at).max().unwrap_or(0)
}

/// How much a host can do that others cannot: abilities before size.
fn richness(host: &Host) -> u64 {
    let abilities = host.properties.values().filter(|value| *value == "True").count() as u64;
    let processors = host.capacity.get("VCPU").copied().unwrap_or(0);
    let memory = host.capacity.get("MEMORY_MB").copied().unwrap_or(0) / 1_024;
    (abilities << 32) + processors + memory
}
