//! Many requests for one host at one hour: exactly one gets it, on every database, also through two
//! processes.

use std::collections::BTreeMap;

use std::sync::Arc;

use http_client::Method;
use planner_core::service::{LeaseDraft, ServiceError};
use serde_json::Value;
use store::SqlStore;
use store::testing::{Engine, TestDatabase, options};

use crate::program::{Program, host, lease, request};
use crate::world::{NOON, Outside, World, caller, draft};

const REQUESTS: usize = 200;

/// Sends the requests at once, spread over the programs; answers how many got which status, and a refusal.
async fn race(programs: &[&Program]) -> (BTreeMap<u16, usize>, Value) {
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..REQUESTS {
        let url = format!("{}/v1/leases", programs[number % programs.len()].url);
        requests.spawn(async move {
            let body = lease(&format!("race-{number}"), "2060-01-01 00:00", "2060-01-01 01:00", 1);
            let response = request(Method::POST, &url).json(&body).send().await.expect("an answer");
            let status = response.status().as_u16();
            (status, response.json::<Value>().await.expect("a JSON body"))
        });
    }
    let mut counts = BTreeMap::new();
    let mut refusal = Value::Null;
    for (status, body) in requests.join_all().await {
        *counts.entry(status).or_default() += 1;
        if status == 409 {
            refusal = body;
        }
    }
    (counts, refusal)
}

async fn exactly_one_wins(programs: &[&Program]) {
    let (status, body) = programs[0].post("/v1/os-hosts", &host("c1")).await;
    assert_eq!(status, 201, "{body}");
    let (counts, refusal) = race(programs).await;
    assert_eq!(counts, BTreeMap::from([(201, 1), (409, REQUESTS - 1)]), "{refusal}");
    let text = refusal["error_message"].as_str().unwrap_or_default();
    assert!(text.starts_with("Not enough hosts available"), "{text}");
    for program in programs {
        let (_, leases) = program.get("/v1/leases").await;
        assert_eq!(
            leases["leases"].as_array().map(Vec::len),
            Some(1),
            "every process sees the one lease"
        );
        let (_, allocations) = program.get("/v1/os-hosts/allocations").await;
        assert_eq!(
            allocations["allocations"][0]["reservations"].as_array().map(Vec::len),
            Some(1)
        );
    }
}

fn with_program(engine: Engine) {
    engine.test_empty(|database: TestDatabase| async move {
        let program = Program::start(&["--database", &database.address], &[]);
        exactly_one_wins(&[&program]).await;
    });
}

#[test]
fn one_of_200_parallel_requests_gets_the_host_on_sqlite() {
    with_program(Engine::Sqlite);
}

#[test]
fn one_of_200_parallel_requests_gets_the_host_on_postgresql() {
    with_program(Engine::Postgres);
}

#[test]
fn one_of_200_parallel_requests_gets_the_host_on_mariadb() {
    with_program(Engine::MariaDb);
}

/// Jobs committed together do not suffer for one whose values the database refuses.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_the_database_refuses_does_not_take_others_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("sqlite://{}", folder.path().join("book.db").display());
    let store = SqlStore::connect(&address, options()).await.unwrap();
    store.migrate().await.unwrap();
    let outside = Outside {
        store: Arc::new(store),
        ..Outside::new(&["c1"])
    };
    let world = World::start(outside).await;
    let caller = caller();
    let book = |name: &str| {
        let draft = LeaseDraft {
            name: name.to_owned(),
            reservations: Vec::new(),
            ..draft(NOON + 600, NOON + 1200, 1)
        };
        world.service.create_lease(&caller, draft)
    };
    let (first, refused, second, third) = tokio::join!(book("one"), book("\0"), book("two"), book("three"));
    assert!(matches!(refused, Err(ServiceError::Unavailable(_))), "{refused:?}");
    for booked in [first, second, third] {
        assert!(world.lease(&booked.unwrap().id).await.is_some());
    }
    world.stop().await;
}

fn with_two_programs(engine: Engine) {
    engine.test_empty(|database: TestDatabase| async move {
        let start = || Program::start(&["--database", &database.address], &[]);
        let (first, second) = (start(), start());
        exactly_one_wins(&[&first, &second]).await;
    });
}

#[test]
fn one_of_200_parallel_requests_gets_the_host_through_two_processes_on_postgresql() {
    with_two_programs(Engine::Postgres);
}

#[test]
fn one_of_200_parallel_requests_gets_the_host_through_two_processes_on_mariadb() {
    with_two_programs(Engine::MariaDb);
}
