//! The change feed: a replica that follows it holds what the database holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use planner_core::domain::{EventStatus, FloatingIp, Host, Lease, LeaseStatus, Property};
use planner_core::ports::{Change, Contents, Epoch, Store, StoreError};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use store::StoreOptions;

use crate::on_each_engine;
use crate::samples::{DAY, commit, floating_ip, host, lease, property, put};
use store::testing::{TestDatabase, options};

on_each_engine!(
    replicas_that_follow_the_feed_equal_the_database,
    a_feed_that_was_cut_says_so,
    a_book_restored_from_a_copy_is_noticed,
);

/// What a process keeps in memory.
#[derive(Debug, Clone, Default, PartialEq)]
struct Replica {
    epoch: Epoch,
    leases: BTreeMap<String, Lease>,
    hosts: BTreeMap<String, Host>,
    floating_ips: BTreeMap<String, FloatingIp>,
    properties: BTreeMap<String, Property>,
    findings: BTreeMap<String, Vec<plugin_api::Finding>>,
}

impl Replica {
    fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change.clone() {
                Change::PutLease(lease) => drop(self.leases.insert(lease.id.clone(), Arc::unwrap_or_clone(lease))),
                Change::DeleteLease(id) => {
                    self.findings.remove(&id);
                    self.leases.remove(&id);
                }
                Change::PutHost(host) => drop(self.hosts.insert(host.id.clone(), Arc::unwrap_or_clone(host))),
                Change::DeleteHost(id) => drop(self.hosts.remove(&id)),
                Change::PutFloatingIp(address) => {
                    self.floating_ips
                        .insert(address.id.clone(), Arc::unwrap_or_clone(address));
                }
                Change::DeleteFloatingIp(id) => drop(self.floating_ips.remove(&id)),
                Change::PutProperty(property) => {
                    self.properties
                        .insert(property.id.clone(), Arc::unwrap_or_clone(property));
                }
                Change::PutFindings { lease_id, findings } if findings.is_empty() => {
                    self.findings.remove(&lease_id);
                }
                Change::PutFindings { lease_id, findings } => {
                    self.findings.insert(lease_id, Arc::unwrap_or_clone(findings));
                }
                // Waits elsewhere, for whoever sends it.
                Change::Notify(_) => {}
            }
        }
    }
}

