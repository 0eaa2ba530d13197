//! Taking over from Blazar: the real command on a database as Blazar leaves it, and the life of what was taken over.

use std::process::{Command, Output};
use std::sync::Arc;

use cloud::Compute as _;
use http_client::Method;
use planner_core::domain::{Lease, LeaseStatus};
use planner_core::ports::{Commit, Contents, Store as _};
use planner_core::testing::MemoryStore;
use serde_json::{Value, json};
use store::testing::{Engine, TestDatabase};
use takeover::{merge, read, translate};

use crate::program::{Program, request};
use crate::world::{NOON, Outside, World, caller};

/// The hosts of the source.
const HOSTS: [&str; 4] = ["compute-1", "compute-2", "compute-3", "compute-4"];

const DOUBLE_BOOKING: &str = include_str!("../../../takeover/tests/blazar/double_booking.sql");

async fn fill(database: &TestDatabase) {
    let schema = include_str!("../../../takeover/tests/blazar/schema.sql");
    let schema = match database.engine {
        Engine::Postgres => schema.replace("DATETIME", "TIMESTAMP").replace("MEDIUMTEXT", "TEXT"),
        Engine::Sqlite | Engine::MariaDb => schema.to_owned(),
    };
    run(database, &schema).await;
    run(database, include_str!("../../../takeover/tests/blazar/rows.sql")).await;
}

async fn run(database: &TestDatabase, text: &str) {
    let statements: Vec<&str> = text.split(";\n").filter(|text| !text.trim().is_empty()).collect();
    database.sql(&statements).await.unwrap();
}

/// Runs the command; the book is a file in the folder, or a database.
fn import(source: &TestDatabase, folder: &std::path::Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(["import-blazar", "--json", "--data", folder.to_str().unwrap()])
        .args(more)
        .env("BERTH_BLAZAR_DATABASE", &source.address)
        .output()
        .unwrap()
}

fn printed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn a_database_is_shown_taken_over_and_taken_over_again() {
    for engine in [Engine::MariaDb, Engine::Postgres] {
        engine.test_empty(async |source| {
            fill(&source).await;
            let folder = tempfile::tempdir().unwrap();
            let shown = import(&source, folder.path(), &["--dry-run"]);
            let tally = |new: u32, kept: u32| json!({"new": new, "newer": 0, "kept": kept});
            let objects = printed(&shown)["objects"].clone();
            assert_eq!(
                (&objects["leases"], &objects["hosts"]),
                (&tally(12, 0), &tally(4, 0)),
                "{shown:?}"
            );
            assert_eq!(printed(&shown)["written"], false);
            let taken = import(&source, folder.path(), &[]);
            assert_eq!(taken.status.code(), Some(0), "{taken:?}");
            assert_eq!(printed(&taken)["written"], true);
            let again = import(&source, folder.path(), &[]);
            assert_eq!(printed(&again)["objects"]["leases"], tally(0, 12), "{again:?}");
            assert_eq!(printed(&again)["written"], false);
            // The service shows what was taken over, under the same ids.
            let program = Program::start(&["--data", folder.path().to_str().unwrap()], &[]);
            let (status, body) = program.get("/v1/leases/pending").await;
            assert_eq!(status, 200, "{body}");
            assert_eq!(body["lease"]["reservations"][0]["id"], "pending-r");
            assert_eq!(body["lease"]["name"], "lease pending");
            let (_, body) = program.get("/v1/os-hosts/1").await;
            assert_eq!(
                (&body["host"]["gpu"], &body["host"]["hypervisor_hostname"]),
                (&json!("a100"), &json!("compute-1"))
            );
            // A book in use is nobody else's.
            let busy = import(&source, folder.path(), &[]);
            assert_eq!(busy.status.code(), Some(2), "{busy:?}");
        });
    }
}

