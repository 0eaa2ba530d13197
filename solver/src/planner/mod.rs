//! The state a decision is taken on, and the entry point of every decision.
//!
//! Invariant: no two reservations occupy one host at one second. Every method that changes the
//! planner either keeps that or returns an error and changes nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use imbl::{OrdMap, Vector};

mod apply;
mod capacity;
mod kinds;
mod occupy;

use crate::hosts::{Carried, Hosts, ReservationNumber};
use crate::index::{Eligible, Index, Interner, Learnt, Part, PredicateNumber, Stored};
use crate::model::{Host, HostId, Interval, Lease, LeaseId, Pool, PoolId, Request, Reservation, Resource, Seconds};
use crate::predicate::Predicate;
pub use crate::program::ModelSolver;

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
    kinds: kinds::Kinds,
    /// No promise that equal hosts may not exchange because it is pinned, shares its hosts, or does not suit
    /// them, starts later. It may be later than the last of them.
    pub(crate) kept_until: Seconds,
    /// Derived when it is first needed; changes of hosts forget it, changes of leases update it. Clones share
    /// it only as long as their states are equal, even while it is still to be derived.
    index: Arc<OnceLock<Index>>,
    /// What the last index knew of expressions, for the next one.
    learnt: Option<Arc<Learnt>>,
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
            kinds: kinds::Kinds::default(),
            kept_until: Seconds::MIN,
            index: Arc::default(),
            learnt: None,
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
            // The host may no longer suit what it carries.
            if let Some(last) = carried.occupations.last() {
                self.kept_until = self.kept_until.max(last.interval.start);
            }
        }
        self.hosts.insert(carried);
        self.forget_index();
    }

    /// Removes a host that nothing holds; `false` if something does or it is unknown.
    pub fn remove_host(&mut self, host: &HostId) -> bool {
        if self
            .hosts
            .get(host)
            .is_some_and(|carried| carried.occupations.is_empty() && carried.shares.is_empty())
        {
            self.hosts.remove(host);
            self.forget_index();
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

    /// Adds a lease, or replaces the one with the same id, with the hosts it holds. What was not recorded of its
    /// reservations is not recorded now.
    pub fn put_lease(&mut self, lease: Lease) -> Result<(), StateError> {
        let since: BTreeMap<_, _> = self.recorded_since(&lease.id).collect();
        let mut next = self.clone();
        next.remove_lease(&lease.id);
        next.occupy(lease, |held| since.get(&held.id).copied().unwrap_or(Seconds::MIN))?;
        *self = next;
        Ok(())
    }

    /// As [`Planner::put_lease`]; what the lease occupied before `since` is not recorded. No decision may be asked for an
    /// earlier moment.
    pub fn put_lease_since(&mut self, lease: Lease, since: Seconds) -> Result<(), StateError> {
        let mut next = self.clone();
        next.remove_lease(&lease.id);
        next.occupy(lease, |_| since)?;
        *self = next;
        Ok(())
    }

    /// Has the index derived anew when it is next needed.
    fn forget_index(&mut self) {
        if let Some(index) = self.index.get() {
            self.learnt = Some(Arc::clone(index.learnt()));
        }
        self.index = Arc::default();
    }

    fn index_mut(&mut self) -> Option<&mut Index> {
        if self.index.get().is_none() {
            // Clones of the state before wait for the same index; this one is another state from here on.
            self.index = Arc::default();
            return None;
        }
        Arc::make_mut(&mut self.index).get_mut()
    }

    /// The derived facts.
    pub(crate) fn index(&self) -> &Index {
        let derive = || {
            let before = self.learnt.as_deref();
            Index::new(&self.hosts, &self.interner, before, self.leases.values(), self.numbers)
        };
        self.index.get_or_init(derive)
    }

    /// This planner, knowing the expressions of a request, so that several decisions on it work them out once; `None` if it
    /// knows them already.
    pub fn knowing(&self, request: &Request) -> Option<Self> {
        let predicates = request.reservations.iter().map(|asked| &asked.predicate);
        let unknown: Vec<&Arc<Predicate>> = predicates
            .filter(|predicate| self.interner.number(predicate).is_none())
            .collect();
        if unknown.is_empty() {
            return None;
        }
        self.index();
        let mut knowing = self.clone();
        knowing.learn(unknown);
        Some(knowing)
    }

    /// The numbers of expressions of which each has one promise more.
    fn learn<'a>(&mut self, predicates: impl IntoIterator<Item = &'a Arc<Predicate>>) -> Vec<PredicateNumber> {
        let mut new = Vec::new();
        let mut take = |predicate: &'a Arc<Predicate>| {
            let (number, is_new) = self.interner.take(predicate);
            if is_new {
                new.push((number, Arc::clone(predicate)));
            }
            number
        };
        let numbers = predicates.into_iter().map(&mut take).collect();
        if !new.is_empty() {
            let hosts = self.hosts.clone();
            if let Some(index) = self.index_mut() {
                index.learn(&hosts, &new);
            }
        }
        numbers
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

    /// What may move starts no earlier: after the clock and the freeze horizon.
    pub(crate) fn movable_from(&self, now: Seconds) -> Seconds {
        now.saturating_add(self.freeze.max(1))
    }

    /// The reservations of hosts or instances that may be put elsewhere at `now`.
    pub(crate) fn movable(&self, now: Seconds) -> impl Iterator<Item = &Reservation> {
        let held = self.leases().flat_map(|lease| &lease.reservations);
        held.filter(move |held| {
            !held.holds.is_empty() && !held.is_fixed(now, self.freeze) && !matches!(held.resource, Resource::Units(_))
        })
    }

    /// The lease with its numbers, if it is held.
    pub(crate) fn stored_lease(&self, lease: &LeaseId) -> Option<&Stored> {
        self.leases.get(lease).map(Arc::as_ref)
    }

    /// The leases with their numbers, by identifier.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &Stored> {
        self.leases.values().map(Arc::as_ref)
    }
}
