//! A cloud in memory that enforces what Nova and Placement enforce. For tests only.
//!
//! Invariant: whatever a caller does, the rules hold: a host is in one availability zone, does not
//! change it while servers run on it, an aggregate with hosts cannot be deleted, names are unique.
//! Every call is counted and can be made to fail before its effect, after it, or not at all.

mod compute;
mod flavors;
mod identity;
mod images;
mod network;
mod operator;
mod placement;
mod server_groups;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    Aggregate, CloudError, Flavor, Hypervisor, Image, Inventory, ProjectAddress, Provider, Server, ServerGroup, Subnet,
    TokenInfo,
};

pub use snapshot::Snapshot;

/// The project of the service's own credentials.
pub const SERVICE_PROJECT: &str = "service";

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
    /// What it holds of reservations: the ids of providers and classes.
    holds: Vec<(String, String)>,
}

/// A flavor and who may use it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FakeFlavor {
    /// Its id, name and size.
    pub flavor: Flavor,
    /// What else it asks for.
    pub extra_specs: BTreeMap<String, String>,
    /// Projects that may use it.
    pub access: BTreeSet<String>,
    /// Whether every project may.
    pub is_public: bool,
}

#[derive(Default)]
struct State {
    hypervisors: Vec<Hypervisor>,
    zones: BTreeMap<String, String>,
    aggregates: Vec<Aggregate>,
    servers: Vec<FakeServer>,
    flavors: BTreeMap<String, FakeFlavor>,
    server_groups: Vec<ServerGroup>,
    images: Vec<(Image, BTreeMap<String, String>)>,
    providers: Vec<Provider>,
    inventories: BTreeMap<String, BTreeMap<String, Inventory>>,
    traits: BTreeMap<String, BTreeSet<String>>,
    classes: BTreeSet<String>,
    networks: BTreeMap<String, Vec<Subnet>>,
    addresses: Vec<ProjectAddress>,
    tokens: BTreeMap<String, TokenInfo>,
    trusts: Vec<TokenInfo>,
    next_id: i64,
    lists_until_gone: u32,
    sizes_hidden: bool,
    /// Names of hosts whose compute service is down.
    hosts_down: BTreeSet<String>,
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

/// The fake cloud: Nova, Placement, Keystone, Glance and Neutron in one.
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
