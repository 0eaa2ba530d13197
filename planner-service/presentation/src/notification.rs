//! Leases in notifications and notices.
//!
//! Invariant: the payload of a notification has upstream's members and no others; a lease's own id is called `lease_id` in
//! it. The content of a notice is described in `docs/webhooks.md`.

use std::collections::BTreeSet;

use planner_core::domain::{Lease, NotificationType};
use planner_core::notification::NotificationFormat;
use serde_json::{Value, json};

use crate::lease;

/// The payload of notifications about leases: the lease as the API shows it.
#[derive(Debug, Clone, Copy, Default)]
pub struct LeasePayload;

impl NotificationFormat for LeasePayload {
    fn payload(&self, event_type: NotificationType, lease: &Lease) -> Result<Option<String>, serde_json::Error> {
        if is_notice(event_type) {
            return Ok(None);
        }
        let mut shown = serde_json::to_value(lease::write(lease))?;
        if let Value::Object(members) = &mut shown
            && let Some(id) = members.shift_remove("id")
        {
            members.shift_insert(0, "lease_id".to_owned(), id);
        }
        serde_json::to_string(&shown).map(Some)
    }
}

/// The content of notices to the receivers of some resource types.
#[derive(Debug, Clone)]
pub struct NoticePayload {
    /// Leases with a reservation of one of these are told of.
    pub resource_types: BTreeSet<String>,
    /// The events that are told.
    pub events: BTreeSet<String>,
}

impl NotificationFormat for NoticePayload {
    fn payload(&self, event_type: NotificationType, lease: &Lease) -> Result<Option<String>, serde_json::Error> {
        let mut types = lease
            .reservations
            .iter()
            .map(|reservation| reservation.spec.resource_type());
        let is_told = is_notice(event_type) && self.events.contains(event_type.as_str());
        if !is_told || !types.any(|resource_type| self.resource_types.contains(resource_type)) {
            return Ok(None);
        }
        let shown = serde_json::to_value(lease::write(lease))?;
        let content = json!({
            "event": event_type.as_str(),
            "lease_id": lease.id,
            "lease_name": lease.name,
            "user_id": lease.user_id,
            "project_id": lease.project_id,
            "start": lease.start,
            "end": lease.end,
            "lease": shown,
        });
        serde_json::to_string(&content).map(Some)
    }
}

/// Whether receivers are told of it, rather than listeners of the broker.
const fn is_notice(event_type: NotificationType) -> bool {
    match event_type {
        NotificationType::Booked
        | NotificationType::Moved
        | NotificationType::Degraded
        | NotificationType::Cancelled => true,
        NotificationType::Create
        | NotificationType::Update
        | NotificationType::Delete
        | NotificationType::Start
        | NotificationType::BeforeEnd
        | NotificationType::BeforeEndStop
        | NotificationType::End => false,
    }
}
