//! A cloud in memory that enforces what Nova and Placement enforce. For tests only.
//!
//! Invariant: whatever a caller does, the rules hold: a host is in one availability zone, does not
//! change it while servers run on it, an aggregate with hosts cannot be deleted, names are unique.
//! Every call is counted and can be made to fail before its effect, after it, or not at all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    Aggregate, CloudError, Compute, Hypervisor, HypervisorName, Identity, Image, Images, Inventory, Placement,
    Provider, Server, TokenInfo,
};

/// How a call is made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request does not arrive.
    BeforeEffect,
    /// The request is carried out, its answer is lost.
    AfterEffect,
}

/// Decides about a call: its number, counted from 1, and what it asks.
pub type FaultHook = Arc<dyn Fn(usize, &str) -> Option<Fault> + Send + Sync>;

#[derive(Debug, Clone)]
struct FakeServer {
    server: Server,
    /// How many more lists show it; `None` while nobody has deleted it.
    lists_until_gone: Option<u32>,
}

#[derive(Default)]
struct State {
    hypervisors: Vec<Hypervisor>,
    zones: BTreeMap<String, String>,
    aggregates: Vec<Aggregate>,
    servers: Vec<FakeServer>,
    images: Vec<(Image, BTreeMap<String, String>)>,
    providers: Vec<Provider>,
    inventories: BTreeMap<String, BTreeMap<String, Inventory>>,
    tokens: BTreeMap<String, TokenInfo>,
    trusts: Vec<TokenInfo>,
    next_id: i64,
    lists_until_gone: u32,
    sizes_hidden: bool,
    calls: Vec<String>,
    hook: Option<FaultHook>,
    down: Option<String>,
}

impl State {
    fn new_id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id
    }

    fn zone_by_aggregates(&self, host: &str) -> Option<&str> {
        self.aggregates
            .iter()
            .filter(|aggregate| aggregate.contains(host))
            .find_map(|aggregate| aggregate.availability_zone.as_deref())
    }

    fn has_servers(&self, host: &str) -> bool {
        self.servers.iter().any(|entry| entry.server.host == host)
    }

    fn aggregate(&mut self, id: i64) -> Result<&mut Aggregate, Answer> {
        self.aggregates
            .iter_mut()
            .find(|aggregate| aggregate.id == id)
            .ok_or(Answer(404, "Aggregate could not be found."))
    }
}

