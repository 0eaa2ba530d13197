//! The states of leases, reservations and events, and their names on the wire and in the database.

/// Defines a state enum with its text form both ways.
macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant),+
        }

        impl $name {
            /// Text on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The state with this text, if there is one.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

pub(super) use text_enum;

text_enum! {
    /// Where a lease is in its life.
    LeaseStatus {
        /// Being written.
        Creating = "CREATING",
        /// Accepted, not started.
        Pending = "PENDING",
        /// Its start is being carried out.
        Starting = "STARTING",
        /// Running.
        Active = "ACTIVE",
        /// Being changed.
        Updating = "UPDATING",
        /// Its end is being carried out.
        Terminating = "TERMINATING",
        /// Over.
        Terminated = "TERMINATED",
        /// Being deleted.
        Deleting = "DELETING",
        /// Something of it failed for good.
        Error = "ERROR",
    }
}

impl LeaseStatus {
    /// Whether an operation is under way; no other may begin.
    pub const fn is_transitional(self) -> bool {
        matches!(
            self,
            Self::Creating | Self::Starting | Self::Updating | Self::Terminating | Self::Deleting
        )
    }
}

text_enum! {
    /// Where a reservation is in its life.
    ReservationStatus {
        /// Not started.
        Pending = "pending",
        /// Its resources are in the owner's hands.
        Active = "active",
        /// Its resources are given back.
        Deleted = "deleted",
        /// Its start failed for good.
        Error = "error",
    }
}

text_enum! {
    /// What is due.
    EventType {
        /// Give the owner the resources.
        StartLease = "start_lease",
        /// Act before the end.
        BeforeEndLease = "before_end_lease",
        /// Take the resources back.
        EndLease = "end_lease",
        /// Give the owner resources that were added while the lease runs.
        ApplyChange = "apply_change",
        /// Take the resources back early, then forget the lease (a deletion of a lease that has started).
        DeleteLease = "delete_lease",
    }
}

text_enum! {
    /// Whether it has been done.
    EventStatus {
        /// Not begun, or to be tried again.
        Undone = "UNDONE",
        /// Under way.
        InProgress = "IN_PROGRESS",
        /// Done.
        Done = "DONE",
        /// Given up.
        Error = "ERROR",
    }
}
