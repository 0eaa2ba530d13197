//! The plugin against the fake cloud.

mod audit;
mod conformance;
mod neighbours;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cloud::fake::{FakeCloud, Fault, SERVICE_PROJECT};
use cloud::{Identity, Policy, TokenInfo};
use plugin_api::{AssignedHost, AssignedInstances, Assignment, PluginError, ResourcePlugin, StepObserver};

use super::{Names, OpenStackInstances};

const CLASS: &str = "CUSTOM_RESERVATION_A_1";

fn plugin(cloud: &FakeCloud) -> OpenStackInstances {
    let config = Names::default();
    OpenStackInstances::new(Arc::new(cloud.clone()), config, Arc::new(plugin_api::NoObserver))
}

/// Reservation `a-1` of project `project-a` with so many places on these hosts.
fn assignment(affinity: Option<bool>, places: &[(&str, u32)]) -> Assignment {
    Assignment {
        reservation_id: "a-1".to_owned(),
        project_id: "project-a".to_owned(),
        hosts: places
            .iter()
            .map(|(name, _)| AssignedHost {
                id: format!("id-of-{name}"),
                hypervisor_hostname: (*name).to_owned(),
                service_name: (*name).to_owned(),
            })
            .collect(),
        instances: Some(AssignedInstances {
            vcpus: 2,
            memory_mb: 4_096,
            disk_gb: 20,
            ephemeral_gb: 0,
            extra_specs: BTreeMap::new(),
            affinity,
            places: places
                .iter()
                .map(|(name, count)| (format!("id-of-{name}"), *count))
                .collect(),
        }),
        ..::conformance::assignment("virtual:instance")
    }
}

fn three_hosts() -> FakeCloud {
    FakeCloud::with_hosts("freepool", &["c1", "c2", "c3"])
}

async fn until_ended(cloud: &FakeCloud, assigned: &Assignment) {
    for _ in 0..20 {
        if plugin(cloud).end(assigned).await.is_ok() {
            return;
        }
    }
    panic!("the end never came: {:?}", plugin(cloud).end(assigned).await);
}

fn text(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs.map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[tokio::test]
async fn a_start_makes_what_upstream_makes() {
    let cloud = three_hosts();
    let assigned = assignment(Some(false), &[("c1", 1), ("c2", 1)]);
    let created = plugin(&cloud).start(&assigned).await.unwrap();
    let own = cloud.aggregate("a-1").unwrap();
    let group = cloud.server_groups().remove(0);
    assert_eq!(created.aggregate_id, Some(own.id));
    assert_eq!(created.server_group_id.as_ref(), Some(&group.id));
    assert_eq!(
        (group.name.as_str(), group.policies.as_slice()),
        ("reservation:a-1", &["anti-affinity".to_owned()][..])
    );
    assert_eq!(own.availability_zone, None);
    assert_eq!(own.hosts, ["c1", "c2"]);
    let expected = text(&[
        ("reservation", "a-1"),
        ("filter_tenant_id", "project-a"),
        ("blazar:owner", "project-a"),
        ("berth:reservation", "a-1"),
        ("affinity_id", &group.id),
    ]);
    assert_eq!(own.metadata, expected);
    let snapshot = cloud.snapshot();
    let made = &snapshot.flavors["a-1"];
    let flavor = &made.flavor;
    assert_eq!(flavor.name, "reservation:a-1");
    assert_eq!((flavor.vcpus, flavor.memory_mb, flavor.disk_gb), (2, 4_096, 20));
    let expected = text(&[
        ("aggregate_instance_extra_specs:reservation", "a-1"),
        ("resources:CUSTOM_RESERVATION_A_1", "1"),
        ("affinity_id", "reservation:a-1"),
    ]);
    assert_eq!(made.extra_specs, expected, "ids of groups are shown as their names");
    assert_eq!(made.access.iter().collect::<Vec<_>>(), ["project-a"]);
    assert_eq!(cloud.inventory("blazar_c1", CLASS), Some(1));
    assert_eq!(cloud.inventory("blazar_c3", CLASS), None);
    assert_eq!(cloud.aggregates_of("c1"), ["freepool", "a-1"]);
}

#[tokio::test]
async fn a_running_reservation_grows() {
    let cloud = three_hosts();
    let before = plugin(&cloud)
        .start(&assignment(Some(true), &[("c1", 2)]))
        .await
        .unwrap();
    cloud.boot_of("a-1", "c1", "project-a", "mine");
    let after = plugin(&cloud)
        .start(&assignment(Some(true), &[("c1", 4)]))
        .await
        .unwrap();
    assert_eq!(after, before);
    assert_eq!(cloud.inventory("blazar_c1", CLASS), Some(4));
    assert_eq!(cloud.servers().len(), 1);
}

#[tokio::test]
async fn nobody_boots_before_everything_is_there() {
    let assigned = assignment(Some(false), &[("c1", 1), ("c2", 1)]);
    for number in 1.. {
        let cloud = three_hosts();
        cloud.fail_call(number, Fault::BeforeEffect);
        if plugin(&cloud).start(&assigned).await.is_ok() {
            assert!(number > 12, "only {number} calls");
            assert_eq!(cloud.bootable("a-1", "project-a"), ["c1", "c2"]);
            assert!(cloud.bootable("a-1", "project-x").is_empty());
            break;
        }
        assert!(cloud.bootable("a-1", "project-a").is_empty(), "without call {number}");
    }
}

#[tokio::test]
async fn what_is_missing_is_said_and_the_other_hosts_are_prepared() {
    let cloud = three_hosts();
    cloud.tamper("freepool", |freepool| freepool.hosts.retain(|host| host != "c1"));
    let assigned = assignment(None, &[("c1", 1), ("ghost", 1), ("c2", 1)]);
    let error = plugin(&cloud).start(&assigned).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Host c1 not in freepool 'freepool'; Host ghost not in freepool 'freepool'"
    );
    assert_eq!(cloud.aggregates_of("c2"), ["freepool", "a-1"]);
    assert!(cloud.bootable("a-1", "project-a").is_empty());

    cloud.drop_aggregate("freepool");
    let error = plugin(&cloud).start(&assigned).await.unwrap_err();
    assert_eq!(error.to_string(), "No Freepool found");
    let mut whole = assigned.clone();
    whole.instances = None;
    let refused = plugin(&cloud).start(&whole).await.unwrap_err();
    assert!(matches!(refused, PluginError::Rejected(_)), "{refused}");
    until_ended(&cloud, &whole).await;
    assert_eq!(cloud.aggregate("a-1"), None);
}

