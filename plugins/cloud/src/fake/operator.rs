//! What happens in the cloud behind Berth's back, and what can be seen of it.
//!
//! Invariant: none of this counts as a call.

use std::collections::BTreeMap;

use super::{FakeCloud, FakeFlavor, FakeServer, State};
use crate::{Aggregate, Hypervisor, Image, Inventory, Policy, Provider, Server, ServerGroup, TokenInfo};

/// The flavor of servers nobody has reserved anything for.
const ORDINARY: &str = "ordinary";

impl FakeCloud {
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
            max_unit: total,
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

    /// Stops a host's compute service, or starts it again.
    pub fn set_down(&self, hostname: &str, down: bool) {
        let mut state = self.lock();
        if down {
            state.hosts_down.insert(hostname.to_owned());
        } else {
            state.hosts_down.remove(hostname);
        }
    }

    /// Whether details of hypervisors lack sizes, as with newer API versions.
    pub fn hide_sizes(&self, hidden: bool) {
        self.lock().sizes_hidden = hidden;
    }

    /// Puts a server of no flavor in particular on a host; answers its id.
    pub fn boot(&self, host: &str, project_id: &str, name: &str) -> String {
        self.boot_of(ORDINARY, host, project_id, name)
    }

    /// Puts a server of a flavor on a host, where it holds one of each reserved resource the flavor asks for;
    /// answers its id. Whether the project may is not asked.
    pub fn boot_of(&self, flavor_id: &str, host: &str, project_id: &str, name: &str) -> String {
        let mut state = self.lock();
        let id = format!("server-{}", state.new_id());
        let holds = state.holdings(flavor_id, host);
        state.servers.push(FakeServer {
            server: Server {
                id: id.clone(),
                name: name.to_owned(),
                project_id: project_id.to_owned(),
                status: "ACTIVE".to_owned(),
                host: host.to_owned(),
                flavor_id: flavor_id.to_owned(),
            },
            lists_until_gone: None,
            holds,
        });
        id
    }

    /// Removes every server, and what they hold, behind everyone's back.
    pub fn drop_servers(&self) {
        self.lock().servers.clear();
    }

    /// Hosts on which the project could boot a server of the flavor now.
    pub fn bootable(&self, flavor_id: &str, project_id: &str) -> Vec<String> {
        let state = self.lock();
        let may = state
            .flavors
            .get(flavor_id)
            .is_some_and(|flavor| flavor.access.contains(project_id));
        let hosts = state.hypervisors.iter().map(|hypervisor| hypervisor.hostname.clone());
        hosts
            .filter(|host| may && !state.holdings(flavor_id, host).is_empty())
            .collect()
    }

    /// How many lists still show a server after it was deleted. 0: none.
    pub fn servers_linger(&self, lists: u32) {
        self.lock().lists_until_gone = lists;
    }

