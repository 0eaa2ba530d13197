//! Reservations of instances over REST against an exhaustive search: nothing feasible is refused, no host carries more
//! than it has.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use planner_core::environment::RandomIdentifiers;
use planner_core::service::{Parts, Service};
use planner_core::testing::{AllowAll, ManualClock, MemoryStore, Obliging};
use plugin_api::{NoObserver, Plugins};
use serde_json::{Value, json};
use server::ApiState;
use server::identity::none::NoAuthentication;
use solver_highs::Highs;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::world::{NOON, settings};

/// Cases put to the service and to the search.
const CASES: u64 = 3_000;
/// Requests of a case.
const REQUESTS: usize = 6;
/// Days a case lasts.
const DAYS: usize = 3;
/// Virtual CPUs and GiB of memory of the hosts, in the order of their names.
const HOSTS: [(u32, u32); 3] = [(2, 4), (3, 3), (4, 2)];

/// A sequence of numbers, the same for the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) % u64::from(bound)).expect("it is below")
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
enum Asked {
    Hosts(u32),
    Instances {
        size: (u32, u32),
        amount: u32,
        affinity: Option<bool>,
    },
}

#[derive(Debug, Clone)]
struct Wanted {
    asked: Asked,
    /// First day, and first day after.
    days: (usize, usize),
}

impl Wanted {
    fn draw(dice: &mut Dice) -> Self {
        let first = dice.below(3) as usize;
        let last = first + 1 + dice.below(u32::try_from(DAYS - first).expect("it is small")) as usize;
        let asked = if dice.below(5) == 0 {
            Asked::Hosts(1 + dice.below(2))
        } else {
            Asked::Instances {
                size: (1 + dice.below(2), dice.below(3)),
                amount: 1 + dice.below(3),
                affinity: [None, None, Some(true), Some(false)][dice.below(4) as usize],
            }
        };
        Self {
            asked,
            days: (first, last.min(DAYS)),
        }
    }

    fn overlaps(&self, day: usize) -> bool {
        self.days.0 <= day && day < self.days.1
    }

    /// What one more of it takes of a host's virtual CPUs and memory.
    fn size(&self, host: usize) -> (u32, u32) {
        match self.asked {
            Asked::Hosts(_) => HOSTS[host],
            Asked::Instances { size, .. } => size,
        }
    }

    /// Whether so many on each host are what is asked for.
    fn is_served(&self, counts: [u32; 3]) -> bool {
        let sum: u32 = counts.iter().sum();
        match self.asked {
            Asked::Hosts(amount) => sum == amount && counts.iter().all(|&count| count <= 1),
            Asked::Instances { amount, affinity, .. } => {
                let rule = match affinity {
                    None => true,
                    Some(true) => counts.contains(&amount),
                    Some(false) => counts.iter().all(|&count| count <= 1),
                };
                sum == amount && rule
            }
        }
    }

    fn body(&self) -> Value {
        let date = |day: usize| format!("2035-01-{:02} 00:00", 1 + day);
        let reservation = match self.asked {
            Asked::Hosts(amount) => json!({
                "resource_type": "physical:host", "min": amount, "max": amount,
                "hypervisor_properties": "", "resource_properties": "",
            }),
            Asked::Instances { size, amount, affinity } => json!({
                "resource_type": "virtual:instance", "vcpus": size.0, "memory_mb": size.1 * 1024, "disk_gb": 0,
                "amount": amount, "affinity": affinity, "resource_properties": "",
            }),
        };
        json!({
            "name": "case", "start_date": date(self.days.0), "end_date": date(self.days.1),
            "reservations": [reservation],
        })
    }
}

/// Whether all of these fit, wherever they are put: a search that tries everything.
fn fit(wanted: &[Wanted], placed: &mut Vec<(usize, [u32; 3])>) -> bool {
    let number = placed.len();
    let Some(next) = wanted.get(number) else { return true };
    for code in 0..64_u32 {
        let counts = [code % 4, code / 4 % 4, code / 16];
        if !next.is_served(counts) {
            continue;
        }
        placed.push((number, counts));
        let possible = carries(wanted, placed) && fit(wanted, placed);
        placed.pop();
        if possible {
            return true;
        }
    }
    false
}

/// Whether no host carries too much on any day, or a whole-host reservation beside anything else.
fn carries(wanted: &[Wanted], placed: &[(usize, [u32; 3])]) -> bool {
    (0..DAYS).all(|day| {
        (0..HOSTS.len()).all(|host| {
            let here = placed
                .iter()
                .filter(|(number, counts)| counts[host] > 0 && wanted[*number].overlaps(day));
            let (mut cpus, mut memory, mut wholes, mut others) = (0, 0, 0, 0);
            for (number, counts) in here {
                let size = wanted[*number].size(host);
                cpus += size.0 * counts[host];
                memory += size.1 * counts[host];
                match wanted[*number].asked {
                    Asked::Hosts(_) => wholes += 1,
                    Asked::Instances { .. } => others += 1,
                }
            }
            cpus <= HOSTS[host].0 && memory <= HOSTS[host].1 && (wholes == 0 || wholes + others == 1)
        })
    })
}

