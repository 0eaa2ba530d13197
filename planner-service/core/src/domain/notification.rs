//! What happened to a lease, to be told to whoever listens.

use super::Timestamp;

/// One thing that happened to a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// UUID with dashes; the same however often the notification is sent.
    pub id: String,
    /// The name of the outlet that sends it.
    pub outlet: String,
    /// What happened.
    pub event_type: NotificationType,
    /// When.
    pub time: Timestamp,
    /// Whose lease it is.
    pub project_id: String,
    /// Who made the lease.
    pub user_id: String,
    /// The lease as it was then: a JSON object in the form that listeners know.
    pub payload: String,
}

super::status::text_enum! {
    /// What happened to a lease.
    NotificationType {
        /// It was booked.
        Create = "lease.create",
        /// It was changed.
        Update = "lease.update",
        /// It was deleted.
        Delete = "lease.delete",
        /// Its start has been carried out, or given up.
        Start = "lease.event.start_lease",
        /// Its before-end action has been carried out.
        BeforeEnd = "lease.event.before_end_lease",
        /// Its before-end action, already carried out, will be again: the end has moved.
        BeforeEndStop = "lease.event.before_end_lease.stop",
        /// Its end has been carried out.
        End = "lease.event.end_lease",
        /// It was booked, for those who hand resources over.
        Booked = "booked",
        /// Its start or end was moved.
        Moved = "moved",
        /// A failure took or changed something of it.
        Degraded = "degraded",
        /// It was deleted before its end.
        Cancelled = "cancelled",
    }
}
