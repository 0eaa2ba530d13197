//! The plugin cut off at every call and step.

use std::sync::Arc;

use cloud::fake::FakeCloud;
use conformance::Subject;

use super::{CLASS, Names, OpenStackInstances, assignment};

const HOSTS: [&str; 4] = ["c1", "c2", "c3", "c4"];

fn busy_cloud() -> FakeCloud {
    let cloud = FakeCloud::with_hosts("freepool", &HOSTS);
    cloud.servers_linger(2);
    // Two hosts were registered as they should be, the others need their providers made.
    cloud.add_child_provider("blazar_c1", "c1");
    cloud.add_child_provider("blazar_c4", "c4");
    cloud.boot("c1", "project-x", "preemptible");
    cloud.boot("c3", "project-x", "unrelated");
    cloud
}

/// What must hold at every moment.
fn hosts_pooled_and_flavor_bound(cloud: &FakeCloud) -> Result<(), String> {
    let freepool = cloud.aggregate("freepool").ok_or("no freepool")?;
    if let Some(host) = HOSTS.iter().find(|host| !freepool.contains(host)) {
        return Err(format!("{host} is not in the freepool"));
    }
    match cloud.snapshot().flavors.get("a-1") {
        Some(made) if !made.access.is_empty() && !made.extra_specs.contains_key(&format!("resources:{CLASS}")) => {
            Err("a flavor that costs no place can be used".to_owned())
        }
        _ => Ok(()),
    }
}

fn subject(affinity: Option<bool>) -> Subject {
    Subject {
        plugin: |cloud, steps| {
            let config = Names::default();
            Arc::new(OpenStackInstances::new(Arc::new(cloud.clone()), config, steps))
        },
        steps: OpenStackInstances::STEPS,
        cloud: busy_cloud,
        assignment: assignment(affinity, &[("c1", 1), ("c2", 2)]),
        grown: assignment(affinity, &[("c1", 2), ("c2", 2), ("c4", 1)]),
        use_it: |cloud| {
            // The first uses its host up: Placement finds it there only when the server is gone.
            cloud.boot_of("a-1", "c1", "project-a", "first");
            cloud.boot_of("a-1", "c2", "project-a", "second");
        },
        damage: |cloud| {
            cloud.tamper("a-1", |own| {
                own.metadata.clear();
                own.hosts = vec!["c1".to_owned(), "c3".to_owned()];
            });
            cloud.tamper_inventory("blazar_c2", CLASS, None);
            cloud.tamper_inventory("blazar_c4", CLASS, Some(5));
            cloud.tamper_access("a-1", &[]);
        },
        always: hosts_pooled_and_flavor_bound,
    }
}

#[tokio::test]
async fn cut_off_anywhere_it_ends_in_the_same_state() {
    for affinity in [None, Some(false)] {
        let report = subject(affinity).check().await.unwrap();
        assert!(report.calls > 70 && report.steps > 30, "only {report:?}");
    }
}

#[tokio::test]
async fn an_audit_of_what_is_gone_altogether_is_completed_too() {
    let mut gone = subject(Some(true));
    gone.assignment = assignment(Some(true), &[("c1", 2)]);
    gone.grown = assignment(Some(true), &[("c1", 3)]);
    gone.use_it = |_| {};
    gone.damage = |cloud| {
        cloud.drop_aggregate("a-1");
        cloud.drop_flavor("a-1");
        cloud.drop_provider("blazar_c1");
    };
    gone.check().await.unwrap();
}
