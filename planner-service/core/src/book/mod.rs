//! The book: every promise, as one immutable snapshot in memory.
//!
//! Invariants: a [`Book`] is the state of the store at [`Book::epoch`]; its planner holds exactly the
//! allocations of its leases. Snapshots share structure, so cloning one is cheap and readers never wait.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use plugin_api::Finding;
use solver::planner::Planner;

use countables::Countables;
use floating_ips::FloatingIps;
use occupants::Occupants;

use crate::demand::{Demand, demand};
use crate::domain::{EventStatus, Host, Lease, LeaseStatus, Property, ReservationSpec, Timestamp};
use crate::ports::{Change, Contents, Epoch};
use crate::properties;

mod apart;
#[cfg(test)]
mod bounds;
pub mod countables;
mod floating_ips;
pub mod handle;
pub mod job;
mod occupants;
mod queue;
pub mod time;
pub mod writer;

/// Due work: when, and whose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueEntry {
    /// Not before.
    pub time: Timestamp,
    /// The lease.
    pub lease_id: String,
    /// The event.
    pub event_id: String,
}

/// The state contradicts itself: a stored plan that the planner cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lease {lease_id}: {reason}")]
pub struct Contradiction {
    /// The lease that does not fit.
    pub lease_id: String,
    /// Why.
    pub reason: String,
}

/// What the configuration says of every book.
#[derive(Debug, Clone, Default)]
pub struct Premises {
    /// Name of the cloud's region, a property of every host.
    pub region: Arc<str>,
    /// Seconds before its start from which a lease keeps what it holds.
    pub freeze: i64,
    /// Units of resource types that the operator has named.
    pub countables: Arc<Countables>,
}

/// One snapshot of the book.
#[derive(Clone)]
pub struct Book {
    epoch: Epoch,
    premises: Premises,
    leases: OrdMap<String, Arc<Lease>>,
    leases_by_project: OrdMap<String, OrdSet<String>>,
    lease_ids_by_reservation: OrdMap<String, String>,
    hosts: OrdMap<String, Arc<Host>>,
    host_ids_by_name: OrdMap<String, String>,
    floating_ips: FloatingIps,
    properties: OrdMap<String, Arc<Property>>,
    findings: OrdMap<String, Arc<Vec<Finding>>>,
    due: OrdSet<DueEntry>,
    occupants: Occupants,
    /// Latest moment at which anything recorded here was changed.
    latest: Timestamp,
    planner: Planner,
}

impl Book {
    /// The book before anything was written.
    pub fn empty(premises: Premises) -> Self {
        let mut planner = Planner::new(premises.freeze);
        countables::put_pools(&mut planner, &premises.countables);
        Self {
            epoch: 0,
            premises,
            leases: OrdMap::new(),
            leases_by_project: OrdMap::new(),
            lease_ids_by_reservation: OrdMap::new(),
            hosts: OrdMap::new(),
            host_ids_by_name: OrdMap::new(),
            floating_ips: FloatingIps::default(),
            properties: OrdMap::new(),
            findings: OrdMap::new(),
            due: OrdSet::new(),
            occupants: Occupants::default(),
            latest: Timestamp::MIN,
            planner,
        }
    }

    /// The book with everything the store holds.
    ///
    /// # Errors
    /// When two stored leases occupy one host at one time.
    pub fn from_contents(contents: Contents, premises: Premises) -> Result<Self, Contradiction> {
        let mut book = Self::empty(premises);
        let hosts = contents.hosts.into_iter().map(|host| Change::PutHost(Arc::new(host)));
        let properties = contents
            .properties
            .into_iter()
            .map(|property| Change::PutProperty(Arc::new(property)));
        let floating_ips = contents
            .floating_ips
            .into_iter()
            .map(|address| Change::PutFloatingIp(Arc::new(address)));
        let leases = contents
            .leases
            .into_iter()
            .map(|lease| Change::PutLease(Arc::new(lease)));
        let findings = contents
            .findings
            .into_iter()
            .map(|(lease_id, findings)| Change::PutFindings {
                lease_id,
                findings: Arc::new(findings),
            });
        let changes: Vec<Change> = hosts
            .chain(floating_ips)
            .chain(properties)
            .chain(leases)
            .chain(findings)
            .collect();
        book.apply_all(&changes)?;
        book.epoch = contents.epoch;
        Ok(book)
    }

    /// Makes a batch of changes part of the book, in whatever order they come. All allocations of changed
    /// leases leave before any enters, so that leases may exchange hosts; hosts and floating IPs come before
    /// leases that hold them, and go after.
    ///
    /// # Errors
    /// When a lease does not fit; the book must be thrown away then.
    pub fn apply_all(&mut self, changes: &[Change]) -> Result<(), Contradiction> {
        for change in changes {
            if let Change::PutLease(lease) = change {
                self.planner.remove_lease(&Arc::from(lease.id.as_str()));
            }
        }
        let rank = |change: &Change| match change {
            Change::DeleteLease(_) => 0,
            Change::PutHost(_) | Change::PutFloatingIp(_) | Change::PutProperty(_) => 1,
            Change::PutLease(_) | Change::PutFindings { .. } => 2,
            Change::DeleteHost(_) | Change::DeleteFloatingIp(_) => 3,
            Change::Notify(_) => 4,
        };
        let mut ordered: Vec<&Change> = changes.iter().collect();
        ordered.sort_by_key(|change| rank(change));
        ordered.into_iter().try_for_each(|change| self.apply(change))?;
        self.rebuild_pools();
        Ok(())
    }

