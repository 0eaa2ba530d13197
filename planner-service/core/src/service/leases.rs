//! What can be asked of leases.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugin_api::Finding;

use super::enforcement::is_as_before;
use super::{Listing, Service, ServiceError, inventory_error};
use crate::admission::create::LeaseIdentifiers;
use crate::admission::delete::Deletion;
use crate::admission::listing::by_start;
use crate::admission::{create, delete, is_final, update};
use crate::authority::{Caller, Target, rules};
use crate::book::Book;
use crate::book::countables::unit_names;
use crate::demand::check_flavor;
use crate::domain::{FlavorReservation, InstanceObjects, Lease, ReservationSpec, Timestamp};
use crate::properties::as_written;
use crate::question::WhatIfQuestion;
use crate::reach::Reach;
use crate::{comparable, limits};

/// A lease that is asked for; dates already on whole minutes. Flavors may still have to be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseDraft<R = ReservationSpec> {
    /// Free text.
    pub name: String,
    /// First second.
    pub start: Timestamp,
    /// First second after.
    pub end: Timestamp,
    /// When to act before the end; `None`: the configured lead.
    pub before_end: Option<Timestamp>,
    /// What to reserve.
    pub reservations: Vec<R>,
}

/// What to reserve, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReservationDraft {
    /// Everything is known.
    Complete(ReservationSpec),
    /// So many instances of a flavor that has to be looked up.
    Flavor {
        /// The flavor.
        flavor_id: String,
        /// How many instances, at least 1.
        amount: u32,
    },
}

impl From<ReservationSpec> for ReservationDraft {
    fn from(spec: ReservationSpec) -> Self {
        Self::Complete(spec)
    }
}

/// A change of a lease; `None` leaves a member as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaseChange {
    /// New name.
    pub name: Option<String>,
    /// New start.
    pub start: Option<Timestamp>,
    /// New end.
    pub end: Option<Timestamp>,
    /// New time of the before-end action.
    pub before_end: Option<Timestamp>,
    /// Changes of reservations, by reservation id.
    pub reservations: Vec<ReservationChange>,
}

impl LeaseChange {
    /// Whether at most the name is changed.
    pub fn is_rename(&self) -> bool {
        let Self {
            name: _,
            start,
            end,
            before_end,
            reservations,
        } = self;
        start.is_none() && end.is_none() && before_end.is_none() && reservations.is_empty()
    }
}

/// A change of one reservation. Members that its resource type does not have are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReservationChange {
    /// The reservation.
    pub id: String,
    /// If given, must be the type it has.
    pub resource_type: Option<String>,
    /// New fewest hosts.
    pub min: Option<u32>,
    /// New most hosts.
    pub max: Option<u32>,
    /// New property expression.
    pub hypervisor_properties: Option<String>,
    /// New property expression.
    pub resource_properties: Option<String>,
    /// New number of instances or floating IPs.
    pub amount: Option<u32>,
    /// New virtual CPUs of an instance.
    pub vcpus: Option<u32>,
    /// New memory of an instance, in MiB.
    pub memory_mb: Option<u32>,
    /// New disk of an instance, in GiB.
    pub disk_gb: Option<u32>,
    /// New rule of affinity.
    pub affinity: Option<NewAffinity>,
    /// The flavor of instances; may only be the one they have.
    pub flavor_id: Option<String>,
    /// The network of floating IPs; may only be the one it has.
    pub network_id: Option<String>,
    /// Floating IPs that are required; may only be those that are, or none.
    pub required_floatingips: Option<Vec<String>>,
}

/// A rule of affinity, as in [`crate::domain::InstanceReservation`], that takes the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewAffinity(pub Option<bool>);

/// A lease with what its owner needs to know about work that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseReport {
    /// The lease; its events say why they wait.
    pub lease: Arc<Lease>,
    /// What the reconciler found to disagree with the plan.
    pub findings: Arc<Vec<Finding>>,
    /// Whether the planner may still choose other hosts for it.
    pub tentative: bool,
    /// Names of the hosts it has, by id.
    pub hosts: BTreeMap<String, String>,
    /// Names of what reservations have that is no host, by reservation.
    pub units: BTreeMap<String, Vec<String>>,
}