#[test]
fn double_bookings_are_refused_until_the_later_lease_is_to_give_way() {
    Engine::Postgres.test_empty(async |source| {
        fill(&source).await;
        run(&source, DOUBLE_BOOKING).await;
        // The later lease suits the host that the other keeps, and one that is out of order.
        run(
            &source,
            r#"INSERT INTO computehost_extra_capabilities VALUES ('c-4', '2030-03-01 09:00:00', NULL, '4', 'p-gpu', 'a100');
UPDATE computehost_reservations SET resource_properties = '["==", "$gpu", "a100"]' WHERE id = 'late-x'"#,
        )
        .await;
        let folder = tempfile::tempdir().unwrap();
        let refused = import(&source, folder.path(), &[]);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let found = &printed(&refused)["double_bookings"][0];
        assert_eq!(
            (&found["keeps"], &found["gives_way"]),
            (&json!("pending"), &json!("late"))
        );
        let resolved = import(&source, folder.path(), &["--resolve"]);
        assert_eq!(
            (resolved.status.code(), &printed(&resolved)["written"]),
            (Some(0), &json!(true)),
            "{resolved:?}"
        );
        // At its start the service finds no other host for the later lease; it gives it one as soon as one comes back.
        let program = Program::start(&["--data", folder.path().to_str().unwrap()], &[]);
        let has_finding = |report: &Value| report["findings"].as_array().is_some_and(|all| !all.is_empty());
        program.wait_for("/capacity/v1/leases/late", has_finding).await;
        let url = format!("{}/capacity/v1/hosts/4", program.url);
        let up = request(Method::PATCH, &url).json(&json!({"reservable": true})).send();
        let healed: Value = serde_json::from_str(&up.await.unwrap().text().await.unwrap()).unwrap();
        assert_eq!(healed["refilled"], 1, "{healed}");
        let (_, body) = program.get("/v1/leases/late").await;
        let lease = &body["lease"];
        assert_eq!(
            (&lease["degraded"], &lease["reservations"][0]["missing_resources"]),
            (&json!(false), &json!(false)),
            "{body}"
        );
        let (_, body) = program.get("/v1/os-hosts/allocations?lease_id=late").await;
        let hosts = body["allocations"].as_array().unwrap().iter();
        let held = hosts.filter(|host| host["reservations"] != json!([]));
        let held: Vec<&Value> = held.map(|host| &host["resource_id"]).collect();
        assert_eq!(held, ["4"], "{body}");
    });
}

/// Blazar's objects in the cloud at the moment of the takeover: aggregates are there from the booking on, hosts of what
/// runs are in them.
async fn populate(outside: &Outside) {
    let cloud = &outside.cloud;
    let freepool = cloud.aggregate("freepool").unwrap();
    for (reservation, host) in [
        ("pending-r", None),
        ("active-r", Some("compute-2")),
        ("starting-r", None),
        ("terminating-r", None),
        ("deleting-r", Some("compute-4")),
        ("updating-r", None),
    ] {
        let zone = format!("blazar_{reservation}");
        let aggregate = cloud.create_aggregate(reservation, Some(&zone)).await.unwrap();
        if let Some(host) = host {
            cloud.remove_host(&freepool, host).await.unwrap();
            cloud.add_host(&aggregate, host).await.unwrap();
        }
    }
    cloud.boot("compute-2", "physics", "worker");
}

#[test]
fn what_was_taken_over_runs_on_and_ends_as_booked() {
    Engine::MariaDb.test_empty(async |source| {
        fill(&source).await;
        let source = read(&source.address).await.unwrap();
        let merged = merge(Contents::default(), translate(&source, NOON, 0).unwrap().contents);
        let store = MemoryStore::default();
        let commit = Commit {
            expected: 0,
            changes: merged.changes,
            fences: Vec::new(),
        };
        store.commit(&commit).await.unwrap();
        let outside = Outside {
            store: Arc::new(store),
            ..Outside::new(&HOSTS)
        };
        populate(&outside).await;
        let world = World::start(outside).await;
        let cloud = world.outside.cloud.clone();

        // In the middle of a start: it starts, on the aggregate that is there. What was being ended or deleted is over.
        world
            .advance_to_status("starting", NOON + 60, LeaseStatus::Active)
            .await;
        assert_eq!(cloud.aggregate("starting-r").unwrap().hosts, ["compute-3"]);
        world
            .advance_to_status("terminating", NOON + 60, LeaseStatus::Terminated)
            .await;
        world
            .advance_until("deleting", NOON + 60, |lease| lease.is_none())
            .await;
        assert_eq!(cloud.aggregates_of("compute-4"), ["freepool"]);
        // The server of the running lease was left alone until its end.
        assert_eq!(cloud.servers().len(), 1);
        world.outside.clock.set(NOON + 780);
        world
            .advance_to_status("active", NOON + 900, LeaseStatus::Terminated)
            .await;
        assert!(cloud.servers().is_empty() && cloud.aggregate("active-r").is_none());
        assert_eq!(cloud.aggregates_of("compute-2"), ["freepool"]);
        // One that has not begun leaves nothing of Blazar's when it is deleted.
        world.service.delete_lease(&caller(), "pending").await.unwrap();
        let is_gone = |lease: Option<&Lease>| lease.is_none();
        world.advance_until("pending", NOON + 1000, is_gone).await;
        assert!(cloud.aggregate("pending-r").is_none());
        for (lease, ends) in [("starting", "2030-03-17 19:00"), ("updating", "2030-04-02 10:00")] {
            let end = world
                .lease(lease)
                .await
                .unwrap_or_else(|| panic!("{lease} ends {ends}"))
                .end;
            if lease == "updating" {
                world.outside.clock.set(end - 86_400);
                world.advance_to_status(lease, end, LeaseStatus::Active).await;
            }
            world.outside.clock.set(end);
            world.advance_to_status(lease, end + 120, LeaseStatus::Terminated).await;
        }
        for host in HOSTS {
            assert_eq!(cloud.aggregates_of(host), ["freepool"], "{host}");
        }
        world.stop().await;
    });
}
