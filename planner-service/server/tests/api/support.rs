//! A service to call, and calls.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use planner_core::ports::{Clock as _, Identifiers};
use planner_core::service::{Parts, Service, Settings};
use planner_core::testing::{ManualClock, MemoryStore, Obliging};
use planner_core::usage::UsageFilter;
use plugin_api::{
    AssignedHost, FlavorSource, FloatingIpInventory, HostFacts, HostInventory, HostRegistration, InventoryError,
    NoObserver, Plugins, Provision, SourceFlavor,
};
use policy::{Defaults, Rules};
use serde_json::{Value, json};
use server::authorization::RulePolicy;
use server::identity::Authenticator;
use server::identity::tokens::TokenFile;
use server::trusts::Trusts;
use server::{ApiParts, ApiState};
use solver::deadline::Deadline;
use solver::program::{ModelSolver, Outcome, Program};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// 2050-01-01 10:00:30 UTC.
pub(crate) const NOW: i64 = 2_524_644_030;

/// Who calls. All tokens are valid but [`NOBODY`] and [`STRANGER`].
pub(crate) const ADMIN: &str = "admin-token";
pub(crate) const MEMBER: &str = "member-token";
pub(crate) const READER: &str = "reader-token";
pub(crate) const ROLELESS: &str = "roleless-token";
pub(crate) const OTHER: &str = "other-token";
pub(crate) const NOBODY: &str = "";
pub(crate) const STRANGER: &str = "no such token";

pub(crate) fn token_file() -> TokenFile {
    let entry = |token, user, project, roles: &[&str]| json!({"token": token, "user_id": user, "project_id": project, "roles": roles});
    let entries = json!({"tokens": [
        entry(ADMIN, "u-admin", "p-admin", &["admin", "member", "reader"]),
        entry(MEMBER, "u-member", "p-own", &["member", "reader"]),
        entry(READER, "u-reader", "p-own", &["reader"]),
        entry(ROLELESS, "u-roleless", "p-own", &[]),
        entry(OTHER, "u-other", "p-other", &["member", "reader"]),
    ]});
    TokenFile::parse(&entries.to_string()).expect("the token file is right")
}

/// Counts up.
#[derive(Default)]
struct Counter(AtomicU64);

