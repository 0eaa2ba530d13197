//! The state a decision is taken on, and the entry point of every decision.
//!
//! Invariant: no two reservations occupy one host at one second. Every method that changes the
//! planner either keeps that or returns an error and changes nothing.

use std::sync::Arc;

use imbl::OrdMap;

use crate::classes::Classes;
use crate::count;
use crate::decision::{Conflict, Decision, Move, Tier, Verdict};
use crate::model::{
    Host, HostId, Instances, Interval, Lease, LeaseId, Pool, PoolId, Request, Reservation, ReservationId, Resource,
    Seconds,
};
pub use crate::program::ModelSolver;
use crate::reassign::{self, Reassigned};
use crate::request::Ask;
use crate::scene::Scene;
use crate::{certificate, decode, mixed, verify};

/// The planner refuses a change that contradicts its state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// A lease holds a host that is not registered.
    #[error("reservation `{reservation}` holds host `{host}`, which does not exist")]
    UnknownHost {
        /// The reservation.
        reservation: String,
        /// The host it names.
        host: String,
    },
    /// Two reservations would occupy one host at one time.
    #[error("reservations `{first}` and `{second}` both occupy host `{host}` at {at}")]
    Overlap {
        /// One reservation.
        first: String,
        /// The other.
        second: String,
        /// The host.
        host: String,
        /// First second they share.
        at: Seconds,
    },
    /// A decision moves or replaces something the planner does not hold.
    #[error("the decision names `{name}`, which the planner does not hold")]
    Stale {
        /// The lease or reservation.
        name: String,
    },
}

/// What one decision may use.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Wall seconds the model solver may spend, `None` without limit.
    pub seconds: Option<f64>,
}

/// Part of a host's time that is taken.
#[derive(Debug, Clone)]
pub(crate) struct Occupation {
    /// From the start of the reservation to the end of the cleaning after it.
    pub(crate) interval: Interval,
    pub(crate) lease: LeaseId,
    pub(crate) reservation: ReservationId,
    pub(crate) pinned: bool,
}

impl Occupation {
    /// As [`Reservation::is_fixed`]: an occupation starts when its reservation does.
    pub(crate) const fn is_fixed(&self, now: Seconds, freeze: Seconds) -> bool {
        self.pinned || self.interval.start <= now || self.interval.start < now.saturating_add(freeze)
    }
}

/// A host and what it carries, sorted by time and disjoint.
#[derive(Debug, Clone)]
pub(crate) struct Carried {
    pub(crate) host: Arc<Host>,
    /// How much the host can do that others cannot; the poor are given away first.
    pub(crate) richness: u64,
    pub(crate) occupations: Vec<Occupation>,
    /// What instance reservations take of it: once for each reservation, sorted by start. They overlap
    /// each other, but no occupation.
    pub(crate) shares: Vec<Share>,
}

/// What the instances of one reservation take of a host.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    pub(crate) taken: Occupation,
    /// How many instances stand on the host.
    pub(crate) count: u32,
    pub(crate) instances: Arc<Instances>,
}

impl Carried {
    /// The occupations that share a second with the interval.
    pub(crate) fn overlapping(&self, interval: Interval) -> &[Occupation] {
        let first = self
            .occupations
            .partition_point(|taken| taken.interval.end <= interval.start);
        let after = self
            .occupations
            .partition_point(|taken| taken.interval.start < interval.end);
        &self.occupations[first..after.max(first)]
    }

    /// Everything that keeps a host reservation away during the interval: other host reservations and
    /// instances.
    pub(crate) fn in_use(&self, interval: Interval) -> impl Iterator<Item = &Occupation> {
        let shares = self.shares.iter().map(|share| &share.taken);
        self.overlapping(interval)
            .iter()
            .chain(shares.filter(move |taken| taken.interval.overlaps(&interval)))
    }
}

/// Hosts and promises at one moment. Cheap to clone: clones share structure.
#[derive(Clone)]
pub struct Planner {
    pub(crate) freeze: Seconds,
    pub(crate) hosts: OrdMap<HostId, Arc<Carried>>,
    pub(crate) leases: OrdMap<LeaseId, Arc<Lease>>,
    pub(crate) pools: OrdMap<PoolId, Arc<Pool>>,
}

impl Planner {
    /// A planner without hosts. `freeze` seconds before its start a pending reservation keeps its hosts.
    pub fn new(freeze: Seconds) -> Self {
        Self {
            freeze,
            hosts: OrdMap::new(),
            leases: OrdMap::new(),
            pools: OrdMap::new(),
        }
    }

    /// Adds a pool, or replaces the one with the same identifier.
    pub fn put_pool(&mut self, pool: Pool) {
        self.pools.insert(pool.id.clone(), Arc::new(pool));
    }

    /// Adds a host, or replaces the one with the same id; what it holds stays.
    pub fn put_host(&mut self, host: Host) {
        let (occupations, shares) = self
            .hosts
            .get(&host.id)
            .map(|carried| (carried.occupations.clone(), carried.shares.clone()))
            .unwrap_or_default();
        let richness = richness(&host);
        self.hosts.insert(
            host.id.clone(),
            Arc::new(Carried {
                host: Arc::new(host),
                richness,
                occupations,
                shares,
            }),
        );
    }

