//! Chooses how many hosts of which class every demand gets, with the fewest moves.
//!
//! Three goals in lexicographic order, as weights of one cost ([`goals`]): fewest counted moves, most hosts
//! for the request, least disturbance. The stages, each only when the one before left it open:
//!
//! 1. [`exchange`] frees what is missing by sending hosts of pending demands elsewhere one by one. It
//!    answers only if as many moves as hosts are missing suffice, which is the fewest there can be.
//! 2. [`narrow`] says at which instants all that the request reaches has least to spare; one of them often shows that
//!    too few hosts exist.
//! 3. [`growing`] is the linear program over departures from what is held, with rows and columns added as
//!    its points need them. Its points are whole nearly always.
//! 4. [`whole`] dives from a fractional point to a whole one, and searches by branch and bound if that
//!    does not meet the bound.
//!
//! If there is nothing to choose, `certificate` proves it in whole numbers; else the question stays open.
//!
//! Invariant: counts are handed out only if they are whole and exceed no capacity, recounted here; and
//! unless the time ran out, only if nothing can cost less.

mod exchange;
mod goals;
mod growing;
mod loads;
mod narrow;
mod point;
mod pricing;
mod whole;

use crate::certificate;
use crate::deadline::Deadline;
use crate::decision::{Conflict, Unfinished};
use crate::program::{ModelSolver, Step};
use crate::reassign::goals::Goals;
use crate::reassign::growing::Growing;
use crate::reassign::whole::Search;
use crate::scope::{Counts, Scope};

/// Narrow instants at which a shortage is looked for before anything is programmed.
const NARROW_INSTANTS: usize = 4;

/// What was shown.
pub(crate) enum Reassigned {
    /// The best counts, or the best found before the deadline ended; demands that are not listed keep what
    /// they hold.
    Counts(Counts),
    /// No counts exist.
    Infeasible(Conflict),
    /// Neither was shown.
    Open(Unfinished),
}

/// Goes through the stages.
pub(crate) fn solve(scope: &mut Scope<'_>, deadline: &Deadline, solver: &dyn ModelSolver) -> Reassigned {
    solver.observe(Step::Begun);
    let reassigned = stages(scope, deadline, solver);
    solver.observe(Step::Ended);
    reassigned
}

fn stages(scope: &mut Scope<'_>, deadline: &Deadline, solver: &dyn ModelSolver) -> Reassigned {
    if let Some(counts) = exchange::search(scope, deadline) {
        return Reassigned::Counts(counts);
    }
    let narrow = narrow::instants(scope, NARROW_INSTANTS);
    if let Some(conflict) = certificate::at_instants(scope, narrow, deadline) {
        return Reassigned::Infeasible(conflict);
    }
    let Some(engine) = solver.engine() else {
        return Reassigned::Open(Unfinished::Work);
    };
    if let Some(why) = deadline.over() {
        return Reassigned::Open(why);
    }
    solver.observe(Step::Programming);
    let goals = Goals::new(scope);
    Search::new(Growing::new(scope, goals, engine), deadline, solver).run()
}
