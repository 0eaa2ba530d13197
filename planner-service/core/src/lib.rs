//! The book of promises, admission into it, and the lifecycle of leases.
//!
//! Invariants of the crate: time comes from the [`ports::Clock`], persistence from the [`ports::Store`];
//! nothing here knows SQL, HTTP or OpenStack. Every change of the book goes through one writer.

mod admission;
pub mod amounts;
pub mod authority;
pub mod book;
pub mod causes;
mod demand;
pub mod domain;
pub mod environment;
pub mod lifecycle;
mod monitoring;
pub mod notification;
pub mod ports;
mod precedence;
pub mod properties;
pub mod question;
mod reach;
pub mod service;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod usage;
