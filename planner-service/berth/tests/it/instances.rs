//! Reservations of instances, of sizes of their own and of flavors, over REST against an exhaustive search: nothing feasible is refused, no host carries more
//! than it has.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use cloud::fake::{FakeCloud, FakeFlavor};
use cloud::{Flavor, Inventory};
use flavor_plugin::OpenStackFlavors;
use host_plugin::{OpenStackHosts, OpenStackHostsConfig};
use planner_core::environment::RandomIdentifiers;
use planner_core::service::{Parts, Service};
use planner_core::testing::{AllowAll, ManualClock, MemoryStore, Obliging};
use plugin_api::{NoObserver, Plugins};
use serde_json::{Value, json};
use server::identity::none::NoAuthentication;
use server::{ApiParts, ApiState};
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
/// What Placement counts: virtual CPUs, GiB of memory, GPUs.
const CLASSES: usize = 3;

/// A host of the cases. Nothing is over-committed for instances of a size of their own; for those of a flavor it is
/// Placement that counts.
struct Machine {
    vcpus: u32,
    memory_gb: u32,
    allocation_ratio: f64,
    reserved_gb: u32,
    /// What Placement lets all instances take together: virtual CPUs, GiB of memory, GPUs.
    capacity: [u32; CLASSES],
    /// The most virtual CPUs of one instance of a flavor.
    max_unit: u32,
    has_trait: bool,
}

/// In the order of their ids.
const HOSTS: [Machine; 3] = [
    Machine {
        vcpus: 2,
        memory_gb: 4,
        allocation_ratio: 2.0,
        reserved_gb: 1,
        capacity: [4, 3, 0],
        max_unit: 2,
        has_trait: false,
    },
    Machine {
        vcpus: 3,
        memory_gb: 3,
        allocation_ratio: 1.0,
        reserved_gb: 0,
        capacity: [3, 3, 1],
        max_unit: 3,
        has_trait: true,
    },
    Machine {
        vcpus: 4,
        memory_gb: 2,
        allocation_ratio: 0.75,
        reserved_gb: 0,
        capacity: [3, 2, 2],
        max_unit: 1,
        has_trait: false,
    },
];

/// A flavor of the cases: its virtual CPUs, GiB of memory and GPUs, and whether hosts must or must not have the trait.
struct Offered {
    takes: [u32; CLASSES],
    wants_trait: Option<bool>,
}

