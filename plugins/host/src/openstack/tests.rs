//! The plugin against the fake cloud.

mod conformance;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cloud::Aggregate;
use cloud::fake::{FakeCloud, Fault};
use plugin_api::{
    AssignedHost, Assignment, Finding, HostInventory, HostRegistration, InventoryError, NoObserver, PluginError,
    ResourcePlugin, StepObserver,
};

use super::{OpenStackHosts, OpenStackHostsConfig};

const FAULTS: [Fault; 2] = [Fault::BeforeEffect, Fault::AfterEffect];

fn plugin(cloud: &FakeCloud) -> OpenStackHosts {
    let config = OpenStackHostsConfig::default();
    OpenStackHosts::new(
        Arc::new(cloud.clone()),
        Arc::new(cloud.clone()),
        Arc::new(cloud.clone()),
        config,
        Arc::new(NoObserver),
    )
}

fn host(name: &str) -> AssignedHost {
    AssignedHost {
        id: "1".to_owned(),
        hypervisor_hostname: name.to_owned(),
        service_name: name.to_owned(),
    }
}

fn assignment(reservation: &str, project: &str, hosts: &[&str]) -> Assignment {
    Assignment {
        lease_id: format!("lease-of-{reservation}"),
        reservation_id: reservation.to_owned(),
        project_id: project.to_owned(),
        before_end: "snapshot".to_owned(),
        hosts: hosts.iter().map(|name| host(name)).collect(),
        ..::conformance::assignment("physical:host")
    }
}

#[derive(Debug, Clone, Copy)]
enum Method {
    Start,
    BeforeEnd,
    End,
}

async fn call(cloud: &FakeCloud, method: Method, assignment: &Assignment) -> Result<(), PluginError> {
    // A new plugin each time: whatever it knew is lost, as after a crash.
    let plugin = plugin(cloud);
    match method {
        Method::Start => plugin.start(assignment).await.map(drop),
        Method::BeforeEnd => plugin.before_end(assignment).await,
        Method::End => plugin.end(assignment).await,
    }
}

async fn until_done(cloud: &FakeCloud, method: Method, assignment: &Assignment) {
    let mut last = None;
    for _ in 0..20 {
        match call(cloud, method, assignment).await {
            Ok(()) => return,
            Err(PluginError::Rejected(reason)) => panic!("{method:?} gave up: {reason}"),
            Err(error) => last = Some(error),
        }
    }
    panic!("{method:?} never came to an end: {last:?}");
}

/// Everything that can be seen from outside, ids left out.
#[derive(Debug, PartialEq)]
struct Picture {
    aggregates: BTreeMap<String, Aggregate>,
    servers: Vec<(String, String)>,
    images: Vec<(String, Option<String>)>,
    providers: Vec<String>,
}

fn picture(cloud: &FakeCloud, aggregates: &[&str]) -> Picture {
    let mut seen = BTreeMap::new();
    for name in aggregates {
        if let Some(mut aggregate) = cloud.aggregate(name) {
            aggregate.hosts.sort();
            aggregate.id = 0;
            seen.insert((*name).to_owned(), aggregate);
        }
    }
    let mut providers = cloud.provider_names();
    providers.sort();
    Picture {
        aggregates: seen,
        servers: cloud
            .servers()
            .into_iter()
            .map(|server| (server.name, server.host))
            .collect(),
        images: cloud
            .images()
            .into_iter()
            .map(|image| (image.name, image.owner))
            .collect(),
        providers,
    }
}

async fn started() -> (FakeCloud, Assignment) {
    let cloud = FakeCloud::with_hosts("freepool", &["c1", "c2", "c3"]);
    let assigned = assignment("a", "project-a", &["c1", "c2"]);
    until_done(&cloud, Method::Start, &assigned).await;
    cloud.servers_linger(1);
    cloud.boot("c1", "project-a", "first");
    cloud.boot("c2", "project-a", "second");
    cloud.boot("c3", "project-x", "unrelated");
    (cloud, assigned)
}

