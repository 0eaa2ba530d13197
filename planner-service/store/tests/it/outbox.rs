//! The outbox: written with the change, read in order, emptied from the front.

use std::sync::Arc;

use planner_core::domain::{Notification, NotificationType};
use planner_core::ports::{Change, Commit, Fence, OutboxEntry, Store, StoreError};

use crate::on_each_engine;
use crate::samples::{DAY, commit, lease, put};
use store::testing::TestDatabase;

on_each_engine!(
    notifications_come_in_the_order_they_were_written,
    a_commit_that_fails_leaves_no_notification,
    what_is_written_comes_back_unchanged,
    each_outlet_has_its_own_order_and_empties_by_itself,
    an_outbox_is_no_part_of_the_book,
);

fn notification(id: &str) -> Notification {
    Notification {
        id: id.to_owned(),
        outlet: String::new(),
        event_type: NotificationType::Create,
        time: 7,
        project_id: "project".to_owned(),
        user_id: "user".to_owned(),
        payload: "{}".to_owned(),
    }
}

fn notify(id: &str) -> Change {
    Change::Notify(Arc::new(notification(id)))
}

async fn ids(store: &impl Store, most: u64) -> Vec<String> {
    let entries = store.outbox("", most).await.unwrap();
    entries.into_iter().map(|entry| entry.notification.id).collect()
}

async fn notifications_come_in_the_order_they_were_written(database: TestDatabase) {
    let store = database.store().await;
    commit(&store, vec![notify("d"), put(lease("a", &["1"], 0, DAY)), notify("c")])
        .await
        .unwrap();
    commit(&store, (0..12).map(|number| notify(&number.to_string())).collect())
        .await
        .unwrap();
    commit(&store, vec![notify("a")]).await.unwrap();
    let all: Vec<String> = ["d", "c"]
        .map(str::to_owned)
        .into_iter()
        .chain((0..12).map(|number| number.to_string()))
        .chain(["a".to_owned()])
        .collect();
    assert_eq!(ids(&store, 100).await, all);
    let entries: Vec<OutboxEntry> = store.outbox("", 4).await.unwrap();
    assert_eq!(ids(&store, 4).await, all[..4]);
    // Another process removes, and again.
    let other = database.store().await;
    for _ in 0..2 {
        other.remove_from_outbox("", entries[3].position).await.unwrap();
        assert_eq!(ids(&store, 100).await, all[4..]);
    }
    let last = store.outbox("", 100).await.unwrap().pop().unwrap();
    store.remove_from_outbox("", last.position).await.unwrap();
    assert!(ids(&store, 100).await.is_empty());
}

async fn a_commit_that_fails_leaves_no_notification(database: TestDatabase) {
    let store = database.store().await;
    commit(&store, vec![put(lease("a", &["1"], 0, DAY))]).await.unwrap();
    let overlapping = vec![notify("never"), put(lease("b", &["1"], 0, DAY))];
    commit(&store, overlapping).await.unwrap_err();
    let fenced = Commit {
        expected: store.epoch().await.unwrap(),
        changes: vec![notify("never")],
        fences: vec![Fence {
            lease_id: "a".to_owned(),
            number: 1,
        }],
    };
    assert!(matches!(store.commit(&fenced).await, Err(StoreError::FenceLost { .. })));
    assert!(ids(&store, 100).await.is_empty());
}

async fn what_is_written_comes_back_unchanged(database: TestDatabase) {
    let store = database.store().await;
    let types = [
        NotificationType::Create,
        NotificationType::Update,
        NotificationType::Delete,
        NotificationType::Start,
        NotificationType::BeforeEnd,
        NotificationType::BeforeEndStop,
        NotificationType::End,
        NotificationType::Booked,
        NotificationType::Moved,
        NotificationType::Degraded,
        NotificationType::Cancelled,
    ];
    let written: Vec<Notification> = types
        .into_iter()
        .map(|event_type| Notification {
            event_type,
            time: i64::MAX,
            user_id: "\u{1F600} ".to_owned(),
            payload: "ä".repeat(2 * 1024 * 1024),
            ..notification(event_type.as_str())
        })
        .collect();
    let changes = written.iter().cloned().map(Arc::new).map(Change::Notify);
    commit(&store, changes.collect()).await.unwrap();
    let read = store.outbox("", 100).await.unwrap().into_iter();
    assert_eq!(read.map(|entry| entry.notification).collect::<Vec<_>>(), written);
    let nul = Notification {
        payload: "\0".to_owned(),
        ..notification("nul")
    };
    let refused = commit(&store, vec![Change::Notify(Arc::new(nul))]).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })));
}

async fn each_outlet_has_its_own_order_and_empties_by_itself(database: TestDatabase) {
    let store = database.store().await;
    let of = |outlet: &str, id: &str| {
        let outlet = outlet.to_owned();
        Change::Notify(Arc::new(Notification {
            outlet,
            ..notification(id)
        }))
    };
    commit(&store, vec![of("a", "1"), of("", "2"), of("a", "3")])
        .await
        .unwrap();
    commit(&store, vec![of("", "4"), of("a", "5")]).await.unwrap();
    let waiting = async |outlet: &str| -> Vec<String> {
        let entries = store.outbox(outlet, 100).await.unwrap();
        entries.into_iter().map(|entry| entry.notification.id).collect()
    };
    assert_eq!(waiting("a").await, ["1", "3", "5"]);
    let second = store.outbox("a", 2).await.unwrap().pop().unwrap();
    store.remove_from_outbox("a", second.position).await.unwrap();
    assert_eq!(
        (waiting("a").await, waiting("").await),
        (vec!["5".to_owned()], vec!["2".to_owned(), "4".to_owned()])
    );
}

async fn an_outbox_is_no_part_of_the_book(database: TestDatabase) {
    let store = database.store().await;
    commit(&store, vec![notify("a")]).await.unwrap();
    assert_eq!(store.changes_since(0).await.unwrap(), (1, Vec::new()));
    let contents = store.load().await.unwrap();
    assert_eq!((contents.epoch, contents.leases.len()), (1, 0));
}
