//! The plugin on a cloud in memory.

use std::sync::Arc;

use cloud::Subnet;
use cloud::fake::FakeCloud;
use conformance::Subject;
use plugin_api::{
    AssignedFloatingIp, AssignedFloatingIps, Assignment, FloatingIpInventory, NoObserver, PluginError, ResourcePlugin,
};

use super::{OpenStackFloatingIps, ProjectAddress};

const NETWORK: &str = "public";

fn cloud() -> FakeCloud {
    let cloud = FakeCloud::new();
    let subnet = |id: &str, first: &str, length, gateway: &str, pool: (&str, &str)| Subnet {
        id: id.to_owned(),
        cidr: (first.parse().unwrap(), length),
        gateway: Some(gateway.parse().unwrap()),
        allocation_pools: vec![(pool.0.parse().unwrap(), pool.1.parse().unwrap())],
    };
    let subnets = vec![
        subnet("six", "2001:db8::", 64, "2001:db8::1", ("2001:db8::2", "2001:db8::ff")),
        subnet("four", "192.0.2.0", 24, "192.0.2.1", ("192.0.2.10", "192.0.2.99")),
    ];
    cloud.add_network(NETWORK, subnets);
    // Somebody else's, made by hand.
    cloud.add_address(theirs("192.0.2.50", "project-x", &[]));
    cloud
}

fn theirs(address: &str, project: &str, tags: &[&str]) -> ProjectAddress {
    ProjectAddress {
        id: format!("by-hand-{address}"),
        address: address.to_owned(),
        network_id: NETWORK.to_owned(),
        project_id: project.to_owned(),
        port_id: None,
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
    }
}

fn assignment(addresses: &[&str]) -> Assignment {
    let assigned = |address: &&str| AssignedFloatingIp {
        id: format!("id of {address}"),
        subnet_id: if address.contains(':') { "six" } else { "four" }.to_owned(),
        address: (*address).to_owned(),
    };
    Assignment {
        lease_id: "lease-1".to_owned(),
        reservation_id: "a-1".to_owned(),
        user_id: "alice".to_owned(),
        project_id: "project-a".to_owned(),
        start: 0,
        end: 1_000,
        floating_ips: Some(AssignedFloatingIps {
            network_id: NETWORK.to_owned(),
            addresses: addresses.iter().map(assigned).collect(),
        }),
        ..conformance::assignment("virtual:floatingip")
    }
}

fn plugin(cloud: &FakeCloud) -> OpenStackFloatingIps {
    OpenStackFloatingIps::new(Arc::new(cloud.clone()), Arc::new(NoObserver))
}

#[tokio::test]
async fn cut_off_anywhere_it_ends_in_the_same_state() {
    let subject = Subject {
        plugin: |cloud, steps| Arc::new(OpenStackFloatingIps::new(Arc::new(cloud.clone()), steps)),
        steps: OpenStackFloatingIps::STEPS,
        cloud,
        assignment: assignment(&["192.0.2.200", "2001:db8::1:1"]),
        grown: assignment(&["192.0.2.200", "192.0.2.201", "2001:db8::1:1"]),
        use_it: |cloud| cloud.attach_addresses("project-a", "port"),
        damage: |cloud| cloud.drop_address("192.0.2.200"),
        always: |cloud| {
            let addresses = cloud.addresses();
            let foreign = addresses.iter().any(|known| known.project_id == "project-x");
            foreign
                .then_some(())
                .ok_or_else(|| "somebody else's floating IP is gone".to_owned())
        },
    };
    let report = subject.check().await.unwrap();
    assert!(report.calls > 15 && report.steps > 10, "only {report:?}");
}

#[tokio::test]
async fn the_project_gets_addresses_with_the_tags_of_the_reservation() {
    let cloud = cloud();
    plugin(&cloud).start(&assignment(&["192.0.2.200"])).await.unwrap();
    let made = cloud
        .addresses()
        .into_iter()
        .find(|known| known.address == "192.0.2.200")
        .unwrap();
    assert_eq!(made.project_id, "project-a");
    assert_eq!(made.tags, ["blazar", "reservation:a-1"]);
    plugin(&cloud).end(&assignment(&["192.0.2.200"])).await.unwrap();
    assert_eq!(cloud.addresses().len(), 1);
}

#[tokio::test]
async fn what_others_hold_is_waited_for_and_left_alone() {
    for (project, tags) in [
        ("project-x", &[][..]),
        ("project-a", &["blazar", "reservation:b-2"][..]),
    ] {
        let cloud = cloud();
        cloud.add_address(theirs("192.0.2.200", project, tags));
        let before = cloud.snapshot();
        let plugin = plugin(&cloud);
        let assignment = assignment(&["192.0.2.200"]);
        let error = plugin.start(&assignment).await.unwrap_err();
        assert!(matches!(error, PluginError::Waiting(_)), "{error}");
        let findings = plugin.reconcile(&assignment).await.unwrap();
        assert_eq!(findings.len(), 1);
        assert!(findings[0].kind == "floating_ip_elsewhere" && !findings[0].repaired);
        plugin.end(&assignment).await.unwrap();
        assert_eq!(cloud.snapshot(), before);
    }
}

#[tokio::test]
async fn an_owner_who_removes_the_tags_keeps_nothing() {
    let cloud = cloud();
    let plugin = plugin(&cloud);
    let assignment = assignment(&["192.0.2.200"]);
    cloud.add_address(theirs("192.0.2.200", "project-a", &["mine"]));
    plugin.end(&assignment).await.unwrap();
    assert_eq!(cloud.addresses().len(), 1);
}

#[tokio::test]
async fn only_addresses_that_neutron_does_not_give_out_are_registered() {
    let cloud = cloud();
    let plugin = plugin(&cloud);
    let locate = |address: &str| {
        let address = address.parse().unwrap();
        plugin.locate(NETWORK, address)
    };
    assert_eq!(locate("192.0.2.9").await.unwrap(), "four");
    assert_eq!(locate("192.0.2.100").await.unwrap(), "four");
    assert_eq!(locate("2001:db8::100").await.unwrap(), "six");
    for taken in ["192.0.2.1", "192.0.2.10", "192.0.2.99"] {
        let expected = format!("The floating IP {taken} is used in allocation_pools or gateway_ip in subnet four .");
        assert_eq!(locate(taken).await.unwrap_err().to_string(), expected);
    }
    assert_eq!(
        locate("192.0.3.9").await.unwrap_err().to_string(),
        "Valid subnet for the floating IP 192.0.3.9 is not found."
    );
    let unknown = plugin
        .locate("nowhere", "192.0.2.9".parse().unwrap())
        .await
        .unwrap_err();
    assert_eq!(unknown.to_string(), "Failed to find network nowhere");
}
