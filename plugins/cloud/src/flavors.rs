//! What Berth needs from Nova's flavors.
//!
//! Invariant: the id of a flavor is ours, so that a flavor is found again without a search.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::CloudError;

/// A flavor that only projects with access see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flavor {
    /// Its id, chosen by us.
    pub id: String,
    /// Its name, unique in the cloud.
    pub name: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mb: u32,
    /// Disk in GiB.
    pub disk_gb: u32,
    /// Second disk in GiB.
    pub ephemeral_gb: u32,
}

/// Flavors of the compute service.
#[async_trait]
pub trait Flavors: Send + Sync {
    /// The flavor with this id.
    async fn find_flavor(&self, id: &str) -> Result<Option<Flavor>, CloudError>;

    /// Everything Nova says of a flavor, but for its links.
    async fn flavor_members(&self, id: &str) -> Result<Option<Map<String, Value>>, CloudError>;

    /// Creates a flavor that is not public. [`CloudError::Conflict`] if its id or name is taken.
    async fn create_flavor(&self, flavor: &Flavor) -> Result<(), CloudError>;

    /// Deletes a flavor. Servers made of it stay. [`CloudError::NotFound`] if there is none.
    async fn delete_flavor(&self, id: &str) -> Result<(), CloudError>;

    /// Extra specs of a flavor.
    async fn extra_specs(&self, id: &str) -> Result<BTreeMap<String, String>, CloudError>;

    /// Sets the given extra specs; others stay.
    async fn set_extra_specs(&self, id: &str, specs: &BTreeMap<String, String>) -> Result<(), CloudError>;

    /// Projects that have access.
    async fn flavor_access(&self, id: &str) -> Result<BTreeSet<String>, CloudError>;

    /// Lets a project use a flavor. [`CloudError::Conflict`] if it may already.
    async fn add_flavor_access(&self, id: &str, project_id: &str) -> Result<(), CloudError>;

    /// Takes that back. [`CloudError::NotFound`] if it may not, or there is no such flavor.
    async fn remove_flavor_access(&self, id: &str, project_id: &str) -> Result<(), CloudError>;
}
