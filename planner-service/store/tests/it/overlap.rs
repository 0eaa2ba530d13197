//! The database's own guard against two occupations of one host at one time.

use planner_core::ports::{Store, StoreError};

use crate::on_each_engine;
use crate::samples::{DAY, commit, lease, put};
use store::SqlStore;
use store::testing::{Engine, TestDatabase, options, run_as_admin};

on_each_engine!(
    the_guard_refuses_what_a_wrong_planner_wants,
    the_guard_stands_without_the_store,
    leases_exchange_hosts_in_one_commit,
);

async fn the_guard_refuses_what_a_wrong_planner_wants(database: TestDatabase) {
    wrong_planner(&database.store().await).await;
}

async fn wrong_planner(store: &SqlStore) {
    commit(store, vec![put(lease("a", &["1", "2"], DAY, 3 * DAY))])
        .await
        .unwrap();
    let before = store.load().await.unwrap();
    let wrong = [
        ("same", DAY, 3 * DAY),
        ("inside", DAY + 1, DAY + 2),
        ("around", 0, 4 * DAY),
        ("first second", 0, DAY + 1),
        ("last second", 3 * DAY - 1, 5 * DAY),
    ];
    for (id, start, end) in wrong {
        let error = commit(store, vec![put(lease(id, &["3", "2"], start, end))])
            .await
            .unwrap_err();
        assert!(
            matches!(&error, StoreError::Overlap(host) if host == "2"),
            "{id}: {error:?}"
        );
    }
    let twice = vec![
        put(lease("x", &["7"], 0, DAY)),
        put(lease("y", &["7"], DAY - 1, 2 * DAY)),
    ];
    assert!(matches!(commit(store, twice).await, Err(StoreError::Overlap(host)) if host == "7"));
    let itself = vec![put(lease("z", &["8", "8"], 0, DAY))];
    assert!(matches!(commit(store, itself).await, Err(StoreError::Overlap(host)) if host == "8"));
    assert_eq!(store.load().await.unwrap(), before);

    let right = vec![
        put(lease("before", &["1", "2"], 0, DAY)),
        put(lease("after", &["1", "2"], 3 * DAY, 4 * DAY)),
        put(lease("elsewhere", &["3"], 0, 9 * DAY)),
        // Moving a lease inside its own window is no conflict with itself.
        put(lease("a", &["1", "2"], DAY + 1, 3 * DAY - 1)),
    ];
    commit(store, right).await.unwrap();
}

/// Somebody writes to the table by hand.
async fn the_guard_stands_without_the_store(database: TestDatabase) {
    let store = database.store().await;
    commit(
        &store,
        vec![put(lease("a", &["1"], 0, DAY)), put(lease("b", &["1"], DAY, 2 * DAY))],
    )
    .await
    .unwrap();
    let insert = "INSERT INTO allocations (reservation_id, position, host_id, start_at, occupied_until) VALUES";
    database
        .sql(&[&format!("{insert} ('r-a', 1, '1', {}, {})", 2 * DAY, 3 * DAY)])
        .await
        .unwrap();
    database
        .sql(&[&format!("{insert} ('r-a', 2, '1', 5, 6)")])
        .await
        .unwrap_err();
    if database.engine == Engine::MariaDb {
        // Dates that do not agree with the seconds would blind the guard.
        let update = "UPDATE allocations SET occupied_from_date = '2030-01-01', occupied_until_date = '2030-01-02'";
        database.sql(&[update]).await.unwrap_err();
    } else {
        database
            .sql(&["UPDATE allocations SET start_at = 0 WHERE position = 1"])
            .await
            .unwrap_err();
    }
}

async fn leases_exchange_hosts_in_one_commit(database: TestDatabase) {
    let store = database.store().await;
    let put_all = |hosts: [[&'static str; 2]; 3]| {
        let leases = ["a", "b", "c"].iter().zip(hosts);
        leases
            .map(|(id, hosts)| put(lease(id, &hosts, 0, DAY)))
            .collect::<Vec<_>>()
    };
    commit(&store, put_all([["1", "2"], ["3", "4"], ["5", "6"]]))
        .await
        .unwrap();
    for hosts in [
        [["2", "3"], ["1", "4"], ["5", "6"]],
        [["1", "4"], ["5", "6"], ["2", "3"]],
    ] {
        commit(&store, put_all(hosts)).await.unwrap();
        let held: Vec<Vec<String>> = store
            .load()
            .await
            .unwrap()
            .leases
            .into_iter()
            .map(|lease| {
                lease.reservations[0]
                    .allocations
                    .iter()
                    .map(|held| held.host_id.clone())
                    .collect()
            })
            .collect();
        assert_eq!(held, hosts);
    }
}

/// Where the account may not install `btree_gist`, a trigger does the same.
#[test]
fn postgres_without_its_extension_has_the_guard_too() {
    Engine::Postgres.test_empty(|database| async move {
        let (name, role) = (&database.name, format!("{}_user", database.name));
        let mut own = database.admin.clone().unwrap();
        own.set_path(name);
        let grants = [
            format!("CREATE ROLE {role} LOGIN PASSWORD 'x'"),
            format!("GRANT ALL ON SCHEMA public TO {role}"),
        ];
        run_as_admin(&own, &[&grants[0], &grants[1]]).await;
        let mut address = own.clone();
        address.set_username(&role).unwrap();
        let store = SqlStore::connect(address.as_str(), options()).await.unwrap();
        store.migrate().await.unwrap();
        store.migrate().await.unwrap();
        wrong_planner(&store).await;
        store.close().await;
        run_as_admin(&own, &[&format!("DROP OWNED BY {role}"), &format!("DROP ROLE {role}")]).await;
    });
}
