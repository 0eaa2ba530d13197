//! Commits: compare-and-set, all or nothing, independence of sessions.

use std::sync::Arc;

use planner_core::ports::{Change, Commit, Fence, Store, StoreError};
use tokio::task::JoinSet;

use crate::on_each_engine;
use crate::samples::{
    DAY, commit, floating_ip, host, lease, lease_of_a_flavor, lease_of_floating_ips, lease_of_instances,
    lease_of_units, put,
};
use store::StoreOptions;
use store::testing::{Engine, TestDatabase, options, run_as_admin};

on_each_engine!(
    fifty_committers_take_one_epoch_each,
    a_commit_on_an_old_epoch_is_stale_and_changes_nothing,
    a_failing_commit_leaves_nothing,
    a_lease_is_replaced_whole,
    instances_share_hosts_and_come_back_unchanged,
    floating_ips_are_held_once_and_come_back_unchanged,
    the_last_change_of_an_object_counts,
    a_store_outlives_its_sessions,
    an_open_writer_does_not_disturb_readers,
);

/// Two processes' worth of them, all after the same epoch again and again.
async fn fifty_committers_take_one_epoch_each(database: TestDatabase) {
    // A connection for each: to wait for one is given up soon.
    let store = || {
        database.store_with(StoreOptions {
            connections: 26,
            exclusive: false,
            ..options()
        })
    };
    let stores = [store().await, store().await];
    let mut committers = JoinSet::new();
    for number in 0..50 {
        let store = stores[number % 2].clone();
        committers.spawn(async move {
            let changes = vec![Change::PutHost(Arc::new(host(&number.to_string())))];
            loop {
                match commit(&store, changes.clone()).await {
                    Err(StoreError::Stale { .. }) => {}
                    result => return result.unwrap(),
                }
            }
        });
    }
    let mut epochs = committers.join_all().await;
    epochs.sort_unstable();
    assert_eq!(epochs, (1..=50).collect::<Vec<_>>());
    let contents = stores[0].load().await.unwrap();
    assert_eq!(contents.epoch, 50);
    assert_eq!(contents.hosts.len(), 50);
    let (_, changes) = stores[1].changes_since(0).await.unwrap();
    assert_eq!(changes.len(), 50);
}

async fn a_commit_on_an_old_epoch_is_stale_and_changes_nothing(database: TestDatabase) {
    let store = database.store().await;
    commit(&store, vec![put(lease("a", &["1"], 0, DAY))]).await.unwrap();
    let before = store.load().await.unwrap();
    for expected in [0, 2, -1] {
        let stale = Commit {
            expected,
            changes: vec![Change::DeleteLease("a".to_owned())],
            fences: Vec::new(),
        };
        let error = store.commit(&stale).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Stale { expected: was } if was == expected),
            "{error:?}"
        );
    }
    assert_eq!(store.load().await.unwrap(), before);
}

/// Also a lease that was of hosts and becomes one of instances, and is gone at last.
async fn instances_share_hosts_and_come_back_unchanged(database: TestDatabase) {
    let store = database.store().await;
    let one = lease_of_instances("one", &["1", "1", "2"], 0, DAY);
    let other = lease_of_instances("other", &["1", "2", "2"], DAY / 2, 2 * DAY);
    let third = lease_of_a_flavor("third", &["2", "2", "1"], DAY / 2, 2 * DAY);
    commit(&store, vec![put(lease("one", &["1"], 0, DAY))]).await.unwrap();
    let epoch = commit(&store, vec![put(one.clone()), put(other.clone()), put(third.clone())])
        .await
        .unwrap();
    assert_eq!(
        store.load().await.unwrap().leases,
        [one.clone(), other.clone(), third.clone()]
    );
    let (_, changes) = store.changes_since(epoch - 1).await.unwrap();
    let expected = [put(one), put(other.clone()), put(third.clone())];
    assert_eq!(changes.len(), expected.len());
    assert!(expected.iter().all(|change| changes.contains(change)), "{changes:?}");
    commit(&store, vec![Change::DeleteLease("one".to_owned())])
        .await
        .unwrap();
    assert_eq!(store.load().await.unwrap().leases, [other, third]);
}