/// Seconds a deletion waits for resources to be given back before it answers; the work goes on after that.
const DELETION_WAIT: i64 = 50;

/// How often filters are asked about a change of a lease that others change at the same time.
const MOST_CHECKS: u32 = 5;

impl Service {
    /// A refusal with its proof and with offers; any other error as it is.
    async fn explained(&self, caller: &Caller, error: ServiceError) -> ServiceError {
        if let ServiceError::Shortage(shortage) = error {
            return ServiceError::Shortage(Box::new(self.questions.explain(caller, *shortage).await));
        }
        error
    }

    /// Checks the window of a new lease: not in the past (the present minute counts), end after start.
    ///
    /// # Errors
    /// With upstream's texts.
    pub fn check_window(&self, start: Timestamp, end: Timestamp) -> Result<(), ServiceError> {
        create::check_window(start, end, self.clock.now())
    }

    /// All leases the caller may see, by start: everything for those who pass `admin`, else the own project's, and of these
    /// the ones that the rule of one lease allows.
    ///
    /// # Errors
    /// When the rule forbids it.
    pub async fn leases(&self, caller: &Caller) -> Result<Listing<Arc<Lease>>, ServiceError> {
        self.enforce_own(rules::LEASES_GET, caller)?;
        let book = self.book.fresh().await;
        let everything = self.enforce_own(rules::ADMIN, caller).is_ok();
        let (policy, caller) = (Arc::clone(&self.policy), caller.clone());
        Ok(Box::new(move || {
            let leases = if everything {
                by_start(book.leases())
            } else {
                by_start(book.leases_of_project(&caller.project_id))
            };
            let may_read = move |lease: &Arc<Lease>| policy.allows(rules::LEASES_GET, &caller, Target::of(lease));
            Box::new(leases.into_iter().filter(may_read))
        }))
    }

    /// One lease.
    ///
    /// # Errors
    /// When it does not exist or the rule forbids it.
    pub async fn lease(&self, caller: &Caller, id: &str) -> Result<Arc<Lease>, ServiceError> {
        self.lease_for(&*self.book.fresh().await, rules::LEASES_GET, caller, id)
    }

    /// One lease with the state of its work.
    ///
    /// # Errors
    /// As [`Service::lease`].
    pub async fn lease_report(&self, caller: &Caller, id: &str) -> Result<LeaseReport, ServiceError> {
        let book = self.book.fresh().await;
        let lease = self.lease_for(&book, rules::LEASES_GET, caller, id)?;
        let tentative = !is_final(&lease, self.clock.now(), &self.settings);
        Ok(LeaseReport {
            findings: book.findings(&lease.id),
            hosts: names_of_hosts(&book, &lease),
            units: units_of(&book, &lease),
            lease,
            tentative,
        })
    }

    /// Whether the caller may make leases at all; asked before the body is looked at.
    ///
    /// # Errors
    /// When the rule forbids it.
    pub fn may_create_lease(&self, caller: &Caller) -> Result<(), ServiceError> {
        self.enforce_own(rules::LEASES_POST, caller)
    }

    /// Looks up the flavors of a lease that is asked for.
    ///
    /// # Errors
    /// When the owner may not use one of them or it asks for something that cannot be counted.
    pub async fn complete(
        &self,
        caller: &Caller,
        draft: LeaseDraft<ReservationDraft>,
    ) -> Result<LeaseDraft, ServiceError> {
        Ok(LeaseDraft {
            name: draft.name,
            start: draft.start,
            end: draft.end,
            before_end: draft.before_end,
            reservations: self.looked_up(caller, draft.reservations).await?,
        })
    }

    /// Looks up the flavors of a lease that is asked about.
    ///
    /// # Errors
    /// As [`Service::complete`].
    pub async fn complete_question(
        &self,
        caller: &Caller,
        question: WhatIfQuestion<ReservationDraft>,
    ) -> Result<WhatIfQuestion, ServiceError> {
        Ok(WhatIfQuestion {
            window: question.window,
            reservations: self.looked_up(caller, question.reservations).await?,
            hosts: question.hosts,
            latest_start: question.latest_start,
        })
    }

