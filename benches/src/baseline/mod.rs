//! Planners that Berth is measured beside, on the same streams.
//!
//! Invariant: each keeps every promise it made on the hosts it named when it made it, as upstream does; none ever re-chooses a
//! host that is held. Only upstream's rule for instances may promise more of a host than it has, because upstream's does.

mod fleet;
mod rule;
mod whole;

pub use fleet::{Named, Overbooked};
pub use rule::Rule;
pub use whole::{Grain, Outlined, outline};
