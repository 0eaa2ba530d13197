//! Nova over HTTP.
//!
//! Invariant: a server is only said to be on a host, or of a flavor, if Nova itself says so for that server,
//! because Nova ignores filters that a caller may not use.

use std::collections::BTreeMap;

use async_trait::async_trait;
use http_client::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::OpenStack;
use super::session::{Call, Service, segment};
use crate::{Aggregate, CloudError, Compute, Hypervisor, HypervisorName, HypervisorState, Server};

/// An id that is a number in some API versions and text in others.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Number(i64),
    Text(String),
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        match id {
            Id::Number(number) => number.to_string(),
            Id::Text(text) => text,
        }
    }
}

#[derive(Deserialize)]
struct Hypervisors {
    hypervisors: Vec<WireHypervisor>,
}

#[derive(Deserialize)]
struct OneHypervisor {
    hypervisor: WireHypervisor,
}

#[derive(Deserialize)]
struct WireHypervisor {
    id: Id,
    hypervisor_hostname: String,
    service: Option<WireService>,
    vcpus: Option<i64>,
    memory_mb: Option<i64>,
    local_gb: Option<i64>,
    cpu_info: Option<Value>,
    hypervisor_type: Option<String>,
    hypervisor_version: Option<i64>,
}

#[derive(Deserialize)]
struct StatedHypervisors {
    hypervisors: Vec<StatedHypervisor>,
}

#[derive(Deserialize)]
struct StatedHypervisor {
    id: Id,
    state: Option<String>,
    status: Option<String>,
}

#[derive(Deserialize)]
struct WireService {
    host: String,
}

#[derive(Deserialize)]
struct Zones {
    #[serde(rename = "availabilityZoneInfo")]
    zones: Vec<Zone>,
}

#[derive(Deserialize)]
struct Zone {
    #[serde(rename = "zoneName")]
    name: String,
    hosts: Option<BTreeMap<String, BTreeMap<String, Value>>>,
}

#[derive(Deserialize)]
struct Aggregates {
    aggregates: Vec<WireAggregate>,
}

#[derive(Deserialize)]
struct OneAggregate {
    aggregate: WireAggregate,
}

#[derive(Deserialize)]
struct WireAggregate {
    id: i64,
    name: String,
    availability_zone: Option<String>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

impl From<WireAggregate> for Aggregate {
    fn from(mut wire: WireAggregate) -> Self {
        wire.metadata.remove("availability_zone");
        Self {
            id: wire.id,
            name: wire.name,
            availability_zone: wire.availability_zone,
            hosts: wire.hosts,
            metadata: wire.metadata,
        }
    }
}

#[derive(Deserialize)]
struct Servers {
    servers: Vec<WireServer>,
    #[serde(default, rename = "servers_links")]
    links: Vec<Link>,
}

#[derive(Deserialize)]
struct Link {
    rel: String,
}

#[derive(Deserialize)]
struct WireServer {
    id: String,
    name: String,
    tenant_id: String,
    status: String,
    #[serde(default, rename = "OS-EXT-SRV-ATTR:host")]
    host: HostAttribute,
    #[serde(default)]
    flavor: WireFlavor,
}

#[derive(Deserialize, Default)]
struct WireFlavor {
    #[serde(default)]
    id: String,
}

/// What Nova says about where a server is. An attribute that is absent is one it does not show.
#[derive(Deserialize, Default)]
#[serde(untagged)]
enum HostAttribute {
    On(String),
    Nowhere(()),
    #[default]
    #[serde(skip)]
    Hidden,
}

/// Text of a JSON object, or nothing: drivers also report plain words.
fn object_text(cpu_info: Option<Value>) -> String {
    match cpu_info {
        Some(Value::String(text)) => match serde_json::from_str(&text) {
            Ok(Value::Object(_)) => text,
            _ => String::new(),
        },
        Some(object @ Value::Object(_)) => object.to_string(),
        _ => String::new(),
    }
}

impl OpenStack {
    async fn aggregate_action(
        &self,
        aggregate: &Aggregate,
        operation: String,
        action: Value,
    ) -> Result<(), CloudError> {
        let path = format!("os-aggregates/{}/action", aggregate.id);
        self.session
            .send(&Call::new(Service::Nova, Method::POST, path, operation).json(action))
            .await
            .map(drop)
    }

