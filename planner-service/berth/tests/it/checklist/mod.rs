//! The checklist of compatibility with Blazar's clients, line by line: each test's name begins with its line. What a
//! line says in short is in the test's comment; other tests look closer at most of them.

mod lifecycle;
mod requests;
mod resources;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request};
use cloud::Subnet;
use planner_core::domain::{EventStatus, EventType, Lease, LeaseStatus};
use planner_core::ports::Clock as _;
use planner_core::usage::UsageFilter;
use plugin_api::NoObserver;
use policy::{Defaults, Rules};
use serde_json::{Value, json};
use server::authorization::RulePolicy;
use server::identity::tokens::TokenFile;
use server::{ApiParts, ApiState};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::world::{Outside, World, settings};

const HOSTS: [&str; 3] = ["compute-1", "compute-2", "compute-3"];
const NETWORK: &str = "public";

/// Tokens; the project of the first is `operators`, of the last `geology`, of the others `physics`.
const ADMIN: &str = "admin";
const MEMBER: &str = "member";
const READER: &str = "reader";
const STRANGER: &str = "stranger";

/// The present: half past the minute 17:47 of 2030-03-17.
const NOW: i64 = crate::world::NOON + 30;

/// The service on a cloud in memory, spoken to as clients do.
struct Deployment {
    world: World,
    router: Router,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
    text: String,
}

impl Answer {
    fn message(&self) -> &str {
        self.body["error_message"]
            .as_str()
            .unwrap_or_else(|| panic!("no message: {}", self.text))
    }

    /// The single member of a body that is wrapped as upstream wraps it.
    #[track_caller]
    fn unwrapped(&self, status: u16, name: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        let members: Vec<&String> = self.body.as_object().expect("an object").keys().collect();
        assert_eq!(members, [name], "{}", self.text);
        self.body[name].clone()
    }
}

impl Deployment {
    async fn start() -> Self {
        Self::start_with(Outside::new(&HOSTS), Vec::new()).await
    }

    /// With the default lead of an hour before the end, three registered hosts and two floating IPs.
    async fn start_with(mut outside: Outside, filters: Vec<Arc<dyn UsageFilter>>) -> Self {
        let address = |text: &str| text.parse().unwrap();
        let subnet = Subnet {
            id: "subnet".to_owned(),
            cidr: (address("192.0.2.0"), 24),
            gateway: Some(address("192.0.2.1")),
            allocation_pools: vec![(address("192.0.2.100"), address("192.0.2.200"))],
        };
        outside.cloud.add_network(NETWORK, vec![subnet]);
        outside.clock.advance(NOW - outside.clock.now());
        outside.policy = Arc::new(RulePolicy::new(
            Rules::load(Defaults::Upstream, &BTreeMap::new(), true).unwrap(),
        ));
        let settings = planner_core::service::Settings {
            before_end_lead: 3600,
            ..settings()
        };
        let world = World::start_enforced(outside, settings, Arc::new(NoObserver), filters).await;
        let entry = |token: &str, project: &str, roles: &[&str]| json!({"token": token, "user_id": format!("{token}-user"), "project_id": project, "roles": roles});
        let tokens = json!({"tokens": [
            entry(ADMIN, "operators", &["admin", "member", "reader"]),
            entry(MEMBER, "physics", &["member", "reader"]),
            entry(READER, "physics", &["reader"]),
            entry(STRANGER, "geology", &["member", "reader"]),
        ]});
        let router = server::router(ApiState::new(ApiParts {
            service: world.service.clone(),
            authenticator: Arc::new(TokenFile::parse(&tokens.to_string()).unwrap()),
            trusts: None,
            public_url: Arc::from("http://cloud.example/reservation"),
            tasks: TaskTracker::new(),
        }));
        let deployment = Self { world, router };
        for (name, rack) in HOSTS.iter().zip(["r1", "r1", "r2"]) {
            let body = json!({"name": name, "rack": rack});
            assert_eq!(deployment.post("/v1/os-hosts", ADMIN, &body).await.status, 201);
        }
        for last in [7, 8] {
            let body = json!({"floating_network_id": NETWORK, "floating_ip_address": format!("192.0.2.{last}")});
            assert_eq!(deployment.post("/v1/floatingips", ADMIN, &body).await.status, 201);
        }
        deployment
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    async fn call(&self, method: Method, path: &str, token: &str, body: &Value) -> Answer {
        self.send(method, path, &[("X-Auth-Token", token)], body).await
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token, &Value::Null).await
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, token, body).await
    }

    async fn put(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.call(Method::PUT, path, token, body).await
    }

    async fn delete(&self, path: &str, token: &str) -> Answer {
        self.call(Method::DELETE, path, token, &Value::Null).await
    }

    /// A lease of the member's; answers it.
    async fn lease(&self, start: &str, end: &str, reservations: &Value) -> Value {
        let body = lease(start, end, reservations);
        self.post("/v1/leases", MEMBER, &body).await.unwrapped(201, "lease")
    }

    async fn shown(&self, lease: &Value) -> Value {
        self.get(&path(lease), MEMBER).await.unwrapped(200, "lease")
    }

    /// Lets time pass until the lease has a status, at most to `until`.
    async fn advance(&self, lease: &Value, until: i64, status: LeaseStatus) {
        self.world.advance_to_status(id(lease), until, status).await;
    }

    /// Lets time pass until a lease from now on runs and nothing of it is being carried out. The leases of these tests
    /// are shorter than the lead of the action before the end, which is therefore due at the start.
    async fn running(&self, lease: &Value) {
        let is_done = |lease: &Lease| {
            let mut events = lease.events.iter();
            let before_end = events.find(|event| event.event_type == EventType::BeforeEndLease);
            lease.status == LeaseStatus::Active && before_end.is_some_and(|event| event.status == EventStatus::Done)
        };
        let done = |lease: Option<&Lease>| lease.is_some_and(is_done);
        self.world.advance_until(id(lease), NOW + 60, done).await;
        self.world.until_unclaimed(id(lease)).await;
    }
}

fn id(object: &Value) -> &str {
    object["id"].as_str().expect("an id is text")
}

fn path(lease: &Value) -> String {
    format!("/v1/leases/{}", id(lease))
}

/// A request as python-blazarclient sends it.
fn lease(start: &str, end: &str, reservations: &Value) -> Value {
    json!({"name": "experiment", "start_date": start, "end_date": end, "reservations": reservations, "events": [],
           "before_end_date": null})
}

fn hosts(min: u32, max: u32) -> Value {
    json!({"resource_type": "physical:host", "min": min, "max": max, "hypervisor_properties": "",
           "resource_properties": ""})
}

fn instances(amount: u32, affinity: Value) -> Value {
    let mut reservation = json!({"resource_type": "virtual:instance", "vcpus": 4, "memory_mb": 1024, "disk_gb": 0,
                                 "amount": amount, "resource_properties": ""});
    reservation["affinity"] = affinity;
    reservation
}