    /// What is asked for, with its flavors.
    async fn looked_up(
        &self,
        caller: &Caller,
        drafts: Vec<ReservationDraft>,
    ) -> Result<Vec<ReservationSpec>, ServiceError> {
        let mut specs = Vec::with_capacity(drafts.len());
        for draft in drafts {
            specs.push(match draft {
                ReservationDraft::Complete(spec) => spec,
                ReservationDraft::Flavor { flavor_id, amount } => {
                    self.check_supported(FlavorReservation::RESOURCE_TYPE)?;
                    let found = self.flavors.flavor(&flavor_id, &caller.project_id).await;
                    let flavor = found.map_err(inventory_error)?;
                    check_flavor(&flavor).map_err(ServiceError::Invalid)?;
                    ReservationSpec::Flavor(FlavorReservation {
                        flavor,
                        amount,
                        objects: InstanceObjects::default(),
                    })
                }
            });
        }
        Ok(specs)
    }

    /// Books a lease, or says why not.
    ///
    /// # Errors
    /// As [`ServiceError`]; nothing is booked then.
    pub async fn create_lease(&self, caller: &Caller, mut draft: LeaseDraft) -> Result<Arc<Lease>, ServiceError> {
        self.may_create_lease(caller)?;
        limits::check(draft.reservations.iter(), self.settings.most_amount)?;
        let book = self.book.fresh().await;
        let reach = Reach::of_bookings(self.policy.as_ref(), caller, &book);
        for spec in &mut draft.reservations {
            self.check_supported(spec.resource_type())?;
            spec.map_expressions(|expression| reach.within(expression));
            comparable::check_all(&spec.expressions(), book.planner(), reach.sees_hosts())?;
        }
        let identifiers = LeaseIdentifiers::draw(self.identifiers.as_ref(), draft.reservations.len());
        let identifiers = Arc::new(identifiers);
        if let Err(error) = self.check_create(caller, &draft, &identifiers).await {
            return Err(self.explained(caller, error).await);
        }
        let settings = Arc::clone(&self.settings);
        let created = {
            let owner = caller.clone();
            self.submit(caller, move |book| {
                create::create(book, &owner, &draft, &identifiers, &settings)
            })
            .await
        };
        match created {
            Ok(lease) => Ok(self.lifecycle.prepared(lease).await),
            Err(error) => Err(self.explained(caller, error).await),
        }
    }

    /// Refuses a resource type that nothing is configured for.
    fn check_supported(&self, resource_type: &str) -> Result<(), ServiceError> {
        if self.offers(resource_type) {
            return Ok(());
        }
        Err(ServiceError::NotOffered {
            resource_type: resource_type.to_owned(),
            offered: self.resource_types().collect::<Vec<_>>().join(", "),
        })
    }

    /// Changes a lease, or leaves it exactly as it was.
    ///
    /// # Errors
    /// As [`ServiceError`]; nothing is changed then.
    pub async fn update_lease(
        &self,
        caller: &Caller,
        id: &str,
        mut change: LeaseChange,
    ) -> Result<Arc<Lease>, ServiceError> {
        let event_id = self.identifiers.next();
        self.keep_within_reach(caller, id, &mut change).await?;
        for _ in 0..MOST_CHECKS {
            match self.try_update(caller, id, &change, &event_id).await {
                Ok(Some(lease)) => return Ok(self.lifecycle.prepared(lease).await),
                Ok(None) => {}
                Err(error) => return Err(self.explained(caller, error).await),
            }
        }
        Err(ServiceError::Conflict(
            "The lease was changed again and again while it was checked whether it may be; try again.".to_owned(),
        ))
    }

    /// Keeps new expressions within the caller's reach. Those that the reservation has already keep what they reached.
    ///
    /// # Errors
    /// If a new one compares what cannot be compared.
    async fn keep_within_reach(&self, caller: &Caller, id: &str, change: &mut LeaseChange) -> Result<(), ServiceError> {
        let book = self.book.fresh().await;
        let reach = Reach::of_bookings(self.policy.as_ref(), caller, &book);
        let before = book.lease(id).map_or(&[][..], |lease| &lease.reservations);
        for change in &mut change.reservations {
            let before = before.iter().find(|reservation| reservation.id == change.id);
            let before = before.map_or_else(Vec::new, |reservation| reservation.spec.expressions());
            let expressions = [&mut change.hypervisor_properties, &mut change.resource_properties];
            for expression in expressions.into_iter().flatten() {
                if let Some(same) = before.iter().find(|before| as_written(before) == *expression) {
                    (*same).clone_into(expression);
                } else {
                    *expression = reach.within(expression);
                    comparable::check_all(&[expression.as_str()], book.planner(), reach.sees_hosts())?;
                }
            }
        }
        Ok(())
    }

