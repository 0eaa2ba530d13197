//! Placement over HTTP, at microversion 1.29.
//!
//! Invariant: a provider whose name is not exactly the one asked for is never answered.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use http_client::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::OpenStack;
use super::session::{Call, Service, segment};
use crate::{CloudError, Inventory, Placement, Provider};

#[derive(Deserialize)]
struct Providers {
    resource_providers: Vec<WireProvider>,
}

#[derive(Deserialize)]
struct WireProvider {
    uuid: String,
    name: String,
    generation: i64,
    parent_provider_uuid: Option<String>,
}

impl From<WireProvider> for Provider {
    fn from(wire: WireProvider) -> Self {
        Self {
            id: wire.uuid,
            name: wire.name,
            generation: wire.generation,
            parent: wire.parent_provider_uuid,
        }
    }
}

#[derive(Deserialize)]
struct Inventories {
    inventories: BTreeMap<String, WireInventory>,
}

#[derive(Deserialize)]
struct WireInventory {
    total: i64,
    #[serde(default)]
    reserved: i64,
    #[serde(default = "no_overcommitment")]
    allocation_ratio: f64,
    max_unit: Option<i64>,
}

#[derive(Deserialize)]
struct Traits {
    traits: BTreeSet<String>,
}

/// How often a change of a provider is tried before others are to blame.
const TRIES: usize = 5;

/// Inventories as they are, so that what we do not know of them is written back unchanged.
#[derive(Deserialize)]
struct RawInventories {
    resource_provider_generation: i64,
    inventories: Map<String, Value>,
}

fn no_overcommitment() -> f64 {
    1.0
}

#[async_trait]
impl Placement for OpenStack {
    async fn find_provider(&self, name: &str) -> Result<Option<Provider>, CloudError> {
        let operation = format!("find resource provider {name}");
        let call = Call::new(Service::Placement, Method::GET, "resource_providers", operation).query("name", name);
        let list: Providers = self.session.send(&call).await?.read(&call)?;
        Ok(list
            .resource_providers
            .into_iter()
            .find(|provider| provider.name == name)
            .map(Provider::from))
    }

    async fn create_provider(&self, name: &str, parent: &Provider) -> Result<Provider, CloudError> {
        let operation = format!("create resource provider {name}");
        let call = Call::new(Service::Placement, Method::POST, "resource_providers", operation)
            .json(json!({"name": name, "parent_provider_uuid": parent.id}));
        let created: WireProvider = self.session.send(&call).await?.read(&call)?;
        Ok(created.into())
    }

    async fn delete_provider(&self, provider: &Provider) -> Result<(), CloudError> {
        let path = format!("resource_providers/{}", segment(&provider.id));
        let operation = format!("delete resource provider {}", provider.name);
        self.session
            .send(&Call::new(Service::Placement, Method::DELETE, path, operation))
            .await
            .map(drop)
    }

    async fn inventories(&self, provider: &Provider) -> Result<BTreeMap<String, Inventory>, CloudError> {
        let path = format!("resource_providers/{}/inventories", segment(&provider.id));
        let operation = format!("list inventories of {}", provider.name);
        let call = Call::new(Service::Placement, Method::GET, path, operation);
        let answer: Inventories = self.session.send(&call).await?.read(&call)?;
        let classes = answer.inventories.into_iter();
        Ok(classes
            .map(|(class, wire)| {
                let inventory = Inventory {
                    total: wire.total,
                    reserved: wire.reserved,
                    allocation_ratio: wire.allocation_ratio,
                    max_unit: wire.max_unit.unwrap_or(wire.total),
                };
                (class, inventory)
            })
            .collect())
    }

    async fn traits(&self, provider: &Provider) -> Result<BTreeSet<String>, CloudError> {
        let path = format!("resource_providers/{}/traits", segment(&provider.id));
        let operation = format!("list traits of {}", provider.name);
        let call = Call::new(Service::Placement, Method::GET, path, operation);
        let answer: Traits = self.session.send(&call).await?.read(&call)?;
        Ok(answer.traits)
    }

    async fn set_inventory(&self, provider: &Provider, class: &str, total: u32) -> Result<(), CloudError> {
        let path = format!("resource_providers/{}/inventories", segment(&provider.id));
        let operation = format!("set the inventory of {class} at {} to {total}", provider.name);
        let call = |method| Call::new(Service::Placement, method, path.clone(), operation.clone());
        let wanted = json!({
            "total": total, "reserved": 0, "min_unit": 1, "max_unit": 1, "step_size": 1, "allocation_ratio": 1.0,
        });
        let mut tries = 0;
        loop {
            let get = call(Method::GET);
            let mut found: RawInventories = self.session.send(&get).await?.read(&get)?;
            if found.inventories.get(class) == Some(&wanted) {
                return Ok(());
            }
            found.inventories.insert(class.to_owned(), wanted.clone());
            let put = call(Method::PUT).json(json!({
                "resource_provider_generation": found.resource_provider_generation,
                "inventories": found.inventories,
            }));
            tries += 1;
            match self.session.send(&put).await {
                Err(error) if error.is_conflict() && tries < TRIES => {}
                other => return other.map(drop),
            }
        }
    }

    async fn delete_inventory(&self, provider: &Provider, class: &str) -> Result<(), CloudError> {
        let path = format!(
            "resource_providers/{}/inventories/{}",
            segment(&provider.id),
            segment(class)
        );
        let operation = format!("delete the inventory of {class} at {}", provider.name);
        self.session
            .send(&Call::new(Service::Placement, Method::DELETE, path, operation))
            .await
            .map(drop)
    }

    async fn providers_with(&self, class: &str) -> Result<Vec<Provider>, CloudError> {
        let operation = format!("find resource providers with {class}");
        let path = format!("resource_classes/{}", segment(class));
        let known = Call::new(Service::Placement, Method::GET, path, operation.clone());
        // Placement refuses a search for a class it does not know as a bad request.
        match self.session.send(&known).await {
            Ok(_) => {}
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        }
        let call = Call::new(Service::Placement, Method::GET, "resource_providers", operation)
            .query("resources", format!("{class}:1"));
        let list: Providers = self.session.send(&call).await?.read(&call)?;
        Ok(list.resource_providers.into_iter().map(Provider::from).collect())
    }

    async fn ensure_class(&self, class: &str) -> Result<(), CloudError> {
        let path = format!("resource_classes/{}", segment(class));
        let operation = format!("create resource class {class}");
        self.session
            .send(&Call::new(Service::Placement, Method::PUT, path, operation))
            .await
            .map(drop)
    }

    async fn delete_class(&self, class: &str) -> Result<(), CloudError> {
        let path = format!("resource_classes/{}", segment(class));
        let operation = format!("delete resource class {class}");
        self.session
            .send(&Call::new(Service::Placement, Method::DELETE, path, operation))
            .await
            .map(drop)
    }
}
