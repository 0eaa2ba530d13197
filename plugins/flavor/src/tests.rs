//! The plugin and its source against the fake cloud.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloud::Flavor;
use cloud::fake::{FakeCloud, FakeFlavor};
use conformance::Subject;
use instance_plugin::{Names, OpenStackInstances};
use plugin_api::{
    AssignedHost, AssignedInstances, Assignment, FlavorSource, InventoryError, NoObserver, ResourcePlugin,
};

use super::{ListedFlavors, OpenStackFlavors, RESOURCE_TYPE, UnreadableFlavors, openstack};

const CLASS: &str = "CUSTOM_RESERVATION_A_1";
const HOSTS: [&str; 3] = ["c1", "c2", "c3"];

fn specs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs.map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Reservation `a-1` of project `project-a` with so many places on these hosts.
fn assignment(places: &[(&str, u32)]) -> Assignment {
    let hosts = places.iter().map(|(name, _)| AssignedHost {
        id: format!("id-of-{name}"),
        hypervisor_hostname: (*name).to_owned(),
        service_name: (*name).to_owned(),
    });
    let places = places.iter();
    Assignment {
        reservation_id: "a-1".to_owned(),
        project_id: "project-a".to_owned(),
        hosts: hosts.collect(),
        instances: Some(AssignedInstances {
            vcpus: 2,
            memory_mb: 4_096,
            disk_gb: 20,
            ephemeral_gb: 10,
            extra_specs: specs(&[("hw:cpu_policy", "dedicated"), ("trait:HW_CPU_X86_AVX2", "required")]),
            affinity: None,
            places: places.map(|(name, count)| (format!("id-of-{name}"), *count)).collect(),
        }),
        ..conformance::assignment("flavor:instance")
    }
}

/// At every moment: who may use the flavor uses up a place with each server of it, and gets what the source promised.
fn flavor_bound(cloud: &FakeCloud) -> Result<(), String> {
    let Some(made) = cloud.snapshot().flavors.get("a-1").cloned() else {
        return Ok(());
    };
    let has = |key: &str| made.extra_specs.contains_key(key);
    if made.access.is_empty() || (has(&format!("resources:{CLASS}")) && has("trait:HW_CPU_X86_AVX2")) {
        Ok(())
    } else {
        Err(format!("a flavor can be used that has only {:?}", made.extra_specs))
    }
}

#[tokio::test]
async fn cut_off_anywhere_it_ends_in_the_same_state() {
    let subject = Subject {
        plugin: |cloud, steps| Arc::new(openstack(Arc::new(cloud.clone()), Names::default(), steps)),
        steps: OpenStackInstances::STEPS,
        cloud: || FakeCloud::with_hosts("freepool", &HOSTS),
        assignment: assignment(&[("c1", 1), ("c2", 2)]),
        grown: assignment(&[("c1", 2), ("c2", 2), ("c3", 1)]),
        use_it: |cloud| {
            cloud.boot_of("a-1", "c2", "project-a", "server");
        },
        damage: |cloud| {
            cloud.drop_flavor("a-1");
            cloud.tamper_inventory("blazar_c2", CLASS, None);
        },
        always: flavor_bound,
    };
    let report = subject.check().await.unwrap();
    assert!(report.calls > 60 && report.steps > 25, "only {report:?}");
}

#[tokio::test]
async fn the_flavor_made_is_the_source_bound_to_its_reservation() {
    let cloud = FakeCloud::with_hosts("freepool", &HOSTS);
    let plugin = openstack(Arc::new(cloud.clone()), Names::default(), Arc::new(NoObserver));
    assert_eq!(plugin.resource_type(), RESOURCE_TYPE);
    plugin.start(&assignment(&[("c1", 1)])).await.unwrap();
    let made = cloud.snapshot().flavors["a-1"].clone();
    let expected = Flavor {
        id: "a-1".to_owned(),
        name: "reservation:a-1".to_owned(),
        vcpus: 2,
        memory_mb: 4_096,
        disk_gb: 20,
        ephemeral_gb: 10,
    };
    assert_eq!(made.flavor, expected);
    let expected = specs(&[
        ("aggregate_instance_extra_specs:reservation", "a-1"),
        ("hw:cpu_policy", "dedicated"),
        (&format!("resources:{CLASS}"), "1"),
        ("trait:HW_CPU_X86_AVX2", "required"),
    ]);
    assert_eq!(made.extra_specs, expected);
    assert!(cloud.server_groups().is_empty());
}

#[tokio::test]
async fn a_project_sees_public_flavors_and_those_it_has_access_to() {
    let cloud = FakeCloud::with_hosts("freepool", &HOSTS);
    let offer = |id: &str, is_public, access: &[&str]| {
        cloud.offer_flavor(FakeFlavor {
            flavor: Flavor {
                id: id.to_owned(),
                name: id.to_owned(),
                vcpus: 2,
                memory_mb: 4_096,
                disk_gb: 20,
                ephemeral_gb: 10,
            },
            extra_specs: specs(&[("trait:HW_GPU", "forbidden")]),
            access: access
                .iter()
                .map(|&project| project.to_owned())
                .collect::<BTreeSet<_>>(),
            is_public,
        });
    };
    offer("public", true, &[]);
    offer("private", false, &["friend"]);
    let source = OpenStackFlavors::new(Arc::new(cloud.clone()));
    for (id, project) in [("public", "stranger"), ("private", "friend")] {
        let found = source.flavor(id, project).await.unwrap();
        assert_eq!((found.id.as_str(), found.vcpus, found.memory_mb), (id, 2, 4_096));
        assert_eq!((found.disk, found.ephemeral), (20, 10));
        assert_eq!(found.extra_specs, specs(&[("trait:HW_GPU", "forbidden")]));
        let text = serde_json::to_value(&found).unwrap();
        assert_eq!(text["os-flavor-access:is_public"], id == "public");
        assert_eq!(text["swap"], "", "what is not used is kept");
    }
    for (id, project) in [("private", "stranger"), ("none", "friend")] {
        let refused = source.flavor(id, project).await.unwrap_err();
        assert!(
            matches!(&refused, InventoryError::NotFound(text) if *text == format!("Flavor {id} could not be found."))
        );
    }
    cloud.go_down("nova is away");
    let down = source.flavor("public", "friend").await.unwrap_err();
    assert!(matches!(down, InventoryError::Unavailable(_)), "{down}");
}

#[tokio::test]
async fn a_list_of_flavors_is_read_as_nova_writes_them() {
    let text = r#"[{"id": "7", "name": "small", "vcpus": 1, "ram": 512, "disk": 1, "swap": ""}]"#;
    let listed = ListedFlavors::read(text).unwrap();
    assert_eq!(listed.flavor("7", "any").await.unwrap().memory_mb, 512);
    assert!(listed.flavor("small", "any").await.is_err(), "an id is meant");
    let twice = format!("[{0}, {0}]", text.trim_matches(['[', ']']));
    assert!(matches!(ListedFlavors::read(&twice), Err(UnreadableFlavors::Twice(id)) if id == "7"));
    assert!(matches!(
        ListedFlavors::read(r#"[{"id": "7"}]"#),
        Err(UnreadableFlavors::NotFlavors(_))
    ));
}