async fn call(router: &Router, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::from(body.to_string())).expect("it is well formed");
    let answer = router.clone().oneshot(request).await.expect("a router cannot fail");
    let status = answer.status().as_u16();
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.expect("it is in memory");
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// How many of each reservation stand on each host, as the API tells it.
async fn places(router: &Router) -> BTreeMap<String, [u32; 3]> {
    let (_, body) = call(router, Method::GET, "/v1/os-hosts/allocations", &json!({})).await;
    let mut places: BTreeMap<String, [u32; 3]> = BTreeMap::new();
    for allocation in body["allocations"].as_array().expect("a list") {
        let host: usize = allocation["resource_id"]
            .as_str()
            .expect("text")
            .parse()
            .expect("a number");
        for reservation in allocation["reservations"].as_array().expect("a list") {
            let lease = reservation["lease_id"].as_str().expect("text").to_owned();
            places.entry(lease).or_default()[host - 1] += 1;
        }
    }
    places
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_feasible_is_refused_and_no_host_is_overbooked() {
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let hosts = Arc::new(host_plugin::StandaloneHosts::new(
        host_plugin::StandaloneHostsConfig::default(),
        reqwest::Client::new(),
        Arc::new(NoObserver),
    ));
    let parts = Parts {
        store: Arc::new(MemoryStore::default()),
        clock: Arc::new(ManualClock::at(NOON)),
        identifiers: Arc::new(RandomIdentifiers),
        policy: Arc::new(AllowAll),
        solver: Arc::new(Highs),
        plugins: Plugins::default()
            .with(hosts.clone())
            .with(Arc::new(Obliging("virtual:instance"))),
        inventory: hosts,
        monitor: None,
        filters: Vec::new(),
        floating_ips: Arc::new(floatingip_plugin::AnyAddress),
        settings: settings(),
        steps: Arc::new(NoObserver),
        notifications: None,
    };
    let service = Service::start(parts, &tasks, &shutdown)
        .await
        .expect("the service starts");
    let router = server::router(ApiState {
        service,
        authenticator: Arc::new(NoAuthentication::new("user", "project")),
        trusts: None,
        public_url: Arc::from("http://localhost"),
        tasks,
    });
    for (number, (vcpus, memory)) in HOSTS.iter().enumerate() {
        let host = json!({
            "name": format!("host-{number}"), "vcpus": vcpus.to_string(), "memory_mb": (memory * 1024).to_string(),
            "local_gb": "100",
        });
        let (status, body) = call(&router, Method::POST, "/v1/os-hosts", &host).await;
        assert_eq!(status, 201, "{body}");
    }
    let (mut accepted, mut refused) = (0, 0);
    for case in 0..CASES {
        let mut dice = Dice(case);
        let mut promised: Vec<(String, Wanted)> = Vec::new();
        for _ in 0..REQUESTS {
            let wanted = Wanted::draw(&mut dice);
            let mut all: Vec<Wanted> = promised.iter().map(|(_, wanted)| wanted.clone()).collect();
            all.push(wanted.clone());
            let feasible = fit(&all, &mut Vec::new());
            let (status, body) = call(&router, Method::POST, "/v1/leases", &wanted.body()).await;
            assert_eq!(
                status,
                if feasible { 201 } else { 409 },
                "case {case}: {wanted:?} beside {promised:?}: {body}"
            );
            if feasible {
                accepted += 1;
                let id = body["lease"]["id"].as_str().expect("text").to_owned();
                promised.push((id, wanted));
            } else {
                refused += 1;
            }
        }
        let places = places(&router).await;
        let all: Vec<Wanted> = promised.iter().map(|(_, wanted)| wanted.clone()).collect();
        let placed: Vec<(usize, [u32; 3])> = promised
            .iter()
            .enumerate()
            .map(|(number, (id, wanted))| {
                let counts = places.get(id).copied().unwrap_or_default();
                assert!(wanted.is_served(counts), "case {case}: {wanted:?} has {counts:?}");
                (number, counts)
            })
            .collect();
        assert!(carries(&all, &placed), "case {case}: {promised:?} stand on {placed:?}");
        for (id, _) in promised {
            let (status, body) = call(&router, Method::DELETE, &format!("/v1/leases/{id}"), &json!({})).await;
            assert_eq!(status, 204, "{body}");
        }
    }
    shutdown.cancel();
    assert!(
        accepted > CASES && refused > CASES,
        "{accepted} accepted, {refused} refused"
    );
}
