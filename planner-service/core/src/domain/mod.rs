//! What the service talks about: leases, reservations, events, hosts, floating IPs, properties.
//!
//! Domain types are neither wire types (crate `api-types`) nor database rows (crate `store`).

pub mod floating_ip;
pub mod handover;
pub mod host;
pub mod lease;
pub mod notification;
pub mod specification;
pub mod status;

pub use floating_ip::FloatingIp;
pub use handover::{Handover, Holding};
pub use host::{Host, Property};
pub use lease::{Allocation, Event, Lease, Reservation};
pub use notification::{Notification, NotificationType};
pub use specification::{
    CountableReservation, FlavorReservation, FloatingIpReservation, HostReservation, InstanceObjects,
    InstanceReservation, InstanceSize, ReservationSpec,
};
pub use status::{EventStatus, EventType, LeaseStatus, ReservationStatus};

/// Whole Unix seconds, UTC.
pub type Timestamp = i64;
