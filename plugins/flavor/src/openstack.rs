//! Nova's flavors as sources.
//!
//! Invariant: what a project may not use does not exist for it.

use std::sync::Arc;

use async_trait::async_trait;
use cloud::{CloudError, Flavors};
use plugin_api::{FlavorSource, InventoryError, SourceFlavor};
use serde_json::Value;

/// Flavors of one cloud.
pub struct OpenStackFlavors {
    flavors: Arc<dyn Flavors>,
}

impl OpenStackFlavors {
    /// The flavors of this cloud.
    pub fn new(flavors: Arc<dyn Flavors>) -> Self {
        Self { flavors }
    }

    /// Whether a project may use a flavor. A public one has no list of those who may.
    async fn may_use(&self, id: &str, is_public: bool, project_id: &str) -> Result<bool, CloudError> {
        Ok(is_public || self.flavors.flavor_access(id).await?.contains(project_id))
    }
}

fn unavailable(error: &CloudError) -> InventoryError {
    InventoryError::Unavailable(error.to_string())
}

/// Nova's text.
pub(crate) fn not_found(id: &str) -> InventoryError {
    InventoryError::NotFound(format!("Flavor {id} could not be found."))
}

#[async_trait]
impl FlavorSource for OpenStackFlavors {
    async fn flavor(&self, id: &str, project_id: &str) -> Result<SourceFlavor, InventoryError> {
        let failed = |error: CloudError| {
            if error.is_not_found() {
                not_found(id)
            } else {
                unavailable(&error)
            }
        };
        let members = self.flavors.flavor_members(id).await.map_err(failed)?;
        let mut members = members.ok_or_else(|| not_found(id))?;
        let is_public = members
            .get("os-flavor-access:is_public")
            .and_then(Value::as_bool)
            .unwrap_or(true);
        if !self.may_use(id, is_public, project_id).await.map_err(failed)? {
            return Err(not_found(id));
        }
        let specs = self.flavors.extra_specs(id).await.map_err(failed)?;
        let specs = specs.into_iter().map(|(key, value)| (key, Value::from(value)));
        members.insert("extra_specs".to_owned(), Value::Object(specs.collect()));
        serde_json::from_value(Value::Object(members))
            .map_err(|error| InventoryError::Unavailable(format!("nova described flavor {id} in vain: {error}")))
    }
}
