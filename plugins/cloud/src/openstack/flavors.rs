//! Nova's flavors over HTTP.
//!
//! Invariant: a flavor is made without swap and is never public.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use http_client::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::OpenStack;
use super::session::{Call, Service, segment};
use crate::{CloudError, Flavor, Flavors};

#[derive(Deserialize)]
struct OneFlavor {
    flavor: WireFlavor,
}

#[derive(Deserialize)]
struct WireFlavor {
    id: String,
    name: String,
    vcpus: u32,
    ram: u32,
    disk: u32,
    #[serde(default, rename = "OS-FLV-EXT-DATA:ephemeral")]
    ephemeral: u32,
}

#[derive(Deserialize)]
struct FlavorMembers {
    flavor: Map<String, Value>,
}

#[derive(Deserialize)]
struct ExtraSpecs {
    extra_specs: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct AccessList {
    flavor_access: Vec<Access>,
}

#[derive(Deserialize)]
struct Access {
    tenant_id: String,
}

fn call(method: Method, id: &str, under: &str, operation: String) -> Call {
    Call::new(
        Service::Nova,
        method,
        format!("flavors/{}{under}", segment(id)),
        operation,
    )
}

impl OpenStack {
    async fn flavor_action(&self, id: &str, operation: String, action: Value) -> Result<(), CloudError> {
        let call = call(Method::POST, id, "/action", operation).json(action);
        self.session.send(&call).await.map(drop)
    }
}

#[async_trait]
impl Flavors for OpenStack {
    async fn find_flavor(&self, id: &str) -> Result<Option<Flavor>, CloudError> {
        let call = call(Method::GET, id, "", format!("show flavor {id}"));
        let OneFlavor { flavor: wire } = match self.session.send(&call).await {
            Ok(answer) => answer.read(&call)?,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Flavor {
            id: wire.id,
            name: wire.name,
            vcpus: wire.vcpus,
            memory_mb: wire.ram,
            disk_gb: wire.disk,
            ephemeral_gb: wire.ephemeral,
        }))
    }

    async fn flavor_members(&self, id: &str) -> Result<Option<Map<String, Value>>, CloudError> {
        let call = call(Method::GET, id, "", format!("show flavor {id}"));
        let FlavorMembers { mut flavor } = match self.session.send(&call).await {
            Ok(answer) => answer.read(&call)?,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        flavor.remove("links");
        Ok(Some(flavor))
    }

    async fn create_flavor(&self, flavor: &Flavor) -> Result<(), CloudError> {
        let operation = format!("create flavor {}", flavor.id);
        let call = Call::new(Service::Nova, Method::POST, "flavors", operation).json(json!({"flavor": {
            "id": flavor.id,
            "name": flavor.name,
            "vcpus": flavor.vcpus,
            "ram": flavor.memory_mb,
            "disk": flavor.disk_gb,
            "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral_gb,
            "swap": 0,
            "rxtx_factor": 1.0,
            "os-flavor-access:is_public": false,
        }}));
        self.session.send(&call).await.map(drop)
    }

    async fn delete_flavor(&self, id: &str) -> Result<(), CloudError> {
        let call = call(Method::DELETE, id, "", format!("delete flavor {id}"));
        self.session.send(&call).await.map(drop)
    }

    async fn extra_specs(&self, id: &str) -> Result<BTreeMap<String, String>, CloudError> {
        let call = call(
            Method::GET,
            id,
            "/os-extra_specs",
            format!("list extra specs of flavor {id}"),
        );
        let found: ExtraSpecs = self.session.send(&call).await?.read(&call)?;
        Ok(found.extra_specs)
    }

    async fn set_extra_specs(&self, id: &str, specs: &BTreeMap<String, String>) -> Result<(), CloudError> {
        let operation = format!("set extra specs of flavor {id}");
        let call = call(Method::POST, id, "/os-extra_specs", operation).json(json!({"extra_specs": specs}));
        self.session.send(&call).await.map(drop)
    }

    async fn flavor_access(&self, id: &str) -> Result<BTreeSet<String>, CloudError> {
        let call = call(
            Method::GET,
            id,
            "/os-flavor-access",
            format!("list projects with access to flavor {id}"),
        );
        let list: AccessList = self.session.send(&call).await?.read(&call)?;
        Ok(list.flavor_access.into_iter().map(|access| access.tenant_id).collect())
    }

    async fn add_flavor_access(&self, id: &str, project_id: &str) -> Result<(), CloudError> {
        let operation = format!("give project {project_id} access to flavor {id}");
        self.flavor_action(id, operation, json!({"addTenantAccess": {"tenant": project_id}}))
            .await
    }

    async fn remove_flavor_access(&self, id: &str, project_id: &str) -> Result<(), CloudError> {
        let operation = format!("take access to flavor {id} from project {project_id}");
        self.flavor_action(id, operation, json!({"removeTenantAccess": {"tenant": project_id}}))
            .await
    }
}