/// Status and text of a refusal.
struct Answer(u16, &'static str);

/// The fake cloud: Nova, Placement, Keystone and Glance in one.
#[derive(Clone, Default)]
pub struct FakeCloud {
    state: Arc<Mutex<State>>,
}

impl FakeCloud {
    /// An empty cloud.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A cloud with an empty freepool of that name and these hosts in it, each with 8 vCPUs, 16 GiB and 1000 GB,
    /// a provider in Placement, and availability zone `nova`.
    #[must_use]
    pub fn with_hosts(freepool: &str, hosts: &[&str]) -> Self {
        let cloud = Self::new();
        for host in hosts {
            cloud.add_hypervisor(host);
        }
        {
            let mut state = cloud.lock();
            let id = state.new_id();
            state.aggregates.push(Aggregate {
                id,
                name: freepool.to_owned(),
                hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
                ..Aggregate::default()
            });
        }
        cloud
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a host that is in no aggregate.
    pub fn add_hypervisor(&self, hostname: &str) {
        let mut state = self.lock();
        let id = state.new_id().to_string();
        state.hypervisors.push(Hypervisor {
            id,
            hostname: hostname.to_owned(),
            service_host: hostname.to_owned(),
            vcpus: Some(8),
            memory_mb: Some(16_384),
            local_gb: Some(1_000),
            cpu_info: r#"{"arch": "x86_64"}"#.to_owned(),
            kind: "fake".to_owned(),
            version: 1_000,
        });
        state.zones.insert(hostname.to_owned(), "nova".to_owned());
        let provider = Provider {
            id: format!("provider-of-{hostname}"),
            name: hostname.to_owned(),
            generation: 1,
            parent: None,
        };
        let inventory = |total| Inventory {
            total,
            reserved: 0,
            allocation_ratio: 1.0,
        };
        state.inventories.insert(
            provider.id.clone(),
            BTreeMap::from([
                ("VCPU".to_owned(), inventory(8)),
                ("MEMORY_MB".to_owned(), inventory(16_384)),
                ("DISK_GB".to_owned(), inventory(1_000)),
            ]),
        );
        state.providers.push(provider);
    }

    /// Takes a host out of the cloud, also out of every aggregate.
    pub fn remove_hypervisor(&self, hostname: &str) {
        let mut state = self.lock();
        state.hypervisors.retain(|hypervisor| hypervisor.hostname != hostname);
        for aggregate in &mut state.aggregates {
            aggregate.hosts.retain(|host| host != hostname);
        }
    }

    /// Whether details of hypervisors lack sizes, as with newer API versions.
    pub fn hide_sizes(&self, hidden: bool) {
        self.lock().sizes_hidden = hidden;
    }

    /// Puts a server on a host; answers its id.
    pub fn boot(&self, host: &str, project_id: &str, name: &str) -> String {
        let mut state = self.lock();
        let id = format!("server-{}", state.new_id());
        state.servers.push(FakeServer {
            server: Server {
                id: id.clone(),
                name: name.to_owned(),
                project_id: project_id.to_owned(),
                status: "ACTIVE".to_owned(),
                host: host.to_owned(),
            },
            lists_until_gone: None,
        });
        id
    }

    /// How many lists still show a server after it was deleted. 0: none.
    pub fn servers_linger(&self, lists: u32) {
        self.lock().lists_until_gone = lists;
    }

    /// Makes a token valid.
    pub fn accept_token(&self, token: &str, info: TokenInfo) {
        self.lock().tokens.insert(token.to_owned(), info);
    }

    /// Decides about every call from now on; counting begins anew.
    pub fn on_call(&self, hook: impl Fn(usize, &str) -> Option<Fault> + Send + Sync + 'static) {
        let mut state = self.lock();
        state.calls.clear();
        state.hook = Some(Arc::new(hook));
    }

    /// Makes call number `number` (from 1, counted from now) fail.
    pub fn fail_call(&self, number: usize, fault: Fault) {
        self.on_call(move |current, _| (current == number).then_some(fault));
    }

    /// Lets every call succeed again; counting begins anew.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.calls.clear();
        state.hook = None;
        state.down = None;
    }

    /// Makes every call fail with this reason.
    pub fn go_down(&self, reason: &str) {
        self.lock().down = Some(reason.to_owned());
    }

    /// What was asked since counting began.
    pub fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    /// An aggregate by name.
    pub fn aggregate(&self, name: &str) -> Option<Aggregate> {
        self.lock()
            .aggregates
            .iter()
            .find(|aggregate| aggregate.name == name)
            .cloned()
    }

    /// Names of the aggregates a host is in.
    pub fn aggregates_of(&self, host: &str) -> Vec<String> {
        let state = self.lock();
        state
            .aggregates
            .iter()
            .filter(|aggregate| aggregate.contains(host))
            .map(|aggregate| aggregate.name.clone())
            .collect()
    }

    /// Changes an aggregate behind everyone's back. Nothing happens if there is none of that name.
    pub fn tamper(&self, name: &str, change: impl FnOnce(&mut Aggregate)) {
        if let Some(aggregate) = self
            .lock()
            .aggregates
            .iter_mut()
            .find(|aggregate| aggregate.name == name)
        {
            change(aggregate);
        }
    }

    /// Removes an aggregate behind everyone's back.
    pub fn drop_aggregate(&self, name: &str) {
        self.lock().aggregates.retain(|aggregate| aggregate.name != name);
    }

    /// Servers that exist, those being deleted included.
    pub fn servers(&self) -> Vec<Server> {
        self.lock().servers.iter().map(|entry| entry.server.clone()).collect()
    }

    /// Images that exist.
    pub fn images(&self) -> Vec<Image> {
        self.lock().images.iter().map(|(image, _)| image.clone()).collect()
    }

    /// Names of the resource providers.
    pub fn provider_names(&self) -> Vec<String> {
        self.lock()
            .providers
            .iter()
            .map(|provider| provider.name.clone())
            .collect()
    }

    /// Callers that made a trust.
    pub fn trusts(&self) -> Vec<TokenInfo> {
        self.lock().trusts.clone()
    }

    fn call<T>(
        &self,
        service: &'static str,
        operation: impl Into<String>,
        act: impl FnOnce(&mut State) -> Result<T, Answer>,
    ) -> Result<T, CloudError> {
        let operation = operation.into();
        let mut state = self.lock();
        state.calls.push(operation.clone());
        if let Some(reason) = state.down.clone() {
            return Err(CloudError::unavailable(service, &operation, reason));
        }
        let number = state.calls.len();
        let fault = state.hook.clone().and_then(|hook| hook(number, &operation));
        if fault == Some(Fault::BeforeEffect) {
            return Err(CloudError::unavailable(
                service,
                &operation,
                "connection refused (injected)",
            ));
        }
        let result = act(&mut state);
        if fault == Some(Fault::AfterEffect) {
            return Err(CloudError::unavailable(
                service,
                &operation,
                "no answer in time (injected)",
            ));
        }
        result.map_err(|Answer(status, reason)| CloudError::of_status(service, &operation, status, reason.to_owned()))
    }
}

#[async_trait]
impl Compute for FakeCloud {
    async fn search_hypervisors(&self, pattern: &str) -> Result<Vec<HypervisorName>, CloudError> {
        self.call("nova", format!("search hypervisors by {pattern}"), |state| {
            Ok(state
                .hypervisors
                .iter()
                .filter(|hypervisor| hypervisor.hostname.contains(pattern))
                .map(|hypervisor| HypervisorName {
                    id: hypervisor.id.clone(),
                    hostname: hypervisor.hostname.clone(),
                })
                .collect())
        })
    }

    async fn hypervisor(&self, id: &str) -> Result<Hypervisor, CloudError> {
        self.call("nova", format!("show hypervisor {id}"), |state| {
            let mut found = state
                .hypervisors
                .iter()
                .find(|hypervisor| hypervisor.id == id)
                .cloned()
                .ok_or(Answer(404, "Hypervisor could not be found."))?;
            if state.sizes_hidden {
                (found.vcpus, found.memory_mb, found.local_gb) = (None, None, None);
                found.cpu_info.clear();
            }
            Ok(found)
        })
    }

    async fn availability_zone(&self, service_host: &str) -> Result<Option<String>, CloudError> {
        self.call(
            "nova",
            format!("find the availability zone of {service_host}"),
            |state| {
                Ok(state
                    .zone_by_aggregates(service_host)
                    .map(str::to_owned)
                    .or_else(|| state.zones.get(service_host).cloned()))
            },
        )
    }

    async fn aggregates(&self) -> Result<Vec<Aggregate>, CloudError> {
        self.call("nova", "list aggregates", |state| Ok(state.aggregates.clone()))
    }

    async fn create_aggregate(&self, name: &str, availability_zone: Option<&str>) -> Result<Aggregate, CloudError> {
        self.call("nova", format!("create aggregate {name}"), |state| {
            if state.aggregates.iter().any(|aggregate| aggregate.name == name) {
                return Err(Answer(409, "Aggregate already exists."));
            }
            let aggregate = Aggregate {
                id: state.new_id(),
                name: name.to_owned(),
                availability_zone: availability_zone.map(str::to_owned),
                ..Aggregate::default()
            };
            state.aggregates.push(aggregate.clone());
            Ok(aggregate)
        })
    }

    async fn set_availability_zone(&self, aggregate: &Aggregate, availability_zone: &str) -> Result<(), CloudError> {
        self.call(
            "nova",
            format!("set the availability zone of aggregate {}", aggregate.name),
            |state| {
                let hosts = state.aggregate(aggregate.id)?.hosts.clone();
                if hosts.iter().any(|host| state.has_servers(host)) {
                    return Err(Answer(409, "One or more hosts contain instances in this zone."));
                }
                let elsewhere = state.aggregates.iter().any(|other| {
                    other.id != aggregate.id
                        && other
                            .availability_zone
                            .as_deref()
                            .is_some_and(|zone| zone != availability_zone)
                        && hosts.iter().any(|host| other.contains(host))
                });
                if elsewhere {
                    return Err(Answer(409, "A host is in another availability zone."));
                }
                state.aggregate(aggregate.id)?.availability_zone = Some(availability_zone.to_owned());
                Ok(())
            },
        )
    }

    async fn set_metadata(
        &self,
        aggregate: &Aggregate,
        metadata: &BTreeMap<String, Option<String>>,
    ) -> Result<(), CloudError> {
        self.call(
            "nova",
            format!("set metadata of aggregate {}", aggregate.name),
            |state| {
                let aggregate = state.aggregate(aggregate.id)?;
                for (key, value) in metadata {
                    match value {
                        Some(value) => aggregate.metadata.insert(key.clone(), value.clone()),
                        None => aggregate.metadata.remove(key),
                    };
                }
                Ok(())
            },
        )
    }

    async fn add_host(&self, aggregate: &Aggregate, service_host: &str) -> Result<(), CloudError> {
        self.call(
            "nova",
            format!("add host {service_host} to aggregate {}", aggregate.name),
            |state| {
                if !state
                    .hypervisors
                    .iter()
                    .any(|hypervisor| hypervisor.service_host == service_host)
                {
                    return Err(Answer(404, "Compute host could not be found."));
                }
                let wanted = state.aggregate(aggregate.id)?.availability_zone.clone();
                if state.aggregate(aggregate.id)?.contains(service_host) {
                    return Err(Answer(409, "Aggregate already has the host."));
                }
                let current = state.zone_by_aggregates(service_host).map(str::to_owned);
                if let Some(wanted) = wanted {
                    if current.as_ref().is_some_and(|current| *current != wanted) {
                        return Err(Answer(409, "Host already in another availability zone."));
                    }
                    if current.is_none() && state.has_servers(service_host) {
                        return Err(Answer(
                            409,
                            "The host contains instances and would change its availability zone.",
                        ));
                    }
                }
                state.aggregate(aggregate.id)?.hosts.push(service_host.to_owned());
                Ok(())
            },
        )
    }

    async fn remove_host(&self, aggregate: &Aggregate, service_host: &str) -> Result<(), CloudError> {
        self.call(
            "nova",
            format!("remove host {service_host} from aggregate {}", aggregate.name),
            |state| {
                let zoned = state.aggregate(aggregate.id)?.availability_zone.is_some();
                if !state.aggregate(aggregate.id)?.contains(service_host) {
                    return Err(Answer(404, "Aggregate does not have the host."));
                }
                if zoned && state.has_servers(service_host) {
                    return Err(Answer(
                        409,
                        "The host contains instances and would change its availability zone.",
                    ));
                }
                state.aggregate(aggregate.id)?.hosts.retain(|host| host != service_host);
                Ok(())
            },
        )
    }

    async fn delete_aggregate(&self, aggregate: &Aggregate) -> Result<(), CloudError> {
        self.call("nova", format!("delete aggregate {}", aggregate.name), |state| {
            if !state.aggregate(aggregate.id)?.hosts.is_empty() {
                return Err(Answer(
                    400,
                    "Cannot remove host from aggregate: Host aggregate is not empty.",
                ));
            }
            state.aggregates.retain(|other| other.id != aggregate.id);
            Ok(())
        })
    }

    async fn servers_on(&self, service_host: &str) -> Result<Vec<Server>, CloudError> {
        self.call("nova", format!("list servers on {service_host}"), |state| {
            let shown = state
                .servers
                .iter()
                .filter(|entry| entry.server.host == service_host && entry.lists_until_gone != Some(0))
                .map(|entry| entry.server.clone())
                .collect();
            for entry in &mut state.servers {
                if entry.server.host == service_host
                    && let Some(lists) = &mut entry.lists_until_gone
                {
                    *lists = lists.saturating_sub(1);
                }
            }
            state.servers.retain(|entry| entry.lists_until_gone != Some(0));
            Ok(shown)
        })
    }

    async fn delete_server(&self, id: &str) -> Result<(), CloudError> {
        self.call("nova", format!("delete server {id}"), |state| {
            let lists = state.lists_until_gone;
            let entry = state
                .servers
                .iter_mut()
                .find(|entry| entry.server.id == id)
                .ok_or(Answer(404, "Instance could not be found."))?;
            let left = *entry.lists_until_gone.get_or_insert(lists);
            if left == 0 {
                state.servers.retain(|entry| entry.server.id != id);
            }
            Ok(())
        })
    }

    async fn create_image(
        &self,
        server_id: &str,
        name: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<(), CloudError> {
        self.call("nova", format!("create image {name} of server {server_id}"), |state| {
            if !state.servers.iter().any(|entry| entry.server.id == server_id) {
                return Err(Answer(404, "Instance could not be found."));
            }
            let image = Image {
                id: format!("image-{}", state.new_id()),
                name: name.to_owned(),
                owner: Some("service".to_owned()),
            };
            state.images.push((image, properties.clone()));
            Ok(())
        })
    }
}

#[async_trait]
impl Images for FakeCloud {
    async fn find_images(&self, property: &'static str, value: &str) -> Result<Vec<Image>, CloudError> {
        self.call("glance", format!("find images with {property} {value}"), |state| {
            Ok(state
                .images
                .iter()
                .filter(|(_, properties)| properties.get(property).is_some_and(|found| found == value))
                .map(|(image, _)| image.clone())
                .collect())
        })
    }

    async fn set_owner(&self, image: &Image, project_id: &str) -> Result<(), CloudError> {
        self.call(
            "glance",
            format!("give image {} to project {project_id}", image.name),
            |state| {
                let found = state
                    .images
                    .iter_mut()
                    .find(|(candidate, _)| candidate.id == image.id)
                    .ok_or(Answer(404, "No image found."))?;
                found.0.owner = Some(project_id.to_owned());
                Ok(())
            },
        )
    }
}

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
}

#[async_trait]
impl Identity for FakeCloud {
    async fn validate(&self, token: &SecretString, _allow_expired: bool) -> Result<Option<TokenInfo>, CloudError> {
        self.call("keystone", "validate a token", |state| {
            Ok(state.tokens.get(token.expose_secret()).cloned())
        })
    }

    async fn create_trust(&self, token: &SecretString, caller: &TokenInfo) -> Result<String, CloudError> {
        self.call("keystone", "create a trust", |state| {
            if !state.tokens.contains_key(token.expose_secret()) {
                return Err(Answer(401, "The request you have made requires authentication."));
            }
            state.trusts.push(caller.clone());
            Ok(format!("trust-{}", state.trusts.len()))
        })
    }
}