    /// Changes the lease; `None` if it is no longer the one that the filters were asked about.
    async fn try_update(
        &self,
        caller: &Caller,
        id: &str,
        change: &LeaseChange,
        event_id: &str,
    ) -> Result<Option<Arc<Lease>>, ServiceError> {
        let checked = self.check_update(caller, id, change, event_id).await?;
        let (service, asking, id) = (self.clone(), caller.clone(), id.to_owned());
        let (change, event_id) = (change.clone(), event_id.to_owned());
        self.submit(caller, move |draft| {
            let lease = service.lease_to(draft.book(), rules::LEASES_PUT, &asking, &id)?;
            if checked.as_ref().is_some_and(|checked| !is_as_before(checked, &lease)) {
                return Ok(None);
            }
            update::update(draft, &lease, &change, &event_id, &service.settings).map(Some)
        })
        .await
    }

    /// Deletes a lease; one that has started gives its resources back first, which may still be under
    /// way when this returns.
    ///
    /// # Errors
    /// When it does not exist, the rule forbids it, or an operation on it is under way.
    pub async fn delete_lease(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        let mut published = self.book.subscribe();
        if self.deletion(caller, id).await? == Deletion::Done {
            return Ok(());
        }
        let gone = async {
            while self.book.snapshot().lease(id).is_some() {
                if published.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = gone => {}
            () = self.clock.sleep_until(self.clock.now() + DELETION_WAIT) => {}
            () = self.lifecycle.shutdown.cancelled() => {}
        }
        Ok(())
    }

    /// Deletes a lease, or has the deletion of one that has started begin, without waiting for it.
    ///
    /// # Errors
    /// As [`Self::delete_lease`].
    pub async fn begin_deletion(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        self.deletion(caller, id).await.map(|_| ())
    }

    async fn deletion(&self, caller: &Caller, id: &str) -> Result<Deletion, ServiceError> {
        let event_id = self.identifiers.next();
        let (service, asking, id) = (self.clone(), caller.clone(), id.to_owned());
        self.submit(caller, move |draft| {
            let lease = service.lease_to(draft.book(), rules::LEASES_DELETE, &asking, &id)?;
            delete::delete(draft, &lease, &event_id, !service.lifecycle.filters.is_empty())
        })
        .await
    }
}

/// Names of the hosts a lease has, by id.
fn names_of_hosts(book: &Book, lease: &Lease) -> BTreeMap<String, String> {
    let allocations = lease
        .reservations
        .iter()
        .flat_map(|reservation| &reservation.allocations);
    let hosts = allocations.filter_map(|allocation| book.host(&allocation.host_id));
    hosts
        .map(|host| (host.id.clone(), host.hypervisor_hostname.clone()))
        .collect()
}

/// Names of what the reservations of a lease have that is no host.
fn units_of(book: &Book, lease: &Lease) -> BTreeMap<String, Vec<String>> {
    let mut units = BTreeMap::new();
    for reservation in &lease.reservations {
        let held = &reservation.allocations;
        let names = match &reservation.spec {
            ReservationSpec::Host(_) | ReservationSpec::Instance(_) | ReservationSpec::Flavor(_) => continue,
            ReservationSpec::FloatingIp(_) => {
                let address = |id: &String| {
                    let known = book.floating_ip(id).map(|known| known.floating_ip_address.clone());
                    known.unwrap_or_else(|| id.clone())
                };
                held.iter().map(|allocation| address(&allocation.host_id)).collect()
            }
            ReservationSpec::Countable(spec) => unit_names(&spec.resource_type, held),
        };
        units.insert(reservation.id.clone(), names);
    }
    units
}