impl From<Contents> for Replica {
    fn from(contents: Contents) -> Self {
        Self {
            epoch: contents.epoch,
            leases: contents
                .leases
                .into_iter()
                .map(|lease| (lease.id.clone(), lease))
                .collect(),
            hosts: contents.hosts.into_iter().map(|host| (host.id.clone(), host)).collect(),
            floating_ips: contents
                .floating_ips
                .into_iter()
                .map(|address| (address.id.clone(), address))
                .collect(),
            properties: contents
                .properties
                .into_iter()
                .map(|property| (property.id.clone(), property))
                .collect(),
            findings: contents.findings.into_iter().collect(),
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[^\0]{0,12}",
        Just("'; DROP TABLE leases; -- \\ \" %_ `".to_owned())
    ]
}

/// Lease `number` holds hosts nobody else holds: overlaps are another test's business.
fn any_lease() -> impl Strategy<Value = Lease> {
    (
        0..6_u8,
        text(),
        proptest::option::of(text()),
        0..4_usize,
        any::<(u32, bool, Option<i64>)>(),
    )
        .prop_map(|(number, name, waiting, hosts, (count, flag, time))| {
            let names: Vec<String> = (0..hosts).map(|host| format!("{number}-{host}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut lease = lease(&number.to_string(), &names, DAY, 2 * DAY);
            lease.name = name;
            lease.trust_id.clone_from(&waiting);
            lease.degraded = flag;
            lease.updated_at = time;
            lease.status = if flag {
                LeaseStatus::Active
            } else {
                LeaseStatus::Terminated
            };
            lease.reservations[0].missing_resources = !flag;
            if hosts == 3 {
                lease.reservations.clear();
            }
            if let Some(event) = lease.events.first_mut() {
                event.waiting = waiting;
                event.attempts = count;
                event.not_before = time;
                event.status = EventStatus::InProgress;
            }
            if count % 2 == 0 {
                lease.events.remove(1);
            }
            lease
        })
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => any_lease().prop_map(put),
        2 => (0..6_u8).prop_map(|number| Change::DeleteLease(number.to_string())),
        2 => (0..4_u8, text(), any::<i64>(), proptest::collection::btree_map(text(), text(), 0..4)).prop_map(
            |(number, cpu_info, vcpus, capabilities)| {
                Change::PutHost(Arc::new(Host { cpu_info, vcpus, capabilities, ..host(&number.to_string()) }))
            }
        ),
        1 => (0..4_u8).prop_map(|number| Change::DeleteHost(number.to_string())),
        2 => (0..4_u8, "[^\u{1}\0]{0,20}").prop_map(|(number, subnet_id)| {
            Change::PutFloatingIp(Arc::new(FloatingIp { subnet_id, ..floating_ip(&number.to_string()) }))
        }),
        1 => (0..4_u8).prop_map(|number| Change::DeleteFloatingIp(number.to_string())),
        1 => (0..3_u8, text()).prop_map(|(number, name)| {
            Change::PutProperty(Arc::new(Property { name, ..property(&number.to_string()) }))
        }),
        2 => (0..6_u8, vec(("[^\u{1}]{0,6}", any::<bool>()), 0..3)).prop_map(|(number, found)| Change::PutFindings {
            lease_id: number.to_string(),
            findings: Arc::new(
                found
                    .into_iter()
                    .map(|(detail, repaired)| plugin_api::Finding {
                        kind: "kind".to_owned(),
                        host: String::new(),
                        detail,
                        repaired,
                    })
                    .collect()
            ),
        }),
    ]
}

async fn replicas_that_follow_the_feed_equal_the_database(database: TestDatabase) {
    let store = database.store().await;
    let mut runner = TestRunner::default();
    let history = vec(vec(any_change(), 0..8), 60)
        .new_tree(&mut runner)
        .unwrap()
        .current();
    // One that is told everything, and followers that look after every 1st, 2nd, ... commit.
    let mut oracle = Replica::default();
    let mut followers = vec![Replica::default(); 7];
    let mut past = vec![oracle.clone()];
    for (number, changes) in history.iter().enumerate() {
        oracle.epoch = commit(&store, changes.clone()).await.unwrap();
        oracle.apply(changes);
        past.push(oracle.clone());
        for (index, follower) in followers.iter_mut().enumerate() {
            if number % (index + 1) == 0 {
                let (epoch, changes) = store.changes_since(follower.epoch).await.unwrap();
                follower.apply(&changes);
                follower.epoch = epoch;
                assert_eq!(*follower, oracle, "after {history:?}");
            }
        }
    }
    assert_eq!(Replica::from(store.load().await.unwrap()), oracle, "after {history:?}");
    for mut replica in past {
        let (epoch, changes) = store.changes_since(replica.epoch).await.unwrap();
        replica.apply(&changes);
        replica.epoch = epoch;
        assert_eq!(replica, oracle, "after {history:?}");
    }
}

async fn a_feed_that_was_cut_says_so(database: TestDatabase) {
    let store = database
        .store_with(StoreOptions {
            feed_epochs: 10,
            ..options()
        })
        .await;
    for number in 0..25 {
        commit(&store, vec![put(lease(&number.to_string(), &[], 0, DAY))])
            .await
            .unwrap();
    }
    for since in 0..=25 {
        match store.changes_since(since).await {
            Ok((epoch, changes)) => {
                assert!(since >= 15, "{since}");
                assert_eq!((epoch, changes.len()), (25, usize::try_from(25 - since).unwrap()));
            }
            Err(StoreError::FeedTruncated { since: reported }) => {
                assert_eq!(reported, since);
                assert!(since < 15, "{since}");
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(store.load().await.unwrap().leases.len(), 25);
}

async fn a_book_restored_from_a_copy_is_noticed(database: TestDatabase) {
    let store = database.store().await;
    commit(&store, vec![put(lease("a", &[], 0, DAY))]).await.unwrap();
    assert!(matches!(
        store.changes_since(2).await,
        Err(StoreError::FeedTruncated { since: 2 })
    ));
}
