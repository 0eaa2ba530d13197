//! The shift minimisation personnel task scheduling problem: fixed intervals, eligibility, fewest workers.
//!
//! Each worker may do the tasks he is qualified for, no two at once; every task must be done; as few workers
//! as possible are to be used (Krishnamoorthy, Ernst, Baatar 2012). In the planner's words: every host is a
//! class of its own, and the demand is fixed.
//!
//! Invariant: what [`solve`] answers has been recounted in integers by [`check`], and depends only on the
//! instance, the settings and the moment at which the time was over.

mod bound;
pub mod check;
mod forced;
mod instance;
mod prices;
mod read;
mod replace;
mod search;
mod solve;

pub use bound::{Bound, MOST_PRICE, PRICE_UNIT, peak};
pub use instance::{Instance, InstanceError, MOST_PAIRS, MOST_TIME, Task};
pub use read::{ReadError, read};
pub use solve::{Answer, solve};