/// Also the addresses themselves, of which the database keeps one of each in a network.
async fn floating_ips_are_held_once_and_come_back_unchanged(database: TestDatabase) {
    let store = database.store().await;
    let put_address = |id: &str| Change::PutFloatingIp(Arc::new(floating_ip(id)));
    let one = lease_of_floating_ips("one", &["1", "2"], 0, DAY);
    let other = lease_of_floating_ips("other", &["1"], DAY, 2 * DAY);
    commit(&store, vec![put(lease("one", &["1"], 0, DAY))]).await.unwrap();
    let units = lease_of_units("units", &["licence:cad/1", "licence:cad/2"], 0, DAY);
    let changes = vec![
        put_address("1"),
        put_address("2"),
        put(one.clone()),
        put(other.clone()),
        put(units.clone()),
    ];
    let epoch = commit(&store, changes.clone()).await.unwrap();
    let contents = store.load().await.unwrap();
    assert_eq!(contents.leases, [one, other.clone(), units.clone()]);
    assert_eq!(contents.floating_ips, [floating_ip("1"), floating_ip("2")]);
    let (_, fed) = store.changes_since(epoch - 1).await.unwrap();
    assert_eq!(fed.len(), changes.len());
    assert!(changes.iter().all(|change| fed.contains(change)), "{fed:?}");

    let twice = vec![put(lease_of_floating_ips("twice", &["2"], DAY - 1, DAY))];
    assert!(matches!(commit(&store, twice).await, Err(StoreError::Overlap(address)) if address == "2"));
    let mut same = floating_ip("3");
    same.floating_ip_address = floating_ip("1").floating_ip_address;
    commit(&store, vec![Change::PutFloatingIp(Arc::new(same.clone()))])
        .await
        .unwrap_err();
    assert_eq!(store.load().await.unwrap(), contents);

    // One that takes another's place in the same commit is fine.
    let gone = ["one", "other", "units"].map(|id| Change::DeleteLease(id.to_owned()));
    let mut changes = gone.to_vec();
    changes.extend([
        Change::PutFloatingIp(Arc::new(same.clone())),
        Change::DeleteFloatingIp("1".to_owned()),
    ]);
    let epoch = commit(&store, changes).await.unwrap();
    let contents = store.load().await.unwrap();
    assert!(contents.leases.is_empty());
    assert_eq!(contents.floating_ips, [floating_ip("2"), same]);
    let (_, changes) = store.changes_since(epoch - 1).await.unwrap();
    assert!(changes.contains(&Change::DeleteFloatingIp("1".to_owned())));
}

async fn a_failing_commit_leaves_nothing(database: TestDatabase) {
    let store = database.store().await;
    let good = || {
        vec![
            Change::PutHost(Arc::new(host("1"))),
            put(lease("good", &["1"], 0, DAY)),
            Change::DeleteLease("old".to_owned()),
        ]
    };
    commit(&store, vec![put(lease("old", &["2"], 0, DAY))]).await.unwrap();
    let before = store.load().await.unwrap();

    let mut overlapping = good();
    overlapping.push(put(lease("bad", &["1"], DAY - 1, 2 * DAY)));
    assert!(matches!(commit(&store, overlapping).await, Err(StoreError::Overlap(host)) if host == "1"));

    let mut shared_id = good();
    let mut thief = lease("thief", &[], 0, DAY);
    thief.events[0].id = "good-start_lease".to_owned();
    shared_id.push(put(thief));
    assert!(matches!(
        commit(&store, shared_id).await,
        Err(StoreError::Unavailable { .. })
    ));

    let fence = Fence {
        lease_id: "good".to_owned(),
        number: 1,
    };
    let fenced = Commit {
        expected: 1,
        changes: good(),
        fences: vec![fence],
    };
    assert!(matches!(store.commit(&fenced).await, Err(StoreError::FenceLost { lease_id }) if lease_id == "good"));

    let mut refused = good();
    refused.push(put(lease(&"x".repeat(65), &[], 0, DAY)));
    assert!(matches!(commit(&store, refused).await, Err(StoreError::Corrupt { .. })));

    assert_eq!(store.load().await.unwrap(), before);
    assert_eq!(store.changes_since(1).await.unwrap(), (1, Vec::new()));
    commit(&store, good()).await.unwrap();
}