    /// Counts once more whether the instances of a lease fit the hosts they stand on, and whether its floating IPs are
    /// its own.
    ///
    /// # Errors
    /// When they do not.
    pub(crate) fn check_capacity(&self, lease_id: &str) -> Result<(), Contradiction> {
        let id = Arc::from(lease_id);
        let overbooked = self.planner.overbooked(&id).map(|found| found.to_string());
        let shared = || self.planner.shared_unit(&id).map(|found| found.to_string());
        match overbooked.or_else(shared) {
            None => Ok(()),
            Some(reason) => Err(Contradiction {
                lease_id: lease_id.to_owned(),
                reason,
            }),
        }
    }

    /// Sets the epoch the book stands at.
    pub fn set_epoch(&mut self, epoch: Epoch) {
        self.epoch = epoch;
    }

    fn apply(&mut self, change: &Change) -> Result<(), Contradiction> {
        match change {
            Change::PutLease(lease) => {
                self.forget_lease(&lease.id);
                let contradiction = |reason: String| Contradiction {
                    lease_id: lease.id.clone(),
                    reason,
                };
                let planned = planner_lease(lease, self).map_err(contradiction)?;
                self.planner
                    .put_lease_since(planned, held_since(lease))
                    .map_err(|error| contradiction(error.to_string()))?;
                for entry in due_entries(lease) {
                    self.due.insert(entry);
                }
                self.occupants.put(lease);
                self.latest = self.latest.max(changed_at(lease));
                for reservation in &lease.reservations {
                    self.lease_ids_by_reservation
                        .insert(reservation.id.clone(), lease.id.clone());
                }
                self.leases_by_project
                    .entry(lease.project_id.clone())
                    .or_default()
                    .insert(lease.id.clone());
                self.leases.insert(lease.id.clone(), Arc::clone(lease));
            }
            Change::DeleteLease(id) => self.forget_lease(id),
            Change::PutHost(host) => {
                if let Some(old) = self.hosts.get(&host.id) {
                    self.host_ids_by_name.remove(&old.hypervisor_hostname);
                }
                self.planner
                    .put_host(properties::planner_host(host, &self.premises.region));
                self.host_ids_by_name
                    .insert(host.hypervisor_hostname.clone(), host.id.clone());
                self.latest = self.latest.max(host.updated_at.unwrap_or(host.created_at));
                self.hosts.insert(host.id.clone(), Arc::clone(host));
            }
            Change::DeleteHost(id) => {
                if let Some(old) = self.hosts.remove(id) {
                    self.host_ids_by_name.remove(&old.hypervisor_hostname);
                }
                self.planner.remove_host(&Arc::from(id.as_str()));
            }
            Change::PutFloatingIp(address) => self.floating_ips.put(address),
            Change::DeleteFloatingIp(id) => self.floating_ips.remove(id),
            Change::PutProperty(property) => {
                self.properties.insert(property.name.clone(), Arc::clone(property));
            }
            Change::PutFindings { lease_id, findings } => {
                if findings.is_empty() {
                    self.findings.remove(lease_id);
                } else {
                    self.findings.insert(lease_id.clone(), Arc::clone(findings));
                }
            }
            Change::Notify(_) => {}
        }
        Ok(())
    }

    fn forget_lease(&mut self, id: &str) {
        let Some(old) = self.leases.remove(id) else { return };
        for entry in due_entries(&old) {
            self.due.remove(&entry);
        }
        self.occupants.remove(&old);
        for reservation in &old.reservations {
            self.lease_ids_by_reservation.remove(&reservation.id);
        }
        if let Some(ids) = self.leases_by_project.get_mut(&old.project_id) {
            ids.remove(id);
            if ids.is_empty() {
                self.leases_by_project.remove(&old.project_id);
            }
        }
        self.planner.remove_lease(&Arc::from(id));
    }

    /// Number of changes so far.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Latest moment at which anything recorded here was changed.
    pub(crate) const fn latest(&self) -> Timestamp {
        self.latest
    }

    /// Name of the cloud's region, a property of every host.
    pub fn region(&self) -> &str {
        &self.premises.region
    }

    /// The planner on this state.
    pub const fn planner(&self) -> &Planner {
        &self.planner
    }

    /// A lease.
    pub fn lease(&self, id: &str) -> Option<&Arc<Lease>> {
        self.leases.get(id)
    }

    /// The lease a reservation belongs to.
    pub fn lease_of_reservation(&self, reservation_id: &str) -> Option<&Arc<Lease>> {
        self.lease_ids_by_reservation
            .get(reservation_id)
            .and_then(|id| self.leases.get(id))
    }

