//! An independent record of what has been promised, against which every applied decision is held.
//!
//! Invariant: from each decision on, no host serves two host reservations at one second, cleaning included; a host with instances serves no host
//! reservation; instances never take more of a host than it has; a unit is held once. Everything in integers, from the
//! requests and decisions alone: nothing of the planner is used beyond its types.

use std::collections::{BTreeMap, HashMap};

use solver::decision::{Decision, Verdict};
use solver::model::{
    Host, HostId, Interval, Lease, LeaseId, Request, RequestedReservation, ReservationId, Resource, Seconds,
};

/// A reservation as promised.
#[derive(Debug, Clone)]
struct Promise {
    part: RequestedReservation,
    /// Sorted; a host stands once for each instance on it.
    holds: Vec<HostId>,
}

/// A decision breaks a promise or a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach(pub String);

impl std::fmt::Display for Breach {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Breach {}

/// Who stands on a host or unit, and when.
type Standing = BTreeMap<ReservationId, Interval>;

/// All promises and where they stand.
#[derive(Debug, Default)]
pub struct Ledger {
    freeze: Seconds,
    hosts: HashMap<HostId, Host>,
    promises: HashMap<ReservationId, Promise>,
    leases: HashMap<LeaseId, Vec<ReservationId>>,
    standing: HashMap<HostId, Standing>,
}

impl Ledger {
    /// A ledger without promises.
    pub fn new(hosts: impl IntoIterator<Item = Host>, freeze: Seconds) -> Self {
        Self {
            freeze,
            hosts: hosts.into_iter().map(|host| (host.id.clone(), host)).collect(),
            ..Self::default()
        }
    }

    /// A ledger of leases that hold what they hold.
    pub fn of<'a>(
        hosts: impl IntoIterator<Item = Host>,
        leases: impl IntoIterator<Item = &'a Lease>,
    ) -> Result<Self, Breach> {
        let mut ledger = Self::new(hosts, 0);
        let mut touched = Vec::new();
        for lease in leases {
            for held in &lease.reservations {
                let promise = Promise {
                    part: held.requested(),
                    holds: held.holds.clone(),
                };
                ledger.stand(&promise, &mut touched)?;
                ledger.leases.entry(lease.id.clone()).or_default().push(held.id.clone());
                ledger.promises.insert(held.id.clone(), promise);
            }
        }
        touched.sort();
        touched.dedup();
        touched.iter().try_for_each(|host| ledger.recount(host, Seconds::MIN))?;
        Ok(ledger)
    }

    /// Says what is wrong with a decision on a new lease, and takes it back.
    pub fn trial(&mut self, request: &Request, decision: &Decision) -> Result<(), Breach> {
        let moves = match &decision.verdict {
            Verdict::Accepted { moves, .. } => moves.as_slice(),
            Verdict::Refused { .. } | Verdict::Undecided(_) => &[],
        };
        let moved = moves.iter().filter_map(|change| self.promises.get(&change.reservation));
        let before: Vec<Promise> = moved.cloned().collect();
        self.record(request, decision)?;
        self.remove(&request.id);
        for promise in before {
            let id = promise.part.id.clone();
            if let Some(now) = self.promises.remove(&id) {
                self.leave(&id, &now.holds, &[]);
            }
            self.stand(&promise, &mut Vec::new())?;
            self.promises.insert(id, promise);
        }
        Ok(())
    }

    /// Takes a decision over; says what is wrong with it.
    pub fn record(&mut self, request: &Request, decision: &Decision) -> Result<(), Breach> {
        let Verdict::Accepted { holds, moves } = &decision.verdict else {
            return Ok(());
        };
        let now = decision.at;
        let mut touched: Vec<HostId> = Vec::new();
        for change in moves {
            let Some(promise) = self.promises.get_mut(&change.reservation) else {
                return Err(Breach(format!("`{}` is moved and not held", change.reservation)));
            };
            if promise.part.window.start <= now || promise.part.window.start < now.saturating_add(self.freeze) {
                return Err(Breach(format!(
                    "`{}` has started or is about to, and is moved",
                    change.reservation
                )));
            }
            if change.from.len() != change.to.len() {
                return Err(Breach(format!("`{}` changes its size by a move", change.reservation)));
            }
            for left in &change.from {
                let Some(place) = promise.holds.iter().position(|held| held == left) else {
                    return Err(Breach(format!(
                        "`{}` leaves `{left}`, which it does not hold",
                        change.reservation
                    )));
                };
                promise.holds.remove(place);
            }
            promise.holds.extend(change.to.iter().cloned());
            promise.holds.sort();
            let promise = promise.clone();
            self.leave(&change.reservation, &change.from, &promise.holds);
            self.stand(&promise, &mut touched)?;
        }
        let owner = request.replaces.as_ref().unwrap_or(&request.id);
        if request.replaces.is_some() {
            self.begun_is_kept(owner, request, holds, now)?;
            self.remove(owner);
        }
        for part in &request.reservations {
            let Some(held) = holds.get(&part.id) else {
                return Err(Breach(format!("`{}` is accepted and holds nothing", part.id)));
            };
            let promise = Promise {
                part: part.clone(),
                holds: held.clone(),
            };
            self.stand(&promise, &mut touched)?;
            self.leases.entry(owner.clone()).or_default().push(part.id.clone());
            self.promises.insert(part.id.clone(), promise);
        }
        touched.sort();
        touched.dedup();
        touched.iter().try_for_each(|host| self.recount(host, now))
    }

