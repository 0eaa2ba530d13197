//! Notifications and their rows.

use planner_core::domain::{Notification, NotificationType};
use planner_core::ports::{Epoch, OutboxEntry, OutboxPosition, StoreError};

use super::{corrupt, position};
use crate::entity::outbox;

/// The row of the `index`-th notification of a commit.
pub(crate) fn outbox_row(epoch: Epoch, index: usize, notification: &Notification) -> outbox::Model {
    outbox::Model {
        epoch,
        position: position(index),
        id: notification.id.clone(),
        outlet: notification.outlet.clone(),
        event_type: notification.event_type.as_str().to_owned(),
        happened_at: notification.time,
        project_id: notification.project_id.clone(),
        user_id: notification.user_id.clone(),
        payload: notification.payload.clone(),
    }
}

/// The notification of a row.
pub(crate) fn outbox_entry(row: outbox::Model) -> Result<OutboxEntry, StoreError> {
    Ok(OutboxEntry {
        position: OutboxPosition {
            epoch: row.epoch,
            index: row.position,
        },
        notification: Notification {
            event_type: NotificationType::parse(&row.event_type)
                .ok_or_else(|| corrupt(format!("type `{}` of notification {}", row.event_type, row.id)))?,
            id: row.id,
            outlet: row.outlet,
            time: row.happened_at,
            project_id: row.project_id,
            user_id: row.user_id,
            payload: row.payload,
        },
    })
}
