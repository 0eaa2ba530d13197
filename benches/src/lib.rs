//! Problems to measure on, and the planners Berth is measured beside.
//!
//! Invariant: the same parameters and seed give the same problem, and every planner sees the same stream.

pub mod baseline;
pub mod book;
pub mod bound;
pub mod fleet;
pub mod generator;
pub mod healing;
pub mod ledger;
pub mod plot;
pub mod random;
pub mod replay;
pub mod smptsp;
pub mod stages;