#[tokio::test]
async fn a_start_gives_the_hosts_to_the_project() {
    let (cloud, _) = started().await;
    let own = cloud.aggregate("a").unwrap();
    assert_eq!(own.availability_zone.as_deref(), Some("blazar_a"));
    assert_eq!(own.metadata.get("blazar:owner").map(String::as_str), Some("project-a"));
    assert_eq!(cloud.aggregates_of("c1"), ["a"]);
    assert_eq!(cloud.aggregates_of("c3"), ["freepool"]);
}

#[tokio::test]
async fn an_end_gives_the_hosts_back_and_touches_no_other() {
    let (cloud, assigned) = started().await;
    until_done(&cloud, Method::End, &assigned).await;
    assert_eq!(cloud.aggregate("a"), None);
    assert_eq!(cloud.aggregates_of("c1"), ["freepool"]);
    assert_eq!(cloud.aggregates_of("c2"), ["freepool"]);
    let left: Vec<_> = cloud.servers().into_iter().map(|server| server.name).collect();
    assert_eq!(left, ["unrelated"]);
}

#[tokio::test]
async fn there_is_one_image_per_server_and_end_for_the_project() {
    let (cloud, mut assigned) = started().await;
    until_done(&cloud, Method::BeforeEnd, &assigned).await;
    let project = Some("project-a".to_owned());
    assert_eq!(
        picture(&cloud, &[]).images,
        [
            ("reserved_first".to_owned(), project.clone()),
            ("reserved_second".to_owned(), project)
        ]
    );
    assigned.end += 3_600;
    until_done(&cloud, Method::BeforeEnd, &assigned).await;
    assert_eq!(
        cloud.images().len(),
        4,
        "an extended reservation is saved again before its new end"
    );

    assigned.before_end = "email".to_owned();
    assert!(matches!(
        call(&cloud, Method::BeforeEnd, &assigned).await,
        Err(PluginError::Rejected(_))
    ));
    assigned.before_end = "default".to_owned();
    cloud.go_down("nothing may be asked");
    call(&cloud, Method::BeforeEnd, &assigned).await.unwrap();
}

#[tokio::test]
async fn ending_disturbed_between_two_zones_loses_no_host() {
    let prepare = async || {
        let cloud = FakeCloud::with_hosts("freepool", &["c1", "c2"]);
        cloud.tamper("freepool", |freepool| {
            freepool.availability_zone = Some("spare".to_owned());
        });
        let assigned = assignment("a", "project-a", &["c1", "c2"]);
        until_done(&cloud, Method::Start, &assigned).await;
        (cloud, assigned)
    };
    let (cloud, assigned) = prepare().await;
    cloud.heal();
    until_done(&cloud, Method::End, &assigned).await;
    let calls = cloud.calls().len();
    for number in 1..=calls {
        for fault in FAULTS {
            let (cloud, assigned) = prepare().await;
            cloud.fail_call(number, fault);
            until_done(&cloud, Method::End, &assigned).await;
            let mut hosts = cloud.aggregate("freepool").unwrap().hosts;
            hosts.sort();
            assert_eq!(hosts, ["c1", "c2"], "{fault:?} at {number}");
            assert_eq!(cloud.aggregate("a"), None);
        }
    }
}

#[tokio::test]
async fn the_next_reservation_of_a_host_waits_for_the_one_before() {
    let (cloud, before) = started().await;
    let after = assignment("b", "project-b", &["c1"]);

    let Err(PluginError::Waiting(reason)) = call(&cloud, Method::Start, &after).await else {
        panic!("two reservations on one host")
    };
    assert_eq!(reason, "host c1 still belongs to reservation a");
    assert_eq!(cloud.aggregates_of("c1"), ["a"]);
    assert_eq!(
        cloud.servers().len(),
        3,
        "a server of the running reservation was touched"
    );

    until_done(&cloud, Method::End, &before).await;
    until_done(&cloud, Method::Start, &after).await;
    assert_eq!(cloud.aggregates_of("c1"), ["b"]);

    // A late repetition of the end, and the end of one that was planned on the host but never started.
    cloud.boot("c1", "project-b", "mine");
    for late in [&before, &assignment("never", "project-n", &["c1"])] {
        until_done(&cloud, Method::End, late).await;
        assert_eq!(cloud.aggregates_of("c1"), ["b"]);
        assert!(cloud.servers().iter().any(|server| server.name == "mine"));
    }
}

