//! A service over a store and a fake cloud, with a clock the test moves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cloud::fake::FakeCloud;
use flavor_plugin::OpenStackFlavors;
use floatingip_plugin::OpenStackFloatingIps;
use host_plugin::{OpenStackHosts, OpenStackHostsConfig};
use instance_plugin::{Names, OpenStackInstances};
use planner_core::authority::{Caller, Policy};
use planner_core::domain::{HostReservation, Lease, LeaseStatus, ReservationSpec, ReservationStatus, Timestamp};
use planner_core::environment::RandomIdentifiers;
use planner_core::notification::Notifications;
use planner_core::ports::{Clock, Store};
use planner_core::service::{LeaseDraft, Parts, Service, Settings};
use planner_core::testing::{AllowAll, ManualClock, MemoryStore};
use planner_core::usage::UsageFilter;
use plugin_api::{HostMonitor, HostNews, HostRegistration, NoObserver, Plugins, StepObserver};
use solver_highs::Highs;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A whole minute.
pub(crate) const NOON: Timestamp = 1_900_000_020;

/// How long a test waits for something before it fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// What outlives a process: the store, the cloud, the time.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) cloud: FakeCloud,
    pub(crate) clock: ManualClock,
    pub(crate) notifications: Option<Notifications>,
    pub(crate) policy: Arc<dyn Policy>,
    /// Whether Nova is asked which hosts work.
    pub(crate) is_monitored: bool,
    pub(crate) news: Option<Arc<dyn HostNews>>,
}

impl Outside {
    pub(crate) fn new(hosts: &[&str]) -> Self {
        Self {
            store: Arc::new(MemoryStore::default()),
            cloud: FakeCloud::with_hosts("freepool", hosts),
            clock: ManualClock::at(NOON),
            notifications: None,
            policy: Arc::new(AllowAll),
            is_monitored: false,
            news: None,
        }
    }
}

/// A running service: one process.
pub(crate) struct World {
    pub(crate) outside: Outside,
    pub(crate) service: Service,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

pub(crate) fn caller() -> Caller {
    Caller {
        user_id: "alice".to_owned(),
        project_id: "physics".to_owned(),
        roles: vec!["member".to_owned()],
        is_admin: true,
        trust_id: None,
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        before_end_lead: 0,
        claim_seconds: 10,
        reconcile_interval: 1_000_000,
        ..Settings::default()
    }
}

impl World {
    pub(crate) async fn start(outside: Outside) -> Self {
        Self::start_with(outside, settings(), Arc::new(NoObserver)).await
    }

    pub(crate) async fn start_with(outside: Outside, settings: Settings, steps: Arc<dyn StepObserver>) -> Self {
        Self::start_enforced(outside, settings, steps, Vec::new()).await
    }

    pub(crate) async fn start_enforced(
        outside: Outside,
        settings: Settings,
        steps: Arc<dyn StepObserver>,
        filters: Vec<Arc<dyn UsageFilter>>,
    ) -> Self {
        let tasks = TaskTracker::new();
        let shutdown = CancellationToken::new();
        let cloud = Arc::new(outside.cloud.clone());
        let instances = OpenStackInstances::new(cloud.clone(), Names::default(), Arc::clone(&steps));
        let flavored = flavor_plugin::openstack(cloud.clone(), Names::default(), Arc::clone(&steps));
        let flavors = Arc::new(OpenStackFlavors::new(cloud.clone()));
        let addresses = Arc::new(OpenStackFloatingIps::new(cloud.clone(), Arc::clone(&steps)));
        let hosts = Arc::new(OpenStackHosts::new(
            cloud.clone(),
            cloud.clone(),
            cloud,
            OpenStackHostsConfig::default(),
            Arc::clone(&steps),
        ));
        let parts = Parts {
            store: Arc::clone(&outside.store),
            clock: Arc::new(outside.clock.clone()),
            identifiers: Arc::new(RandomIdentifiers),
            policy: Arc::clone(&outside.policy),
            solver: Arc::new(Highs),
            plugins: Plugins::default()
                .with(hosts.clone())
                .with(Arc::new(instances))
                .with(Arc::new(flavored))
                .with(addresses.clone()),
            news: outside.news.clone(),
            monitor: outside.is_monitored.then(|| hosts.clone() as Arc<dyn HostMonitor>),
            inventory: hosts,
            filters,
            floating_ips: addresses,
            flavors,
            settings,
            steps,
            notifications: outside.notifications.clone().into_iter().collect(),
        };
        let service = Service::start(parts, &tasks, &shutdown)
            .await
            .expect("the service starts");
        Self {
            outside,
            service,
            tasks,
            shutdown,
        }
    }

