//! Listings across hosts: what they serve, and the properties they have.

use std::sync::Arc;

use super::{Service, ServiceError};
use crate::admission::{hosts, listing};
use crate::authority::{Caller, rules};
use crate::domain::{Property, Timestamp};

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
