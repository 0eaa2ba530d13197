//! The book of promises, admission into it, and the lifecycle of leases.
//!
//! Invariants of the crate: time comes from the [`ports::Clock`], persistence from the [`ports::Store`];
//! nothing here knows SQL, HTTP or OpenStack. Every change of the book goes through one writer.

mod admission;
mod allowance;
pub mod amounts;
pub mod attempts;
pub mod authority;
pub mod book;
pub mod causes;
mod comparable;
pub mod condition;
mod demand;
pub mod domain;
pub mod environment;
mod healing;
pub mod lifecycle;
pub mod limits;
mod monitoring;
pub mod notification;
pub mod ports;
pub mod properties;
pub mod question;
mod reach;
pub mod service;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod turns;
pub mod usage;
