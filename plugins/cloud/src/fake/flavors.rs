//! Flavors.
//!
//! Invariant: ids and names are unique; a flavor goes whether or not servers are made of it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{Answer, FakeCloud, FakeFlavor, State};
use crate::{CloudError, Flavor, Flavors};

impl State {
    fn flavor(&mut self, id: &str) -> Result<&mut FakeFlavor, Answer> {
        self.flavors
            .get_mut(id)
            .ok_or(Answer(404, "Flavor could not be found."))
    }
}

#[async_trait]
impl Flavors for FakeCloud {
    async fn find_flavor(&self, id: &str) -> Result<Option<Flavor>, CloudError> {
        self.call("nova", format!("show flavor {id}"), |state| {
            Ok(state.flavors.get(id).map(|found| found.flavor.clone()))
        })
    }

    async fn flavor_members(&self, id: &str) -> Result<Option<Map<String, Value>>, CloudError> {
        self.call("nova", format!("show flavor {id}"), |state| {
            Ok(state.flavors.get(id).map(|found| {
                let flavor = &found.flavor;
                let members = [
                    ("id", json!(flavor.id)),
                    ("name", json!(flavor.name)),
                    ("vcpus", json!(flavor.vcpus)),
                    ("ram", json!(flavor.memory_mb)),
                    ("disk", json!(flavor.disk_gb)),
                    ("OS-FLV-EXT-DATA:ephemeral", json!(flavor.ephemeral_gb)),
                    ("swap", json!("")),
                    ("OS-FLV-DISABLED:disabled", json!(false)),
                    ("os-flavor-access:is_public", json!(found.is_public)),
                    ("rxtx_factor", json!(1.0)),
                ];
                members
                    .map(|(name, value)| (name.to_owned(), value))
                    .into_iter()
                    .collect()
            }))
        })
    }

    async fn create_flavor(&self, flavor: &Flavor) -> Result<(), CloudError> {
        self.call("nova", format!("create flavor {}", flavor.id), |state| {
            let mut others = state.flavors.values();
            if others.any(|other| other.flavor.id == flavor.id || other.flavor.name == flavor.name) {
                return Err(Answer(409, "Flavor already exists."));
            }
            let made = FakeFlavor {
                flavor: flavor.clone(),
                ..FakeFlavor::default()
            };
            state.flavors.insert(flavor.id.clone(), made);
            Ok(())
        })
    }

    async fn delete_flavor(&self, id: &str) -> Result<(), CloudError> {
        self.call("nova", format!("delete flavor {id}"), |state| {
            state.flavor(id)?;
            state.flavors.remove(id);
            Ok(())
        })
    }

    async fn extra_specs(&self, id: &str) -> Result<BTreeMap<String, String>, CloudError> {
        self.call("nova", format!("list extra specs of flavor {id}"), |state| {
            Ok(state.flavor(id)?.extra_specs.clone())
        })
    }

    async fn set_extra_specs(&self, id: &str, specs: &BTreeMap<String, String>) -> Result<(), CloudError> {
        self.call("nova", format!("set extra specs of flavor {id}"), |state| {
            state.flavor(id)?.extra_specs.extend(specs.clone());
            Ok(())
        })
    }

    async fn flavor_access(&self, id: &str) -> Result<BTreeSet<String>, CloudError> {
        self.call("nova", format!("list projects with access to flavor {id}"), |state| {
            Ok(state.flavor(id)?.access.clone())
        })
    }

    async fn add_flavor_access(&self, id: &str, project_id: &str) -> Result<(), CloudError> {
        let operation = format!("give project {project_id} access to flavor {id}");
        self.call("nova", operation, |state| {
            if state.flavor(id)?.access.insert(project_id.to_owned()) {
                Ok(())
            } else {
                Err(Answer(409, "Flavor access already exists."))
            }
        })
    }

    async fn remove_flavor_access(&self, id: &str, project_id: &str) -> Result<(), CloudError> {
        let operation = format!("take access to flavor {id} from project {project_id}");
        self.call("nova", operation, |state| {
            if state.flavor(id)?.access.remove(project_id) {
                Ok(())
            } else {
                Err(Answer(404, "Flavor access not found."))
            }
        })
    }
}
