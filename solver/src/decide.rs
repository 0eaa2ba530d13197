//! One decision after another way of deciding: from what counting shows to what the whole scene needs.
//!
//! Invariant: nothing here changes the planner, and a refusal is a theorem about the model.

use crate::deadline::Deadline;
use crate::decision::{Conflict, Decision, Tier, Unfinished, Verdict};
use crate::model::{Request, Seconds};
use crate::planner::{ModelSolver, Planner};
use crate::reach::Reach;
use crate::reassign::{self, Reassigned};
use crate::request::Ask;
use crate::scope::Scope;
use crate::{certificate, count, decode, mixed, tails, verify};

impl Planner {
    /// Decides a request at `now`: accepted if any assignment exists that keeps every promise, with
    /// the fewest counted moves. The planner itself does not change; see [`Planner::apply`].
    pub fn decide(&self, request: &Request, now: Seconds, deadline: &Deadline, solver: &dyn ModelSolver) -> Decision {
        let knowing = self.knowing(request);
        let (tier, verdict) = knowing.as_ref().unwrap_or(self).verdict(request, now, deadline, solver);
        Decision { at: now, verdict, tier }
    }

    fn verdict(&self, whole: &Request, now: Seconds, deadline: &Deadline, solver: &dyn ModelSolver) -> (Tier, Verdict) {
        let refused = |tier: Tier, conflict: Conflict| (tier, Verdict::Refused { conflict });
        let ahead = whole.ahead(now);
        let request = ahead.as_ref();
        let asks = match Ask::read_all(self, whole, request, now) {
            Ok(asks) => asks,
            Err(conflict) => return refused(Tier::Static, conflict),
        };
        let reach = Reach::new(self, &asks, request, now);
        if mixed::has_other_kinds(request) {
            return mixed::decide(self, &asks, request, now, &reach, deadline, solver);
        }
        let free = count::search(self, &asks, request, now);
        if let Some(found) = &free
            && found.complete
        {
            return (Tier::Count, found.verdict(&asks));
        }
        if let Some(verdict) = tails::exchange(self, &asks, request, now, &reach) {
            return (Tier::Count, verdict);
        }
        let mut scope = Scope::new(self, &asks, request, now, &reach);
        if free.is_none()
            && let Some(conflict) = certificate::at_likely(&mut scope, deadline)
            && !reach.names_instances(&conflict)
        {
            return refused(Tier::Certificate, conflict);
        }
        // Without an answer in time, hosts that are free as things stand are an answer still.
        let undecided = |why: Unfinished| {
            let found = free.as_ref().map(|found| (Tier::Count, found.verdict(&asks)));
            found.unwrap_or_else(|| mixed::settle(self, &asks, request, now, &reach, deadline, why))
        };
        // Instances were left aside, so only what they cannot make room for has to be decided beside them.
        let beside_instances = || mixed::decide(self, &asks, request, now, &reach, deadline, solver);
        match reassign::solve(&mut scope, deadline, solver) {
            Reassigned::Counts(counts) => {
                if let Some(verdict) = scope.place(&counts) {
                    return (tier_of(&verdict), verdict);
                }
                if reach.has_instances() {
                    return beside_instances();
                }
                let (opened, counts) = scope.changed(&counts);
                let Some(changed) = decode::changes(&opened.scene, &opened.classes, &counts) else {
                    return undecided(Unfinished::Arithmetic);
                };
                if !verify::changes(&opened.scene, &changed) {
                    return undecided(Unfinished::Arithmetic);
                }
                let verdict = decode::accepted(&opened.scene, &asks, &opened.classes, &changed);
                (tier_of(&verdict), verdict)
            }
            Reassigned::Infeasible(conflict) if !reach.names_instances(&conflict) => {
                refused(Tier::Certificate, conflict)
            }
            Reassigned::Infeasible(_) => beside_instances(),
            Reassigned::Open(_) if reach.has_instances() => beside_instances(),
            Reassigned::Open(why) => undecided(why),
        }
    }
}

/// The stage that found an assignment: what counts no move could be had by counting.
fn tier_of(verdict: &Verdict) -> Tier {
    let moved = matches!(verdict, Verdict::Accepted { moves, .. } if moves.iter().any(|moved| moved.counted > 0));
    if moved { Tier::Mip } else { Tier::Count }
}
