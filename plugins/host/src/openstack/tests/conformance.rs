//! The plugin cut off at every call and step.

use std::sync::Arc;

use cloud::fake::FakeCloud;
use conformance::Subject;

use super::{OpenStackHosts, OpenStackHostsConfig, assignment};

const HOSTS: [&str; 4] = ["c1", "c2", "c3", "c4"];

fn busy_cloud() -> FakeCloud {
    let cloud = FakeCloud::with_hosts("freepool", &HOSTS);
    cloud.servers_linger(2);
    cloud.boot("c1", "project-x", "preemptible");
    cloud.boot("c3", "project-x", "unrelated");
    cloud.boot("c4", "project-x", "preemptible too");
    cloud
}

fn subject() -> Subject {
    Subject {
        plugin: |cloud, steps| {
            let port = || Arc::new(cloud.clone());
            let config = OpenStackHostsConfig::default();
            Arc::new(OpenStackHosts::new(port(), port(), port(), config, steps))
        },
        steps: OpenStackHosts::STEPS,
        cloud: busy_cloud,
        assignment: assignment("a", "project-a", &["c1", "c2"]),
        grown: assignment("a", "project-a", &["c1", "c2", "c4"]),
        use_it: |cloud| {
            cloud.boot("c1", "project-a", "first");
            cloud.boot("c2", "project-a", "second");
        },
        damage: |cloud| {
            cloud.drop_servers();
            cloud.drop_aggregate("a");
            cloud.tamper("freepool", |freepool| {
                freepool.hosts.extend(["c1", "c2"].map(str::to_owned));
            });
        },
        always: |cloud| match HOSTS.iter().find(|host| cloud.aggregates_of(host).is_empty()) {
            Some(host) => Err(format!("{host} is in no pool, so that ordinary servers can come to it")),
            None => Ok(()),
        },
    }
}

#[tokio::test]
async fn cut_off_anywhere_it_ends_in_the_same_state() {
    let report = subject().check().await.unwrap();
    assert!(report.calls > 40 && report.steps > 20, "only {report:?}");
}

/// The kit itself: a plugin that would pass whatever it does proves nothing.
#[tokio::test]
async fn a_plugin_that_breaks_its_promise_is_found_out() {
    let mut forgetful = subject();
    forgetful.always = |cloud| match cloud.aggregate("a") {
        Some(own) if own.metadata.is_empty() => Err("an aggregate without owner".to_owned()),
        _ => Ok(()),
    };
    assert!(forgetful.check().await.is_err());
    let mut nameless = subject();
    nameless.steps = &["start:aggregate_created"];
    let found = nameless.check().await.unwrap_err();
    assert_eq!(
        found.to_string(),
        "step 'start:metadata_set' is not in the list of steps"
    );
}
