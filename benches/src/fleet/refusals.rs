//! Refusals on a filled fleet, each with its proof recounted.
//!
//! Invariant: a proof is put to `solver::check` in a problem of all hosts and of those leases alone that it names. It counts no other
//! promise, so it holds in the whole problem if it holds there.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use solver::decision::{Conflict, Decision, Verdict};
use solver::model::Request;
use solver::planner::Planner;
use solver_check::check;
use solver_format::{ConflictEntry, DecisionEntry, Members, PLAN_FORMAT, Plan, Summary, VerdictName};

use super::Filled;
use crate::ledger::Breach;

/// Most refusals that are kept to be recounted.
const MOST_KEPT: usize = 100;

/// The first refusals of a run.
#[derive(Default)]
pub(super) struct Refusals(Vec<(Request, DecisionEntry, Conflict)>);

impl Refusals {
    /// Keeps a decision if it is a refusal and there are not too many.
    pub(super) fn keep(&mut self, request: &Request, decision: &Decision) {
        let Verdict::Refused { conflict } = &decision.verdict else {
            return;
        };
        if self.0.len() < MOST_KEPT {
            let entry = DecisionEntry {
                request: request.id.clone(),
                verdict: VerdictName::Refused,
                proved: true,
                tier: decision.tier.name().to_owned(),
                micros: 0,
                holds: None,
                moves: None,
                conflict: Some(ConflictEntry::from(conflict)),
                offers: Vec::new(),
                unfinished: None,
            };
            self.0.push((request.clone(), entry, conflict.clone()));
        }
    }

    /// Recounts proofs until the time is over, at least one; how many were. A proof of a full fleet names thousands of
    /// reservations and takes the checker seconds.
    pub(super) fn check(self, filled: &Filled, wall: Duration) -> Result<usize, Breach> {
        let until = Instant::now() + wall;
        let mut fleet = Planner::new(0);
        for host in &filled.hosts {
            fleet.put_host(host.clone());
        }
        let mut checked = 0;
        for (request, entry, conflict) in self.0 {
            if checked > 0 && Instant::now() > until {
                break;
            }
            let mut planner = fleet.clone();
            let named: HashSet<&str> = conflict.reservations.iter().map(|id| &**id).collect();
            for lease in &filled.leases {
                if lease.reservations.iter().any(|held| named.contains(&*held.id)) {
                    let put = planner.put_lease(lease.clone());
                    put.map_err(|error| Breach(error.to_string()))?;
                }
            }
            let problem = planner.problem(filled.now, 0, &[request]);
            let plan = Plan {
                format: PLAN_FORMAT.to_owned(),
                problem: String::new(),
                mode: "admit".to_owned(),
                decisions: vec![entry],
                last: Members::default(),
                summary: Summary::default(),
            };
            // What is held in the end is not written down here, only the decision is.
            let mut wrong = check(&problem, "", &plan).into_iter();
            if let Some(violation) = wrong.find(|violation| violation.place.starts_with("decisions[")) {
                return Err(Breach(format!("a refusal does not hold: {violation}")));
            }
            checked += 1;
        }
        Ok(checked)
    }
}
