//! Pure planning for reservations over a timeline: a [`model::Request`] and the promises already made
//! go in, a [`decision::Decision`] comes out.
//!
//! Invariant of the crate: no clock, no IO, no async, no unseeded randomness, integer time. The same
//! input gives the same output byte for byte. The checker ([`check`]) imports the document and model
//! types and nothing else of the planner.

pub mod decision;
pub mod model;
pub mod planner;
pub mod predicate;
