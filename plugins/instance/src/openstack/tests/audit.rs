//! What disagrees is found, and repaired where that hurts nobody.

use cloud::fake::FakeCloud;
use plugin_api::{Assignment, ResourcePlugin};

use super::{CLASS, assignment, plugin, three_hosts};

async fn findings(cloud: &FakeCloud, assigned: &Assignment) -> Vec<(String, String, bool)> {
    let found = plugin(cloud).reconcile(assigned).await.unwrap();
    found
        .into_iter()
        .map(|finding| (finding.kind, finding.host, finding.repaired))
        .collect()
}

fn found(kind: &str, host: &str, repaired: bool) -> (String, String, bool) {
    (kind.to_owned(), host.to_owned(), repaired)
}

async fn running() -> (FakeCloud, Assignment) {
    let cloud = three_hosts();
    let assigned = assignment(Some(false), &[("c1", 1), ("c2", 1)]);
    plugin(&cloud).start(&assigned).await.unwrap();
    (cloud, assigned)
}

#[tokio::test]
async fn drift_is_repaired_and_reported_once() {
    let (cloud, assigned) = running().await;
    let expected = cloud.snapshot();
    assert_eq!(findings(&cloud, &assigned).await, []);

    cloud.drop_aggregate("a-1");
    cloud.drop_flavor("a-1");
    let repaired = [
        found("flavor_missing", "", true),
        found("aggregate_missing", "", true),
        found("host_missing", "c1", true),
        found("host_missing", "c2", true),
    ];
    assert_eq!(findings(&cloud, &assigned).await, repaired);
    assert_eq!(cloud.snapshot(), expected);

    cloud.tamper("a-1", |own| {
        own.metadata
            .insert("filter_tenant_id".to_owned(), "project-x".to_owned());
        own.hosts.push("c3".to_owned());
    });
    cloud.tamper("freepool", |freepool| freepool.hosts.retain(|host| host == "c2"));
    cloud.add_child_provider("blazar_c3", "c3");
    cloud.tamper_inventory("blazar_c3", CLASS, Some(9));
    cloud.tamper_inventory("blazar_c1", CLASS, Some(9));
    cloud.tamper_access("a-1", &[]);
    let repaired = [
        found("metadata_differs", "", true),
        found("freepool_missing", "c1", true),
        found("places_differ", "c1", true),
        found("host_extra", "c3", true),
        found("places_extra", "c3", true),
        found("access_missing", "", true),
    ];
    assert_eq!(findings(&cloud, &assigned).await, repaired);
    assert_eq!(cloud.snapshot().of_reservations(), expected.of_reservations());
    assert_eq!(findings(&cloud, &assigned).await, []);
}

#[tokio::test]
async fn what_cannot_be_repaired_safely_is_only_reported() {
    let (cloud, assigned) = running().await;
    cloud.boot_of("a-1", "c1", "project-x", "intruder");
    cloud.boot_of("a-1", "c3", "project-a", "astray");
    cloud.boot_of("a-1", "", "project-a", "not placed yet");
    cloud.boot("c2", "project-x", "not of the reservation");
    let expected = [
        found("foreign_server", "c1", false),
        found("server_outside", "c3", false),
    ];
    let mut seen = findings(&cloud, &assigned).await;
    seen.sort();
    assert_eq!(seen, expected);
    cloud.drop_servers();

    cloud.tamper_access("a-1", &["project-a", "project-x"]);
    assert_eq!(findings(&cloud, &assigned).await, [found("foreign_access", "", false)]);
    cloud.tamper_access("a-1", &["project-a"]);

    let mut other = assigned.clone();
    other.instances.as_mut().unwrap().vcpus = 16;
    assert_eq!(findings(&cloud, &other).await, [found("flavor_differs", "", false)]);

    cloud.tamper("freepool", |freepool| {
        freepool.name = "blazar-host-reservation".to_owned();
        freepool.availability_zone = Some("blazar_x".to_owned());
        freepool.hosts = vec!["c2".to_owned()];
    });
    cloud.remove_hypervisor("c1");
    let expected = [found("host_gone", "c1", false), found("host_elsewhere", "c2", false)];
    assert_eq!(findings(&cloud, &assigned).await, expected);
}

#[tokio::test]
async fn a_server_group_that_is_gone_is_not_replaced() {
    let (cloud, assigned) = running().await;
    cloud.drop_server_groups();
    let before = cloud.aggregate("a-1").unwrap();
    assert_eq!(
        findings(&cloud, &assigned).await,
        [found("server_group_missing", "", false)]
    );
    assert_eq!(cloud.aggregate("a-1").unwrap(), before);
    assert!(cloud.server_groups().is_empty());
}
