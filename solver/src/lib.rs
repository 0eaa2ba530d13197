//! Pure planning for reservations over a timeline: a [`model::Request`] and the promises already made
//! go in, a [`decision::Decision`] comes out.
//!
//! Invariant of the crate: no clock, no IO, no async, no unseeded randomness, integer time. The same
//! input gives the same output byte for byte. The checker is a crate of its own, which knows the documents
//! and nothing of the planner.
//!
//! How a request is decided, each step only when the one before left it open:
//!
//! 1. [`planner`] reads off what the request asks beyond what it keeps, and whether enough hosts suit it.
//! 2. `count` looks for hosts that are free as things stand.
//! 3. `tails` exchanges what equal hosts carry, when they are free one by one but not throughout; `rearranged` writes
//!    down what hosts carry then and recounts it.
//! 4. `scope` reads off the index what of the fleet the request reaches (`reach`), and no more: classes of equal hosts,
//!    how full they are, and who holds hosts of them. Promised instances that may move are left aside.
//! 5. `certificate` looks for an instant at which too few hosts exist.
//! 6. `reassign` chooses counts per class by linear programming, with the fewest moves.
//! 7. The counts become hosts: on the hosts that change, with exchanges between equal ones, or, where fixed work to come
//!    makes hosts of a class unequal, `scene` shows the hosts of the classes that change, `classes` groups them into
//!    those that no reservation can tell apart, `decode` sweeps them and `verify` checks the result.

pub use solver_format::{model, predicate};

pub mod admit;
pub mod batch;
mod certificate;
mod classes;
mod columns;
mod count;
pub mod deadline;
mod decide;
pub mod decision;
mod decode;
mod document;
pub mod heal;
mod hosts;
mod index;
pub mod kernel;
mod mixed;
pub mod offers;
pub mod planner;
pub mod program;
pub mod question;
mod reach;
mod rearranged;
mod reassign;
pub mod replan;
pub mod replay;
mod request;
mod scene;
mod scope;
mod tails;
mod verify;
mod wording;