    /// Makes a token valid.
    pub fn accept_token(&self, token: &str, info: TokenInfo) {
        self.lock().tokens.insert(token.to_owned(), info);
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

    /// How much of a class a provider has, by its name.
    pub fn inventory(&self, provider: &str, class: &str) -> Option<i64> {
        let state = self.lock();
        let provider = state.providers.iter().find(|other| other.name == provider)?;
        let inventories = state.inventories.get(&provider.id)?;
        inventories.get(class).map(|inventory| inventory.total)
    }

    /// Sets it behind everyone's back; `None` removes it. Nothing happens if there is no such provider.
    pub fn tamper_inventory(&self, provider: &str, class: &str, total: Option<i64>) {
        let mut state = self.lock();
        let Some(id) = state
            .providers
            .iter()
            .find(|other| other.name == provider)
            .map(|found| found.id.clone())
        else {
            return;
        };
        let inventories = state.inventories.entry(id).or_default();
        match total {
            Some(total) => inventories.insert(
                class.to_owned(),
                Inventory {
                    total,
                    reserved: 0,
                    allocation_ratio: 1.0,
                    max_unit: total,
                },
            ),
            None => inventories.remove(class),
        };
    }

    /// Gives a provider, found by its name, all of its inventories and traits.
    pub fn provide(&self, provider: &str, inventories: BTreeMap<String, Inventory>, traits: &[&str]) {
        let mut state = self.lock();
        let mut providers = state.providers.iter();
        let Some(id) = providers
            .find(|other| other.name == provider)
            .map(|found| found.id.clone())
        else {
            return;
        };
        state.inventories.insert(id.clone(), inventories);
        let traits = traits.iter().map(|&name| name.to_owned());
        state.traits.insert(id, traits.collect());
    }

    /// A flavor of the operator's, in place of one of the same id.
    pub fn offer_flavor(&self, flavor: FakeFlavor) {
        self.lock().flavors.insert(flavor.flavor.id.clone(), flavor);
    }

    /// Removes a flavor behind everyone's back.
    pub fn drop_flavor(&self, id: &str) {
        self.lock().flavors.remove(id);
    }

    /// Takes a flavor's access from everybody and gives it to these projects, behind everyone's back.
    pub fn tamper_access(&self, flavor_id: &str, projects: &[&str]) {
        if let Some(found) = self.lock().flavors.get_mut(flavor_id) {
            found.access = projects.iter().map(|&project| project.to_owned()).collect();
        }
    }

    /// Server groups that exist.
    pub fn server_groups(&self) -> Vec<ServerGroup> {
        self.lock().server_groups.clone()
    }

    /// Removes every server group behind everyone's back.
    pub fn drop_server_groups(&self) {
        self.lock().server_groups.clear();
    }

    /// Makes a server group in a project behind everyone's back; answers its id.
    pub fn add_server_group(&self, name: &str, project_id: &str, policy: Policy) -> String {
        let mut state = self.lock();
        let id = format!("group-{}", state.new_id());
        state.server_groups.push(ServerGroup {
            id: id.clone(),
            name: name.to_owned(),
            project_id: project_id.to_owned(),
            policies: vec![policy.as_str().to_owned()],
        });
        id
    }

    /// Removes a provider with its inventories behind everyone's back.
    pub fn drop_provider(&self, name: &str) {
        let mut state = self.lock();
        state.providers.retain(|provider| provider.name != name);
        let State {
            providers, inventories, ..
        } = &mut *state;
        inventories.retain(|id, _| providers.iter().any(|provider| provider.id == *id));
    }

    /// Adds a provider for a host's reservations, as its registration does.
    pub fn add_child_provider(&self, name: &str, parent: &str) {
        let mut state = self.lock();
        let id = format!("provider-{}", state.new_id());
        state.providers.push(Provider {
            id,
            name: name.to_owned(),
            generation: 0,
            parent: Some(format!("provider-of-{parent}")),
        });
    }
}

impl State {
    /// Providers below a host, with the classes a flavor takes one of from each; those used up left out.
    fn holdings(&self, flavor_id: &str, host: &str) -> Vec<(String, String)> {
        let Some(flavor) = self.flavors.get(flavor_id) else {
            return Vec::new();
        };
        let parent = format!("provider-of-{host}");
        let children = self
            .providers
            .iter()
            .filter(|child| child.parent.as_ref() == Some(&parent));
        let mut holdings = Vec::new();
        for child in children {
            for class in flavor
                .extra_specs
                .keys()
                .filter_map(|key| key.strip_prefix("resources:"))
            {
                let total = self.inventories.get(&child.id).and_then(|classes| classes.get(class));
                let total = total.map_or(0, |inventory| inventory.total);
                if self.held(&child.id, class) < total {
                    holdings.push((child.id.clone(), class.to_owned()));
                }
            }
        }
        holdings
    }

    /// How much servers hold of a class at a provider.
    pub(super) fn held(&self, provider_id: &str, class: &str) -> i64 {
        let all = self.servers.iter().flat_map(|entry| &entry.holds);
        let held = all.filter(|(provider, held)| provider == provider_id && held == class);
        i64::try_from(held.count()).unwrap_or(i64::MAX)
    }
}
