//! Stand-ins for the ports, for tests only: a store in memory, a clock that tests move, rules that
//! allow everything, a solver-less start.

mod clock;
mod plugin;
mod store;

pub use clock::ManualClock;
pub use plugin::Obliging;
pub use store::MemoryStore;

use crate::authority::{Caller, Policy, Target};

/// Allows everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

impl Policy for AllowAll {
    fn allows(&self, _rule: &str, _caller: &Caller, _target: Target<'_>) -> bool {
        true
    }
}