#[tokio::test]
async fn a_reservation_changed_after_a_start_in_vain_gets_its_new_size_and_group() {
    let cloud = three_hosts();
    cloud.fail_call(13, Fault::BeforeEffect);
    let mut assigned = assignment(Some(false), &[("c1", 1), ("c2", 1)]);
    plugin(&cloud).start(&assigned).await.unwrap_err();
    assert_eq!(cloud.snapshot().flavors["a-1"].flavor.vcpus, 2);
    cloud.heal();
    let instances = assigned.instances.as_mut().unwrap();
    (instances.vcpus, instances.affinity) = (4, None);
    plugin(&cloud).start(&assigned).await.unwrap();
    let made = cloud.snapshot().flavors["a-1"].clone();
    assert_eq!(made.flavor.vcpus, 4);
    assert!(!made.extra_specs.contains_key("affinity_id"));
    assert!(!cloud.aggregate("a-1").unwrap().metadata.contains_key("affinity_id"));
    until_ended(&cloud, &assigned).await;
    assert!(
        cloud.server_groups().is_empty(),
        "the group of the first start was left"
    );

    // One somebody has replaced while servers are made of it is not replaced again.
    plugin(&cloud).start(&assigned).await.unwrap();
    cloud.boot_of("a-1", "c1", "project-a", "mine");
    let mut larger = assigned.clone();
    larger.instances.as_mut().unwrap().vcpus = 8;
    let error = plugin(&cloud).start(&larger).await.unwrap_err();
    assert!(matches!(error, PluginError::Waiting(_)), "{error}");
}

#[tokio::test]
async fn the_end_waits_for_servers_and_lets_nobody_start_new_ones() {
    let cloud = three_hosts();
    let assigned = assignment(None, &[("c1", 1), ("c2", 1)]);
    plugin(&cloud).start(&assigned).await.unwrap();
    cloud.boot("c1", "project-x", "unrelated");
    cloud.boot_of("a-1", "c1", "project-a", "mine");
    // Somewhere it should not be, and not the project's own: it would hold the flavor all the same.
    cloud.boot_of("a-1", "c3", "project-x", "strange");
    cloud.servers_linger(3);
    let Err(PluginError::Waiting(reason)) = plugin(&cloud).end(&assigned).await else {
        panic!("places were taken back with servers on them")
    };
    assert_eq!(reason, "2 servers of flavor a-1 are still being deleted");
    assert_eq!(cloud.inventory("blazar_c1", CLASS), Some(1));
    assert!(cloud.bootable("a-1", "project-a").is_empty());
    until_ended(&cloud, &assigned).await;
    let left: Vec<_> = cloud.servers().into_iter().map(|server| server.name).collect();
    assert_eq!(left, ["unrelated"]);
    assert_eq!(
        cloud.snapshot().of_reservations(),
        three_hosts().snapshot().of_reservations()
    );
}

