//! The use cases: everything a route or a client command can ask of the service.
//!
//! Walk of a booking: [`Service::create_lease`] checks the draft and the caller, hands the decision to
//! the [`crate::book::writer`], which decides on the newest snapshot, commits, and publishes the next
//! snapshot. Nova is not called on the way.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugin_api::{AssignedHost, Finding, HostInventory, HostRegistration, InventoryError, Plugins, StepObserver};
use solver::planner::ModelSolver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::create::LeaseIdentifiers;
use crate::admission::delete::Deletion;
use crate::admission::{create, delete, hosts, is_final, listing, update};
use crate::authority::{Caller, Policy, Target, rules};
use crate::book::writer::{BookHandle, Draft, WriteError, Writer};
use crate::book::{Book, Contradiction};
use crate::domain::{Host, Lease, Property, ReservationSpec, Timestamp};
use crate::lifecycle::Lifecycle;
use crate::ports::{Clock, Identifiers, Store, StoreError};
use crate::question::{Questions, Shortage};

/// A lease that is asked for; dates already on whole minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseDraft {
    /// Free text.
    pub name: String,
    /// First second.
    pub start: Timestamp,
    /// First second after.
    pub end: Timestamp,
    /// When to act before the end; `None`: the configured lead.
    pub before_end: Option<Timestamp>,
    /// What to reserve.
    pub reservations: Vec<ReservationSpec>,
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

/// A change of one reservation.
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
}

/// Restricts which reservations an allocation listing shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllocationFilter {
    /// Only of this lease.
    pub lease_id: Option<String>,
    /// Only this reservation.
    pub reservation_id: Option<String>,
}

/// A reservation on a host, in an allocation listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostUse {
    /// The reservation.
    pub reservation_id: String,
    /// Its lease.
    pub lease_id: String,
    /// Start of the lease.
    pub start: Timestamp,
    /// End of the lease.
    pub end: Timestamp,
    /// Whether the planner may still choose another host.
    pub tentative: bool,
}

/// What a host serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAllocations {
    /// The host.
    pub host_id: String,
    /// Its reservations by start.
    pub reservations: Vec<HostUse>,
}

/// A property in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyListing {
    /// Its name.
    pub name: String,
    /// Hidden from users who are not operators.
    pub private: bool,
    /// Distinct values, sorted.
    pub values: Vec<String>,
}

/// A lease with what its owner needs to know about work that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseReport {
    /// The lease; its events say why they wait.
    pub lease: Arc<Lease>,
    /// What the reconciler found to disagree with the plan.
    pub findings: Arc<Vec<Finding>>,
    /// Whether the planner may still choose other hosts for it.
    pub tentative: bool,
}

/// Why the service did not do it. `Display` is the text for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// 404: no such object, e.g. kind `lease_id`.
    #[error("Object with {{'{kind}': '{id}'}} not found")]
    NotFound {
        /// `lease_id`, `host_id`, `property_name`
        kind: &'static str,
        /// What was asked for.
        id: String,
    },
    /// 403: the rule does not allow it.
    #[error("Policy doesn't allow {rule} to be performed")]
    Forbidden {
        /// The rule.
        rule: &'static str,
    },
    /// 400: the request is wrong; the text names field, value and what is allowed.
    #[error("{0}")]
    Invalid(String),
    /// 403: the request is wrong in a way upstream answers with 403.
    #[error("{0}")]
    OutOfLimits(String),
    /// 404 from the inventory, with its own text.
    #[error("{0}")]
    Missing(String),
    /// 409: the state of the lease or host does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// 409: proved that no assignment exists.
    #[error("Not enough hosts available: {0}")]
    Shortage(Box<Shortage>),
    /// 503: not decided in time; not a "no".
    #[error("{0}")]
    Undecided(String),
    /// 503: something the service depends on does not answer.
    #[error("{0}")]
    Unavailable(String),
}

