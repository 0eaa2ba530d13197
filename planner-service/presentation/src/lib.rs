//! Leases and hosts as others see them: domain values in the forms of crate `api-types`.
//!
//! Invariant: whoever is shown a lease or a host, over the API, by a usage filter or in a notification, is shown the same.

pub mod floating_ip;
pub mod host;
pub mod lease;
pub mod notification;
