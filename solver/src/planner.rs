//! The state a decision is taken on, and the entry point of every decision.
//!
//! Invariant: no two reservations occupy one host at one second. Every method that changes the
//! planner either keeps that or returns an error and changes nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use imbl::{OrdMap, Vector};

use crate::classes::Classes;
use crate::count;
use crate::decision::{Conflict, Decision, Move, Tier, Verdict};
use crate::hosts::{Carried, HostNumber, Hosts, Occupation, ReservationNumber, Share};
use crate::index::{Eligible, Index, IndexClass, Interner, PredicateNumber};
use crate::model::{
    Host, HostId, Interval, Lease, LeaseId, Pool, PoolId, Request, RequestedReservation, Reservation, Resource, Seconds,
};
use crate::predicate::Predicate;
pub use crate::program::ModelSolver;
use crate::reassign::{self, Reassigned};
use crate::request::Ask;
use crate::scene::Scene;
use crate::{certificate, decode, mixed, tails, verify};

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

/// A lease with what the planner looks up often.
pub(crate) struct Stored {
    pub(crate) lease: Lease,
    /// For each of its reservations.
    pub(crate) parts: Vec<Part>,
}

/// Numbers of one reservation.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) number: ReservationNumber,
    pub(crate) predicate: PredicateNumber,
}

/// What an expression admits in the state of a planner.
#[derive(Debug, Clone)]
pub struct Eligibility(Arc<Eligible>);

/// Hosts and promises at one moment. Cheap to clone: clones share structure.
#[derive(Clone)]
pub struct Planner {
    pub(crate) freeze: Seconds,
    pub(crate) hosts: Hosts,
    leases: OrdMap<LeaseId, Arc<Stored>>,
    pub(crate) pools: OrdMap<PoolId, Arc<Pool>>,
    interner: Interner,
    /// How many reservation numbers were given out, and those that came back.
    numbers: ReservationNumber,
    returned: Vector<ReservationNumber>,
    /// Reservations of instances.
    instances: usize,
    /// Derived when it is first needed; changes of hosts forget it, changes of leases update it.
    index: Arc<OnceLock<Index>>,
}

impl Planner {
    /// A planner without hosts. `freeze` seconds before its start a pending reservation keeps its hosts.
    pub fn new(freeze: Seconds) -> Self {
        Self {
            freeze,
            hosts: Hosts::default(),
            leases: OrdMap::new(),
            pools: OrdMap::new(),
            interner: Interner::default(),
            numbers: 0,
            returned: Vector::new(),
            instances: 0,
            index: Arc::default(),
        }
    }

    /// Adds a pool, or replaces the one with the same identifier.
    pub fn put_pool(&mut self, pool: Pool) {
        self.pools.insert(pool.id.clone(), Arc::new(pool));
    }

    /// Adds a host, or replaces the one with the same id; what it holds stays.
    pub fn put_host(&mut self, host: Host) {
        let mut carried = Carried::empty(host);
        if let Some(before) = self.hosts.get(&carried.host.id) {
            if before.host == carried.host {
                return;
            }
            carried.occupations.clone_from(&before.occupations);
            carried.shares.clone_from(&before.shares);
        }
        self.hosts.insert(carried);
        self.index = Arc::default();
    }

    /// Removes a host that nothing holds; `false` if something does or it is unknown.
    pub fn remove_host(&mut self, host: &HostId) -> bool {
        if self
            .hosts
            .get(host)
            .is_some_and(|carried| carried.occupations.is_empty() && carried.shares.is_empty())
        {
            self.hosts.remove(host);
            self.index = Arc::default();
            return true;
        }
        false
    }

    /// The host, if it is registered.
    pub fn host(&self, host: &HostId) -> Option<&Host> {
        self.hosts.get(host).map(|carried| carried.host.as_ref())
    }

