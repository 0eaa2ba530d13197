//! What Berth needs from Placement.
//!
//! Invariant: a provider is only ever found by its exact name.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use crate::CloudError;

/// A resource provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its UUID.
    pub id: String,
    /// Its name, unique in the cloud.
    pub name: String,
    /// Counts its changes; writers of inventories have to name the one they saw.
    pub generation: i64,
    /// The UUID of its parent.
    pub parent: Option<String>,
}

/// One resource class of a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// Amount before over-commitment.
    pub total: i64,
    /// Amount kept for the host itself.
    pub reserved: i64,
    /// Over-commitment factor.
    pub allocation_ratio: f64,
    /// The most one consumer may take.
    pub max_unit: i64,
}

/// The placement service.
#[async_trait]
pub trait Placement: Send + Sync {
    /// A provider by name.
    async fn find_provider(&self, name: &str) -> Result<Option<Provider>, CloudError>;

    /// Creates a child of another provider. [`CloudError::Conflict`] if the name is taken.
    async fn create_provider(&self, name: &str, parent: &Provider) -> Result<Provider, CloudError>;

    /// Deletes a provider. [`CloudError::Conflict`] while something is allocated from it.
    async fn delete_provider(&self, provider: &Provider) -> Result<(), CloudError>;

    /// Inventories of a provider by resource class.
    async fn inventories(&self, provider: &Provider) -> Result<BTreeMap<String, Inventory>, CloudError>;

    /// Traits of a provider.
    async fn traits(&self, provider: &Provider) -> Result<BTreeSet<String>, CloudError>;

    /// Sets the amount of one resource class at a provider, which is given out one by one and never more than there
    /// is; other classes stay. Repeated a few times if others change the provider meanwhile.
    /// [`CloudError::Refused`] if there is no such class.
    async fn set_inventory(&self, provider: &Provider, class: &str, total: u32) -> Result<(), CloudError>;

    /// Removes one resource class from a provider. [`CloudError::NotFound`] if it has none,
    /// [`CloudError::Conflict`] while something is allocated from it.
    async fn delete_inventory(&self, provider: &Provider, class: &str) -> Result<(), CloudError>;

    /// Providers that can still give out one of the class; none if there is no such class.
    async fn providers_with(&self, class: &str) -> Result<Vec<Provider>, CloudError>;

    /// Sees to it that a resource class exists.
    async fn ensure_class(&self, class: &str) -> Result<(), CloudError>;

    /// Deletes a resource class. [`CloudError::NotFound`] if there is none, [`CloudError::Conflict`] while a provider
    /// has it.
    async fn delete_class(&self, class: &str) -> Result<(), CloudError>;
}
