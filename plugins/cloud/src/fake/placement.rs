//! Resource providers, classes and inventories.
//!
//! Invariant: what servers hold is neither taken from a provider nor goes with it, and a class goes last.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::{Answer, FakeCloud, State};
use crate::{CloudError, Inventory, Placement, Provider};

#[async_trait]
impl Placement for FakeCloud {
    async fn find_provider(&self, name: &str) -> Result<Option<Provider>, CloudError> {
        self.call("placement", format!("find resource provider {name}"), |state| {
            Ok(state.providers.iter().find(|provider| provider.name == name).cloned())
        })
    }

    async fn create_provider(&self, name: &str, parent: &Provider) -> Result<Provider, CloudError> {
        self.call("placement", format!("create resource provider {name}"), |state| {
            if !state.providers.iter().any(|provider| provider.id == parent.id) {
                return Err(Answer(400, "Parent provider does not exist."));
            }
            if state.providers.iter().any(|provider| provider.name == name) {
                return Err(Answer(409, "Conflicting resource provider name already exists."));
            }
            let provider = Provider {
                id: format!("provider-{}", state.new_id()),
                name: name.to_owned(),
                generation: 0,
                parent: Some(parent.id.clone()),
            };
            state.providers.push(provider.clone());
            Ok(provider)
        })
    }

    async fn delete_provider(&self, provider: &Provider) -> Result<(), CloudError> {
        self.call(
            "placement",
            format!("delete resource provider {}", provider.name),
            |state| {
                if state
                    .providers
                    .iter()
                    .any(|other| other.parent.as_ref() == Some(&provider.id))
                {
                    return Err(Answer(409, "Unable to delete parent provider."));
                }
                let classes: Vec<_> = state.inventories.get(&provider.id).into_iter().flatten().collect();
                if classes.iter().any(|(class, _)| state.held(&provider.id, class) > 0) {
                    return Err(Answer(409, "Unable to delete resource provider: it has allocations."));
                }
                state.inventories.remove(&provider.id);
                let before = state.providers.len();
                state.providers.retain(|other| other.id != provider.id);
                if state.providers.len() == before {
                    Err(Answer(404, "No resource provider found."))
                } else {
                    Ok(())
                }
            },
        )
    }

    async fn inventories(&self, provider: &Provider) -> Result<BTreeMap<String, Inventory>, CloudError> {
        self.call("placement", format!("list inventories of {}", provider.name), |state| {
            if !state.providers.iter().any(|other| other.id == provider.id) {
                return Err(Answer(404, "No resource provider found."));
            }
            Ok(state.inventories.get(&provider.id).cloned().unwrap_or_default())
        })
    }

    async fn traits(&self, provider: &Provider) -> Result<BTreeSet<String>, CloudError> {
        self.call("placement", format!("list traits of {}", provider.name), |state| {
            if !state.providers.iter().any(|other| other.id == provider.id) {
                return Err(Answer(404, "No resource provider found."));
            }
            Ok(state.traits.get(&provider.id).cloned().unwrap_or_default())
        })
    }

    async fn set_inventory(&self, provider: &Provider, class: &str, total: u32) -> Result<(), CloudError> {
        let operation = format!("set the inventory of {class} at {} to {total}", provider.name);
        self.call("placement", operation, |state| {
            if !state.classes.contains(class) {
                return Err(Answer(400, "Unknown resource class in inventory."));
            }
            let found = state
                .providers
                .iter_mut()
                .find(|other| other.id == provider.id)
                .ok_or(Answer(404, "No resource provider found."))?;
            found.generation += 1;
            let inventory = Inventory {
                total: total.into(),
                reserved: 0,
                allocation_ratio: 1.0,
                max_unit: 1,
            };
            let classes = state.inventories.entry(provider.id.clone()).or_default();
            classes.insert(class.to_owned(), inventory);
            Ok(())
        })
    }

    async fn delete_inventory(&self, provider: &Provider, class: &str) -> Result<(), CloudError> {
        let operation = format!("delete the inventory of {class} at {}", provider.name);
        self.call("placement", operation, |state| {
            if state.held(&provider.id, class) > 0 {
                return Err(Answer(409, "Inventory is in use."));
            }
            let classes = state.inventories.get_mut(&provider.id);
            match classes.and_then(|classes| classes.remove(class)) {
                Some(_) => Ok(()),
                None => Err(Answer(404, "No inventory of the class found.")),
            }
        })
    }

    async fn providers_with(&self, class: &str) -> Result<Vec<Provider>, CloudError> {
        self.call("placement", format!("find resource providers with {class}"), |state| {
            let free = |state: &State, provider: &Provider| {
                let classes = state.inventories.get(&provider.id)?;
                let total = classes.get(class)?.total;
                (state.held(&provider.id, class) < total).then_some(())
            };
            let providers = state.providers.iter();
            Ok(providers
                .filter(|provider| free(state, provider).is_some())
                .cloned()
                .collect())
        })
    }

    async fn ensure_class(&self, class: &str) -> Result<(), CloudError> {
        self.call("placement", format!("create resource class {class}"), |state| {
            state.classes.insert(class.to_owned());
            Ok(())
        })
    }

    async fn delete_class(&self, class: &str) -> Result<(), CloudError> {
        self.call("placement", format!("delete resource class {class}"), |state| {
            if state.inventories.values().any(|classes| classes.contains_key(class)) {
                return Err(Answer(409, "Resource class is in use."));
            }
            if state.classes.remove(class) {
                Ok(())
            } else {
                Err(Answer(404, "No such resource class."))
            }
        })
    }
}
