//! Mode `replay`: the requests of a problem as a stream. The clock moves to each `at`; leases start, and
//! keep their hosts from then on, run and end.
//!
//! Invariant: the state holds exactly the leases that are still to run or whose cleaning is still to
//! finish. Ends wait in a queue by time, so that an event costs what ends at it, not what exists. Nothing looks
//! back: hosts that join a running lease are its own from then on.

mod ends;

use solver_format::{Plan, Problem};

use crate::admit::{Course, Settings};
use crate::planner::{ModelSolver, StateError};
use ends::Ends;

/// Replays every request of a problem. `fingerprint` names the problem's text; `progress` is told how many requests are decided after each.
///
/// A request that arrives before the clock is decided at the clock. A lease that has ended cannot be
/// replaced any more: such a request is refused as malformed.
pub fn run(
    problem: &Problem,
    fingerprint: &str,
    settings: Settings,
    solver: &dyn ModelSolver,
    mut progress: impl FnMut(usize),
) -> Result<Plan, StateError> {
    let mut course = Course::new(problem, settings, solver)?;
    let mut ends = Ends::default();
    for lease in course.planner.leases() {
        ends.expect(lease);
    }
    let mut clock = problem.now;
    for (number, entry) in problem.requests.iter().enumerate() {
        clock = clock.max(entry.at.unwrap_or(clock));
        ends.retire(&mut course.planner, clock);
        if course.decide(entry, clock)? {
            let lease = entry.replaces.as_ref().unwrap_or(&entry.id);
            if let Some(lease) = course.planner.lease(lease) {
                ends.expect(lease);
            }
        }
        progress(number + 1);
    }
    Ok(course.finish(fingerprint, "replay", clock))
}
