//! What may be used: filters that are asked before a lease is booked or changed, and told when it ends.
//!
//! Invariant: filters are asked in the order of the configuration and the first denial is the answer. They are asked
//! outside of the writer, about what was decided on a snapshot. A filter that cannot be told of an end holds nothing up.

mod duration;

use std::sync::Arc;

use async_trait::async_trait;

pub use duration::MaxLeaseDuration;

use crate::book::Book;
use crate::domain::{Allocation, FloatingIp, Host, Lease, Reservation, ReservationSpec};
use crate::service::{LeaseChange, LeaseDraft};

/// Something a reservation has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A host, or a place on it.
    Host(Arc<Host>),
    /// A floating IP.
    FloatingIp(Arc<FloatingIp>),
    /// A unit of a resource type that the operator has named, by its id.
    Unit(String),
}

/// Resources by reservation, in the order of the lease's reservations; a host is named once for every place on it.
pub type HeldResources = Vec<Vec<Resource>>;

/// Who a lease belongs to, or would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner<'a> {
    /// Who made it.
    pub user_id: &'a str,
    /// The project it counts for.
    pub project_id: &'a str,
}

impl<'a> Owner<'a> {
    /// Who a lease of the book belongs to.
    pub fn of(lease: &'a Lease) -> Self {
        Self {
            user_id: &lease.user_id,
            project_id: &lease.project_id,
        }
    }
}

/// A lease that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Booking<'a> {
    /// Who asks for it.
    pub owner: Owner<'a>,
    /// What is asked for.
    pub lease: &'a LeaseDraft,
    /// What it would have if nothing else was booked first.
    pub resources: &'a [Vec<Resource>],
}

/// A change of a lease that is asked for; never a mere rename.
#[derive(Debug, Clone, Copy)]
pub struct Amendment<'a> {
    /// The lease as it is.
    pub current: &'a Lease,
    /// What it has.
    pub current_resources: &'a [Vec<Resource>],
    /// What is to be changed.
    pub change: &'a LeaseChange,
    /// The lease as it would be.
    pub next: &'a Lease,
    /// What it would have if nothing else was booked first.
    pub next_resources: &'a [Vec<Resource>],
}

/// A lease that ends.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// The lease.
    pub lease: &'a Lease,
    /// What it still has.
    pub resources: &'a [Vec<Resource>],
}

/// A filter does not allow it. The text is for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denial(pub String);

/// A filter could not be told of an end. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotTold(pub String);

/// Decides whether a lease may be had, apart from whether there are hosts for it.
#[async_trait]
pub trait UsageFilter: Send + Sync {
    /// The filter's name in the configuration.
    fn name(&self) -> &'static str;

    /// Asked before a lease is booked.
    ///
    /// # Errors
    /// When it may not be.
    async fn check_create(&self, booking: Booking<'_>) -> Result<(), Denial>;

    /// Asked before a lease is changed.
    ///
    /// # Errors
    /// When it may not be.
    async fn check_update(&self, amendment: Amendment<'_>) -> Result<(), Denial>;

    /// Told that a lease ends, or is deleted before it has ended: at least once, more often only after a crash.
    ///
    /// # Errors
    /// When the filter could not be told. The lease ends all the same.
    async fn on_end(&self, ending: Ending<'_>) -> Result<(), NotTold>;
}

/// The configured filters, in order. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct UsageFilters(Arc<[Arc<dyn UsageFilter>]>);

impl UsageFilters {
    pub(crate) fn new(filters: Vec<Arc<dyn UsageFilter>>) -> Self {
        Self(filters.into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) async fn check_create(&self, booking: Booking<'_>) -> Result<(), Denial> {
        for filter in self.0.iter() {
            filter
                .check_create(booking)
                .await
                .inspect_err(|denial| tracing::info!(filter = filter.name(), %denial, "a lease was denied"))?;
        }
        Ok(())
    }

    pub(crate) async fn check_update(&self, amendment: Amendment<'_>) -> Result<(), Denial> {
        for filter in self.0.iter() {
            filter.check_update(amendment).await.inspect_err(|denial| {
                tracing::info!(filter = filter.name(), lease = %amendment.current.id, %denial, "a change was denied");
            })?;
        }
        Ok(())
    }

    pub(crate) async fn on_end(&self, ending: Ending<'_>) {
        for filter in self.0.iter() {
            if let Err(error) = filter.on_end(ending).await {
                let (filter, lease) = (filter.name(), &ending.lease.id);
                tracing::error!(filter, %lease, %error, "a usage filter could not be told that a lease ends");
            }
        }
    }
}

/// What a lease of the book has.
pub(crate) fn held_resources(book: &Book, lease: &Lease) -> HeldResources {
    let held = |reservation: &Reservation, allocation: &Allocation| {
        let id = &allocation.host_id;
        match &reservation.spec {
            ReservationSpec::Host(_) | ReservationSpec::Instance(_) | ReservationSpec::Flavor(_) => {
                book.host(id).cloned().map(Resource::Host)
            }
            ReservationSpec::FloatingIp(_) => book.floating_ip(id).cloned().map(Resource::FloatingIp),
            ReservationSpec::Countable(_) => Some(Resource::Unit(id.clone())),
        }
    };
    let reservations = lease.reservations.iter();
    reservations
        .map(|reservation| {
            let allocations = reservation.allocations.iter();
            allocations
                .filter_map(|allocation| Some((held(reservation, allocation)?, allocation.places)))
                .flat_map(|(resource, places)| {
                    std::iter::repeat_n(resource, usize::try_from(places).unwrap_or(usize::MAX))
                })
                .collect()
        })
        .collect()
}
