//! oslo.messaging's envelope, version 2.0, around a notification.
//!
//! Invariant: the same notification gives the same bytes however often it is sent, so that a listener recognises
//! a repetition by `_unique_id`, as oslo.messaging's own does, or by `message_id`.

use chrono::DateTime;
use planner_core::domain::Notification;
use serde_json::{Value, json};

/// Priority of all notifications about leases.
pub(crate) const PRIORITY: &str = "info";

/// Body of the message.
///
/// # Errors
/// When the payload is no JSON.
pub(crate) fn envelope(notification: &Notification, publisher_id: &str) -> Result<Vec<u8>, serde_json::Error> {
    let payload: Value = serde_json::from_str(&notification.payload)?;
    let message = json!({
        "message_id": notification.id,
        "publisher_id": publisher_id,
        "event_type": notification.event_type.as_str(),
        "priority": PRIORITY.to_uppercase(),
        "payload": payload,
        "timestamp": timestamp(notification.time),
        "_unique_id": notification.id.replace('-', ""),
        "_context_user_id": notification.user_id,
        "_context_project_id": notification.project_id,
    });
    serde_json::to_vec(&json!({
        "oslo.version": "2.0",
        // A text that holds JSON, not JSON itself.
        "oslo.message": message.to_string(),
    }))
}

/// UTC as Python writes it.
fn timestamp(seconds: i64) -> String {
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    time.format("%Y-%m-%d %H:%M:%S.000000").to_string()
}

#[cfg(test)]
mod tests {
    use planner_core::domain::NotificationType;

    use super::*;

    #[test]
    fn the_envelope_is_oslo_messagings() {
        let notification = Notification {
            id: "0f2c0000-0000-4000-8000-00000000abcd".to_owned(),
            outlet: String::new(),
            event_type: NotificationType::BeforeEndStop,
            time: 1_900_000_020,
            project_id: "physics".to_owned(),
            user_id: "alice".to_owned(),
            payload: r#"{"lease_id": "1", "name": "\u00e4\""}"#.to_owned(),
        };
        let body: Value = serde_json::from_slice(&envelope(&notification, "blazar.lease").unwrap()).unwrap();
        assert_eq!(body["oslo.version"], "2.0");
        let message: Value = serde_json::from_str(body["oslo.message"].as_str().unwrap()).unwrap();
        assert_eq!(
            message,
            json!({
                "message_id": "0f2c0000-0000-4000-8000-00000000abcd",
                "publisher_id": "blazar.lease",
                "event_type": "lease.event.before_end_lease.stop",
                "priority": "INFO",
                "payload": {"lease_id": "1", "name": "ä\""},
                "timestamp": "2030-03-17 17:47:00.000000",
                "_unique_id": "0f2c000000004000800000000000abcd",
                "_context_user_id": "alice",
                "_context_project_id": "physics",
            })
        );
    }
}
