//! Lists, and the life of a reservation.

use std::sync::Arc;

use cloud::fake::FakeCloud;
use conformance::Subject;
use plugin_action::Receivers;
use plugin_api::{Assignment, NoObserver, PluginError, ResourcePlugin};

use super::{Countable, plugin, read};

fn licences() -> Countable {
    Countable {
        resource_type: "licence:cad".to_owned(),
        units: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
        webhook: None,
        secret_file: None,
    }
}

fn assignment(units: &[&str]) -> Assignment {
    Assignment {
        units: Some(units.iter().map(|&unit| unit.to_owned()).collect()),
        ..conformance::assignment("licence:cad")
    }
}

#[test]
fn a_list_names_units_or_counts_them() {
    let text = r#"[
        {"resource_type": "licence:cad", "units": ["a", "b", "c"]},
        {"resource_type": "vlan", "units": 2, "webhook": "https://example.org/vlans"}
    ]"#;
    let listed = read(text).unwrap();
    assert_eq!(listed[0], licences());
    assert_eq!(listed[1].units, ["1", "2"]);
    assert_eq!(listed[1].webhook.as_deref(), Some("https://example.org/vlans"));
    for (wrong, reason) in [
        (
            r#"{"resource_type": "vlan"}"#,
            "line 1, column 26 does not fit: missing field `units`",
        ),
        (
            r#"{"resource_type": "vlan", "units": 1, "price": 2}"#,
            "column 46 does not fit: unknown field `price`, expected one of `resource_type`, `units`",
        ),
        (
            r#"{"resource_type": "physical:host", "units": 1}"#,
            "none of Blazar's own",
        ),
        (r#"{"resource_type": "a b", "units": 1}"#, "a name of letters"),
        (
            r#"{"resource_type": "vlan", "units": ["1", "1"]}"#,
            "unit '1' is listed twice",
        ),
        (r#"{"resource_type": "vlan", "units": ["a/b"]}"#, "unit 'a/b'"),
        (r#"{"resource_type": "vlan", "units": 100001}"#, "at most 100000 units"),
        (
            r#"{"resource_type": "vlan", "units": 1, "webhook": "ftp://x"}"#,
            "an http or https URL",
        ),
        (
            r#"{"resource_type": "vlan", "units": 1, "secret_file": "s"}"#,
            "secret_file: it belongs to a webhook",
        ),
        (
            r#"{"resource_type": "vlan", "units": 1}, {"resource_type": "vlan", "units": 1}"#,
            "it is listed twice",
        ),
    ] {
        let refused = read(&format!("[{wrong}]")).unwrap_err().to_string();
        assert!(refused.contains(reason), "{wrong}: {refused}");
    }
}

#[tokio::test]
async fn a_reservation_without_units_is_refused() {
    let plugin = plugin(&licences(), Receivers::new(Vec::new(), Arc::new(NoObserver)));
    assert_eq!(plugin.resource_type(), "licence:cad");
    plugin.start(&assignment(&["a"])).await.unwrap();
    let mut of_hosts = assignment(&[]);
    of_hosts.units = None;
    let refused = plugin.start(&of_hosts).await.unwrap_err();
    assert!(matches!(refused, PluginError::Rejected(_)), "{refused}");
}

/// Nothing of it is in a cloud: what the kit checks is that no call is made and no state kept.
#[tokio::test]
async fn it_withstands_what_every_plugin_must() {
    let subject = Subject {
        plugin: |_, steps| {
            let receivers = Receivers::new(Vec::new(), steps);
            Arc::new(plugin(&licences(), receivers))
        },
        steps: &["start:told", "end:told"],
        cloud: || FakeCloud::with_hosts("freepool", &["c1"]),
        assignment: assignment(&["a"]),
        grown: assignment(&["a", "b"]),
        use_it: |_| {},
        damage: |_| {},
        always: |cloud| {
            if cloud.calls().is_empty() {
                Ok(())
            } else {
                Err("the cloud was called".to_owned())
            }
        },
    };
    subject.check().await.unwrap();
}
