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
        lease_id: "lease".to_owned(),
        reservation_id: "reservation".to_owned(),
        resource_type: "virtual:instance".to_owned(),
        user_id: "user".to_owned(),
        project_id: "project".to_owned(),
        trust_id: None,
        start: 1_000,
        end: 2_000,
        before_end: String::new(),
        hosts: vec![host("7", "rack-1"), host("8", "rack-2")],
        floating_ips: None,
        units: None,
        message: None,
        instances: Some(AssignedInstances {
            vcpus: 2,
            memory_mb: 4_096,
            disk_gb: 20,
            ephemeral_gb: 0,
            extra_specs: BTreeMap::new(),
            affinity: Some(false),
            places: BTreeMap::from([("7".to_owned(), first), ("8".to_owned(), 1)]),
        }),
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
