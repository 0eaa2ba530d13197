//! The requests of a batch as they stand beside the state, and what became of each.

use std::collections::BTreeSet;

use solver_format::model::{LeaseId, Request};
use solver_format::{ConflictEntry, DecisionEntry, Plan, Problem, RequestEntry, VerdictName};

use super::book::Book;

/// The reason of a refusal in favour of other requests.
pub(super) const OTHERS: &str = "value";

/// A request as it stands beside the state, and what became of it.
pub(super) struct Decided<'a> {
    pub(super) number: usize,
    pub(super) entry: &'a RequestEntry,
    /// What replaces a request of the batch asks for a new lease of that name.
    pub(super) request: Request,
    /// Whether it replaces a request of the batch.
    pub(super) follows: bool,
    pub(super) decision: &'a DecisionEntry,
}

impl Decided<'_> {
    pub(super) fn lease(&self) -> &LeaseId {
        self.request.replaces.as_ref().unwrap_or(&self.request.id)
    }

    pub(super) fn is_accepted(&self) -> bool {
        self.decision.verdict == VerdictName::Accepted
    }

    /// Whether it was refused, but not in favour of others.
    pub(super) fn is_impossible(&self) -> bool {
        let reason = self.decision.conflict.as_ref().map(|conflict| conflict.reason.as_str());
        self.decision.verdict == VerdictName::Refused && reason != Some(OTHERS)
    }

    /// Why it was refused by itself, if it was.
    pub(super) fn impossible(&self) -> Option<&ConflictEntry> {
        let conflict = self.decision.conflict.as_ref();
        conflict.filter(|_| self.is_impossible())
    }
}

/// The requests and their decisions.
pub(super) fn read<'a>(before: &Book, problem: &'a Problem, plan: &'a Plan) -> Vec<Decided<'a>> {
    let mut new: BTreeSet<&LeaseId> = BTreeSet::new();
    let mut all = Vec::new();
    for (number, (entry, decision)) in problem.requests.iter().zip(&plan.decisions).enumerate() {
        let mut request = entry.to_request(problem.cleaning);
        let mut follows = false;
        match &entry.replaces {
            None => _ = new.insert(&entry.id),
            Some(lease) if new.contains(lease) && !before.leases.contains_key(lease) => {
                follows = true;
                request.id = lease.clone();
                request.replaces = None;
            }
            Some(_) => {}
        }
        all.push(Decided {
            number,
            entry,
            request,
            follows,
            decision,
        });
    }
    all
}