    /// All pages of a list of servers of all projects, those on no host with an empty one.
    async fn list_servers(&self, first: Call) -> Result<Vec<Server>, CloudError> {
        let mut call = first.clone();
        let mut servers: Vec<Server> = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let page: Servers = self.session.send(&call).await?.read(&call)?;
            let last = page.servers.last().map(|server| server.id.clone());
            for server in page.servers {
                let host = match server.host {
                    HostAttribute::Hidden => {
                        let reason = "it does not tell the host of a server; the service's user needs the admin role";
                        return Err(call.nonsense(Some(200), reason));
                    }
                    HostAttribute::On(host) => host,
                    HostAttribute::Nowhere(()) => String::new(),
                };
                servers.push(Server {
                    id: server.id,
                    name: server.name,
                    project_id: server.tenant_id,
                    status: server.status,
                    host,
                    flavor_id: server.flavor.id,
                });
            }
            if page.links.iter().all(|link| link.rel != "next") {
                return Ok(servers);
            }
            if last.is_none() || last == marker {
                return Err(call.nonsense(Some(200), "its list of servers does not come to an end"));
            }
            call = first.clone().query("marker", last.clone().unwrap_or_default());
            marker = last;
        }
    }
}

#[async_trait]
impl Compute for OpenStack {
    async fn search_hypervisors(&self, pattern: &str) -> Result<Vec<HypervisorName>, CloudError> {
        let path = format!("os-hypervisors/{}/search", segment(pattern));
        let call = Call::new(
            Service::Nova,
            Method::GET,
            path,
            format!("search hypervisors by {pattern}"),
        );
        let found: Hypervisors = match self.session.send(&call).await {
            Ok(answer) => answer.read(&call)?,
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let names = found.hypervisors.into_iter();
        Ok(names
            .map(|wire| HypervisorName {
                id: wire.id.into(),
                hostname: wire.hypervisor_hostname,
            })
            .collect())
    }

    async fn hypervisor(&self, id: &str) -> Result<Hypervisor, CloudError> {
        let path = format!("os-hypervisors/{}", segment(id));
        let call = Call::new(Service::Nova, Method::GET, path, format!("show hypervisor {id}"));
        let OneHypervisor { hypervisor: wire } = self.session.send(&call).await?.read(&call)?;
        let service = wire
            .service
            .ok_or_else(|| call.nonsense(Some(200), "the hypervisor has no compute service"))?;
        Ok(Hypervisor {
            id: wire.id.into(),
            hostname: wire.hypervisor_hostname,
            service_host: service.host,
            vcpus: wire.vcpus,
            memory_mb: wire.memory_mb,
            local_gb: wire.local_gb,
            cpu_info: object_text(wire.cpu_info),
            kind: wire.hypervisor_type.unwrap_or_default(),
            version: wire.hypervisor_version.unwrap_or_default(),
        })
    }

    async fn hypervisor_states(&self) -> Result<Vec<HypervisorState>, CloudError> {
        let call = Call::new(
            Service::Nova,
            Method::GET,
            "os-hypervisors/detail",
            "list the states of hypervisors",
        );
        let StatedHypervisors { hypervisors } = self.session.send(&call).await?.read(&call)?;
        let states = hypervisors.into_iter().filter_map(|wire| {
            let is_up = match (wire.state.as_deref(), wire.status.as_deref()) {
                (Some("down"), _) | (_, Some("disabled")) => false,
                (Some("up"), Some("enabled")) => true,
                // Whatever else it says is no reason to do anything.
                _ => return None,
            };
            Some(HypervisorState {
                id: wire.id.into(),
                is_up,
            })
        });
        Ok(states.collect())
    }

    async fn availability_zone(&self, service_host: &str) -> Result<Option<String>, CloudError> {
        let operation = format!("find the availability zone of {service_host}");
        let call = Call::new(Service::Nova, Method::GET, "os-availability-zone/detail", operation);
        let zones: Zones = self.session.send(&call).await?.read(&call)?;
        let listing = zones.zones.into_iter().find(|zone| {
            let services = zone.hosts.as_ref().and_then(|hosts| hosts.get(service_host));
            services.is_some_and(|services| services.contains_key("nova-compute"))
        });
        Ok(listing.map(|zone| zone.name))
    }

    async fn aggregates(&self) -> Result<Vec<Aggregate>, CloudError> {
        let call = Call::new(Service::Nova, Method::GET, "os-aggregates", "list aggregates");
        let list: Aggregates = self.session.send(&call).await?.read(&call)?;
        Ok(list.aggregates.into_iter().map(Aggregate::from).collect())
    }

    async fn create_aggregate(&self, name: &str, availability_zone: Option<&str>) -> Result<Aggregate, CloudError> {
        let call = Call::new(
            Service::Nova,
            Method::POST,
            "os-aggregates",
            format!("create aggregate {name}"),
        )
        .json(json!({"aggregate": {"name": name, "availability_zone": availability_zone}}));
        let OneAggregate { aggregate } = self.session.send(&call).await?.read(&call)?;
        Ok(aggregate.into())
    }

    async fn set_availability_zone(&self, aggregate: &Aggregate, availability_zone: &str) -> Result<(), CloudError> {
        let operation = format!("set the availability zone of aggregate {}", aggregate.name);
        let call = Call::new(
            Service::Nova,
            Method::PUT,
            format!("os-aggregates/{}", aggregate.id),
            operation,
        )
        .json(json!({"aggregate": {"availability_zone": availability_zone}}));
        self.session.send(&call).await.map(drop)
    }

    async fn set_metadata(
        &self,
        aggregate: &Aggregate,
        metadata: &BTreeMap<String, Option<String>>,
    ) -> Result<(), CloudError> {
        let operation = format!("set metadata of aggregate {}", aggregate.name);
        self.aggregate_action(aggregate, operation, json!({"set_metadata": {"metadata": metadata}}))
            .await
    }

    async fn add_host(&self, aggregate: &Aggregate, service_host: &str) -> Result<(), CloudError> {
        let operation = format!("add host {service_host} to aggregate {}", aggregate.name);
        self.aggregate_action(aggregate, operation, json!({"add_host": {"host": service_host}}))
            .await
    }

    async fn remove_host(&self, aggregate: &Aggregate, service_host: &str) -> Result<(), CloudError> {
        let operation = format!("remove host {service_host} from aggregate {}", aggregate.name);
        self.aggregate_action(aggregate, operation, json!({"remove_host": {"host": service_host}}))
            .await
    }

    async fn delete_aggregate(&self, aggregate: &Aggregate) -> Result<(), CloudError> {
        let operation = format!("delete aggregate {}", aggregate.name);
        let call = Call::new(
            Service::Nova,
            Method::DELETE,
            format!("os-aggregates/{}", aggregate.id),
            operation,
        );
        self.session.send(&call).await.map(drop)
    }

    async fn servers_on(&self, service_host: &str) -> Result<Vec<Server>, CloudError> {
        let operation = format!("list servers on {service_host}");
        let first = Call::new(Service::Nova, Method::GET, "servers/detail", operation)
            .query("all_tenants", "1")
            .query("host", service_host);
        let mut servers = self.list_servers(first).await?;
        servers.retain(|server| server.host == service_host);
        Ok(servers)
    }

    async fn servers_of_flavor(&self, flavor_id: &str) -> Result<Vec<Server>, CloudError> {
        let operation = format!("list servers of flavor {flavor_id}");
        let first = Call::new(Service::Nova, Method::GET, "servers/detail", operation)
            .query("all_tenants", "1")
            .query("flavor", flavor_id);
        let mut servers = self.list_servers(first).await?;
        servers.retain(|server| server.flavor_id == flavor_id);
        Ok(servers)
    }

    async fn delete_server(&self, id: &str) -> Result<(), CloudError> {
        let path = format!("servers/{}", segment(id));
        let call = Call::new(Service::Nova, Method::DELETE, path, format!("delete server {id}"));
        self.session.send(&call).await.map(drop)
    }

    async fn create_image(
        &self,
        server_id: &str,
        name: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<(), CloudError> {
        let path = format!("servers/{}/action", segment(server_id));
        let call = Call::new(
            Service::Nova,
            Method::POST,
            path,
            format!("create image {name} of server {server_id}"),
        )
        .json(json!({"createImage": {"name": name, "metadata": properties}}));
        self.session.send(&call).await.map(drop)
    }
}