#[tokio::test]
async fn the_end_waits_for_servers_and_lets_nobody_start_new_ones() {
    let (cloud, assigned) = started().await;
    cloud.servers_linger(3);
    let Err(PluginError::Waiting(reason)) = call(&cloud, Method::End, &assigned).await else {
        panic!("hosts were given back with servers on them")
    };
    assert_eq!(reason, "2 servers are still being deleted on c1, c2");
    let own = cloud.aggregate("a").unwrap();
    assert_eq!(own.hosts.len(), 2);
    assert!(
        !own.metadata.contains_key("blazar:owner"),
        "the owner could still boot servers"
    );
}

#[tokio::test]
async fn a_server_outside_of_the_freepool_is_never_deleted_at_the_start() {
    let cloud = FakeCloud::with_hosts("freepool", &["c1"]);
    cloud.tamper("freepool", |freepool| freepool.hosts.clear());
    cloud.boot("c1", "project-x", "ordinary");
    let assigned = assignment("a", "project-a", &["c1"]);
    let Err(PluginError::Waiting(reason)) = call(&cloud, Method::Start, &assigned).await else {
        panic!("started")
    };
    assert_eq!(reason, "Host c1 not in freepool 'freepool' and has 1 servers on it");
    assert_eq!(cloud.servers().len(), 1);
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let cloud = FakeCloud::with_hosts("freepool", &["c1"]);
    let assigned = assignment("a", "project-a", &["c1", "ghost"]);
    let error = call(&cloud, Method::Start, &assigned).await.unwrap_err();
    assert_eq!(error.to_string(), "Host 'ghost' not found!");
    assert_eq!(cloud.aggregates_of("c1"), ["a"], "the host that is there was not given");

    cloud.drop_aggregate("freepool");
    let error = call(&cloud, Method::Start, &assigned).await.unwrap_err();
    assert_eq!(error.to_string(), "No Freepool found");

    cloud.go_down("connection refused");
    let error = call(&cloud, Method::Start, &assigned).await.unwrap_err();
    assert_eq!(error.to_string(), "nova did not list aggregates: connection refused");
}

async fn findings(cloud: &FakeCloud, assigned: &Assignment) -> Vec<(String, String, bool)> {
    let found: Vec<Finding> = plugin(cloud).reconcile(assigned).await.unwrap();
    found
        .into_iter()
        .map(|finding| (finding.kind, finding.host, finding.repaired))
        .collect()
}

fn found(kind: &str, host: &str, repaired: bool) -> (String, String, bool) {
    (kind.to_owned(), host.to_owned(), repaired)
}

#[tokio::test]
async fn drift_is_repaired_and_reported_once() {
    let cloud = FakeCloud::with_hosts("freepool", &["c1", "c2", "c3"]);
    let assigned = assignment("a", "project-a", &["c1", "c2"]);
    until_done(&cloud, Method::Start, &assigned).await;
    let expected = picture(&cloud, &["a", "freepool"]);
    assert_eq!(findings(&cloud, &assigned).await, []);

    cloud.drop_aggregate("a");
    assert_eq!(
        findings(&cloud, &assigned).await,
        [
            found("aggregate_missing", "", true),
            found("host_missing", "c1", true),
            found("host_missing", "c2", true)
        ]
    );
    assert_eq!(picture(&cloud, &["a", "freepool"]), expected);

    cloud.tamper("a", |own| own.hosts.retain(|host| host != "c2"));
    cloud.tamper("freepool", |freepool| freepool.hosts.push("c2".to_owned()));
    assert_eq!(findings(&cloud, &assigned).await, [found("host_missing", "c2", true)]);
    assert_eq!(picture(&cloud, &["a", "freepool"]), expected);

    cloud.tamper("a", |own| {
        own.metadata.insert("blazar:owner".to_owned(), "project-x".to_owned());
        own.hosts.push("c3".to_owned());
    });
    cloud.tamper("freepool", |freepool| freepool.hosts.clear());
    assert_eq!(
        findings(&cloud, &assigned).await,
        [found("metadata_differs", "", true), found("host_extra", "c3", true)]
    );
    assert_eq!(picture(&cloud, &["a", "freepool"]), expected);

    cloud.tamper("a", |own| own.availability_zone = None);
    assert_eq!(findings(&cloud, &assigned).await, [found("zone_differs", "", true)]);
    assert_eq!(picture(&cloud, &["a", "freepool"]), expected);
    assert_eq!(findings(&cloud, &assigned).await, []);
}

