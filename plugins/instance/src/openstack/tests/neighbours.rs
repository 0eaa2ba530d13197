//! Reservations of instances and of whole hosts on the same hosts.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloud::fake::FakeCloud;
use host_plugin::{OpenStackHosts, OpenStackHostsConfig};
use plugin_api::{Assignment, HostInventory, HostRegistration, NoObserver, PluginError, ResourcePlugin};

use super::{assignment, plugin, three_hosts, until_ended};

fn hosts(cloud: &FakeCloud) -> OpenStackHosts {
    let port = || Arc::new(cloud.clone());
    let config = OpenStackHostsConfig::default();
    OpenStackHosts::new(port(), port(), port(), config, Arc::new(NoObserver))
}

fn whole(reservation: &str, names: &[&str]) -> Assignment {
    let places: Vec<_> = names.iter().map(|&name| (name, 1)).collect();
    Assignment {
        reservation_id: reservation.to_owned(),
        resource_type: "physical:host".to_owned(),
        project_id: "project-h".to_owned(),
        instances: None,
        floating_ips: None,
        units: None,
        message: None,
        ..assignment(None, &places)
    }
}

fn registration(name: &str) -> HostRegistration {
    HostRegistration {
        reference: name.to_owned(),
        values: BTreeMap::new(),
    }
}

#[tokio::test]
async fn each_waits_for_the_other() {
    let cloud = three_hosts();
    let before = whole("before", &["c1"]);
    hosts(&cloud).start(&before).await.unwrap();

    let shared = assignment(None, &[("c1", 2), ("c2", 1)]);
    let Err(PluginError::Waiting(reason)) = plugin(&cloud).start(&shared).await else {
        panic!("instances on a host that is reserved whole")
    };
    assert_eq!(reason, "host c1 still belongs to reservation before");
    assert_eq!(cloud.aggregates_of("c1"), ["before"]);
    hosts(&cloud).end(&before).await.unwrap();
    plugin(&cloud).start(&shared).await.unwrap();
    cloud.boot_of("a-1", "c1", "project-a", "mine");

    let after = whole("after", &["c1"]);
    let Err(PluginError::Waiting(reason)) = hosts(&cloud).start(&after).await else {
        panic!("a host was taken whole from under instances")
    };
    assert_eq!(reason, "host c1 still belongs to reservation a-1");
    assert_eq!(
        cloud.servers().len(),
        1,
        "a server of the running reservation was deleted"
    );
    let findings = hosts(&cloud).reconcile(&after).await.unwrap();
    assert_eq!(findings[0].kind, "host_elsewhere", "{findings:?}");
    assert_eq!(cloud.aggregates_of("c1"), ["freepool", "a-1"]);

    until_ended(&cloud, &shared).await;
    hosts(&cloud).start(&after).await.unwrap();
    assert_eq!(cloud.aggregates_of("c1"), ["after"]);
    // A late repetition of the end takes nothing from the next.
    until_ended(&cloud, &shared).await;
    assert_eq!(cloud.aggregates_of("c1"), ["after"]);
}

#[tokio::test]
async fn a_host_that_is_reserved_whole_is_not_put_back_by_others() {
    let cloud = three_hosts();
    let shared = assignment(None, &[("c1", 1)]);
    plugin(&cloud).start(&shared).await.unwrap();
    cloud.tamper("a-1", |own| own.hosts.clear());
    hosts(&cloud).start(&whole("whole", &["c1", "c2"])).await.unwrap();
    cloud.tamper("a-1", |own| own.hosts.extend(["c1", "c2"].map(str::to_owned)));
    plugin(&cloud).reconcile(&shared).await.unwrap();
    assert_eq!(cloud.aggregates_of("c2"), ["whole"]);
    until_ended(&cloud, &shared).await;
    assert_eq!(cloud.aggregates_of("c1"), ["whole"]);
}

#[tokio::test]
async fn a_host_in_several_reservations_of_instances_is_shared() {
    let cloud = three_hosts();
    let one = assignment(None, &[("c1", 1)]);
    let mut other = assignment(None, &[("c1", 2)]);
    other.reservation_id = "b-2".to_owned();
    plugin(&cloud).start(&one).await.unwrap();
    plugin(&cloud).start(&other).await.unwrap();
    assert_eq!(cloud.aggregates_of("c1"), ["freepool", "a-1", "b-2"]);
    until_ended(&cloud, &one).await;
    assert_eq!(cloud.aggregates_of("c1"), ["freepool", "b-2"]);
    assert_eq!(cloud.inventory("blazar_c1", "CUSTOM_RESERVATION_B_2"), Some(2));
}

#[tokio::test]
async fn a_host_in_an_aggregate_of_instances_is_not_lost_to_the_freepool() {
    let cloud = three_hosts();
    let ending = whole("ending", &["c1"]);
    hosts(&cloud).start(&ending).await.unwrap();
    plugin(&cloud).start(&assignment(None, &[("c2", 1)])).await.unwrap();
    cloud.tamper("a-1", |own| own.hosts.push("c1".to_owned()));
    hosts(&cloud).end(&ending).await.unwrap();
    assert_eq!(cloud.aggregates_of("c1"), ["freepool", "a-1"]);

    // Registering again puts it into the freepool; it leaves only when nobody uses it.
    cloud.tamper("freepool", |freepool| freepool.hosts.retain(|host| host != "c2"));
    let facts = hosts(&cloud).register(&registration("c2")).await.unwrap();
    assert_eq!(cloud.aggregates_of("c2"), ["freepool", "a-1"]);
    let host = plugin_api::AssignedHost {
        id: facts.id,
        hypervisor_hostname: "c2".to_owned(),
        service_name: "c2".to_owned(),
    };
    let refused = hosts(&cloud).deregister(&host).await.unwrap_err();
    assert_eq!(refused.to_string(), "Host c2 is in the aggregate of reservation a-1");
    until_ended(&cloud, &assignment(None, &[("c2", 1)])).await;
    hosts(&cloud).deregister(&host).await.unwrap();
    assert!(cloud.aggregates_of("c2").is_empty());
}
