//! Migrations: repeated, at once, after a first run that stopped half-way.

use planner_core::domain::{EventType, Handover, Lease, LeaseStatus, ReservationStatus};
use planner_core::ports::Store;
use tokio::task::JoinSet;

use crate::samples::{DAY, commit, lease, lease_of_instances, put};
use store::testing::{Engine, TestDatabase};

async fn works(database: &TestDatabase) {
    let store = database.store().await;
    assert_eq!(store.pending_migrations().await.unwrap(), 0);
    commit(&store, vec![put(lease("a", &["1"], 0, DAY))]).await.unwrap();
    commit(&store, vec![put(lease("b", &["1"], 0, DAY))]).await.unwrap_err();
    assert!(store.claim("a", "w", 0, 1).await.unwrap().is_some());
    assert_eq!(store.load().await.unwrap().leases.len(), 1);
}

macro_rules! on_empty_databases {
    ($($name:ident),+ $(,)?) => {
        mod sqlite { $(#[test] fn $name() { super::Engine::Sqlite.test_empty(super::$name); })+ }
        mod postgres { $(#[test] fn $name() { super::Engine::Postgres.test_empty(super::$name); })+ }
        mod mariadb { $(#[test] fn $name() { super::Engine::MariaDb.test_empty(super::$name); })+ }
    };
}
on_empty_databases!(
    several_processes_migrate_at_once,
    a_step_that_stopped_half_way_is_finished,
    a_second_run_keeps_what_is_there,
    an_unmigrated_database_says_so,
    what_was_handed_over_is_kept_and_follows_from_older_rows,
    v3_rows_of_one_place_each_are_read_as_their_sum,
);

/// Steps of the schema.
const STEPS: usize = 9;

async fn several_processes_migrate_at_once(database: TestDatabase) {
    let mut processes = JoinSet::new();
    for _ in 0..4 {
        let store = database.store().await;
        processes.spawn(async move { store.migrate().await });
    }
    for result in processes.join_all().await {
        result.unwrap();
    }
    works(&database).await;
}

async fn a_step_that_stopped_half_way_is_finished(database: TestDatabase) {
    let store = database.store().await;
    for lost in [
        &["DROP TABLE fences", "DROP TABLE claims"][..],
        &["DELETE FROM book", "DROP TABLE outbox"],
        &["DROP TABLE floating_ips", "DROP TABLE required_floating_ips"],
        &["DROP TABLE allocations"],
        &[
            "DROP TABLE allocations",
            "DROP TABLE host_reservations",
            "DROP TABLE required_floating_ips",
            "DROP TABLE floating_ip_reservations",
            "DROP TABLE instance_places",
            "DROP TABLE flavor_reservations",
            "DROP TABLE countable_reservations",
            "DROP TABLE host_traits",
            "DROP TABLE instance_reservations",
            "DROP TABLE reservations",
            "DROP TABLE events",
        ],
    ] {
        store.migrate().await.unwrap();
        database.sql(&["DELETE FROM seaql_migrations"]).await.unwrap();
        database.sql(lost).await.unwrap();
        assert_eq!(store.pending_migrations().await.unwrap(), STEPS);
    }
    store.migrate().await.unwrap();
    works(&database).await;
}

async fn a_second_run_keeps_what_is_there(database: TestDatabase) {
    let store = database.store().await;
    store.migrate().await.unwrap();
    works(&database).await;
    let before = store.load().await.unwrap();
    store.migrate().await.unwrap();
    database.sql(&["DELETE FROM seaql_migrations"]).await.unwrap();
    store.migrate().await.unwrap();
    assert_eq!(store.load().await.unwrap(), before);
}

async fn an_unmigrated_database_says_so(database: TestDatabase) {
    let store = database.store().await;
    assert_eq!(store.pending_migrations().await.unwrap(), STEPS);
    store.load().await.unwrap_err();
    commit(&store, Vec::new()).await.unwrap_err();
}

/// As they were written before places were counted; ten thousand places on one host are one row today.
async fn v3_rows_of_one_place_each_are_read_as_their_sum(database: TestDatabase) {
    let store = database.store().await;
    store.migrate().await.unwrap();
    let mut many = lease_of_instances("many", &["1", "1", "2"], 0, DAY);
    let many_places = &mut many.reservations[1].allocations[0];
    many_places.places = 10_000;
    commit(&store, vec![put(many.clone())]).await.unwrap();
    assert_eq!(store.load().await.unwrap().leases, [many.clone()]);
    database
        .sql(&[
            "DELETE FROM instance_places WHERE reservation_id = 'r-many'",
            "INSERT INTO instance_places (reservation_id, position, host_id, start_at, occupied_until) \
             VALUES ('r-many', 0, '1', 0, 86400), ('r-many', 1, '1', 0, 86400), ('r-many', 2, '2', 0, 86400)",
        ])
        .await
        .unwrap();
    assert_eq!(store.load().await.unwrap().leases, [many]);
}

async fn what_was_handed_over_is_kept_and_follows_from_older_rows(database: TestDatabase) {
    let store = database.store().await;
    store.migrate().await.unwrap();
    let with = |id: &str, host: &str, change: fn(&mut Lease)| {
        let mut lease = lease(id, &[host], 0, DAY);
        change(&mut lease);
        lease
    };
    let running = with("running", "1", |lease| {
        lease.status = LeaseStatus::Active;
        lease.reservations[0].status = ReservationStatus::Active;
        lease.reservations[0].handover = Handover::of_tried(lease.reservations[0].holding());
    });
    let waiting = with("waiting", "2", |_| {});
    let tried = with("tried", "3", |lease| {
        lease.event_mut(EventType::StartLease).unwrap().attempts = 1;
    });
    let all = [&running, &waiting, &tried].map(|lease| put(lease.clone()));
    commit(&store, all.to_vec()).await.unwrap();
    let handovers = async || -> Vec<Handover> {
        let mut leases = store.load().await.unwrap().leases;
        leases.sort_by(|left, right| left.id.cmp(&right.id));
        leases
            .into_iter()
            .map(|lease| lease.reservations[0].handover.clone())
            .collect()
    };
    let kept = [&running, &tried, &waiting].map(|lease| lease.reservations[0].handover.clone());
    assert_eq!(handovers().await, kept);
    // As a Berth that did not keep it has left them.
    database
        .sql(&["UPDATE reservations SET handover = NULL"])
        .await
        .unwrap();
    let assumed = [
        Handover::of_running(running.reservations[0].holding()),
        Handover::of_tried(tried.reservations[0].holding()),
        Handover::default(),
    ];
    assert_eq!(handovers().await, assumed);
}