    /// Removes a host that nothing holds; `false` if something does or it is unknown.
    pub fn remove_host(&mut self, host: &HostId) -> bool {
        if self
            .hosts
            .get(host)
            .is_some_and(|carried| carried.occupations.is_empty() && carried.shares.is_empty())
        {
            self.hosts.remove(host);
            return true;
        }
        false
    }

    /// The host, if it is registered.
    pub fn host(&self, host: &HostId) -> Option<&Host> {
        self.hosts.get(host).map(|carried| carried.host.as_ref())
    }

    /// Adds a lease, or replaces the one with the same id, with the hosts it holds.
    pub fn put_lease(&mut self, lease: Lease) -> Result<(), StateError> {
        let mut next = self.clone();
        next.remove_lease(&lease.id);
        next.occupy(lease)?;
        *self = next;
        Ok(())
    }

    /// Removes a lease and frees what it holds.
    pub fn remove_lease(&mut self, lease: &LeaseId) {
        let Some(lease) = self.leases.remove(lease) else { return };
        for reservation in &lease.reservations {
            for host in &reservation.holds {
                if let Some(carried) = self.hosts.get_mut(host) {
                    let carried = Arc::make_mut(carried);
                    carried.occupations.retain(|taken| taken.reservation != reservation.id);
                    carried.shares.retain(|share| share.taken.reservation != reservation.id);
                }
            }
        }
    }

    /// The lease, if it is held.
    pub fn lease(&self, lease: &LeaseId) -> Option<&Lease> {
        self.leases.get(lease).map(Arc::as_ref)
    }

