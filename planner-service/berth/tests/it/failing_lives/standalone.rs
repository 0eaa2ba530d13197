//! A process without a cloud, over a store, a clock and receivers of starts and ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use cloud::fake::FakeCloud;
use flavor_plugin::OpenStackFlavors;
use planner_core::ports::{Identifiers, Store};
use planner_core::service::{Parts, Service, Settings};
use planner_core::testing::{AllowAll, ManualClock};
use plugin_api::{
    AssignedHost, HostFacts, HostInventory, HostRegistration, InventoryError, NoObserver, Plugins, Provision,
};
use solver_highs::Highs;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::hands::{Hands, Receiver};
use crate::world::caller;

/// An inventory that takes every host.
struct Anything;

#[async_trait]
impl HostInventory for Anything {
    async fn register(&self, registration: &HostRegistration) -> Result<HostFacts, InventoryError> {
        let cores = registration.values["cores"].parse().expect("a number");
        Ok(HostFacts {
            vcpus: cores,
            memory_mb: 1024 * cores,
            local_gb: 100,
            hypervisor_hostname: registration.reference.clone(),
            service_name: registration.reference.clone(),
            capabilities: registration.values.clone(),
            ..HostFacts::default()
        })
    }

    async fn deregister(&self, _host: &AssignedHost) -> Result<(), InventoryError> {
        Ok(())
    }

    async fn provision(&self, _host: &AssignedHost) -> Result<Provision, InventoryError> {
        Ok(Provision::default())
    }
}

/// Identifiers that differ from those of other processes by their first letters; equal lives have equal ones.
struct Numbered {
    process: String,
    given: AtomicU64,
}

impl Identifiers for Numbered {
    fn next(&self) -> String {
        // An odd factor, so that their order is not that in which they are given.
        let number = self
            .given
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        format!("{number:016x}-{}", self.process)
    }
}

pub(crate) async fn start(
    clock: &ManualClock,
    store: &Arc<dyn Store>,
    hands: &Arc<Hands>,
    settings: Settings,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> Service {
    let kinds = ["physical:host", "virtual:instance", "flavor:instance", "licence:cad"];
    let plugins = kinds.into_iter().fold(Plugins::default(), |plugins, kind| {
        plugins.with(Receiver::of(kind, hands))
    });
    let parts = Parts {
        store: Arc::clone(store),
        clock: Arc::new(clock.clone()),
        identifiers: Arc::new(Numbered {
            process: hands.processes.fetch_add(1, Ordering::Relaxed).to_string(),
            given: AtomicU64::new(1),
        }),
        policy: Arc::new(AllowAll),
        solver: Arc::new(Highs),
        plugins,
        inventory: Arc::new(Anything),
        monitor: None,
        news: None,
        filters: Vec::new(),
        floating_ips: Arc::new(floatingip_plugin::AnyAddress),
        flavors: Arc::new(OpenStackFlavors::new(Arc::new(FakeCloud::with_hosts("freepool", &[])))),
        settings,
        steps: Arc::new(NoObserver),
        notifications: Vec::new(),
    };
    Service::start(parts, tasks, shutdown)
        .await
        .expect("the service starts")
}

pub(crate) async fn register(service: &Service, name: &str, rack: &str, cores: u32) {
    let registration = HostRegistration {
        reference: name.to_owned(),
        values: BTreeMap::from([
            ("rack".to_owned(), rack.to_owned()),
            ("cores".to_owned(), cores.to_string()),
        ]),
    };
    let registered = service.register_host(&caller(), registration).await;
    registered.expect("the host registers");
}
