//! Claims and fences.

use planner_core::ports::{Change, Commit, Fence, Store, StoreError};
use tokio::task::JoinSet;

use crate::on_each_engine;
use crate::samples::{DAY, commit, lease, put};
use store::testing::TestDatabase;

on_each_engine!(
    one_of_many_claimants_wins,
    a_worker_that_lost_its_claim_cannot_commit,
    numbers_only_grow,
    claims_of_a_process_are_given_back_together,
    workers_in_each_others_way_lose_nothing,
);

async fn one_of_many_claimants_wins(database: TestDatabase) {
    let stores = [database.store().await, database.store().await];
    for round in 0..5 {
        let mut claimants = JoinSet::new();
        for number in 0..20 {
            let store = stores[number % 2].clone();
            claimants.spawn(async move { store.claim("a", &number.to_string(), round, round + 1).await.unwrap() });
        }
        let winners = claimants.join_all().await.into_iter().flatten().count();
        assert_eq!(winners, 1, "round {round}");
    }
}

async fn a_worker_that_lost_its_claim_cannot_commit(database: TestDatabase) {
    let store = database.store().await;
    commit(&store, vec![put(lease("a", &["1"], 0, DAY))]).await.unwrap();
    let attempt = async |fence: &Fence| {
        let expected = store.epoch().await.unwrap();
        let changes = vec![put(lease("a", &["1"], 0, DAY))];
        store
            .commit(&Commit {
                expected,
                changes,
                fences: vec![fence.clone()],
            })
            .await
    };
    let slow = store.claim("a", "slow", 100, 110).await.unwrap().unwrap();
    assert_eq!(store.claim("a", "quick", 109, 120).await.unwrap(), None);
    assert_eq!(store.claim("a", "slow", 109, 120).await.unwrap(), None);
    attempt(&slow).await.unwrap();
    assert!(store.renew(&slow, 130).await.unwrap());
    assert_eq!(store.claim("a", "quick", 129, 140).await.unwrap(), None);

    let quick = store.claim("a", "quick", 130, 140).await.unwrap().unwrap();
    assert!(quick.number > slow.number);
    assert!(matches!(attempt(&slow).await, Err(StoreError::FenceLost { .. })));
    assert!(!store.renew(&slow, 200).await.unwrap());
    store.release(&slow).await.unwrap();
    attempt(&quick).await.unwrap();

    store.release(&quick).await.unwrap();
    assert!(matches!(attempt(&quick).await, Err(StoreError::FenceLost { .. })));
    assert!(!store.renew(&quick, 200).await.unwrap());
}

/// Also after the claim was given back, and after its lease was deleted and came again.
async fn numbers_only_grow(database: TestDatabase) {
    let store = database.store().await;
    let mut last = 0;
    for _ in 0..3 {
        commit(&store, vec![put(lease("a", &["1"], 0, DAY))]).await.unwrap();
        let fence = store.claim("a", "w", 0, 10).await.unwrap().unwrap();
        assert!(fence.number > last);
        last = fence.number;
        store.release(&fence).await.unwrap();
        let fence = store.claim("a", "w", 0, 10).await.unwrap().unwrap();
        assert!(fence.number > last);
        last = fence.number;
        // The worker that deletes the lease holds the claim while it does.
        let expected = store.epoch().await.unwrap();
        let changes = vec![Change::DeleteLease("a".to_owned())];
        store
            .commit(&Commit {
                expected,
                changes,
                fences: vec![fence],
            })
            .await
            .unwrap();
    }
}

async fn claims_of_a_process_are_given_back_together(database: TestDatabase) {
    let store = database.store().await;
    for (lease, owner) in [
        ("1", "One:a"),
        ("2", "One:b"),
        ("3", "one:a"),
        ("4", "On"),
        ("5", "O%e:a"),
        ("6", "ONE:a"),
    ] {
        store.claim(lease, owner, 0, 100).await.unwrap().unwrap();
    }
    let mut taken = Vec::new();
    for (prefix, expected) in [("O%", &["5"][..]), ("One", &["1", "2"]), ("", &["3", "4", "6"])] {
        store.release_all(prefix).await.unwrap();
        let mut free = Vec::new();
        for lease in ["1", "2", "3", "4", "5", "6"] {
            if !taken.contains(&lease) && store.claim(lease, "\u{1F600}", 0, 100).await.unwrap().is_some() {
                free.push(lease);
            }
        }
        assert_eq!(free, expected, "{prefix}");
        taken.extend(free);
    }
    store.release_all("\u{1F600}").await.unwrap();
    assert!(store.claim("1", "x", 0, 100).await.unwrap().is_some());
}

/// Workers of two processes claim, commit under their fence and release, for the same few leases.
async fn workers_in_each_others_way_lose_nothing(database: TestDatabase) {
    let stores = [database.store().await, database.store().await];
    let leases = ["a", "b", "c"];
    commit(&stores[0], leases.map(|id| put(lease(id, &[id], 0, DAY))).to_vec())
        .await
        .unwrap();
    let mut workers = JoinSet::new();
    for number in 0..12_usize {
        let store = stores[number % 2].clone();
        workers.spawn(async move {
            let owner = format!("w{number}");
            let mut done = 0;
            while done < 5 {
                let id = leases[(number + done) % leases.len()];
                let Some(fence) = store.claim(id, &owner, 0, 10).await.unwrap() else {
                    continue;
                };
                // Only who holds the claim counts the lease up, so no count is lost.
                let _epoch = loop {
                    let contents = store.load().await.unwrap();
                    let mut lease = contents.leases.into_iter().find(|lease| lease.id == id).unwrap();
                    lease.created_at += 1;
                    let (changes, fences) = (vec![put(lease)], vec![fence.clone()]);
                    match store
                        .commit(&Commit {
                            expected: contents.epoch,
                            changes,
                            fences,
                        })
                        .await
                    {
                        Err(StoreError::Stale { .. }) => {}
                        result => break result.unwrap(),
                    }
                };
                store.release(&fence).await.unwrap();
                done += 1;
            }
        });
    }
    workers.join_all().await;
    let contents = stores[0].load().await.unwrap();
    assert_eq!(contents.epoch, 1 + 12 * 5);
    assert_eq!(
        contents.leases.iter().map(|lease| lease.created_at - 1).sum::<i64>(),
        12 * 5
    );
}
