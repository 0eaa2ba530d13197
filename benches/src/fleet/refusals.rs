//! Refusals on a filled fleet, each with its proof recounted.
//!
//! Invariant: a proof is put to `solver::check` in a problem of all hosts and of those leases alone that proofs name. It counts no
//! other promise, so it holds in the whole problem if it holds there.

use std::collections::HashSet;

use solver::check::check;
use solver::decision::{Conflict, Decision, Verdict};
use solver::document::{ConflictEntry, DecisionEntry, Members, PLAN_FORMAT, Plan, Problem, Summary, VerdictName};
use solver::model::Request;
use solver::planner::Planner;

use super::Filled;
use crate::ledger::Breach;

/// Most proofs that are recounted: one of a full fleet names thousands of reservations and takes the checker seconds.
const MOST_CHECKED: usize = 10;

/// The first refusals of a run.
#[derive(Default)]
pub(super) struct Refusals(Vec<(Request, DecisionEntry, Conflict)>);

impl Refusals {
    /// Keeps a decision if it is a refusal and there are not too many.
    pub(super) fn keep(&mut self, request: &Request, decision: &Decision) {
        let Verdict::Refused { conflict } = &decision.verdict else {
            return;
        };
        if self.0.len() < MOST_CHECKED {
            let entry = DecisionEntry {
                request: format!("{}-{}", request.id, self.0.len()).into(),
                verdict: VerdictName::Refused,
                proved: true,
                tier: decision.tier.name().to_owned(),
                micros: 0,
                holds: None,
                moves: None,
                conflict: Some(ConflictEntry::of(conflict)),
                offers: Vec::new(),
            };
            let mut request = request.clone();
            request.id = entry.request.clone();
            self.0.push((request, entry, conflict.clone()));
        }
    }

    /// Recounts all proofs; how many there are.
    pub(super) fn check(self, filled: &Filled) -> Result<usize, Breach> {
        let named: HashSet<&str> = self
            .0
            .iter()
            .flat_map(|(.., conflict)| &conflict.reservations)
            .map(|id| &**id)
            .collect();
        let mut planner = Planner::new(0);
        for host in &filled.hosts {
            planner.put_host(host.clone());
        }
        let mut leases = filled.leases.iter();
        let mut named = leases
            .by_ref()
            .filter(|lease| lease.reservations.iter().any(|held| named.contains(&*held.id)));
        named
            .try_for_each(|lease| planner.put_lease(lease.clone()))
            .map_err(|error| Breach(error.to_string()))?;
        let count = self.0.len();
        let (requests, decisions): (Vec<Request>, Vec<DecisionEntry>) =
            self.0.into_iter().map(|(request, entry, _)| (request, entry)).unzip();
        let problem = Problem::of(&planner, filled.now, 0, &requests);
        let plan = Plan {
            format: PLAN_FORMAT.to_owned(),
            problem: String::new(),
            mode: "admit".to_owned(),
            decisions,
            last: Members::default(),
            summary: Summary::default(),
        };
        let mut wrong = check(&problem, "", &plan).into_iter();
        // What is held in the end is not written down here, only the decisions are.
        match wrong.find(|violation| violation.place.starts_with("decisions[")) {
            Some(violation) => Err(Breach(format!("a refusal does not hold: {violation}"))),
            None => Ok(count),
        }
    }
}
