//! The standalone inventory.

use std::sync::Arc;

use plugin_action::Receivers;
use plugin_api::{AssignedHost, Assignment, HostInventory, HostRegistration, NoObserver, PluginError, ResourcePlugin};

use super::StandaloneHosts;

fn plugin() -> StandaloneHosts {
    StandaloneHosts::new(Receivers::new(Vec::new(), Arc::new(NoObserver)), String::new())
}

fn assignment() -> Assignment {
    Assignment {
        before_end: "snapshot".to_owned(),
        hosts: vec![AssignedHost {
            id: "7".to_owned(),
            hypervisor_hostname: "rack-1".to_owned(),
            service_name: "rack-1".to_owned(),
        }],
        ..conformance::assignment("physical:host")
    }
}

async fn register(
    reference: &str,
    values: &[(&str, &str)],
) -> Result<plugin_api::HostFacts, plugin_api::InventoryError> {
    let values = values
        .iter()
        .map(|&(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    plugin()
        .register(&HostRegistration {
            reference: reference.to_owned(),
            values,
        })
        .await
}

#[tokio::test]
async fn columns_are_read_and_the_rest_are_capabilities() {
    let facts = register(
        "rack-1",
        &[
            ("vcpus", "64"),
            ("memory_mb", "1024"),
            ("gpu", "a100"),
            ("cpu_info", r#"{"x": 1}"#),
        ],
    )
    .await
    .unwrap();
    assert_eq!((facts.vcpus, facts.memory_mb, facts.local_gb), (64, 1_024, 0));
    assert_eq!(
        (facts.hypervisor_hostname.as_str(), facts.service_name.as_str()),
        ("rack-1", "rack-1")
    );
    assert_eq!(
        facts.capabilities.into_iter().collect::<Vec<_>>(),
        [("gpu".to_owned(), "a100".to_owned())]
    );

    for (column, value) in [
        ("vcpus", "-1"),
        ("vcpus", "many"),
        ("vcpus", "1.5"),
        ("memory_mb", "99999999999"),
        ("local_gb", ""),
        ("hypervisor_version", "0x10"),
        ("cpu_info", "{'x': 1}"),
        ("cpu_info", "[]"),
        ("service_name", " "),
    ] {
        let error = register("rack-1", &[(column, value)]).await.unwrap_err().to_string();
        let beginning = format!("Invalid value '{value}' for {column}: allowed is ");
        assert!(error.starts_with(&beginning), "{error}");
    }
    assert!(register("", &[]).await.is_err());
    assert!(register("a\nb", &[]).await.is_err());
    assert!(register(&"n".repeat(256), &[]).await.is_err());
}

#[tokio::test]
async fn what_is_to_be_done_before_the_end_is_known_or_refused() {
    let mut told = assignment();
    for known in ["snapshot", "default", ""] {
        known.clone_into(&mut told.before_end);
        plugin().before_end(&told).await.unwrap();
    }
    "dance".clone_into(&mut told.before_end);
    let refused = plugin().before_end(&told).await.unwrap_err();
    assert!(matches!(refused, PluginError::Rejected(_)), "{refused}");
}