#[tokio::test]
async fn servers_of_a_flavor_that_is_gone_are_found_on_their_hosts() {
    let cloud = three_hosts();
    let assigned = assignment(None, &[("c1", 1)]);
    plugin(&cloud).start(&assigned).await.unwrap();
    cloud.boot_of("a-1", "c1", "project-a", "mine");
    cloud.drop_flavor("a-1");
    until_ended(&cloud, &assigned).await;
    assert!(cloud.servers().is_empty());
    assert_eq!(cloud.inventory("blazar_c1", CLASS), None);
}

#[tokio::test]
async fn places_on_hosts_the_reservation_has_left_are_taken_back_too() {
    let cloud = three_hosts();
    plugin(&cloud)
        .start(&assignment(None, &[("c1", 1), ("c2", 2)]))
        .await
        .unwrap();
    cloud.tamper("freepool", |freepool| freepool.hosts.retain(|host| host != "c2"));
    until_ended(&cloud, &assignment(None, &[("c1", 1)])).await;
    assert_eq!(cloud.inventory("blazar_c2", CLASS), None);
    assert_eq!(cloud.aggregates_of("c2"), ["freepool"], "a host was lost");
}

#[tokio::test]
async fn the_server_group_is_the_owners_with_a_trust_and_the_services_without() {
    let cloud = three_hosts();
    let owner = TokenInfo {
        user_id: "user".to_owned(),
        project_id: Some("project-a".to_owned()),
        ..TokenInfo::default()
    };
    cloud.accept_token("token", owner.clone());
    let trust = cloud.create_trust(&"token".into(), &owner).await.unwrap();
    let foreign = cloud.add_server_group("reservation:a-1", "project-x", Policy::AntiAffinity);
    for (trust_id, project) in [
        (Some(trust), "project-a"),
        (None, SERVICE_PROJECT),
        (Some("trust-99".to_owned()), SERVICE_PROJECT),
    ] {
        let mut assigned = assignment(Some(false), &[("c1", 1)]);
        assigned.trust_id = trust_id;
        let created = plugin(&cloud).start(&assigned).await.unwrap();
        let groups = cloud.server_groups();
        let own = groups
            .iter()
            .find(|group| Some(&group.id) == created.server_group_id.as_ref());
        assert_eq!(own.unwrap().project_id, project);
        // A second one of the same name, which the project has made itself, does not take its place.
        cloud.add_server_group("reservation:a-1", "project-a", Policy::AntiAffinity);
        assert_eq!(plugin(&cloud).start(&assigned).await.unwrap(), created);
        until_ended(&cloud, &assigned).await;
        let left: Vec<_> = cloud.server_groups().into_iter().map(|group| group.id).collect();
        assert_eq!(left.as_slice(), std::slice::from_ref(&foreign));
    }
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
    let cloud = three_hosts();
    let record = Arc::new(Record::default());
    let plugin = OpenStackInstances::new(Arc::new(cloud.clone()), Names::default(), record.clone());
    let mut assigned = assignment(Some(true), &[("c1", 2)]);
    plugin.start(&assigned).await.unwrap();
    assigned.instances.as_mut().unwrap().vcpus = 1;
    plugin.start(&assigned).await.unwrap();
    for drift in 0..2 {
        cloud.drop_flavor("a-1");
        cloud.drop_aggregate("a-1");
        cloud.tamper("freepool", |freepool| freepool.hosts.clear());
        cloud.tamper_inventory("blazar_c1", CLASS, None);
        if drift == 1 {
            cloud.drop_provider("blazar_c1");
        }
        plugin.reconcile(&assigned).await.unwrap();
    }
    cloud.add_child_provider("blazar_c3", "c3");
    cloud.tamper_inventory("blazar_c3", CLASS, Some(1));
    cloud.tamper("a-1", |own| own.hosts.push("c3".to_owned()));
    plugin.reconcile(&assigned).await.unwrap();
    cloud.boot_of("a-1", "c1", "project-a", "mine");
    cloud.tamper("freepool", |freepool| freepool.hosts.clear());
    plugin.end(&assigned).await.unwrap();
    let mut reached = record.0.lock().unwrap().clone();
    reached.sort_by_key(|step| OpenStackInstances::STEPS.iter().position(|known| known == step));
    reached.dedup();
    assert_eq!(reached, OpenStackInstances::STEPS);
}