/// What the service is told by its configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Seconds a host must stay free after a lease.
    pub cleaning: i64,
    /// Seconds before its start from which a lease keeps its hosts.
    pub freeze: i64,
    /// Default lead of the before-end event in seconds; 0: no such event unless asked for.
    pub before_end_lead: i64,
    /// Wall seconds one decision may take.
    pub decision_seconds: f64,
    /// Name of this cloud's region, for `$region` in property expressions.
    pub region: String,
    /// Seconds between two runs of the reconciler.
    pub reconcile_interval: i64,
    /// Seconds a claim on due work lasts without being renewed.
    pub claim_seconds: i64,
    /// Longest wait of a retry in seconds.
    pub retry_ceiling: i64,
    /// Whether other processes share the database.
    pub shared: bool,
    /// Name of this process in claims.
    pub worker: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cleaning: 0,
            freeze: 0,
            before_end_lead: 3600,
            decision_seconds: 10.0,
            region: String::new(),
            reconcile_interval: 60,
            claim_seconds: 15,
            retry_ceiling: 60,
            shared: false,
            worker: "berth".to_owned(),
        }
    }
}

/// Everything the service works with, chosen by configuration.
pub struct Parts {
    /// The book's database.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers of new objects.
    pub identifiers: Arc<dyn Identifiers>,
    /// Who may do what.
    pub policy: Arc<dyn Policy>,
    /// Integer models.
    pub solver: Arc<dyn ModelSolver>,
    /// Resource types.
    pub plugins: Plugins,
    /// Where hosts come from.
    pub inventory: Arc<dyn HostInventory>,
    /// Configuration.
    pub settings: Settings,
    /// Is told how far the work on an event has come.
    pub steps: Arc<dyn StepObserver>,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be read.
    #[error("the book cannot be loaded")]
    Load(#[source] StoreError),
    /// The store contradicts itself.
    #[error("the stored book contradicts itself")]
    Contradiction(#[source] Contradiction),
}

/// Seconds a deletion waits for resources to be given back before it answers; the work goes on after that.
const DELETION_WAIT: i64 = 50;

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    book: BookHandle,
    clock: Arc<dyn Clock>,
    identifiers: Arc<dyn Identifiers>,
    policy: Arc<dyn Policy>,
    inventory: Arc<dyn HostInventory>,
    settings: Arc<Settings>,
    lifecycle: Lifecycle,
    questions: Questions,
}

impl Service {
    /// Loads the book and starts the writer, the lifecycle and the reconciler on `tasks`; they stop
    /// with `shutdown`.
    ///
    /// # Errors
    /// When the book cannot be loaded.
    pub async fn start(parts: Parts, tasks: &TaskTracker, shutdown: &CancellationToken) -> Result<Self, StartError> {
        let Parts {
            store,
            clock,
            identifiers,
            policy,
            solver,
            plugins,
            inventory,
            settings,
            steps,
        } = parts;
        if !settings.shared {
            // Alone on the store: whoever held claims before is dead.
            store.release_all("").await.map_err(StartError::Load)?;
        }
        let contents = store.load().await.map_err(StartError::Load)?;
        let book =
            Book::from_contents(contents, &settings.region, settings.freeze).map_err(StartError::Contradiction)?;
        let settings = Arc::new(settings);
        let (writer, handle) = Writer::new(
            book,
            settings.shared,
            Arc::clone(&store),
            Arc::clone(&clock),
            Arc::clone(&solver),
        );
        tasks.spawn(writer.run(shutdown.clone()));
        let lifecycle = Lifecycle {
            book: handle.clone(),
            store,
            plugins,
            clock: Arc::clone(&clock),
            settings: Arc::clone(&settings),
            steps,
        };
        tasks.spawn(lifecycle.clone().run(tasks.clone(), shutdown.clone()));
        tasks.spawn(lifecycle.clone().reconcile_forever(shutdown.clone()));
        let questions = Questions {
            book: handle.clone(),
            clock: Arc::clone(&clock),
            policy: Arc::clone(&policy),
            solver,
            settings: Arc::clone(&settings),
            turns: Questions::turns(),
        };
        Ok(Self {
            questions,
            book: handle,
            clock,
            identifiers,
            policy,
            inventory,
            settings,
            lifecycle,
        })
    }

