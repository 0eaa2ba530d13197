//! Listings across hosts: what they serve, and the properties they have.

use std::sync::Arc;

use super::{Service, ServiceError};
use crate::admission::listing::MayRead;
use crate::admission::{hosts, listing};
use crate::authority::{Caller, Target, rules};
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
    /// Which one; `None` where the caller may see that a host is taken, but not by whom.
    pub reservation: Option<ReservationOfLease>,
    /// Start of the lease.
    pub start: Timestamp,
    /// End of the lease.
    pub end: Timestamp,
    /// End of the cleaning that follows, until when nobody else gets the host; without cleaning the end of the lease.
    pub occupied_until: Timestamp,
    /// Whether the planner may still choose another host.
    pub tentative: bool,
    /// How many instances have their place there; 1 of a host held whole.
    pub places: u32,
}

/// A reservation and its lease.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReservationOfLease {
    /// The reservation's id.
    pub reservation_id: String,
    /// The lease's id.
    pub lease_id: String,
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
    /// By which leases hosts are taken, as far as the caller may know.
    fn may_read_allocations(&self, caller: &Caller) -> Result<MayRead, ServiceError> {
        let Err(refused) = self.enforce_own(rules::HOSTS_ALLOCATIONS, caller) else {
            return Ok(Box::new(|_| true));
        };
        self.enforce_own(rules::TIMELINE_GET, caller).map_err(|_| refused)?;
        let (policy, caller) = (Arc::clone(&self.policy), caller.clone());
        Ok(Box::new(move |lease| {
            policy.allows(rules::LEASES_GET, &caller, Target::of(lease))
        }))
    }

    /// What every host serves, hosts with nothing included, by the hosts' ids. A caller with `berth:timeline:get` alone
    /// sees when hosts are taken, and the ids of those leases only that the caller may read.
    ///
    /// # Errors
    /// When the rules forbid it.
    pub async fn allocations(
        &self,
        caller: &Caller,
        filter: AllocationFilter,
    ) -> Result<Listing<HostAllocations>, ServiceError> {
        let may_read = self.may_read_allocations(caller)?;
        let (book, now, settings) = (self.book.fresh().await, self.clock.now(), Arc::clone(&self.settings));
        Ok(Box::new(move || {
            let allocations = listing::Allocations::find(&book, &filter, now, &settings, may_read);
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
        let may_read = self.may_read_allocations(caller)?;
        let (book, now, settings) = (self.book.fresh().await, self.clock.now(), Arc::clone(&self.settings));
        let host = hosts::found(&book, host_id)?;
        let finding = tokio::task::spawn_blocking(move || {
            listing::Allocations::find(&book, &filter, now, &settings, may_read).of(&host.id)
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