impl Identifiers for Counter {
    fn next(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Knows every host whose name does not begin with `unknown`, panics at `panic`, and for `slow` waits
/// until it is told to go on; all values become capabilities.
struct Inventory(Arc<Slow>);

/// A registration that takes its time.
#[derive(Default)]
pub(crate) struct Slow {
    pub(crate) begun: Notify,
    pub(crate) go_on: Notify,
}

#[async_trait]
impl HostInventory for Inventory {
    async fn register(&self, registration: &HostRegistration) -> Result<HostFacts, InventoryError> {
        let name = registration.reference.clone();
        if name.starts_with("unknown") {
            return Err(InventoryError::NotFound(format!("Host '{name}' not found!")));
        }
        assert!(name != "panic", "the inventory was told to panic");
        if name == "slow" {
            self.0.begun.notify_one();
            self.0.go_on.notified().await;
        }
        Ok(HostFacts {
            id: String::new(),
            vcpus: 4,
            cpu_info: "{}".to_owned(),
            hypervisor_type: "QEMU".to_owned(),
            hypervisor_version: 2_010_001,
            service_name: name.clone(),
            hypervisor_hostname: name,
            memory_mb: 8192,
            local_gb: 100,
            availability_zone: "nova".to_owned(),
            capabilities: registration.values.clone(),
            provision: Provision::default(),
        })
    }

    async fn deregister(&self, _: &AssignedHost) -> Result<(), InventoryError> {
        Ok(())
    }

    async fn provision(&self, _: &AssignedHost) -> Result<Provision, InventoryError> {
        Ok(Provision::default())
    }
}

#[async_trait]
impl FlavorSource for Inventory {
    async fn flavor(&self, id: &str, _: &str) -> Result<SourceFlavor, InventoryError> {
        let specs: &[(&str, &str)] = match id {
            "medium" => &[],
            "gpu" => &[("trait:HW_GPU", "required")],
            "no gpu" => &[("trait:HW_GPU", "forbidden")],
            "odd trait" => &[("trait:HW_ODD", "perhaps")],
            "odd class" => &[("resources:CUSTOM_ODD", "some")],
            "nothing" => &[
                ("resources:VCPU", "0"),
                ("resources:MEMORY_MB", "0"),
                ("resources:DISK_GB", "0"),
            ],
            _ => return Err(InventoryError::NotFound(format!("Flavor {id} could not be found."))),
        };
        Ok(SourceFlavor {
            id: id.to_owned(),
            name: format!("m1.{id}"),
            vcpus: 2,
            memory_mb: 4_096,
            disk: 10,
            ephemeral: 0,
            extra_specs: specs
                .iter()
                .map(|&(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            others: BTreeMap::from([("swap".to_owned(), json!(""))]),
        })
    }
}

#[async_trait]
impl FloatingIpInventory for Inventory {
    /// Knows every network whose name does not begin with `unknown`.
    async fn locate(&self, network_id: &str, _: IpAddr) -> Result<String, InventoryError> {
        if network_id.starts_with("unknown") {
            return Err(InventoryError::Invalid(format!("Failed to find network {network_id}")));
        }
        Ok("subnet-1".to_owned())
    }
}

/// Decides nothing: these tests ask only what counting decides.
struct NoSolver;

impl ModelSolver for NoSolver {
    fn solve(&self, _: &Program, _: &Deadline) -> Outcome {
        Outcome::WorkLimit
    }
}

/// A running service.
pub(crate) struct Api {
    pub(crate) router: Router,
    pub(crate) clock: ManualClock,
    pub(crate) slow: Arc<Slow>,
    shutdown: CancellationToken,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// `error_message` of either shape.
    pub(crate) fn message(&self) -> String {
        self.json()["error_message"]
            .as_str()
            .unwrap_or_else(|| panic!("no message: {}", self.text))
            .to_owned()
    }
}

/// Upstream's rules, some of them replaced.
fn rules(overrides: &[(&str, &str)], enforce_new_defaults: bool) -> Rules {
    let overrides = overrides.iter();
    let overrides: BTreeMap<String, String> = overrides
        .map(|(rule, text)| ((*rule).to_owned(), (*text).to_owned()))
        .collect();
    Rules::load(Defaults::Upstream, &overrides, enforce_new_defaults).expect("the rules load")
}

impl Api {
    pub(crate) async fn start() -> Self {
        Self::start_with(Arc::new(token_file()), true).await
    }

    pub(crate) async fn start_with(authenticator: Arc<dyn Authenticator>, enforce_new_defaults: bool) -> Self {
        let rules = rules(&[], enforce_new_defaults);
        Self::assemble(authenticator, &rules, None, Vec::new(), Settings::default()).await
    }

    /// With these rules instead of the default ones.
    pub(crate) async fn start_with_rules(overrides: &[(&str, &str)]) -> Self {
        let (tokens, rules) = (Arc::new(token_file()), rules(overrides, true));
        Self::assemble(tokens, &rules, None, Vec::new(), Settings::default()).await
    }

    pub(crate) async fn start_with_trusts(trusts: Arc<dyn Trusts>) -> Self {
        let (tokens, rules) = (Arc::new(token_file()), rules(&[], true));
        Self::assemble(tokens, &rules, Some(trusts), Vec::new(), Settings::default()).await
    }

    pub(crate) async fn start_with_filters(filters: Vec<Arc<dyn UsageFilter>>) -> Self {
        let (tokens, rules) = (Arc::new(token_file()), rules(&[], true));
        Self::assemble(tokens, &rules, None, filters, Settings::default()).await
    }

    /// One whose hosts are cleaned for so many seconds after each lease.
    pub(crate) async fn start_with_cleaning(cleaning: i64) -> Self {
        let settings = Settings {
            cleaning,
            ..Settings::default()
        };
        let (tokens, rules) = (Arc::new(token_file()), rules(&[], true));
        Self::assemble(tokens, &rules, None, Vec::new(), settings).await
    }

    async fn assemble(
        authenticator: Arc<dyn Authenticator>,
        rules: &Rules,
        trusts: Option<Arc<dyn Trusts>>,
        filters: Vec<Arc<dyn UsageFilter>>,
        settings: Settings,
    ) -> Self {
        let clock = ManualClock::at(NOW);
        let slow = Arc::new(Slow::default());
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let parts = Parts {
            store: Arc::new(MemoryStore::default()),
            clock: Arc::new(clock.clone()),
            identifiers: Arc::new(Counter::default()),
            policy: Arc::new(RulePolicy::new(rules.clone())),
            solver: Arc::new(NoSolver),
            plugins: Plugins::default()
                .with(Arc::new(Obliging("physical:host")))
                .with(Arc::new(Obliging("virtual:instance")))
                .with(Arc::new(Obliging("flavor:instance")))
                .with(Arc::new(Obliging("licence:cad")))
                .with(Arc::new(Obliging("virtual:floatingip"))),
            inventory: Arc::new(Inventory(Arc::clone(&slow))),
            monitor: None,
            news: None,
            filters,
            floating_ips: Arc::new(Inventory(Arc::clone(&slow))),
            flavors: Arc::new(Inventory(Arc::clone(&slow))),
            settings: Settings {
                countables: BTreeMap::from([("licence:cad".to_owned(), ["a", "b", "c"].map(str::to_owned).to_vec())]),
                most_project_amount: 10_005,
                ..settings
            },
            steps: Arc::new(NoObserver),
            notifications: Vec::new(),
        };
        let service = Service::start(parts, &tasks, &shutdown)
            .await
            .expect("the service starts");
        assert_eq!(service.now(), clock.now());
        let state = ApiState::new(ApiParts {
            service,
            authenticator,
            trusts,
            public_url: Arc::from("https://cloud.example/reservation"),
            tasks,
        });
        Self {
            router: server::router(state),
            clock,
            slow,
            shutdown,
        }
    }

    /// One call with a JSON body ([`Value::Null`]: none).
    pub(crate) async fn call(&self, method: Method, path: &str, token: &str, body: Value) -> Answer {
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        self.send(method, path, token, &[], body).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::POST, path, token, body).await
    }

    pub(crate) async fn put(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, token, body).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("X-Auth-Token", token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).expect("the request is well formed");
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("the router cannot fail");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("the answer is in memory");
        let text = String::from_utf8(bytes.to_vec()).expect("answers are UTF-8");
        Answer {
            status: parts.status,
            headers: parts.headers,
            text,
        }
    }

    /// A host; answers its id.
    pub(crate) async fn host(&self, name: &str, capabilities: Value) -> String {
        let mut body = capabilities;
        body["name"] = json!(name);
        let answer = self.post("/v1/os-hosts", ADMIN, body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()["host"]["id"].as_str().expect("an id is text").to_owned()
    }

    /// Waits until a lease has a status.
    pub(crate) async fn until(&self, lease: &Value, status: &str) {
        let path = format!("/v1/leases/{}", lease["id"].as_str().expect("an id is text"));
        let waiting = async {
            while self.get(&path, ADMIN).await.json()["lease"]["status"] != status {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(std::time::Duration::from_mins(1), waiting).await;
        assert!(in_time.is_ok(), "the lease is {}", self.get(&path, ADMIN).await.text);
    }

    /// A lease of one host by the member; answers its body.
    pub(crate) async fn lease(&self, token: &str) -> Value {
        let answer = self
            .post("/v1/leases", token, lease_body(&json!([physical_host(1, 1)])))
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()["lease"].clone()
    }
}

pub(crate) fn lease_body(reservations: &Value) -> Value {
    json!({
        "name": "lease_foo",
        "start_date": "2050-12-26 12:00",
        "end_date": "2050-12-27 12:00",
        "before_end_date": null,
        "reservations": reservations,
        "events": [],
    })
}

pub(crate) fn physical_host(min: u32, max: u32) -> Value {
    json!({
        "resource_type": "physical:host",
        "min": min,
        "max": max,
        "hypervisor_properties": "",
        "resource_properties": "",
    })
}

/// Places for instances of 2 vCPUs and 4096 MiB on the hosts of [`Inventory`], which have 4 and 8192.
pub(crate) fn virtual_instance(amount: u32) -> Value {
    json!({
        "resource_type": "virtual:instance",
        "vcpus": 2,
        "memory_mb": 4096,
        "disk_gb": 0,
        "amount": amount,
        "affinity": "None",
        "resource_properties": "",
    })
}
