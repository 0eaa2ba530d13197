//! The book of promises, admission into it, and the lifecycle of leases.
//!
//! Invariants of the crate: time comes from the [`ports::Clock`], persistence from the [`ports::Store`];
//! nothing here knows SQL, HTTP or OpenStack. Every change of the book goes through one writer.

pub mod authority;
pub mod domain;
pub mod ports;
pub mod service;
