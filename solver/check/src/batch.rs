//! Mode `batch`: the accepted requests together, and that no more was to be had where that is claimed.
//!
//! All moves are relative to the state before, whatever decision they stand with. Of the accepted requests
//! for one lease the last counts; those before it must be possible by themselves. The bound of a small
//! batch is held against every subset that is worth more.

use std::collections::{BTreeMap, BTreeSet};

use solver_format::model::{LeaseId, Request};
use solver_format::{MoveEntry, Plan, Problem, ReceiptEntry, RequestEntry, Summary, VerdictName};

use super::accepted::{clashes, given, grant};
use super::apart::{Alone, LARGEST, merged};
use super::book::Book;
use super::decided::{Decided, read};
use super::moves::{self, Rule};
use super::refused::grantable;
use super::search::Found;
use super::{Findings, offers, receipt, sums};

/// Most requests of a batch all subsets of which are looked at.
const FEW: usize = 6;
/// Most pairs of a request's reservation and a place to look at, beside everything as it stands.
const FLEET: usize = 2_000_000;

/// Checks the decisions and makes them.
pub(super) fn check(
    before: &Book,
    book: &mut Book,
    problem: &Problem,
    plan: &Plan,
    findings: &mut Findings,
) -> Summary {
    let decided = read(before, problem, plan);
    let bound = bound(problem, &plan.summary, findings);
    let mut alone = Alone::new(before, problem);
    let mut sum = Summary::default();
    let mut granted = Vec::new();
    let mut all: Vec<MoveEntry> = Vec::new();
    for this in &decided {
        let (request, decision) = (&this.request, this.decision);
        findings.place = format!("decisions[{}].", this.number);
        if !findings.require(decision.request == this.entry.id, "request", || {
            format!("expected `{}`", this.entry.id)
        }) {
            continue;
        }
        super::form(decision, findings);
        match decision.verdict {
            VerdictName::Accepted => {
                let first = |other: &&Decided<'_>| !other.follows && other.request.id == request.id;
                let stands = !this.follows || decided.iter().find(first).is_some_and(Decided::is_accepted);
                findings.require(stands, "verdict", || {
                    format!("the request `{}` to replace is not accepted", request.id)
                });
                all.extend(decision.moves.iter().flatten().cloned());
                let later = &decided[this.number + 1..];
                if later
                    .iter()
                    .any(|other| other.is_accepted() && other.lease() == this.lease())
                {
                    alone.accepted(before, request, decision, findings);
                } else if let Some(given) = given(before, request, decision, findings) {
                    granted.push((request, given));
                }
                sums::add(&mut sum, this.entry, decision, 0);
            }
            VerdictName::Refused => {
                sum.refused += 1;
                refusal(before, &decided, this, bound == plan.summary.value, findings);
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
    let every = decided.iter().map(|this| &this.request);
    let many = moves::counted(before, &moves::predicates(before, every), &moved);
    sum.moves = plan.summary.moves.clamp(few.min(many), many.max(few));
    for (request, given) in granted {
        grant(book, request, given, &mut touched);
    }
    clashes(book, &touched, findings);
    addable(book, &decided, bound, findings);
    let receipt = plan.summary.receipt.as_ref();
    best(before, problem, &decided, &mut alone, (bound, receipt), findings);
    sum
}

/// No request that was left out fits beside the accepted ones as they stand, if that is worth more than the bound.
fn addable(after: &Book, decided: &[Decided<'_>], bound: u64, findings: &mut Findings) {
    let accepted = || decided.iter().filter(|this| this.is_accepted());
    let value = accepted().map(|this| this.entry.worth()).fold(0, u64::saturating_add);
    for this in decided.iter().filter(|this| !this.is_accepted()) {
        let worth = value.saturating_add(this.entry.worth());
        if worth <= bound || this.follows || accepted().any(|other| other.lease() == this.lease()) {
            continue;
        }
        if grantable(after, &this.request, &|_| false, FLEET) == Found::Yes {
            findings.place = format!("decisions[{}].", this.number);
            findings.add(
                "verdict",
                format!("fits beside what is accepted: together they are worth {worth}, more than the bound, {bound}"),
            );
            findings.place.clear();
            return;
        }
    }
}

/// Checks why a request is refused. `best`: nothing can be worth more than what is accepted.
fn refusal(before: &Book, decided: &[Decided<'_>], this: &Decided<'_>, best: bool, findings: &mut Findings) {
    if !this.is_impossible() {
        findings.require(best, "verdict", || {
            "refused in favour of others: a bound above the value contradicts the verdict".to_owned()
        });
        findings.require(this.decision.offers.is_empty(), "offers", || {
            "what was left out for others has none".to_owned()
        });
        return;
    }
    let reason = this.decision.conflict.as_ref().map(|conflict| conflict.reason.as_str());
    let first = |other: &&Decided<'_>| !other.follows && other.request.id == this.request.id;
    let lost = this.follows && decided.iter().find(first).is_some_and(Decided::is_impossible);
    if !(lost && reason == Some("malformed")) {
        offers::check(before, &this.request, this.decision, findings);
    }
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
    findings.require(
        summary.proved != Some(true) || bound == summary.value,
        "summary.proved",
        || format!("the bound, {bound}, leaves room above the value, {}", summary.value),
    );
    bound
}

/// No subset is worth more than the bound: the receipt shows it, or all subsets of a small batch do.
fn best(
    before: &Book,
    problem: &Problem,
    decided: &[Decided<'_>],
    alone: &mut Alone,
    (bound, receipt): (u64, Option<&ReceiptEntry>),
    findings: &mut Findings,
) {
    let well_formed = |this: &&Decided<'_>| {
        let request = &this.request;
        !before.lacks_replaced(request) && !before.starts_in_the_past(request)
    };
    let all: Vec<&Decided<'_>> = decided.iter().filter(well_formed).collect();
    let everything = all.iter().map(|this| this.entry.worth()).fold(0, u64::saturating_add);
    if everything <= bound {
        return;
    }
    if let Some(receipt) = receipt
        && receipt::shows(before, problem, &all, (receipt, bound), alone, findings)
    {
        return;
    }
    let believed = "that nothing is worth more than this was not recounted";
    if all.len() > FEW {
        findings.believe("summary.bound", believed);
        return;
    }
    let mut open = false;
    for subset in 1_u32..1 << all.len() {
        let members = || {
            (0..all.len())
                .filter(|place| subset & (1 << place) != 0)
                .map(|place| all[place])
        };
        let worth = members().map(|this| this.entry.worth()).fold(0, u64::saturating_add);
        if worth <= bound {
            continue;
        }
        let mut last: BTreeMap<&LeaseId, &Decided<'_>> = BTreeMap::new();
        let mut first: BTreeSet<&LeaseId> = BTreeSet::new();
        let (mut sound, mut sure) = (true, true);
        for this in members() {
            sound &= !this.follows || first.contains(this.lease());
            first.insert(this.lease());
            if let Some(superseded) = last.insert(this.lease(), this) {
                let possible = alone.is_possible(before, &superseded.request);
                sound &= possible != Found::No;
                sure &= possible == Found::Yes;
            }
        }
        let found = if sound {
            together(before, problem, last.into_values().map(|this| &this.request))
        } else {
            Found::No
        };
        open |= found == Found::Unknown || (found == Found::Yes && !sure);
        if found == Found::Yes && sure {
            let names: Vec<&str> = members().map(|this| &*this.entry.id).collect();
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
    if open {
        findings.believe("summary.bound", believed);
    }
}

/// Whether requests for different leases can be granted together.
fn together<'a>(before: &Book, problem: &Problem, requests: impl Iterator<Item = &'a Request>) -> Found {
    let (merged, together) = merged(before, problem, requests);
    let book = merged.as_ref().unwrap_or(before);
    grantable(book, &together, &|held| !book.is_fixed(held), LARGEST)
}
