//! Wire types of the REST API, for the server and for clients.
//!
//! Invariant: what these types serialize to is what clients of upstream's `/v1` read, member by
//! member; reading is tolerant towards members that are not known here.

pub mod allocation;
pub mod capacity;
pub mod date;
pub mod error;
pub mod floating_ip;
pub mod host;
pub mod lease;
pub mod name;
pub mod property;
pub mod report;
pub mod reservation;
pub mod version;
