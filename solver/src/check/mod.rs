//! The independent checker: replays a plan against its problem and recounts everything.
//!
//! Invariant: nothing here imports the planner, its classes or its programs; only the document and model
//! types and the property language. What cannot be recounted without solving is left: a refusal whose
//! reason is `search`, and whether an offer is feasible beyond the hosts that suit it and are not taken by
//! work that cannot move.

mod accepted;
mod book;
mod refused;

use std::fmt;

use serde::Serialize;

pub use book::holdings;

use crate::document::{DecisionEntry, HeldUnits, Members, Plan, Problem, RequestEntry, Summary, VerdictName};
use crate::model::{Request, Seconds};
use book::Book;

/// Something in a plan that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// JSON path in the plan, or the name of a host or reservation.
    pub place: String,
    /// What does not hold.
    pub reason: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.reason)
    }
}

/// Collects violations below one place of the plan.
struct Findings {
    place: String,
    list: Vec<Violation>,
}

impl Findings {
    fn add(&mut self, member: &str, reason: impl Into<String>) {
        self.list.push(Violation {
            place: format!("{}{member}", self.place),
            reason: reason.into(),
        });
    }

    fn require(&mut self, holds: bool, member: &str, reason: impl FnOnce() -> String) -> bool {
        if !holds {
            self.add(member, reason());
        }
        holds
    }
}

/// Everything in the plan that does not hold for the problem whose text has this fingerprint.
pub fn check(problem: &Problem, fingerprint: &str, plan: &Plan) -> Vec<Violation> {
    let mut findings = Findings {
        place: String::new(),
        list: Vec::new(),
    };
    findings.require(plan.problem == fingerprint, "problem", || {
        format!("the plan is of {}, the problem is {fingerprint}", plan.problem)
    });
    if plan.mode != "admit" {
        findings.add("mode", format!("`{}` is not supported, only `admit` is", plan.mode));
        return findings.list;
    }
    findings.require(plan.decisions.len() == problem.requests.len(), "decisions", || {
        format!(
            "{} decisions for {} requests",
            plan.decisions.len(),
            problem.requests.len()
        )
    });
    let mut book = Book::new(problem);
    let mut sums = Summary::default();
    for (number, (entry, decision)) in problem.requests.iter().zip(&plan.decisions).enumerate() {
        findings.place = format!("decisions[{number}].");
        let request = entry.to_request(problem.cleaning);
        if !findings.require(decision.request == entry.id, "request", || {
            format!("expected `{}`", entry.id)
        }) {
            continue;
        }
        form(decision, &mut findings);
        match decision.verdict {
            VerdictName::Accepted => {
                let moves = accepted::check(&mut book, &request, decision, &mut findings);
                add(&mut sums, entry, decision, moves);
            }
            VerdictName::Refused => {
                sums.refused += 1;
                refused::check(&book, &request, decision, &mut findings);
            }
            VerdictName::Undecided => sums.undecided += 1,
        }
    }
    findings.place.clear();
    last(&book, &plan.last, &mut findings);
    summary(&sums, &plan.summary, &mut findings);
    findings.list
}

/// Members a decision must and must not have.
fn form(decision: &DecisionEntry, findings: &mut Findings) {
    let verdict = decision.verdict;
    let is = |other: VerdictName| verdict == other;
    findings.require(decision.proved != is(VerdictName::Undecided), "proved", || {
        format!("{} contradicts the verdict", decision.proved)
    });
    findings.require(
        ["static", "count", "certificate", "mip"].contains(&decision.tier.as_str()),
        "tier",
        || format!("no tier is called `{}`", decision.tier),
    );
    let presence = [
        ("holds", decision.holds.is_some(), VerdictName::Accepted),
        ("moves", decision.moves.is_some(), VerdictName::Accepted),
        ("conflict", decision.conflict.is_some(), VerdictName::Refused),
    ];
    for (member, present, belongs_to) in presence {
        findings.require(present == is(belongs_to), member, || {
            let must = if present { "must not be there" } else { "is missing" };
            format!("{must} with this verdict")
        });
    }
    findings.require(decision.offers.is_empty() || is(VerdictName::Refused), "offers", || {
        "only refusals have offers".to_owned()
    });
}

fn add(sums: &mut Summary, entry: &RequestEntry, decision: &DecisionEntry, moves: u64) {
    sums.accepted += 1;
    sums.moves += moves;
    sums.value = sums.value.saturating_add(entry.worth());
    for part in &entry.reservations {
        let hosts = decision
            .holds
            .as_ref()
            .and_then(|holds| holds.get(&part.id))
            .map_or(0, |hosts| hosts.len());
        let seconds = (hosts as u64).saturating_mul(part.end.abs_diff(part.start));
        sums.host_seconds_accepted = sums.host_seconds_accepted.saturating_add(seconds);
    }
}

/// `final` is what the replay ends with.
fn last(book: &Book, last: &Members<HeldUnits>, findings: &mut Findings) {
    let mut expected = book.last();
    for (reservation, units) in last.iter() {
        let place = format!("final.{reservation}");
        match expected.remove(reservation) {
            None => findings.add(&place, "no reservation of an unfinished lease has this identifier"),
            Some(holds) => {
                let equal = holds.len() == units.len() && holds.iter().all(|host| units.get(host) == Some(&1));
                findings.require(equal, &place, || "differs from what the decisions lead to".to_owned());
            }
        }
    }
    for reservation in expected.keys() {
        findings.add(&format!("final.{reservation}"), "missing");
    }
}

fn summary(expected: &Summary, found: &Summary, findings: &mut Findings) {
    let pairs = [
        ("accepted", expected.accepted, found.accepted),
        ("refused", expected.refused, found.refused),
        ("undecided", expected.undecided, found.undecided),
        (
            "host_seconds_accepted",
            expected.host_seconds_accepted,
            found.host_seconds_accepted,
        ),
        ("moves", expected.moves, found.moves),
        ("value", expected.value, found.value),
    ];
    for (member, expected, found) in pairs {
        findings.require(expected == found, &format!("summary.{member}"), || {
            format!("{found} is stated, {expected} is counted")
        });
    }
}

/// Whether a request starts something before the clock that has not started already.
fn in_the_past(book: &Book, request: &Request, now: Seconds) -> bool {
    request.reservations.iter().any(|asked| {
        let started = book
            .replaced(request)
            .iter()
            .any(|old| old.id == asked.id && old.window.start <= now);
        asked.window.start < now && !started
    })
}
