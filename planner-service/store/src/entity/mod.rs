//! The rows of the tables, one file each.
//!
//! Invariant: the same names and types as the steps in crate `migrations`; no meaning is attached here.

#![expect(unreachable_pub, reason = "the derived types are `pub` whatever their row is")]

pub(crate) mod allocation;
pub(crate) mod book;
pub(crate) mod change;
pub(crate) mod claim;
pub(crate) mod countable_reservation;
pub(crate) mod event;
pub(crate) mod fence;
pub(crate) mod finding;
pub(crate) mod flavor_reservation;
pub(crate) mod floating_ip;
pub(crate) mod floating_ip_reservation;
pub(crate) mod host;
pub(crate) mod host_capability;
pub(crate) mod host_inventory;
pub(crate) mod host_reservation;
pub(crate) mod host_trait;
pub(crate) mod instance_place;
pub(crate) mod instance_reservation;
pub(crate) mod lease;
pub(crate) mod outbox;
pub(crate) mod property;
pub(crate) mod required_floating_ip;
pub(crate) mod reservation;