#[tokio::test]
async fn what_cannot_be_repaired_safely_is_only_reported() {
    let (cloud, assigned) = started().await;
    cloud.boot("c1", "project-x", "intruder");
    assert_eq!(
        findings(&cloud, &assigned).await,
        [found("foreign_server", "c1", false)]
    );
    cloud.tamper("a", |own| {
        own.metadata.insert("project-x".to_owned(), "blazar:project".to_owned());
    });
    assert_eq!(
        findings(&cloud, &assigned).await,
        [],
        "a project the reservation is shared with is no intruder"
    );

    cloud.tamper("a", |own| own.hosts.push("c3".to_owned()));
    assert_eq!(findings(&cloud, &assigned).await, [found("host_extra", "c3", false)]);
    assert_eq!(cloud.servers().len(), 4, "a server was deleted");

    cloud.tamper("a", |own| own.hosts.retain(|host| host == "c1"));
    let other = assignment("b", "project-b", &["c3"]);
    cloud.tamper("freepool", |freepool| freepool.hosts.push("c3".to_owned()));
    until_done(&cloud, Method::Start, &other).await;
    cloud.tamper("b", |other| other.hosts.push("c2".to_owned()));
    assert_eq!(
        findings(&cloud, &assigned).await,
        [found("host_elsewhere", "c2", false)]
    );

    cloud.remove_hypervisor("c2");
    assert_eq!(findings(&cloud, &assigned).await, [found("host_gone", "c2", false)]);
}

fn registration(reference: &str, values: &[(&str, &str)]) -> HostRegistration {
    HostRegistration {
        reference: reference.to_owned(),
        values: values
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    }
}

fn unregistered() -> FakeCloud {
    let cloud = FakeCloud::with_hosts("freepool", &[]);
    for name in ["c1", "c10", "c2"] {
        cloud.add_hypervisor(name);
    }
    cloud
}

#[tokio::test]
async fn registering_disturbed_anywhere_is_completed_by_repeating_it() {
    let wanted = registration("c1", &[("gpu", "True"), ("vcpus", "1000"), ("id", "x")]);
    let cloud = unregistered();
    cloud.heal();
    let facts = plugin(&cloud).register(&wanted).await.unwrap();
    let calls = cloud.calls().len();
    assert_eq!((facts.vcpus, facts.memory_mb, facts.local_gb), (8, 16_384, 1_000));
    assert_eq!(facts.availability_zone, "nova");
    assert_eq!(
        facts.capabilities,
        BTreeMap::from([("gpu".to_owned(), "True".to_owned())])
    );
    let registered = picture(&cloud, &["freepool"]);
    assert!(registered.providers.contains(&"blazar_c1".to_owned()));
    for number in 1..=calls {
        for fault in FAULTS {
            let cloud = unregistered();
            cloud.fail_call(number, fault);
            assert!(matches!(
                plugin(&cloud).register(&wanted).await,
                Err(InventoryError::Unavailable(_))
            ));
            cloud.heal();
            assert_eq!(plugin(&cloud).register(&wanted).await.unwrap(), facts);
            assert_eq!(picture(&cloud, &["freepool"]), registered);
        }
    }
    cloud.hide_sizes(true);
    let facts = plugin(&cloud).register(&wanted).await.unwrap();
    assert_eq!((facts.vcpus, facts.memory_mb, facts.local_gb), (8, 16_384, 1_000));

    for number in 1..=5 {
        for fault in FAULTS {
            let cloud = unregistered();
            plugin(&cloud).register(&wanted).await.unwrap();
            cloud.fail_call(number, fault);
            assert!(plugin(&cloud).deregister(&host("c1")).await.is_err());
            cloud.heal();
            plugin(&cloud).deregister(&host("c1")).await.unwrap();
            plugin(&cloud).deregister(&host("c1")).await.unwrap();
            assert_eq!(picture(&cloud, &["freepool"]), picture(&unregistered(), &["freepool"]));
        }
    }
}

