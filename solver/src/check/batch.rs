//! Mode `batch`: the accepted requests together, and that no more was to be had where that is claimed.
//!
//! All moves are relative to the state before, whatever decision they stand with. The bound of a small
//! batch is held against every subset that is worth more.

use std::collections::BTreeSet;

use super::accepted::{clashes, given, grant};
use super::book::Book;
use super::moves::{self, Rule};
use super::refused;
use super::scene::Scene;
use super::search::{Found, search};
use super::{Findings, sums};
use crate::document::{DecisionEntry, MoveEntry, Plan, Problem, RequestEntry, Summary, VerdictName};
use crate::model::{LeaseId, Request};

/// Most requests of a batch all subsets of which are looked at.
const FEW: usize = 6;
/// Most pairs of something to place and a place to look at, for one subset.
const LARGEST: usize = 1_500;
/// The reason of a refusal in favour of other requests.
pub(super) const OTHERS: &str = "value";

/// Checks the decisions and makes them.
pub(super) fn check(
    before: &Book,
    book: &mut Book,
    problem: &Problem,
    plan: &Plan,
    findings: &mut Findings,
) -> Summary {
    let requests: Vec<Request> = problem
        .requests
        .iter()
        .map(|entry| entry.to_request(problem.cleaning))
        .collect();
    let decided: Vec<(usize, &RequestEntry, &Request, &DecisionEntry)> = problem
        .requests
        .iter()
        .zip(&requests)
        .zip(&plan.decisions)
        .enumerate()
        .map(|(number, ((entry, request), decision))| (number, entry, request, decision))
        .collect();
    let bound = bound(problem, &plan.summary, findings);
    let mut sum = Summary::default();
    let mut granted = Vec::new();
    let mut replaced: BTreeSet<&LeaseId> = BTreeSet::new();
    let mut all: Vec<MoveEntry> = Vec::new();
    for &(number, entry, request, decision) in &decided {
        findings.place = format!("decisions[{number}].");
        if !findings.require(decision.request == entry.id, "request", || {
            format!("expected `{}`", entry.id)
        }) {
            continue;
        }
        let left_out = decision
            .conflict
            .as_ref()
            .is_some_and(|conflict| conflict.reason == OTHERS);
        let open = left_out && bound > plan.summary.value;
        super::form(decision, open, findings);
        match decision.verdict {
            VerdictName::Accepted => {
                if let Some(lease) = &request.replaces {
                    findings.require(replaced.insert(lease), "verdict", || {
                        format!("the lease `{lease}` is replaced twice")
                    });
                }
                all.extend(decision.moves.iter().flatten().cloned());
                if let Some(given) = given(before, request, decision, findings) {
                    granted.push((request, given));
                }
                sums::add(&mut sum, entry, decision, 0);
            }
            VerdictName::Refused => {
                sum.refused += 1;
                if left_out {
                    findings.require(decision.offers.is_empty(), "offers", || {
                        "what was left out for others has none".to_owned()
                    });
                } else {
                    refused::check(before, request, decision, findings);
                }
            }
            VerdictName::Undecided => sum.undecided += 1,
        }
    }
    findings.place.clear();
    let accepted: Vec<&Request> = granted.iter().map(|(request, _)| *request).collect();
    let mut touched = BTreeSet::new();
    let rule = Rule::PendingOfAll { requests: &accepted };
    let moved = moves::carry_out(book, &rule, &all, &mut touched, findings);
    // Whether what was left out tells hosts apart is not laid down: the count may be either.
    let few = moves::counted(before, &moves::predicates(before, accepted), &moved);
    let many = moves::counted(before, &moves::predicates(before, &requests), &moved);
    sum.moves = plan.summary.moves.clamp(few.min(many), many.max(few));
    for (request, given) in granted {
        grant(book, request, given, &mut touched);
    }
    clashes(book, &touched, findings);
    best(before, &decided, bound, findings);
    sum
}

/// The stated bound, if it can be one.
fn bound(problem: &Problem, summary: &Summary, findings: &mut Findings) -> u64 {
    let Some(bound) = summary.bound else {
        findings.add("summary.bound", "missing");
        return u64::MAX;
    };
    findings.require(bound >= summary.value, "summary.bound", || {
        format!("{bound} is below the value, {}", summary.value)
    });
    let all = problem
        .requests
        .iter()
        .map(RequestEntry::worth)
        .fold(0, u64::saturating_add);
    findings.require(bound <= all, "summary.bound", || {
        format!("{bound} is more than all requests are worth, {all}")
    });
    bound
}

/// No subset of a small batch is worth more than the bound.
fn best(
    before: &Book,
    decided: &[(usize, &RequestEntry, &Request, &DecisionEntry)],
    bound: u64,
    findings: &mut Findings,
) {
    let new: Vec<(&RequestEntry, &Request)> = decided
        .iter()
        .filter(|(_, _, request, _)| request.replaces.is_none() && !before.starts_in_the_past(request))
        .map(|&(_, entry, request, _)| (entry, request))
        .collect();
    if new.len() > FEW {
        return;
    }
    for subset in 1_u32..1 << new.len() {
        let members = || {
            new.iter()
                .enumerate()
                .filter(|(place, _)| subset & (1 << place) != 0)
                .map(|(_, new)| new)
        };
        let worth = members().map(|(entry, _)| entry.worth()).fold(0, u64::saturating_add);
        if worth <= bound {
            continue;
        }
        let together = Request {
            id: LeaseId::from("together"),
            replaces: None,
            reservations: members()
                .flat_map(|(_, request)| request.reservations.clone())
                .collect(),
        };
        let scene = Scene::of_request(before, &together, &|held| !before.is_fixed(held), LARGEST);
        if scene.map(search) == Some(Found::Yes) {
            let names: Vec<&str> = members().map(|(entry, _)| &*entry.id).collect();
            findings.add(
                "summary.bound",
                format!(
                    "{bound} is stated, {} can be accepted together and are worth {worth}",
                    names.join(", ")
                ),
            );
            return;
        }
    }
}