    /// Forgets a lease.
    pub fn remove(&mut self, lease: &LeaseId) {
        for part in self.leases.remove(lease).unwrap_or_default() {
            if let Some(promise) = self.promises.remove(&part) {
                self.leave(&part, &promise.holds, &[]);
            }
        }
    }

    /// A started reservation of the replaced lease keeps every host.
    fn begun_is_kept(
        &self,
        lease: &LeaseId,
        request: &Request,
        holds: &BTreeMap<ReservationId, Vec<HostId>>,
        now: Seconds,
    ) -> Result<(), Breach> {
        for part in self.leases.get(lease).into_iter().flatten() {
            let Some(promise) = self
                .promises
                .get(part)
                .filter(|promise| promise.part.window.start <= now)
            else {
                continue;
            };
            let named = request.reservations.iter().any(|asked| asked.id == *part);
            let kept = holds
                .get(part)
                .is_some_and(|held| promise.holds.iter().all(|host| held.contains(host)));
            if named && !kept {
                return Err(Breach(format!("`{part}` has started and loses a host")));
            }
        }
        Ok(())
    }

    fn leave(&mut self, reservation: &ReservationId, from: &[HostId], still: &[HostId]) {
        for host in from.iter().filter(|host| !still.contains(host)) {
            if let Some(standing) = self.standing.get_mut(host) {
                standing.remove(reservation);
            }
        }
    }

    /// Puts a promise onto its hosts after checking that each suits it.
    fn stand(&mut self, promise: &Promise, touched: &mut Vec<HostId>) -> Result<(), Breach> {
        let part = &promise.part;
        let count = promise.holds.len();
        if count < part.min as usize || count > part.max as usize {
            return Err(Breach(format!(
                "`{}` holds {count}, asked are {} to {}",
                part.id, part.min, part.max
            )));
        }
        let once = promise.holds.windows(2).all(|pair| pair[0] < pair[1]);
        let placed_well = match &part.resource {
            Resource::Host => once,
            Resource::Instances(instances) => match instances.affinity {
                None => true,
                Some(true) => promise.holds.first() == promise.holds.last(),
                Some(false) => once,
            },
            Resource::Units(units) => once && units.required.iter().all(|unit| promise.holds.contains(unit)),
        };
        if !placed_well {
            return Err(Breach(format!("`{}` holds what its rule forbids", part.id)));
        }
        for id in &promise.holds {
            let before = self
                .standing
                .get(id)
                .is_some_and(|standing| standing.contains_key(&part.id));
            if !matches!(part.resource, Resource::Units(_)) && !before {
                let suits = self.hosts.get(id).is_some_and(|host| host.matches(&part.predicate));
                if !suits {
                    return Err(Breach(format!("`{}` holds `{id}`, which does not suit it", part.id)));
                }
            }
            self.standing
                .entry(id.clone())
                .or_default()
                .insert(part.id.clone(), part.occupation());
            touched.push(id.clone());
        }
        Ok(())
    }

    /// Everything on one host or unit from `since` on, compared pair by pair and added up at every begin.
    fn recount(&self, id: &HostId, since: Seconds) -> Result<(), Breach> {
        let Some(standing) = self.standing.get(id) else {
            return Ok(());
        };
        let shares = |reservation: &ReservationId| {
            let promise = self.promises.get(reservation)?;
            match &promise.part.resource {
                Resource::Instances(instances) => {
                    let count = promise.holds.iter().filter(|held| *held == id).count() as u64;
                    Some((instances, count))
                }
                Resource::Host | Resource::Units(_) => None,
            }
        };
        for (one, first) in standing {
            let block = self.hosts.get(id).and_then(|host| {
                host.blocks
                    .iter()
                    .find(|block| block.overlaps(first) && block.end > since)
            });
            let window = self.promises.get(one).map(|promise| promise.part.window);
            let meet = |one: &Interval, other: &Interval| one.overlaps(other) && one.end.min(other.end) > since;
            if let (Some(block), Some(window)) = (block, window)
                && meet(block, &window)
            {
                return Err(Breach(format!("`{one}` holds `{id}` while it is out of service")));
            }
            let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
            for (other, second) in standing {
                if one != other && meet(first, second) && (shares(one).is_none() || shares(other).is_none()) {
                    return Err(Breach(format!("`{one}` and `{other}` both hold `{id}`")));
                }
                if let Some((instances, count)) = shares(other)
                    && second.contains(first.start.max(since))
                {
                    for (name, amount) in &instances.resources {
                        *sums.entry(name).or_default() += amount * count;
                    }
                }
            }
            let capacity = self.hosts.get(id).map(|host| &host.capacity);
            for (name, sum) in sums {
                let has = capacity.and_then(|capacity| capacity.get(name)).copied().unwrap_or(0);
                if sum > has {
                    return Err(Breach(format!("`{id}` gives {sum} {name} and has {has}")));
                }
            }
        }
        Ok(())
    }
}
