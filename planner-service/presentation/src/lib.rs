//! Leases and hosts as others see them: domain to wire.
//!
//! Invariant: whoever is shown a lease or a host, over the API or by a usage filter, is shown the same.

pub mod host;
pub mod lease;
