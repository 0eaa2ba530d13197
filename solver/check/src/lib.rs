//! The independent checker: follows a plan through its problem and recounts everything.
//!
//! Invariant: this crate knows the documents, the facts and the property language, and nothing of the planner. What it
//! does not solve again is the fewest moves. Refusals by `search` and offers are searched again where the question is
//! small. A large offer is held against what is necessary; of a large `search`, and of a bound that could not be
//! recounted, the report says that it was believed. A refusal in favour of other requests is held against all subsets of
//! a small batch.
//!
//! `book` knows who holds what, `load` what fits on one place. `accepted`, `held` and `moves` are the rules
//! of what is given; `refused`, `shortage`, `occupied` and `rows` those of why nothing is; `offers` what is
//! offered instead. `scene` and `search` find out what is possible. `batch`, with `receipt` for its bound, and `heal`
//! are the modes that do not take one request after another; `decided` has the requests of a batch, `apart` the states in
//! which some of them are looked at by themselves.

mod accepted;
mod apart;
mod batch;
mod book;
mod decided;
mod heal;
mod held;
mod load;
mod moves;
mod occupied;
mod offers;
mod receipt;
mod refused;
mod rows;
mod scene;
mod search;
mod shortage;
mod sums;

use std::fmt;

use serde::Serialize;
use solver_format::{DecisionEntry, Plan, Problem, Summary, VerdictName};

use book::Book;
pub use book::holdings;

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

/// What became of a plan under the checker's eyes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What does not hold.
    pub violations: Vec<Violation>,
    /// What was neither recounted nor found wrong, and why.
    pub believed: Vec<Violation>,
}

/// Collects violations below one place of the plan.
struct Findings {
    place: String,
    list: Vec<Violation>,
    believed: Vec<Violation>,
}

impl Findings {
    fn add(&mut self, member: &str, reason: impl Into<String>) {
        self.list.push(Violation {
            place: format!("{}{member}", self.place),
            reason: reason.into(),
        });
    }

    /// Notes a claim that is too large a question to be answered once more.
    fn believe(&mut self, member: &str, reason: impl Into<String>) {
        self.believed.push(Violation {
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
    report(problem, fingerprint, plan).violations
}

/// As [`check`], with what had to be believed.
pub fn report(problem: &Problem, fingerprint: &str, plan: &Plan) -> Report {
    let mut findings = Findings {
        place: String::new(),
        list: Vec::new(),
        believed: Vec::new(),
    };
    examine(problem, fingerprint, plan, &mut findings);
    Report {
        violations: findings.list,
        believed: findings.believed,
    }
}

fn examine(problem: &Problem, fingerprint: &str, plan: &Plan, findings: &mut Findings) {
    findings.require(plan.problem == fingerprint, "problem", || {
        format!("the plan is of {}, the problem is {fingerprint}", plan.problem)
    });
    if plan.mode != "heal" {
        let (decisions, requests) = (plan.decisions.len(), problem.requests.len());
        findings.require(decisions == requests, "decisions", || {
            format!("{decisions} decisions for {requests} requests")
        });
        findings.require(plan.summary.unkept.is_empty(), "summary.unkept", || {
            "every promise is kept in this mode".to_owned()
        });
    }
    if plan.mode != "batch" {
        let Summary {
            bound, receipt, proved, ..
        } = &plan.summary;
        let of_batch = [
            ("bound", bound.is_some()),
            ("receipt", receipt.is_some()),
            ("proved", proved.is_some()),
        ];
        for (member, present) in of_batch {
            findings.require(!present, &format!("summary.{member}"), || {
                "must not be there in this mode".to_owned()
            });
        }
    }
    let mut book = Book::new(problem);
    let sums = match plan.mode.as_str() {
        "admit" | "replay" => one_after_another(problem, plan, &mut book, findings),
        "batch" => batch::check(&Book::new(problem), &mut book, problem, plan, findings),
        "heal" => heal::check(&Book::new(problem), &mut book, plan, findings),
        other => {
            findings.add(
                "mode",
                format!("`{other}` is not supported, only `admit`, `batch`, `replay` and `heal` are"),
            );
            return;
        }
    };
    sums::last(&book, &plan.last, findings);
    sums::summary(&sums, &plan.summary, findings);
}

/// Modes `admit`, in which the clock stands, and `replay`, in which it moves to each arrival.
fn one_after_another(problem: &Problem, plan: &Plan, book: &mut Book, findings: &mut Findings) -> Summary {
    let mut sums = Summary::default();
    for (number, (entry, decision)) in problem.requests.iter().zip(&plan.decisions).enumerate() {
        if plan.mode == "replay" {
            book.now = book.now.max(entry.at.unwrap_or(book.now));
        }
        findings.place = format!("decisions[{number}].");
        let request = entry.to_request(problem.cleaning);
        if !findings.require(decision.request == entry.id, "request", || {
            format!("expected `{}`", entry.id)
        }) {
            continue;
        }
        form(decision, findings);
        match decision.verdict {
            VerdictName::Accepted => {
                let moves = accepted::check(book, &request, decision, findings);
                sums::add(&mut sums, entry, decision, moves);
            }
            VerdictName::Refused => {
                sums.refused += 1;
                offers::check(book, &request, decision, findings);
            }
            VerdictName::Undecided => sums.undecided += 1,
        }
    }
    findings.place.clear();
    sums
}

/// Members a decision must and must not have.
fn form(decision: &DecisionEntry, findings: &mut Findings) {
    let verdict = decision.verdict;
    let is = |other: VerdictName| verdict == other;
    findings.require(decision.proved != is(VerdictName::Undecided), "proved", || {
        format!("{} contradicts the verdict", decision.proved)
    });
    tier(decision, findings);
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
    if let Some(why) = &decision.unfinished {
        let named = ["time", "work", "arithmetic"].contains(&why.as_str());
        findings.require(named && is(VerdictName::Undecided), "unfinished", || {
            format!("`{why}` is no reason to leave open what has this verdict")
        });
    }
    findings.require(decision.offers.is_empty() || is(VerdictName::Refused), "offers", || {
        "only refusals have offers".to_owned()
    });
}

fn tier(decision: &DecisionEntry, findings: &mut Findings) {
    findings.require(
        ["static", "count", "certificate", "mip"].contains(&decision.tier.as_str()),
        "tier",
        || format!("no tier is called `{}`", decision.tier),
    );
}
