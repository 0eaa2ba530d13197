//! Mode `batch`: of all requests of a problem the subset of greatest value, then the fewest moves.
//!
//! What has started or is pinned stays; pending promises may be chosen anew but are kept; a request is
//! served whole or not at all. Formulation F5 of the design over classes.
//!
//! Invariant: the value reported is that of hosts that were counted one by one, and never above the bound,
//! which is proved in whole numbers (`prices`, `proof`). Equal problems give equal plans unless the time
//! limit cuts the search short.
//!
//! 0. `chain` says what requests for one lease are to each other.
//! 1. `world` puts the state and all requests into one scene, `model` into whole numbers.
//! 2. `search` packs greedily; `relaxation` prices every class and instant, which bounds the value and
//!    guides another greedy packing.
//! 3. `exact` looks for anything better by a program; else `search` and `neighbourhood` improve the packing in turns.
//!    Where instances or units take part, `mixed` asks the planner instead.
//! 4. `answer` turns counts into hosts.
//! 5. `proof` shows that nothing is worth more, where the prices leave a gap, and `receipt` writes down what shows it.

mod answer;
mod chain;
mod choose;
pub(crate) mod exact;
pub(crate) mod formulation;
mod mixed;
pub(crate) mod model;
mod neighbourhood;
mod packing;
pub(crate) mod prices;
mod proof;
mod random;
mod receipt;
mod relaxation;
mod search;
pub(crate) mod subgradient;
pub(crate) mod timeline;
mod world;
mod written;

pub use choose::{Batch, Chosen, choose};
pub use receipt::Receipt;
pub use written::run;