/// Flavors, by id.
const FLAVORS: [Offered; 5] = [
    Offered {
        takes: [1, 1, 0],
        wants_trait: None,
    },
    Offered {
        takes: [2, 0, 0],
        wants_trait: None,
    },
    Offered {
        takes: [1, 0, 1],
        wants_trait: None,
    },
    Offered {
        takes: [1, 1, 0],
        wants_trait: Some(true),
    },
    Offered {
        takes: [1, 2, 0],
        wants_trait: Some(false),
    },
];

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
    Flavor {
        number: usize,
        amount: u32,
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
        let asked = match dice.below(5) {
            0 => Asked::Hosts(1 + dice.below(2)),
            1 | 2 => Asked::Instances {
                size: (1 + dice.below(2), dice.below(3)),
                amount: 1 + dice.below(3),
                affinity: [None, None, Some(true), Some(false)][dice.below(4) as usize],
            },
            _ => Asked::Flavor {
                number: dice.below(5) as usize,
                amount: 1 + dice.below(3),
            },
        };
        Self {
            asked,
            days: (first, last.min(DAYS)),
        }
    }

    fn overlaps(&self, day: usize) -> bool {
        self.days.0 <= day && day < self.days.1
    }

    /// What one more instance takes of the classes; nothing of it for whole hosts.
    fn takes(&self) -> [u32; CLASSES] {
        match self.asked {
            Asked::Hosts(_) => [0; CLASSES],
            Asked::Instances { size, .. } => [size.0, size.1, 0],
            Asked::Flavor { number, .. } => FLAVORS[number].takes,
        }
    }

    /// Whether a host can serve it at all.
    fn suits(&self, host: &Machine) -> bool {
        match self.asked {
            Asked::Hosts(_) | Asked::Instances { .. } => true,
            Asked::Flavor { number, .. } => {
                let Offered { takes, wants_trait } = FLAVORS[number];
                takes[0] <= host.max_unit && wants_trait.is_none_or(|wanted| wanted == host.has_trait)
            }
        }
    }

    /// Whether so many on each host are what is asked for.
    fn is_served(&self, counts: [u32; 3]) -> bool {
        let sum: u32 = counts.iter().sum();
        let used = counts.iter().zip(&HOSTS).filter(|(count, _)| **count > 0);
        if used.into_iter().any(|(_, host)| !self.suits(host)) {
            return false;
        }
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
            Asked::Flavor { amount, .. } => sum == amount,
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
            Asked::Flavor { number, amount } => json!({
                "resource_type": "flavor:instance", "flavor_id": number.to_string(), "amount": amount,
                "affinity": null,
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
            let (mut own, mut classes) = ([0; 2], [0; CLASSES]);
            let (mut wholes, mut others) = (0, 0);
            for (number, counts) in here {
                let takes = wanted[*number].takes();
                for (sum, amount) in classes.iter_mut().zip(takes) {
                    *sum += amount * counts[host];
                }
                match wanted[*number].asked {
                    Asked::Hosts(_) => wholes += 1,
                    Asked::Instances { size, .. } => {
                        others += 1;
                        own[0] += size.0 * counts[host];
                        own[1] += size.1 * counts[host];
                    }
                    Asked::Flavor { .. } => others += 1,
                }
            }
            let machine = &HOSTS[host];
            let fits = classes.iter().zip(machine.capacity).all(|(sum, most)| *sum <= most);
            fits && own[0] <= machine.vcpus && own[1] <= machine.memory_gb && (wholes == 0 || wholes + others == 1)
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

fn name(host: usize) -> String {
    format!("host-{host}")
}

/// The hosts and flavors of the cases. Nova says no sizes, so that Placement's totals are the hypervisors'.
fn cloud() -> FakeCloud {
    let names: Vec<String> = (0..HOSTS.len()).map(name).collect();
    let cloud = FakeCloud::with_hosts("freepool", &names.iter().map(String::as_str).collect::<Vec<_>>());
    cloud.hide_sizes(true);
    for (host, name) in HOSTS.iter().zip(&names) {
        let inventory = |total: u32, reserved: u32, allocation_ratio, max_unit: u32| Inventory {
            total: total.into(),
            reserved: reserved.into(),
            allocation_ratio,
            max_unit: max_unit.into(),
        };
        let memory = inventory(
            host.memory_gb * 1024,
            host.reserved_gb * 1024,
            1.0,
            host.memory_gb * 1024,
        );
        let mut inventories = BTreeMap::from([
            (
                "VCPU".to_owned(),
                inventory(host.vcpus, 0, host.allocation_ratio, host.max_unit),
            ),
            ("MEMORY_MB".to_owned(), memory),
        ]);
        let gpus = host.capacity[2];
        if gpus > 0 {
            inventories.insert("CUSTOM_GPU".to_owned(), inventory(gpus, 0, 1.0, gpus));
        }
        let traits: &[&str] = if host.has_trait { &["CUSTOM_FAST"] } else { &[] };
        cloud.provide(name, inventories, traits);
    }
    for (number, offered) in FLAVORS.iter().enumerate() {
        let mut extra_specs = BTreeMap::new();
        if offered.takes[2] > 0 {
            extra_specs.insert("resources:CUSTOM_GPU".to_owned(), offered.takes[2].to_string());
        }
        if let Some(wanted) = offered.wants_trait {
            let word = if wanted { "required" } else { "forbidden" };
            extra_specs.insert("trait:CUSTOM_FAST".to_owned(), word.to_owned());
        }
        cloud.offer_flavor(FakeFlavor {
            flavor: Flavor {
                id: number.to_string(),
                name: number.to_string(),
                vcpus: offered.takes[0],
                memory_mb: offered.takes[1] * 1024,
                disk_gb: 0,
                ephemeral_gb: 0,
            },
            extra_specs,
            is_public: true,
            ..FakeFlavor::default()
        });
    }
    cloud
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_feasible_is_refused_and_no_host_is_overbooked() {
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let cloud = cloud();
    let (handle, steps) = (Arc::new(cloud.clone()), Arc::new(NoObserver));
    let hosts = Arc::new(OpenStackHosts::new(
        handle.clone(),
        handle.clone(),
        handle.clone(),
        OpenStackHostsConfig::default(),
        steps.clone(),
    ));
    let parts = Parts {
        store: Arc::new(MemoryStore::default()),
        clock: Arc::new(ManualClock::at(NOON)),
        identifiers: Arc::new(RandomIdentifiers),
        policy: Arc::new(AllowAll),
        solver: Arc::new(Highs),
        plugins: Plugins::default()
            .with(hosts.clone())
            .with(Arc::new(Obliging("virtual:instance")))
            .with(Arc::new(Obliging("flavor:instance"))),
        inventory: hosts,
        monitor: None,
        news: None,
        filters: Vec::new(),
        floating_ips: Arc::new(floatingip_plugin::AnyAddress),
        flavors: Arc::new(OpenStackFlavors::new(handle)),
        settings: settings(),
        steps,
        notifications: Vec::new(),
    };
    let service = Service::start(parts, &tasks, &shutdown)
        .await
        .expect("the service starts");
    let router = server::router(ApiState::new(ApiParts {
        service,
        authenticator: Arc::new(NoAuthentication::new("user", "project")),
        trusts: None,
        public_url: Arc::from("http://localhost"),
        tasks,
    }));
    for number in 0..HOSTS.len() {
        let host = json!({"name": name(number)});
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
