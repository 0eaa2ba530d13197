//! Instances without a cloud.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugin_action::Receivers;
use plugin_api::{AssignedHost, AssignedInstances, Assignment, NoObserver, PluginError, ResourcePlugin};

use super::{RESOURCE_TYPE, standalone};

fn assignment(first: u32) -> Assignment {
    let host = |id: &str, name: &str| AssignedHost {
        id: id.to_owned(),
        hypervisor_hostname: name.to_owned(),
        service_name: name.to_owned(),
    };
    Assignment {
        hosts: vec![host("7", "rack-1"), host("8", "rack-2")],
        instances: Some(AssignedInstances {
            vcpus: 2,
            memory_mb: 4_096,
            disk_gb: 20,
            ephemeral_gb: 0,
            extra_specs: BTreeMap::new(),
            affinity: Some(false),
            places: BTreeMap::from([("7".to_owned(), first), ("8".to_owned(), 1)]),
        }),
        ..conformance::assignment("virtual:instance")
    }
}

#[tokio::test]
async fn a_reservation_without_a_size_is_refused() {
    let plugin = standalone(RESOURCE_TYPE, Receivers::new(Vec::new(), Arc::new(NoObserver)));
    plugin.start(&assignment(2)).await.unwrap();
    let mut whole = assignment(2);
    whole.instances = None;
    let refused = plugin.start(&whole).await.unwrap_err();
    assert!(matches!(refused, PluginError::Rejected(_)), "{refused}");
}