    /// All leases by id.
    pub fn leases(&self) -> impl Iterator<Item = &Arc<Lease>> {
        self.leases.values()
    }

    /// A project's leases by id.
    pub fn leases_of_project(&self, project_id: &str) -> impl Iterator<Item = &Arc<Lease>> {
        self.leases_by_project
            .get(project_id)
            .into_iter()
            .flatten()
            .filter_map(|id| self.leases.get(id))
    }

    /// A host.
    pub fn host(&self, id: &str) -> Option<&Arc<Host>> {
        self.hosts.get(id)
    }

    /// A host by hypervisor host name.
    pub fn host_by_name(&self, name: &str) -> Option<&Arc<Host>> {
        self.host_ids_by_name.get(name).and_then(|id| self.hosts.get(id))
    }

    /// What a reservation asks of the planner, where the floating IPs of the book are the units.
    ///
    /// # Errors
    /// Says which expression or extra spec is wrong, and how.
    pub(crate) fn demand(&self, spec: &ReservationSpec) -> Result<Demand, String> {
        demand(spec, &|network_id, address| {
            let known = self.floating_ip_at(network_id, address)?;
            Some(Arc::from(known.id.as_str()))
        })
    }

    /// All hosts by id.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.hosts.values()
    }

    /// A property by name.
    pub fn property(&self, name: &str) -> Option<&Arc<Property>> {
        self.properties.get(name)
    }

    /// All properties by name.
    pub fn properties(&self) -> impl Iterator<Item = &Arc<Property>> {
        self.properties.values()
    }

    /// What the reconciler found about a lease.
    pub fn findings(&self, lease_id: &str) -> Arc<Vec<Finding>> {
        self.findings.get(lease_id).cloned().unwrap_or_default()
    }

    /// Work not done yet, by time.
    pub fn due(&self) -> impl Iterator<Item = &DueEntry> {
        self.due.iter()
    }
}

/// When a lease or an event of it was last changed.
fn changed_at(lease: &Lease) -> Timestamp {
    let events = lease.events.iter().filter_map(|event| event.updated_at);
    let lease = lease.updated_at.unwrap_or(lease.created_at);
    events.fold(lease, Timestamp::max)
}

/// What a lease still has to have done.
fn due_entries(lease: &Lease) -> impl Iterator<Item = DueEntry> {
    let pending = |status| matches!(status, EventStatus::Undone | EventStatus::InProgress);
    lease
        .events
        .iter()
        .filter(move |event| pending(event.status))
        .map(|event| DueEntry {
            time: event.not_before.map_or(event.time, |earliest| earliest.max(event.time)),
            lease_id: lease.id.clone(),
            event_id: event.id.clone(),
        })
}

/// Whether the lease's hosts are final whatever the clock says: it is past PENDING, its start was tried, or something
/// stands outside for it.
pub fn is_bound(lease: &Lease) -> bool {
    let tried = lease
        .event(crate::domain::EventType::StartLease)
        .is_some_and(|event| event.attempts > 0);
    let is_known = || {
        lease
            .reservations
            .iter()
            .any(|reservation| reservation.handover.is_known())
    };
    tried || !matches!(lease.status, LeaseStatus::Pending | LeaseStatus::Creating) || is_known()
}

/// From when on the planner counts what a lease occupies: since a host last joined it, because another lease may have
/// had that host until then.
fn held_since(lease: &Lease) -> Timestamp {
    let allocations = lease
        .reservations
        .iter()
        .flat_map(|reservation| &reservation.allocations);
    allocations
        .map(|allocation| allocation.start)
        .max()
        .unwrap_or(lease.start)
}

/// The lease as the planner sees it: only reservations that hold hosts.
fn planner_lease(lease: &Lease, book: &Book) -> Result<solver::model::Lease, String> {
    let bound = is_bound(lease);
    let reservations = lease
        .reservations
        .iter()
        .filter(|reservation| !reservation.allocations.is_empty())
        .map(|reservation| {
            let demand = book.demand(&reservation.spec)?;
            let holding = reservation.holding();
            let holds = holding.into_iter().flat_map(|(host, places)| {
                let places = usize::try_from(places).unwrap_or(usize::MAX);
                std::iter::repeat_n(Arc::from(host), places)
            });
            let window = reservation
                .allocations
                .iter()
                .fold((lease.start, lease.end), |window, allocation| {
                    (window.0, window.1.max(allocation.occupied_until))
                });
            Ok(solver::model::Reservation {
                id: Arc::from(reservation.id.as_str()),
                resource: demand.resource,
                window: solver::model::Interval::new(lease.start, lease.end),
                cleaning: window.1 - lease.end,
                min: demand.min,
                max: demand.max,
                predicate: demand.predicate,
                holds: holds.collect(),
                pinned: bound,
            })
        })
        .collect::<Result<Vec<_>, String>>()?;
    Ok(solver::model::Lease {
        id: Arc::from(lease.id.as_str()),
        reservations,
    })
}