#[tokio::test]
async fn registering_is_refused_in_upstreams_words_and_changes_nothing() {
    let cloud = unregistered();
    let server = cloud.boot("c2", "project-x", "busy");
    let before = picture(&cloud, &["freepool"]);
    let long = "k".repeat(65);
    for (reference, values, expected) in [
        ("c", vec![], "Multiple Hosts found for pattern 'c'".to_owned()),
        ("ghost", vec![], "Host 'ghost' not found!".to_owned()),
        ("99", vec![], "Host '99' not found!".to_owned()),
        ("c2", vec![], format!("Servers [[{server} (busy)]] found for host c2")),
        (
            "c1",
            vec![(long.as_str(), "x")],
            "Extra capability key too long".to_owned(),
        ),
    ] {
        let error = plugin(&cloud)
            .register(&registration(reference, &values))
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(picture(&cloud, &["freepool"]), before);
    }
    // By id, and by a pattern only one name matches.
    let by_id = plugin(&cloud).register(&registration("2", &[])).await.unwrap();
    assert_eq!(by_id.hypervisor_hostname, "c1");
    let by_pattern = plugin(&cloud).register(&registration("10", &[])).await.unwrap();
    assert_eq!(by_pattern.hypervisor_hostname, "c10");

    let assigned = assignment("a", "project-a", &["c1"]);
    until_done(&cloud, Method::Start, &assigned).await;
    let error = plugin(&cloud).deregister(&host("c1")).await.unwrap_err();
    assert_eq!(error.to_string(), "Host c1 is in the aggregate of reservation a");
}

#[derive(Default)]
struct Record(Mutex<Vec<&'static str>>);

impl StepObserver for Record {
    fn reached(&self, step: &'static str) {
        self.0.lock().unwrap().push(step);
    }
}

#[tokio::test]
async fn every_step_a_test_can_stop_at_is_reached() {
    let cloud = FakeCloud::with_hosts("freepool", &["c2"]);
    cloud.add_hypervisor("c1");
    let record = Arc::new(Record::default());
    let port = || Arc::new(cloud.clone());
    let plugin = OpenStackHosts::new(port(), port(), port(), OpenStackHostsConfig::default(), record.clone());
    plugin.register(&registration("c1", &[])).await.unwrap();
    cloud.boot("c1", "project-x", "preemptible");
    let assigned = assignment("a", "project-a", &["c1"]);
    plugin.start(&assigned).await.unwrap();
    cloud.drop_aggregate("a");
    cloud.tamper("freepool", |freepool| freepool.hosts.push("c1".to_owned()));
    plugin.reconcile(&assigned).await.unwrap();
    cloud.tamper("a", |own| own.hosts.push("c2".to_owned()));
    cloud.tamper("freepool", |freepool| freepool.hosts.clear());
    plugin.reconcile(&assigned).await.unwrap();
    cloud.boot("c1", "project-a", "mine");
    plugin.before_end(&assigned).await.unwrap();
    plugin.end(&assigned).await.unwrap();
    plugin.deregister(&host("c1")).await.unwrap();
    assert_eq!(*record.0.lock().unwrap(), OpenStackHosts::STEPS);
}