    /// The lifecycle, for one pass of the reconciler on demand.
    pub const fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// Questions about capacity.
    pub const fn questions(&self) -> &Questions {
        &self.questions
    }

    /// A refusal with its proof and with offers; any other error as it is.
    async fn explained(&self, caller: &Caller, error: ServiceError) -> ServiceError {
        if let ServiceError::Shortage(shortage) = error {
            return ServiceError::Shortage(Box::new(self.questions.explain(caller, *shortage).await));
        }
        error
    }

    /// Unix seconds now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn enforce(&self, rule: &'static str, caller: &Caller, target: Target<'_>) -> Result<(), ServiceError> {
        if self.policy.allows(rule, caller, target) {
            Ok(())
        } else {
            Err(ServiceError::Forbidden { rule })
        }
    }

    /// Asks a rule about the caller's own project: for objects that nobody owns, and lists.
    fn enforce_own(&self, rule: &'static str, caller: &Caller) -> Result<(), ServiceError> {
        self.enforce(
            rule,
            caller,
            Target {
                project_id: &caller.project_id,
                user_id: &caller.user_id,
            },
        )
    }

    /// The only way to a lease: found, and the rule asked about it.
    fn lease_for(
        &self,
        book: &Book,
        rule: &'static str,
        caller: &Caller,
        id: &str,
    ) -> Result<Arc<Lease>, ServiceError> {
        let lease = book.lease(id).ok_or_else(|| ServiceError::NotFound {
            kind: "lease_id",
            id: id.to_owned(),
        })?;
        self.enforce(
            rule,
            caller,
            Target {
                project_id: &lease.project_id,
                user_id: &lease.user_id,
            },
        )?;
        Ok(Arc::clone(lease))
    }

