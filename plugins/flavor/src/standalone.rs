//! Flavors that an operator has written down, where there is no cloud that has any.

use std::collections::BTreeMap;

use async_trait::async_trait;
use plugin_api::{FlavorSource, InventoryError, SourceFlavor};

use crate::openstack::not_found;

/// Why a list of flavors cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableFlavors {
    /// It is not a JSON list of flavors as Nova describes them.
    #[error(
        r#"a list such as [{{"id": "small", "name": "small", "vcpus": 2, "ram": 4096, "disk": 20}}] is needed: {0}"#
    )]
    NotFlavors(#[source] serde_json::Error),
    /// Two flavors have the same id.
    #[error("flavor {0} is listed twice")]
    Twice(String),
}

/// Flavors that every project may use.
#[derive(Debug, Clone, Default)]
pub struct ListedFlavors(BTreeMap<String, SourceFlavor>);

impl ListedFlavors {
    /// Reads a JSON list of flavors as Nova describes them: `id`, `name`, `vcpus`, `ram` (MiB), `disk` (GiB),
    /// `extra_specs`.
    ///
    /// # Errors
    /// When it is none, or an id occurs twice.
    pub fn read(text: &str) -> Result<Self, UnreadableFlavors> {
        let listed: Vec<SourceFlavor> = serde_json::from_str(text).map_err(UnreadableFlavors::NotFlavors)?;
        let mut flavors = BTreeMap::new();
        for flavor in listed {
            let id = flavor.id.clone();
            if flavors.insert(id.clone(), flavor).is_some() {
                return Err(UnreadableFlavors::Twice(id));
            }
        }
        Ok(Self(flavors))
    }
}

#[async_trait]
impl FlavorSource for ListedFlavors {
    async fn flavor(&self, id: &str, _project_id: &str) -> Result<SourceFlavor, InventoryError> {
        self.0.get(id).cloned().ok_or_else(|| not_found(id))
    }
}
