//! Flavors of the outside world that reservations copy.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::InventoryError;

/// A flavor as it was when somebody reserved instances of it. As JSON it has Nova's members, its extra specs among
/// them: the text that clients find in a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFlavor {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in MiB.
    #[serde(rename = "ram")]
    pub memory_mb: u32,
    /// Disk in GiB.
    pub disk: u32,
    /// Second disk in GiB.
    #[serde(rename = "OS-FLV-EXT-DATA:ephemeral", default)]
    pub ephemeral: u32,
    /// What its instances need beyond that, and what Nova does with them.
    #[serde(default)]
    pub extra_specs: BTreeMap<String, String>,
    /// Every other member, which is shown and not used.
    #[serde(flatten)]
    pub others: BTreeMap<String, Value>,
}

/// Where flavors come from.
#[async_trait]
pub trait FlavorSource: Send + Sync {
    /// The flavor with this id, if the project may use it; [`InventoryError::NotFound`] if it may not or there is none.
    async fn flavor(&self, id: &str, project_id: &str) -> Result<SourceFlavor, InventoryError>;
}