    /// The leases held, by identifier.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.leases.values().map(Arc::as_ref)
    }

    /// Decides a request at `now`: accepted if any assignment exists that keeps every promise, with
    /// the fewest counted moves. The planner itself does not change; see [`Planner::apply`].
    pub fn decide(&self, request: &Request, now: Seconds, budget: Budget, solver: &dyn ModelSolver) -> Decision {
        let (tier, verdict) = self.verdict(request, now, budget, solver);
        Decision { at: now, verdict, tier }
    }

    fn verdict(&self, request: &Request, now: Seconds, budget: Budget, solver: &dyn ModelSolver) -> (Tier, Verdict) {
        let refused = |tier: Tier, conflict: Conflict| (tier, Verdict::Refused { conflict });
        let asks = match Ask::read_all(self, request, now) {
            Ok(asks) => asks,
            Err(conflict) => return refused(Tier::Static, conflict),
        };
        if mixed::has_other_kinds(request) {
            return mixed::decide(self, &asks, request, now, budget, solver);
        }
        let free = count::search(self, &asks, request, now);
        if let Some(found) = &free
            && found.complete
        {
            return (Tier::Count, found.verdict(&asks));
        }
        if mixed::may_move_instances(self, now) {
            return mixed::decide(self, &asks, request, now, budget, solver);
        }
        let scene = Scene::new(self, &asks, request, now);
        let classes = Classes::new(&scene);
        if free.is_none()
            && let Some(conflict) = certificate::at_likely(&scene, &classes)
        {
            return refused(Tier::Certificate, conflict);
        }
        // Without an answer in time, hosts that are free as things stand are an answer still.
        let undecided = || {
            let found = free.as_ref().map(|found| (Tier::Count, found.verdict(&asks)));
            found.unwrap_or((Tier::Mip, Verdict::Undecided))
        };
        match reassign::solve(&scene, &classes, budget, solver) {
            Reassigned::Counts(counts) => {
                let Some(holds) = decode::decode(&scene, &classes, &counts) else {
                    return undecided();
                };
                if !verify::holds(&scene, &holds) {
                    return undecided();
                }
                let verdict = scene.accepted(&asks, &classes, &holds);
                let moved = matches!(&verdict, Verdict::Accepted { moves, .. } if moves.iter().any(|m| m.counted > 0));
                (if moved { Tier::Mip } else { Tier::Count }, verdict)
            }
            Reassigned::Infeasible { instants } => match certificate::at(&scene, &classes, &instants) {
                Some(conflict) => refused(Tier::Certificate, conflict),
                None => refused(Tier::Mip, certificate::by_search(&scene)),
            },
            Reassigned::Limit => undecided(),
        }
    }

    /// Makes an accepted decision on this very state part of it. Other verdicts change nothing.
    pub fn apply(&mut self, request: &Request, decision: &Decision) -> Result<(), StateError> {
        let Verdict::Accepted { holds, moves } = &decision.verdict else {
            return Ok(());
        };
        let mut next = self.clone();
        let mut changed: Vec<Lease> = Vec::new();
        for change in moves {
            let stale = || StateError::Stale {
                name: change.reservation.to_string(),
            };
            let owner = &self.owner(change).ok_or_else(stale)?;
            if !changed.iter().any(|lease| lease.id == *owner) {
                changed.push(next.lease(owner).cloned().ok_or_else(stale)?);
                next.remove_lease(owner);
            }
            let lease = changed.iter_mut().find(|lease| lease.id == *owner).ok_or_else(stale)?;
            let mut parts = lease.reservations.iter_mut();
            let moved = parts.find(|part| part.id == change.reservation).ok_or_else(stale)?;
            for left in &change.from {
                let place = moved.holds.binary_search(left).map_err(|_| stale())?;
                moved.holds.remove(place);
            }
            moved.holds.extend(change.to.iter().cloned());
            moved.holds.sort();
        }
        let mut reservations = Vec::new();
        let mut before: &[Reservation] = &[];
        if let Some(replaced) = &request.replaces {
            let stale = || StateError::Stale {
                name: replaced.to_string(),
            };
            before = &self.lease(replaced).ok_or_else(stale)?.reservations;
            next.remove_lease(replaced);
            let unnamed = before
                .iter()
                .filter(|part| !request.reservations.iter().any(|asked| asked.id == part.id));
            reservations.extend(unnamed.filter(|part| part.window.start <= decision.at).cloned());
        }
        for asked in &request.reservations {
            let stale = || StateError::Stale {
                name: asked.id.to_string(),
            };
            reservations.push(Reservation {
                id: asked.id.clone(),
                resource: asked.resource.clone(),
                window: asked.window,
                cleaning: asked.cleaning,
                min: asked.min,
                max: asked.max,
                predicate: Arc::clone(&asked.predicate),
                holds: holds.get(&asked.id).cloned().ok_or_else(stale)?,
                pinned: before.iter().any(|part| part.id == asked.id && part.pinned),
            });
        }
        changed.push(Lease {
            id: request.replaces.as_ref().unwrap_or(&request.id).clone(),
            reservations,
        });
        for lease in changed {
            next.occupy(lease)?;
        }
        *self = next;
        Ok(())
    }

    /// The lease whose reservation a change concerns.
    fn owner(&self, change: &Move) -> Option<LeaseId> {
        let names = |taken: &&Occupation| taken.reservation == change.reservation;
        let on_host = change
            .from
            .first()
            .and_then(|host| self.hosts.get(host))
            .and_then(|carried| {
                let shares = carried.shares.iter().map(|share| &share.taken);
                carried.occupations.iter().chain(shares).find(names)
            });
        on_host.map(|taken| taken.lease.clone()).or_else(|| {
            let holds = |lease: &&Lease| lease.reservations.iter().any(|part| part.id == change.reservation);
            self.leases().find(holds).map(|lease| lease.id.clone())
        })
    }

    /// Adds a lease the planner does not hold; after an error the planner is partly changed.
    fn occupy(&mut self, lease: Lease) -> Result<(), StateError> {
        for reservation in &lease.reservations {
            if let Resource::Units(_) = reservation.resource {
                continue;
            }
            let interval = reservation.occupation();
            for held in reservation.holds.chunk_by(|one, other| one == other) {
                let host = &held[0];
                let Some(carried) = self.hosts.get_mut(host) else {
                    return Err(StateError::UnknownHost {
                        reservation: reservation.id.to_string(),
                        host: host.to_string(),
                    });
                };
                let instances = match &reservation.resource {
                    Resource::Instances(instances) => Some(instances),
                    Resource::Host | Resource::Units(_) => None,
                };
                let in_the_way = match instances {
                    None => carried.in_use(interval).next(),
                    Some(_) => carried.overlapping(interval).first(),
                };
                if let Some(other) = in_the_way {
                    return Err(StateError::Overlap {
                        first: other.reservation.to_string(),
                        second: reservation.id.to_string(),
                        host: host.to_string(),
                        at: interval.start.max(other.interval.start),
                    });
                }
                let carried = Arc::make_mut(carried);
                let taken = Occupation {
                    interval,
                    lease: lease.id.clone(),
                    reservation: reservation.id.clone(),
                    pinned: reservation.pinned,
                };
                let starts_before = |taken: &Occupation| taken.interval.start < interval.start;
                match instances {
                    None => {
                        let place = carried.occupations.partition_point(starts_before);
                        carried.occupations.insert(place, taken);
                    }
                    Some(instances) => {
                        let place = carried.shares.partition_point(|share| starts_before(&share.taken));
                        let share = Share {
                            taken,
                            count: u32::try_from(held.len()).unwrap_or(u32::MAX),
                            instances: Arc::clone(instances),
                        };
                        carried.shares.insert(place, share);
                    }
                }
            }
        }
        self.leases.insert(lease.id.clone(), Arc::new(lease));
        Ok(())
    }
}

/// Properties that say yes, or how many, each count once; size decides between equals.
fn richness(host: &Host) -> u64 {
    let says_no = |value: &str| value.is_empty() || value == "0" || value.eq_ignore_ascii_case("false");
    let abilities = host.properties.values().filter(|value| !says_no(value)).count() as u64;
    let size = host
        .capacity
        .values()
        .map(|&amount| u64::from(64 - amount.leading_zeros()))
        .sum::<u64>();
    abilities.saturating_mul(1 << 16).saturating_add(size)
}
