//! The standalone inventory and the receivers of its events.

use std::sync::Arc;
use std::time::Duration;

use plugin_api::{AssignedHost, Assignment, HostInventory, HostRegistration, NoObserver, PluginError, ResourcePlugin};
use wiremock::matchers::{body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Action, Command, Receivers, StandaloneHosts, Webhook};

fn plugin(actions: Vec<Action>) -> StandaloneHosts {
    let receivers = Receivers::new(actions, Arc::new(NoObserver)).unwrap();
    StandaloneHosts::new(receivers, String::new())
}

fn shell(script: &str, timeout: Duration) -> Action {
    Action::Command(Command {
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        timeout,
    })
}

fn assignment() -> Assignment {
    Assignment {
        lease_id: "lease".to_owned(),
        reservation_id: "reservation".to_owned(),
        resource_type: "physical:host".to_owned(),
        user_id: "user".to_owned(),
        project_id: "project".to_owned(),
        trust_id: None,
        start: 1_000,
        end: 2_000,
        before_end: "snapshot".to_owned(),
        hosts: vec![AssignedHost {
            id: "7".to_owned(),
            hypervisor_hostname: "rack-1".to_owned(),
            service_name: "rack-1".to_owned(),
        }],
        instances: None,
        floating_ips: None,
        units: None,
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
    plugin(Vec::new())
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
async fn a_webhook_gets_the_same_key_until_it_says_yes() {
    let server = MockServer::start().await;
    let expected = || {
        Mock::given(method("POST"))
            .and(path("/hook"))
            .and(header("Idempotency-Key", "reservation:start"))
            .and(body_partial_json(serde_json::json!({
                "event": "start", "project_id": "project", "start": 1000, "end": 2000,
                "hosts": [{"hypervisor_hostname": "rack-1"}],
            })))
    };
    expected()
        .respond_with(ResponseTemplate::new(503).set_body_string("busy"))
        .up_to_n_times(1)
        .expect(1)
        .mount(&server)
        .await;
    expected()
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    let webhook = Webhook {
        url: format!("{}/hook", server.uri()),
        timeout: Duration::from_secs(10),
    };
    let plugin = plugin(vec![Action::Webhook(webhook)]);
    let error = plugin.start(&assignment()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "webhook did not carry out the start of reservation reservation: it answered 503 Service Unavailable busy"
    );
    plugin.start(&assignment()).await.unwrap();
}

#[tokio::test]
async fn v9_a_webhook_that_redirects_was_not_told_and_its_target_gets_nothing() {
    let elsewhere = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(200))
        .mount(&elsewhere)
        .await;
    for status in [301, 302, 303, 307, 308] {
        let server = MockServer::start().await;
        let target = format!("{}/secret-path?token=SECRET", elsewhere.uri());
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(status).insert_header("Location", target.as_str()))
            .expect(1)
            .mount(&server)
            .await;
        let webhook = Webhook {
            url: format!("{}/hook/SECRET", server.uri()),
            timeout: Duration::from_secs(10),
        };
        let error = plugin(vec![Action::Webhook(webhook)]).start(&assignment()).await;
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains(&format!("{status}")) && error.contains(&elsewhere.uri()),
            "{error}"
        );
        assert!(!error.to_lowercase().contains("secret"), "{error}");
    }
    assert_eq!(elsewhere.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_slow_webhook_is_given_up() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_delay(Duration::from_mins(1)))
        .mount(&server)
        .await;
    let webhook = Webhook {
        url: server.uri(),
        timeout: Duration::from_millis(50),
    };
    let error = plugin(vec![Action::Webhook(webhook)])
        .end(&assignment())
        .await
        .unwrap_err();
    assert!(
        matches!(error, PluginError::Unavailable { service: "webhook", .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_command_gets_document_and_variables() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("told");
    let script = format!(
        "cat > '{0}' && echo \" $BERTH_EVENT $BERTH_HOSTS $BERTH_END\" >> '{0}'",
        file.display()
    );
    let plugin = plugin(vec![shell(&script, Duration::from_mins(1))]);
    plugin.end(&assignment()).await.unwrap();
    let told = std::fs::read_to_string(file).unwrap();
    assert!(told.contains(r#""idempotency_key":"reservation:end""#), "{told}");
    assert!(told.trim_end().ends_with("end rack-1 2000"), "{told}");
}

#[tokio::test]
async fn a_command_that_fails_or_hangs_or_does_not_exist_says_so() {
    let minute = Duration::from_mins(1);
    let missing = Action::Command(Command {
        argv: vec!["/nonexistent/program".to_owned()],
        timeout: minute,
    });
    for (action, expected) in [
        (
            shell("echo out of paper >&2; exit 3", minute),
            "ended with exit status: 3: out of paper",
        ),
        (shell("sleep 600", Duration::from_millis(50)), "was killed"),
        (missing, "does not start"),
        // Reads nothing: a broken pipe is no failure of its own.
        (shell("exit 1", minute), "exit status: 1"),
    ] {
        let error = plugin(vec![action]).start(&assignment()).await.unwrap_err();
        assert!(matches!(error, PluginError::Unavailable { service: "command", .. }));
        assert!(error.to_string().contains(expected), "{error}");
    }
    plugin(Vec::new()).start(&assignment()).await.unwrap();
}