    async fn submit<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Draft) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        self.book.submit(work).await.map_err(|error| match error {
            WriteError::Refused(refusal) => refusal,
            WriteError::Contended | WriteError::FenceLost | WriteError::Unavailable(_) | WriteError::Stopped => {
                ServiceError::Unavailable(error.to_string())
            }
        })
    }

    /// Checks the window of a new lease: not in the past (the present minute counts), end after start.
    ///
    /// # Errors
    /// With upstream's texts.
    pub fn check_window(&self, start: Timestamp, end: Timestamp) -> Result<(), ServiceError> {
        create::check_window(start, end, self.clock.now())
    }

    /// All leases the caller may see: everything for those who pass `admin`, else the own project's.
    ///
    /// # Errors
    /// When the rule forbids it.
    pub async fn leases(&self, caller: &Caller) -> Result<Vec<Arc<Lease>>, ServiceError> {
        self.enforce_own(rules::LEASES_GET, caller)?;
        let book = self.book.fresh().await;
        let everything = self.enforce_own(rules::ADMIN, caller).is_ok();
        Ok(if everything {
            book.leases().cloned().collect()
        } else {
            book.leases_of_project(&caller.project_id).cloned().collect()
        })
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

    /// Books a lease, or says why not.
    ///
    /// # Errors
    /// As [`ServiceError`]; nothing is booked then.
    pub async fn create_lease(&self, caller: &Caller, draft: LeaseDraft) -> Result<Arc<Lease>, ServiceError> {
        self.may_create_lease(caller)?;
        let identifiers = LeaseIdentifiers::draw(self.identifiers.as_ref(), draft.reservations.len());
        let settings = Arc::clone(&self.settings);
        let created = {
            let caller = caller.clone();
            self.submit(move |book| create::create(book, &caller, &draft, &identifiers, &settings))
                .await
        };
        match created {
            Ok(lease) => Ok(lease),
            Err(error) => Err(self.explained(caller, error).await),
        }
    }

    /// Changes a lease, or leaves it exactly as it was.
    ///
    /// # Errors
    /// As [`ServiceError`]; nothing is changed then.
    pub async fn update_lease(
        &self,
        caller: &Caller,
        id: &str,
        change: LeaseChange,
    ) -> Result<Arc<Lease>, ServiceError> {
        let event_id = self.identifiers.next();
        let updated = {
            let (service, caller, id) = (self.clone(), caller.clone(), id.to_owned());
            self.submit(move |draft| {
                service.lease_for(draft.book(), rules::LEASES_GET, &caller, &id)?;
                let lease = service.lease_for(draft.book(), rules::LEASES_PUT, &caller, &id)?;
                update::update(draft, &lease, &change, &event_id, &service.settings)
            })
            .await
        };
        match updated {
            Ok(lease) => Ok(lease),
            Err(error) => Err(self.explained(caller, error).await),
        }
    }

    /// Deletes a lease; one that has started gives its resources back first, which may still be under
    /// way when this returns.
    ///
    /// # Errors
    /// When it does not exist, the rule forbids it, or an operation on it is under way.
    pub async fn delete_lease(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        let mut published = self.book.subscribe();
        let event_id = self.identifiers.next();
        let deletion = {
            let (service, caller, id) = (self.clone(), caller.clone(), id.to_owned());
            self.submit(move |draft| {
                service.lease_for(draft.book(), rules::LEASES_GET, &caller, &id)?;
                let lease = service.lease_for(draft.book(), rules::LEASES_DELETE, &caller, &id)?;
                delete::delete(draft, &lease, &event_id)
            })
            .await?
        };
        if deletion == Deletion::Done {
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
        }
        Ok(())
    }

    /// All hosts.
    ///
    /// # Errors
    /// When the rule forbids it.
    pub async fn hosts(&self, caller: &Caller) -> Result<Vec<Arc<Host>>, ServiceError> {
        self.enforce_own(rules::HOSTS_GET, caller)?;
        Ok(self.book.fresh().await.hosts().cloned().collect())
    }

    /// One host.
    ///
    /// # Errors
    /// When it does not exist or the rule forbids it.
    pub async fn host(&self, caller: &Caller, id: &str) -> Result<Arc<Host>, ServiceError> {
        self.enforce_own(rules::HOSTS_GET, caller)?;
        hosts::found(&*self.book.fresh().await, id)
    }

    /// Whether the caller may register hosts at all; asked before the body is looked at.
    ///
    /// # Errors
    /// When the rule forbids it.
    pub fn may_register_host(&self, caller: &Caller) -> Result<(), ServiceError> {
        self.enforce_own(rules::HOSTS_POST, caller)
    }

    /// Registers a host.
    ///
    /// # Errors
    /// When it is registered already, the inventory refuses it, or the rule forbids it.
    pub async fn register_host(
        &self,
        caller: &Caller,
        registration: HostRegistration,
    ) -> Result<Arc<Host>, ServiceError> {
        self.may_register_host(caller)?;
        hosts::check_new(&*self.book.fresh().await, &registration.reference)?;
        let facts = self.inventory.register(&registration).await.map_err(inventory_error)?;
        let (identifiers, trust_id) = (Arc::clone(&self.identifiers), caller.trust_id.clone());
        self.submit(move |draft| hosts::register(draft, &facts, trust_id.as_deref(), identifiers.as_ref()))
            .await
    }

    /// Sets (`Some`) and removes (`None`) extra capabilities.
    ///
    /// # Errors
    /// When a reservation that holds the host asks for one of them.
    pub async fn update_host(
        &self,
        caller: &Caller,
        id: &str,
        values: BTreeMap<String, Option<String>>,
    ) -> Result<Arc<Host>, ServiceError> {
        self.enforce_own(rules::HOSTS_PUT, caller)?;
        let (identifiers, id) = (Arc::clone(&self.identifiers), id.to_owned());
        self.submit(move |draft| hosts::update(draft, &id, &values, identifiers.as_ref()))
            .await
    }

    /// Deregisters a host that serves nothing: first out of planning, then out of the cloud, then out
    /// of the book, so that nothing can be booked on it in between.
    ///
    /// # Errors
    /// When something holds it, the inventory refuses, or the rule forbids it.
    pub async fn delete_host(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        self.enforce_own(rules::HOSTS_DELETE, caller)?;
        let host = {
            let id = id.to_owned();
            self.submit(move |draft| hosts::retire(draft, &id)).await?
        };
        let assigned = AssignedHost {
            id: host.id.clone(),
            hypervisor_hostname: host.hypervisor_hostname.clone(),
            service_name: host.service_name.clone(),
        };
        let id = id.to_owned();
        match self.inventory.deregister(&assigned).await {
            Ok(()) => self.submit(move |draft| hosts::remove(draft, &id)).await,
            Err(error) => {
                self.submit(move |draft| hosts::restore(draft, &id)).await?;
                Err(inventory_error(error))
            }
        }
    }

    /// What every host serves, hosts with nothing included.
    ///
    /// # Errors
    /// When the rule forbids it.
    pub async fn allocations(
        &self,
        caller: &Caller,
        filter: &AllocationFilter,
    ) -> Result<Vec<HostAllocations>, ServiceError> {
        self.enforce_own(rules::HOSTS_ALLOCATIONS, caller)?;
        Ok(listing::allocations(
            &*self.book.fresh().await,
            filter,
            self.clock.now(),
            &self.settings,
        ))
    }

    /// What one host serves.
    ///
    /// # Errors
    /// When it does not exist or the rule forbids it.
    pub async fn allocation(
        &self,
        caller: &Caller,
        host_id: &str,
        filter: &AllocationFilter,
    ) -> Result<HostAllocations, ServiceError> {
        self.allocations(caller, filter)
            .await?
            .into_iter()
            .find(|allocations| allocations.host_id == host_id)
            .ok_or_else(|| ServiceError::NotFound {
                kind: "host_id",
                id: host_id.to_owned(),
            })
    }

    /// Properties in use by at least one host; private ones only for those who pass `admin` and ask for `all`.
    ///
    /// # Errors
    /// When the rule forbids it.
    pub async fn properties(&self, caller: &Caller, all: bool) -> Result<Vec<PropertyListing>, ServiceError> {
        self.enforce_own(rules::PROPERTIES_GET, caller)?;
        let private_too = all && self.enforce_own(rules::ADMIN, caller).is_ok();
        Ok(listing::properties(&*self.book.fresh().await, private_too))
    }

    /// Makes a property private or public.
    ///
    /// # Errors
    /// When it does not exist or the rule forbids it.
    pub async fn set_property_private(
        &self,
        caller: &Caller,
        name: &str,
        private: bool,
    ) -> Result<Arc<Property>, ServiceError> {
        self.enforce_own(rules::PROPERTIES_PATCH, caller)?;
        let name = name.to_owned();
        self.submit(move |draft| hosts::set_private(draft, &name, private))
            .await
    }
}

fn inventory_error(error: InventoryError) -> ServiceError {
    match error {
        InventoryError::NotFound(text) => ServiceError::Missing(text),
        InventoryError::Conflict(text) => ServiceError::Conflict(text),
        InventoryError::Invalid(text) => ServiceError::Invalid(text),
        InventoryError::Forbidden(text) => ServiceError::OutOfLimits(text),
        InventoryError::Unavailable(text) => ServiceError::Unavailable(text),
    }
}
