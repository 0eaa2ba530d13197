//! Values: what one engine stores all store, what one refuses all refuse.

use std::sync::Arc;

use planner_core::domain::{Host, Lease, Property, ReservationSpec};
use planner_core::ports::{Change, Store, StoreError};

use crate::on_each_engine;
use crate::samples::{DAY, commit, host, lease, property, put};
use store::testing::TestDatabase;

on_each_engine!(
    strange_texts_come_back_unchanged,
    ids_differ_by_any_character,
    impossible_values_are_refused_alike
);

const STRANGE: [&str; 8] = [
    "",
    " ",
    "trailing blanks  ",
    "quotes ' \" ` \\ \\' ; -- /* */",
    "%s {} $1 ?1 :name",
    "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467} \u{10FFFF} \u{FEFF}",
    "line\r\nfeed\ttab\u{1}\u{7f}\u{85}\u{2028}",
    "e\u{301} \u{e9} \u{130}\u{131} \u{df} \u{1e9e}",
];

async fn strange_texts_come_back_unchanged(database: TestDatabase) {
    let store = database.store().await;
    let mut leases = Vec::new();
    let mut hosts = Vec::new();
    let widest = "\u{1F600}".repeat(80);
    let huge = "\u{1F600}'\\".repeat(500_000);
    for (index, text) in STRANGE.into_iter().chain([widest.as_str()]).enumerate() {
        let mut lease = lease(&index.to_string(), &[], i64::MIN, i64::MAX);
        lease.name = text.to_owned();
        lease.user_id = text.repeat(3);
        lease.events[0].waiting = Some(huge.clone());
        lease.events[0].attempts = u32::MAX;
        let ReservationSpec::Host(spec) = &mut lease.reservations[0].spec else {
            panic!("the sample reserves hosts");
        };
        spec.hypervisor_properties = text.repeat(1000);
        leases.push(lease);
        let mut host = host(&index.to_string());
        host.hypervisor_hostname = text.repeat(3);
        host.cpu_info = huge.clone();
        host.hypervisor_version = i64::MIN;
        host.capabilities = STRANGE
            .into_iter()
            .map(|name| (name.to_owned(), text.repeat(9)))
            .collect();
        hosts.push(host);
    }
    let findings = STRANGE
        .into_iter()
        .chain(["NUL \0"])
        .map(|text| plugin_api::Finding {
            kind: text.to_owned(),
            host: text.to_owned(),
            detail: text.to_owned(),
            repaired: true,
        })
        .collect::<Vec<_>>();
    let mut changes: Vec<Change> = leases.iter().cloned().map(put).collect();
    changes.extend(hosts.iter().cloned().map(|host| Change::PutHost(Arc::new(host))));
    changes.push(Change::PutFindings {
        lease_id: "0".to_owned(),
        findings: Arc::new(findings.clone()),
    });
    commit(&store, changes).await.unwrap();
    let contents = store.load().await.unwrap();
    assert!(contents.leases == leases, "a lease came back changed");
    assert!(contents.hosts == hosts, "a host came back changed");
    assert_eq!(contents.findings, [("0".to_owned(), findings)]);
}

async fn ids_differ_by_any_character(database: TestDatabase) {
    let store = database.store().await;
    let ids = [
        "a",
        "A",
        "a ",
        " a",
        "\u{e4}",
        "a\u{308}",
        "\u{df}",
        "ss",
        "\u{1F600}",
        "\u{1F601}",
        "",
    ];
    // Had the engine taken two ids for one, it would find the host occupied twice.
    let mut leases: Vec<Lease> = ids.iter().map(|id| lease(id, &[id], 0, DAY)).collect();
    let mut hosts: Vec<Host> = ids.iter().map(|id| host(id)).collect();
    let mut changes: Vec<Change> = leases.iter().cloned().map(put).collect();
    changes.extend(hosts.iter().cloned().map(|host| Change::PutHost(Arc::new(host))));
    commit(&store, changes).await.unwrap();
    leases.sort_by(|one, other| one.id.cmp(&other.id));
    hosts.sort_by(|one, other| one.id.cmp(&other.id));
    let contents = store.load().await.unwrap();
    assert_eq!((contents.leases, contents.hosts), (leases, hosts));
    commit(
        &store,
        vec![Change::DeleteLease("A".to_owned()), Change::DeleteHost("a ".to_owned())],
    )
    .await
    .unwrap();
    let contents = store.load().await.unwrap();
    assert_eq!(
        (contents.leases.len(), contents.hosts.len()),
        (ids.len() - 1, ids.len() - 1)
    );
    assert!(contents.leases.iter().all(|lease| lease.id != "A"));
    for id in ids {
        assert!(store.claim(id, "w", 0, 10).await.unwrap().is_some(), "{id:?}");
    }
}

async fn impossible_values_are_refused_alike(database: TestDatabase) {
    let store = database.store().await;
    let with = |change: &dyn Fn(&mut Lease)| {
        let mut lease = lease("a", &["1"], 0, DAY);
        change(&mut lease);
        put(lease)
    };
    let on_host = |change: &dyn Fn(&mut Host)| {
        let mut host = host("1");
        change(&mut host);
        Change::PutHost(Arc::new(host))
    };
    let refused = [
        (
            with(&|lease| lease.name = "\u{1F600}".repeat(81)),
            "only 80 characters of a lease's name, not 81",
        ),
        (
            with(&|lease| lease.name = "a\0b".to_owned()),
            "no NUL character, but a lease's name has one",
        ),
        (
            with(&|lease| lease.id = "x".repeat(65)),
            "only 64 characters of a lease's id, not 65",
        ),
        (
            with(&|lease| lease.trust_id = Some("\0".to_owned())),
            "no NUL character, but a lease's trust has one",
        ),
        (
            with(&|lease| lease.reservations[0].allocations[0].occupied_until = 0),
            "only allocations that begin before they end, from 1970 to 9999, not 0..0",
        ),
        (
            with(&|lease| lease.reservations[0].allocations[0].occupied_until = 253_402_300_800),
            "only allocations that begin before they end, from 1970 to 9999, not 0..253402300800",
        ),
        (
            with(&|lease| lease.events[0].waiting = Some("x".repeat(4 * 1024 * 1024 + 1))),
            "only 4194304 bytes of an event's reason to wait, not 4194305",
        ),
        (
            on_host(&|host| host.hypervisor_hostname = "x".repeat(256)),
            "only 255 characters of a host's name, not 256",
        ),
        (
            on_host(&|host| drop(host.capabilities.insert("\0".to_owned(), String::new()))),
            "no NUL character, but a capability's name has one",
        ),
        (
            Change::PutProperty(Arc::new(Property {
                name: "x".repeat(256),
                ..property("1")
            })),
            "only 255 characters of a property's name, not 256",
        ),
        (
            Change::DeleteLease("\0".to_owned()),
            "no NUL character, but a lease's id has one",
        ),
    ];
    for (change, expected) in refused {
        let error = commit(&store, vec![change]).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Corrupt { what } if what == expected),
            "{expected}: {error:?}"
        );
    }
    assert!(matches!(
        store.claim("a\0", "w", 0, 1).await,
        Err(StoreError::Corrupt { .. })
    ));
    // The last second there is, and the first.
    let change = with(&|lease| lease.reservations[0].allocations[0].occupied_until = 253_402_300_799);
    commit(&store, vec![change]).await.unwrap();
    assert_eq!(store.load().await.unwrap().epoch, 1);
}