    /// The hosts, by identifier.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = &Host> {
        self.hosts.values().map(|carried| carried.host.as_ref())
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
        let Some(stored) = self.leases.remove(lease) else {
            return;
        };
        for (reservation, part) in stored.lease.reservations.iter().zip(&stored.parts) {
            self.returned.push_back(part.number);
            if !matches!(reservation.resource, Resource::Units(_)) {
                let is_instances = reservation.resource != Resource::Host;
                self.instances -= usize::from(is_instances);
                let mut changes = Changes::default();
                for held in reservation.holds.chunk_by(|one, other| one == other) {
                    let Some(number) = self.hosts.number(&held[0]) else {
                        continue;
                    };
                    self.change_host(number, &mut changes, reservation.occupation(), -1, |carried| {
                        if is_instances {
                            carried.shares.retain(|share| share.taken.number != part.number);
                        } else {
                            carried.occupations.retain(|taken| taken.number != part.number);
                        }
                    });
                }
                self.note(changes);
            }
            if self.interner.release(part.predicate)
                && let Some(index) = self.index_mut()
                && index.forget(part.predicate)
            {
                self.index = Arc::default();
            }
        }
    }

    /// Changes what a host carries and notes how its time in use changes: during one interval if it
    /// carries no instances, which may overlap.
    fn change_host(
        &mut self,
        number: HostNumber,
        changes: &mut Changes,
        interval: Interval,
        change: i32,
        make: impl FnOnce(&mut Carried),
    ) {
        let class = self.index.get().map(|index| index.class_of(number));
        let Some(carried) = self.hosts.at_mut(number) else {
            return;
        };
        let before = (!carried.shares.is_empty()).then(|| carried.used());
        make(carried);
        let Some(class) = class else { return };
        if before.is_none() && carried.shares.is_empty() {
            *changes.entry((class, interval)).or_default() += change;
            return;
        }
        for used in before.unwrap_or_else(|| {
            let mut without = carried.clone();
            without.shares.clear();
            without.used()
        }) {
            *changes.entry((class, used)).or_default() -= 1;
        }
        for used in carried.used() {
            *changes.entry((class, used)).or_default() += 1;
        }
    }

    /// Brings the index up to date.
    fn note(&mut self, changes: Changes) {
        if let Some(index) = self.index_mut() {
            for ((class, interval), change) in changes {
                index.use_hosts(class, interval, change);
            }
        }
    }

    fn index_mut(&mut self) -> Option<&mut Index> {
        self.index.get()?;
        Arc::make_mut(&mut self.index).get_mut()
    }

    /// The derived facts.
    pub(crate) fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::new(&self.hosts, &self.interner))
    }

    /// This planner, knowing the expressions of a request; `None` if it knows them already.
    pub(crate) fn knowing(&self, request: &Request) -> Option<Self> {
        let unknown = |asked: &&RequestedReservation| self.interner.number(&asked.predicate).is_none();
        let mut unknown = request.reservations.iter().filter(unknown).peekable();
        unknown.peek()?;
        self.index();
        let mut knowing = self.clone();
        for asked in unknown {
            knowing.learn(&asked.predicate);
        }
        Some(knowing)
    }

    /// The number of an expression that one promise more has.
    fn learn(&mut self, predicate: &Arc<Predicate>) -> PredicateNumber {
        let (number, new) = self.interner.take(predicate);
        if new {
            let (hosts, interner) = (self.hosts.clone(), self.interner.clone());
            if let Some(index) = self.index_mut() {
                index.learn(&hosts, &interner, number, predicate);
            }
        }
        number
    }

    /// What an expression admits, worked out once for many questions to this state; `None` if no promise
    /// has the expression.
    pub fn eligibility(&self, predicate: &Predicate) -> Option<Eligibility> {
        self.eligible(predicate)
            .map(|eligible| Eligibility(Arc::clone(eligible)))
    }

    /// How many hosts, at most `wanted`, are free during a window and the cleaning after it, if the promises
    /// made may be shifted between hosts of one class. Takes a fraction of a microsecond.
    pub fn free_hosts(&self, eligibility: &Eligibility, window: Interval, cleaning: Seconds, wanted: u32) -> u32 {
        let occupation = Interval::new(window.start, window.end.saturating_add(cleaning));
        self.index().free(&eligibility.0, window, occupation, wanted)
    }

    /// Which hosts an expression admits; `None` if no promise has it.
    pub(crate) fn eligible(&self, predicate: &Predicate) -> Option<&Arc<Eligible>> {
        self.index().eligible(self.interner.number(predicate)?)
    }

    /// The number of an expression that a promise has.
    pub(crate) fn predicate_number(&self, predicate: &Predicate) -> Option<PredicateNumber> {
        self.interner.number(predicate)
    }

    /// The expression with a number.
    pub(crate) fn predicate(&self, number: PredicateNumber) -> Option<&Arc<Predicate>> {
        self.interner.predicate(number)
    }

    /// More than every number of an expression.
    pub(crate) fn predicate_numbers(&self) -> usize {
        self.interner.len()
    }

    /// More than every number of a reservation.
    pub(crate) fn reservation_numbers(&self) -> ReservationNumber {
        self.numbers
    }

    /// The lease, if it is held.
    pub fn lease(&self, lease: &LeaseId) -> Option<&Lease> {
        self.leases.get(lease).map(|stored| &stored.lease)
    }

    /// The leases held, by identifier.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.leases.values().map(|stored| &stored.lease)
    }

    /// A reservation of a lease by its number.
    pub(crate) fn part(&self, lease: &LeaseId, number: ReservationNumber) -> Option<(&Reservation, Part)> {
        let stored = self.leases.get(lease)?;
        let mut parts = stored.lease.reservations.iter().zip(stored.parts.iter().copied());
        parts.find(|(_, part)| part.number == number)
    }

    /// The leases with their numbers, by identifier.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &Stored> {
        self.leases.values().map(Arc::as_ref)
    }

    /// Decides a request at `now`: accepted if any assignment exists that keeps every promise, with
    /// the fewest counted moves. The planner itself does not change; see [`Planner::apply`].
    pub fn decide(&self, request: &Request, now: Seconds, budget: Budget, solver: &dyn ModelSolver) -> Decision {
        let knowing = self.knowing(request);
        let (tier, verdict) = knowing.as_ref().unwrap_or(self).verdict(request, now, budget, solver);
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
        if let Some(verdict) = tails::exchange(self, &asks, request, now) {
            return (Tier::Count, verdict);
        }
        if self.instances > 0 && mixed::may_move_instances(self, now) {
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
                let Some(changed) = decode::changes(&scene, &classes, &counts) else {
                    return undecided();
                };
                if !verify::changes(&scene, &changed) {
                    return undecided();
                }
                let verdict = scene.accepted(&asks, &classes, &changed);
                let moved = matches!(&verdict, Verdict::Accepted { moves, .. } if moves.iter().any(|m| m.counted > 0));
                (if moved { Tier::Mip } else { Tier::Count }, verdict)
            }
            Reassigned::Infeasible { instants, .. } => match certificate::at(&scene, &classes, &instants) {
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
        let mut parts = Vec::with_capacity(lease.reservations.len());
        for reservation in &lease.reservations {
            let part = Part {
                number: self.returned.pop_back().unwrap_or_else(|| {
                    self.numbers += 1;
                    self.numbers - 1
                }),
                predicate: self.learn(&reservation.predicate),
            };
            parts.push(part);
            let instances = match &reservation.resource {
                Resource::Host => None,
                Resource::Instances(instances) => Some(instances),
                Resource::Units(_) => continue,
            };
            self.instances += usize::from(instances.is_some());
            let interval = reservation.occupation();
            let mut changes = Changes::default();
            for held in reservation.holds.chunk_by(|one, other| one == other) {
                let unknown = || StateError::UnknownHost {
                    reservation: reservation.id.to_string(),
                    host: held[0].to_string(),
                };
                let number = self.hosts.number(&held[0]).ok_or_else(unknown)?;
                let carried = self.hosts.at(number).ok_or_else(unknown)?;
                let in_the_way = match instances {
                    None => carried.in_use(interval).next(),
                    Some(_) => carried.overlapping(interval).first(),
                };
                if let Some(other) = in_the_way {
                    return Err(StateError::Overlap {
                        first: other.reservation.to_string(),
                        second: reservation.id.to_string(),
                        host: held[0].to_string(),
                        at: interval.start.max(other.interval.start),
                    });
                }
                let taken = Occupation {
                    interval,
                    lease: lease.id.clone(),
                    reservation: reservation.id.clone(),
                    number: part.number,
                    pinned: reservation.pinned,
                };
                let starts_before = |taken: &Occupation| taken.interval.start < interval.start;
                self.change_host(number, &mut changes, interval, 1, |carried| match instances {
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
                });
            }
            self.note(changes);
        }
        self.leases.insert(lease.id.clone(), Arc::new(Stored { lease, parts }));
        Ok(())
    }
}

/// Hosts more or fewer in use during an interval, by class.
type Changes = BTreeMap<(IndexClass, Interval), i32>;
