//! What receivers are told without a cloud.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plugin_action::{Action, Command, Receivers, Standalone, Webhook};
use plugin_api::{AssignedHost, AssignedInstances, Assignment, NoObserver, PluginError, ResourcePlugin};
use wiremock::matchers::{body_partial_json, header, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{RESOURCE_TYPE, standalone};

fn plugin(actions: Vec<Action>) -> Standalone {
    standalone(RESOURCE_TYPE, Receivers::new(actions, Arc::new(NoObserver)).unwrap())
}

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
async fn a_webhook_is_told_places_and_size_and_growth_is_news() {
    let server = MockServer::start().await;
    for (places, key) in [(2, "reservation:start:3"), (4, "reservation:start:5")] {
        Mock::given(method("POST"))
            .and(header("Idempotency-Key", key))
            .and(body_partial_json(serde_json::json!({
                "event": "start",
                "hosts": [{"id": "7", "places": places}, {"id": "8", "places": 1}],
                "instances": {"vcpus": 2, "memory_mb": 4096, "disk_gb": 20, "affinity": false},
            })))
            .respond_with(ResponseTemplate::new(204))
            .expect(2)
            .mount(&server)
            .await;
    }
    let webhook = Webhook {
        url: server.uri(),
        timeout: Duration::from_secs(10),
    };
    let plugin = plugin(vec![Action::Webhook(webhook)]);
    for places in [2, 2, 4, 4] {
        plugin.start(&assignment(places)).await.unwrap();
    }
}

#[tokio::test]
async fn a_command_is_told_places_and_size() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("told");
    let script = format!(
        "echo $BERTH_EVENT $BERTH_HOSTS $BERTH_PLACES $BERTH_VCPUS $BERTH_MEMORY_MB $BERTH_DISK_GB > '{}'",
        file.display()
    );
    let command = Command {
        argv: ["sh", "-c", &script].map(str::to_owned).to_vec(),
        timeout: Duration::from_mins(1),
    };
    let plugin = plugin(vec![Action::Command(command)]);
    plugin.end(&assignment(2)).await.unwrap();
    let told = std::fs::read_to_string(&file).unwrap();
    assert_eq!(told.trim_end(), "end rack-1,rack-2 2,1 2 4096 20");

    plugin.before_end(&assignment(2)).await.unwrap();
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        told,
        "nothing is asked before the end"
    );
    let mut whole = assignment(2);
    whole.instances = None;
    let refused = plugin.start(&whole).await.unwrap_err();
    assert!(matches!(refused, PluginError::Rejected(_)), "{refused}");
}