    /// Registers every host of the cloud.
    pub(crate) async fn register(&self, hosts: &[&str]) {
        for host in hosts {
            let registration = HostRegistration {
                reference: (*host).to_owned(),
                values: BTreeMap::from([("gpu".to_owned(), "True".to_owned())]),
            };
            self.service
                .register_host(&caller(), registration)
                .await
                .expect("the host registers");
        }
    }

    pub(crate) async fn book(&self, start: Timestamp, end: Timestamp, hosts: u32) -> Arc<Lease> {
        self.service
            .create_lease(&caller(), draft(start, end, hosts))
            .await
            .expect("the lease is booked")
    }

    pub(crate) async fn lease(&self, id: &str) -> Option<Arc<Lease>> {
        self.service.lease(&caller(), id).await.ok()
    }

    /// Moves the clock second by second until the lease satisfies `wanted`, at most to `until`.
    pub(crate) async fn advance_until(&self, id: &str, until: Timestamp, wanted: impl Fn(Option<&Lease>) -> bool) {
        let waiting = async {
            let mut poll = tokio::time::interval(Duration::from_millis(2));
            let mut quiet = 0;
            loop {
                let lease = self.lease(id).await;
                if wanted(lease.as_deref()) {
                    return;
                }
                poll.tick().await;
                quiet += 1;
                // Give work under way a chance to end before time passes.
                if quiet % 10 == 0 && self.outside.clock.now() < until {
                    self.outside.clock.advance(1);
                }
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let lease = self.lease(id).await;
            panic!(
                "at {} the lease is {lease:#?}; calls: {:#?}",
                self.outside.clock.now(),
                self.outside.cloud.calls()
            );
        }
    }

    pub(crate) async fn advance_to_status(&self, id: &str, until: Timestamp, status: LeaseStatus) {
        self.advance_until(id, until, |lease| lease.is_some_and(|lease| lease.status == status))
            .await;
    }

    /// Waits until nobody works on a lease: an audit leaves one alone that somebody has claimed.
    pub(crate) async fn until_unclaimed(&self, id: &str) {
        let (store, now) = (&self.outside.store, self.outside.clock.now());
        let waiting = async {
            loop {
                if let Some(fence) = store.claim(id, "test", now, now + 10).await.unwrap() {
                    return store.release(&fence).await.unwrap();
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("the claim is given back");
    }

    /// Audits everything that runs, once nobody works on this lease any more. "Recorded" does not mean that yet: a
    /// worker gives its claim back after it has recorded the event, and an audit that comes between leaves the lease out.
    pub(crate) async fn audit(&self, id: &str) {
        self.until_unclaimed(id).await;
        self.service.lifecycle().reconcile().await;
    }

    /// Ends the process in good order.
    pub(crate) async fn stop(self) -> Outside {
        self.shutdown.cancel();
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait())
            .await
            .expect("the tasks end");
        self.outside
    }

    /// Kills the process: nothing it has under way goes on.
    pub(crate) fn kill(self) -> Outside {
        self.shutdown.cancel();
        self.outside
    }
}

pub(crate) fn draft(start: Timestamp, end: Timestamp, hosts: u32) -> LeaseDraft {
    LeaseDraft {
        name: "experiment".to_owned(),
        start,
        end,
        before_end: None,
        reservations: vec![ReservationSpec::Host(HostReservation {
            min: hosts,
            max: hosts,
            hypervisor_properties: String::new(),
            resource_properties: "[\"==\", \"$gpu\", \"True\"]".to_owned(),
            before_end: "default".to_owned(),
        })],
    }
}

/// Cloud and book agree that the lease runs.
pub(crate) fn assert_running(outside: &Outside, lease: &Lease) {
    assert_eq!(lease.status, LeaseStatus::Active);
    for reservation in &lease.reservations {
        assert_eq!(reservation.status, ReservationStatus::Active);
        let aggregate = outside.cloud.aggregate(&reservation.id).expect("the aggregate exists");
        assert_eq!(
            aggregate.availability_zone.as_deref(),
            Some(format!("blazar_{}", reservation.id).as_str())
        );
        assert_eq!(aggregate.metadata.get("blazar:owner"), Some(&lease.project_id));
        assert_eq!(aggregate.hosts.len(), reservation.allocations.len());
        for host in &aggregate.hosts {
            assert_eq!(
                outside.cloud.aggregates_of(host),
                vec![reservation.id.clone()],
                "host {host} is nowhere else"
            );
        }
    }
}

/// Cloud and book agree that nothing of the reservations is left.
pub(crate) fn assert_given_back(outside: &Outside, reservations: &[String], hosts: &[&str]) {
    for reservation in reservations {
        assert!(outside.cloud.aggregate(reservation).is_none(), "the aggregate is gone");
    }
    for host in hosts {
        assert_eq!(
            outside.cloud.aggregates_of(host),
            vec!["freepool".to_owned()],
            "host {host} is back"
        );
    }
}