async fn a_lease_is_replaced_whole(database: TestDatabase) {
    let store = database.store().await;
    commit(&store, vec![put(lease("a", &["1", "2", "3"], 0, DAY))])
        .await
        .unwrap();
    let mut smaller = lease("a", &["3", "1"], 0, 2 * DAY);
    smaller.events.pop();
    smaller.events.reverse();
    let second = smaller.reservations[0].clone();
    smaller.reservations.push(planner_core::domain::Reservation {
        id: "another".to_owned(),
        allocations: Vec::new(),
        ..second
    });
    smaller.reservations.reverse();
    commit(&store, vec![put(smaller.clone())]).await.unwrap();
    assert_eq!(store.load().await.unwrap().leases, [smaller]);
    // What fell away is free for others.
    commit(&store, vec![put(lease("b", &["2"], 0, DAY))]).await.unwrap();
}

async fn the_last_change_of_an_object_counts(database: TestDatabase) {
    let store = database.store().await;
    let findings = |detail: &str| Change::PutFindings {
        lease_id: "a".to_owned(),
        findings: Arc::new(vec![plugin_api::Finding {
            kind: "host_missing".to_owned(),
            host: String::new(),
            detail: detail.to_owned(),
            repaired: false,
        }]),
    };
    let changes = vec![
        put(lease("a", &["1"], 0, DAY)),
        put(lease("b", &["1"], DAY, 2 * DAY)),
        findings("first"),
        put(lease("a", &["2"], 0, DAY)),
        Change::DeleteLease("b".to_owned()),
        findings("second"),
        Change::DeleteHost("9".to_owned()),
        Change::PutHost(Arc::new(host("9"))),
    ];
    commit(&store, changes).await.unwrap();
    let contents = store.load().await.unwrap();
    assert_eq!(contents.leases, [lease("a", &["2"], 0, DAY)]);
    assert_eq!(contents.hosts, [host("9")]);
    assert_eq!(contents.findings[0].1[0].detail, "second");
    // Findings go with their lease.
    commit(&store, vec![Change::DeleteLease("a".to_owned())]).await.unwrap();
    assert_eq!(store.load().await.unwrap().findings, []);
}

/// The server ends every session, as it does when it is restarted.
async fn a_store_outlives_its_sessions(database: TestDatabase) {
    let Some(admin) = database.admin.clone() else { return };
    let store = database.store().await;
    for round in 0..3 {
        commit(&store, vec![put(lease("a", &["1"], 0, DAY + round))])
            .await
            .unwrap();
        let name = &database.name;
        let statement = match database.engine {
            Engine::Postgres => {
                format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            }
            Engine::Sqlite | Engine::MariaDb => format!(
                "BEGIN NOT ATOMIC FOR session IN (SELECT id FROM information_schema.processlist WHERE db = '{name}') \
                 DO EXECUTE IMMEDIATE CONCAT('KILL ', session.id); END FOR; END"
            ),
        };
        run_as_admin(&admin, &[&statement]).await;
    }
    assert_eq!(store.load().await.unwrap().epoch, 3);
}

/// Another process in the middle of a long transaction.
async fn an_open_writer_does_not_disturb_readers(database: TestDatabase) {
    use sea_orm::{ConnectionTrait, Database, TransactionTrait};
    let store = database.store().await;
    commit(&store, vec![put(lease("a", &["1"], 0, DAY))]).await.unwrap();
    let other = Database::connect(&database.address).await.unwrap();
    let transaction = other.begin().await.unwrap();
    transaction
        .execute_unprepared("UPDATE book SET epoch = 7")
        .await
        .unwrap();
    transaction.execute_unprepared("DELETE FROM leases").await.unwrap();
    let contents = store.load().await.unwrap();
    assert_eq!((contents.epoch, contents.leases.len()), (1, 1));
    assert_eq!(store.changes_since(0).await.unwrap().1.len(), 1);

    // A commit waits for it and then finds the book moved on.
    let waiting = {
        let store = store.clone();
        let commit = Commit {
            expected: 1,
            changes: vec![put(lease("b", &["2"], 0, DAY))],
            fences: Vec::new(),
        };
        async move { store.commit(&commit).await }
    };
    let (stale, committed) = tokio::join!(waiting, async {
        tokio::task::yield_now().await;
        transaction.commit().await
    });
    committed.unwrap();
    assert!(matches!(stale, Err(StoreError::Stale { expected: 1 })), "{stale:?}");
    other.close().await.unwrap();
}
