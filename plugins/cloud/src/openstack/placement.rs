//! Placement over HTTP, at microversion 1.29.
//!
//! Invariant: a provider whose name is not exactly the one asked for is never answered.

use std::collections::BTreeMap;

use async_trait::async_trait;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

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
                };
                (class, inventory)
            })
            .collect())
    }
}
