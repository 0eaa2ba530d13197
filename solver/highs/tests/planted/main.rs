//! Errors planted in right plans: the checker must find every kind, and accept every plan left alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of it is a test"
)]

mod certificates;
mod hosts;
mod kinds;
mod modes;

use serde_json::{Value, json};
use solver_check::{check, report};
use solver_format::{Plan, Problem, fingerprint};

/// What is planted, how, and a part of what the checker says.
type Planted = (&'static str, fn(&mut Value), &'static str);

/// Every error planted in a right plan is found, and said to be what it is.
fn all_found(problem: &str, right: &Value, planted: &[Planted]) {
    let (text, problem) = (
        problem,
        Problem::parse(problem).unwrap_or_else(|error| panic!("{error}")),
    );
    let found = |plan: &Value| -> Vec<String> {
        let plan = Plan::parse(&plan.to_string()).unwrap_or_else(|error| panic!("{error}\n{plan:#}"));
        let violations = check(&problem, &fingerprint(text), &plan);
        violations.iter().map(ToString::to_string).collect()
    };
    assert_eq!(found(right), [""; 0], "{right:#}");
    let mut missed = Vec::new();
    for (kind, plant, expected) in planted {
        let mut wrong = right.clone();
        plant(&mut wrong);
        let violations = found(&wrong);
        if !violations.iter().any(|line| line.contains(expected)) {
            missed.push(format!("{kind}: expected `{expected}`, found {violations:#?}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}\n{right:#}");
}

/// Where a plan in which nothing is wrong had to be believed.
fn believed(problem: &str, plan: &Value) -> Vec<String> {
    let plan = Plan::parse(&plan.to_string()).unwrap();
    let found = report(&Problem::parse(problem).unwrap(), &fingerprint(problem), &plan);
    assert_eq!(found.violations, []);
    found.believed.into_iter().map(|claim| claim.place).collect()
}

fn list<'a>(value: &'a mut Value, member: &str) -> &'a mut Vec<Value> {
    value[member].as_array_mut().unwrap()
}

fn remove(value: &mut Value, member: &str) {
    value.as_object_mut().unwrap().remove(member).unwrap();
}

/// A plan made by hand.
fn plan(problem: &str, mode: &str, decisions: &[Value], last: &Value, summary: &Value) -> Value {
    json!({"format": "berth-plan/1", "problem": fingerprint(problem), "mode": mode, "decisions": decisions,
        "final": last, "summary": summary})
}

fn accepted(request: &str, holds: &Value, moves: &Value) -> Value {
    json!({"request": request, "verdict": "accepted", "proved": true, "tier": "mip", "micros": 1, "holds": holds,
        "moves": moves})
}

/// `counts` are needed and exist; `span` is from and until.
fn refused(
    request: &str,
    reason: &str,
    span: (i64, i64),
    counts: (u64, u64),
    hosts: &[&str],
    reservations: &[&str],
) -> Value {
    json!({"request": request, "verdict": "refused", "proved": true, "tier": "certificate", "micros": 1,
        "conflict": {"reason": reason, "from": span.0, "until": span.1, "needed": counts.0, "exist": counts.1,
            "hosts_matching": hosts, "reservations": reservations, "text": "no"}})
}
