//! Listings across hosts: what they serve, and the properties they have.

use std::sync::Arc;

use super::{Service, ServiceError};
use crate::admission::{hosts, listing};
use crate::authority::{Caller, rules};
use crate::domain::{Property, Timestamp};

/// A list of which only the right to it is checked so far. Its items are found and put in order when it is called, which
/// takes as long as the book is large and belongs where a thread may block.
pub type Listing<T> = Box<dyn FnOnce() -> Box<dyn Iterator<Item = T> + Send> + Send>;

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

impl Service {
    /// What every host serves, hosts with nothing included, by the hosts' ids.
    ///
    /// # Errors
    /// When the rule forbids it.
    pub async fn allocations(
        &self,
        caller: &Caller,
        filter: AllocationFilter,
    ) -> Result<Listing<HostAllocations>, ServiceError> {
        self.enforce_own(rules::HOSTS_ALLOCATIONS, caller)?;
        let (book, now, settings) = (self.book.fresh().await, self.clock.now(), Arc::clone(&self.settings));
        Ok(Box::new(move || {
            let allocations = listing::Allocations::find(&book, &filter, now, &settings);
            let hosts = listing::in_order(book.hosts());
            Box::new(hosts.into_iter().map(move |host| allocations.of(&host.id)))
        }))
    }

    /// What one host serves.
    ///
    /// # Errors
    /// When it does not exist or the rule forbids it.
    pub async fn allocation(
        &self,
        caller: &Caller,
        host_id: &str,
        filter: AllocationFilter,
    ) -> Result<HostAllocations, ServiceError> {
        self.enforce_own(rules::HOSTS_ALLOCATIONS, caller)?;
        let (book, now, settings) = (self.book.fresh().await, self.clock.now(), Arc::clone(&self.settings));
        let host = hosts::found(&book, host_id)?;
        let finding = tokio::task::spawn_blocking(move || {
            listing::Allocations::find(&book, &filter, now, &settings).of(&host.id)
        });
        finding.await.map_err(|error| {
            tracing::error!(%error, "the allocations of a host were not found");
            ServiceError::Unavailable("the allocations could not be listed".to_owned())
        })
    }

    /// Properties in use by at least one host; private ones only for those who pass `admin` and ask for `all`.
    ///
    /// # Errors
    /// When the rule forbids it.
    pub async fn properties(&self, caller: &Caller, all: bool) -> Result<Listing<PropertyListing>, ServiceError> {
        self.enforce_own(rules::PROPERTIES_GET, caller)?;
        let private_too = all && self.enforce_own(rules::ADMIN, caller).is_ok();
        let book = self.book.fresh().await;
        Ok(Box::new(move || {
            Box::new(listing::properties(&book, private_too).into_iter())
        }))
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
        self.submit(caller, move |draft| hosts::set_private(draft, &name, private))
            .await
    }
}
