//! Leases in notifications.
//!
//! Invariant: the payload has upstream's members and no others; a lease's own id is called `lease_id` in it.

use planner_core::domain::Lease;
use planner_core::notification::NotificationFormat;
use serde_json::Value;

use crate::lease;

/// The payload of notifications about leases: the lease as the API shows it.
#[derive(Debug, Clone, Copy, Default)]
pub struct LeasePayload;

impl NotificationFormat for LeasePayload {
    fn payload(&self, lease: &Lease) -> Result<String, serde_json::Error> {
        let mut shown = serde_json::to_value(lease::write(lease))?;
        if let Value::Object(members) = &mut shown
            && let Some(id) = members.shift_remove("id")
        {
            members.shift_insert(0, "lease_id".to_owned(), id);
        }
        serde_json::to_string(&shown)
    }
}
