//! The use cases: everything a route or a client command can ask of the service.
//!
//! Walk of a booking: [`Service::create_lease`] checks the draft and the caller, hands the decision to
//! the [`crate::book::writer`], which decides on the newest snapshot, commits, and publishes the next
//! snapshot. Nova is not called on the way.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugin_api::{Finding, HostRegistration};

use crate::authority::Caller;
use crate::domain::{Host, Lease, Property, ReservationSpec, Timestamp};

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
    Shortage(String),
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

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Service {}

#[expect(clippy::unused_async, reason = "signatures only")]
impl Service {
    /// Unix seconds now.
    pub fn now(&self) -> Timestamp {
        0
    }

    /// Checks the window of a new lease: not in the past (the present minute counts), end after start.
    pub fn check_window(&self, start: Timestamp, end: Timestamp) -> Result<(), ServiceError> {
        let _ = (start, end);
        Ok(())
    }

    /// All leases the caller may see: everything for those who pass `admin`, else the own project's.
    pub async fn leases(&self, caller: &Caller) -> Result<Vec<Arc<Lease>>, ServiceError> {
        let _ = caller;
        Ok(Vec::new())
    }

    /// One lease.
    pub async fn lease(&self, caller: &Caller, id: &str) -> Result<Arc<Lease>, ServiceError> {
        let _ = caller;
        Err(ServiceError::NotFound { kind: "lease_id", id: id.to_owned() })
    }

    /// One lease with the state of its work.
    pub async fn lease_report(&self, caller: &Caller, id: &str) -> Result<LeaseReport, ServiceError> {
        let _ = caller;
        Err(ServiceError::NotFound { kind: "lease_id", id: id.to_owned() })
    }

    /// Whether the caller may make leases at all; asked before the body is looked at.
    pub fn may_create_lease(&self, caller: &Caller) -> Result<(), ServiceError> {
        let _ = caller;
        Ok(())
    }

    /// Books a lease, or says why not.
    pub async fn create_lease(&self, caller: &Caller, draft: LeaseDraft) -> Result<Arc<Lease>, ServiceError> {
        let _ = (caller, draft);
        Err(ServiceError::Unavailable(String::new()))
    }

    /// Changes a lease, or leaves it exactly as it was.
    pub async fn update_lease(
        &self,
        caller: &Caller,
        id: &str,
        change: LeaseChange,
    ) -> Result<Arc<Lease>, ServiceError> {
        let _ = (caller, change);
        Err(ServiceError::NotFound { kind: "lease_id", id: id.to_owned() })
    }

    /// Deletes a lease; one that has started gives its resources back first.
    pub async fn delete_lease(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        let _ = caller;
        Err(ServiceError::NotFound { kind: "lease_id", id: id.to_owned() })
    }

    /// All hosts.
    pub async fn hosts(&self, caller: &Caller) -> Result<Vec<Arc<Host>>, ServiceError> {
        let _ = caller;
        Ok(Vec::new())
    }

    /// One host.
    pub async fn host(&self, caller: &Caller, id: &str) -> Result<Arc<Host>, ServiceError> {
        let _ = caller;
        Err(ServiceError::NotFound { kind: "host_id", id: id.to_owned() })
    }

    /// Registers a host.
    pub async fn register_host(
        &self,
        caller: &Caller,
        registration: HostRegistration,
    ) -> Result<Arc<Host>, ServiceError> {
        let _ = (caller, registration);
        Err(ServiceError::Unavailable(String::new()))
    }

    /// Sets (`Some`) and removes (`None`) extra capabilities.
    pub async fn update_host(
        &self,
        caller: &Caller,
        id: &str,
        values: BTreeMap<String, Option<String>>,
    ) -> Result<Arc<Host>, ServiceError> {
        let _ = (caller, values);
        Err(ServiceError::NotFound { kind: "host_id", id: id.to_owned() })
    }

    /// Deregisters a host that serves nothing.
    pub async fn delete_host(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        let _ = caller;
        Err(ServiceError::NotFound { kind: "host_id", id: id.to_owned() })
    }

    /// What every host serves, hosts with nothing included.
    pub async fn allocations(
        &self,
        caller: &Caller,
        filter: &AllocationFilter,
    ) -> Result<Vec<HostAllocations>, ServiceError> {
        let _ = (caller, filter);
        Ok(Vec::new())
    }

    /// What one host serves.
    pub async fn allocation(
        &self,
        caller: &Caller,
        host_id: &str,
        filter: &AllocationFilter,
    ) -> Result<HostAllocations, ServiceError> {
        let _ = (caller, filter);
        Err(ServiceError::NotFound { kind: "host_id", id: host_id.to_owned() })
    }

    /// Properties in use by at least one host; private ones only for those who pass `admin` and ask for `all`.
    pub async fn properties(&self, caller: &Caller, all: bool) -> Result<Vec<PropertyListing>, ServiceError> {
        let _ = (caller, all);
        Ok(Vec::new())
    }

    /// Makes a property private or public.
    pub async fn set_property_private(
        &self,
        caller: &Caller,
        name: &str,
        private: bool,
    ) -> Result<Arc<Property>, ServiceError> {
        let _ = (caller, private);
        Err(ServiceError::NotFound { kind: "property_name", id: name.to_owned() })
    }
}
