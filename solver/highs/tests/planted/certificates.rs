//! Refusals proved by several instants together, and refusals by search.

use serde_json::{Value, json};

use super::{Planted, all_found, list, plan, refused, remove};

/// A long request may use either host; one is needed before the other. No instant alone is short.
fn problem() -> String {
    let on = |id: &str, host: &str, start: i64, end: i64| {
        json!({"id": format!("L{id}"), "reservations": [{"id": id, "type": "host", "start": start, "end": end, "min": 1,
            "max": 1, "where": ["==", "$id", host], "holds": {host: 1}}]})
    };
    let asked = |id: &str, start: i64, end: i64| {
        json!({"id": id.to_uppercase(), "reservations": [{"id": id, "type": "host", "start": start, "end": end, "min": 1,
            "max": 1, "where": []}]})
    };
    json!({"format": "berth-problem/1", "now": 0, "hosts": [{"id": "a"}, {"id": "b"}],
        "leases": [on("s1", "a", 100, 110), on("s2", "b", 110, 120)],
        "requests": [asked("q1", 100, 120), asked("q2", 100, 120)]})
    .to_string()
}

fn right(problem: &str) -> Value {
    let listed = ["q1", "s1", "s2"];
    let mut rows = refused("Q1", "rows", (105, 116), (3, 2), &["a", "b"], &listed);
    rows["conflict"]["certificate"] = json!([
        {"hosts": ["a"], "at": 105, "weight": 1}, {"hosts": ["b"], "at": 115, "weight": 1}]);
    let search = refused("Q2", "search", (100, 120), (1, 2), &["a", "b"], &["q2", "s1", "s2"]);
    let summary =
        json!({"accepted": 0, "refused": 2, "undecided": 0, "host_seconds_accepted": 0, "moves": 0, "value": 0});
    plan(
        problem,
        "admit",
        &[rows, search],
        &json!({"s1": {"a": 1}, "s2": {"b": 1}}),
        &summary,
    )
}

fn conflict(plan: &mut Value) -> &mut Value {
    &mut plan["decisions"][0]["conflict"]
}

fn search(plan: &mut Value) -> &mut Value {
    &mut plan["decisions"][1]["conflict"]
}

const PLANTED: &[Planted] = &[
    (
        "a row without weight",
        |plan| conflict(plan)["certificate"][0]["weight"] = json!(0),
        "at least 1",
    ),
    (
        "a row counted twice as much",
        |plan| conflict(plan)["certificate"][0]["weight"] = json!(2),
        "2 is stated, 3 is counted",
    ),
    (
        "a row of an unknown host",
        |plan| conflict(plan)["certificate"][0]["hosts"] = json!(["z"]),
        "unknown or stands twice",
    ),
    (
        "a host twice in a row",
        |plan| conflict(plan)["certificate"][0]["hosts"] = json!(["a", "a"]),
        "unknown or stands twice",
    ),
    (
        "a row at another instant",
        |plan| conflict(plan)["certificate"][0]["at"] = json!(115),
        "3 is stated",
    ),
    (
        "a row left out",
        |plan| {
            list(conflict(plan), "certificate").pop();
            conflict(plan)["exist"] = json!(1);
        },
        "3 is stated, 1 is counted",
    ),
    (
        "rows that have less than they do",
        |plan| conflict(plan)["exist"] = json!(1),
        "1 is stated, 2 is counted",
    ),
    (
        "a use overstated",
        |plan| conflict(plan)["needed"] = json!(4),
        "4 is stated, 3 is counted",
    ),
    (
        "a use understated",
        |plan| conflict(plan)["needed"] = json!(2),
        "2 is stated, 3 is counted",
    ),
    (
        "a host of the rows withheld",
        |plan| drop(list(conflict(plan), "hosts_matching").pop()),
        "not the hosts of the rows",
    ),
    (
        "rows that begin earlier",
        |plan| conflict(plan)["from"] = json!(100),
        "not that of the rows",
    ),
    (
        "rows that end later",
        |plan| conflict(plan)["until"] = json!(120),
        "not that of the rows",
    ),
    (
        "a search at another time",
        |plan| search(plan)["from"] = json!(101),
        "not that of what is asked for",
    ),
    (
        "a search for more",
        |plan| search(plan)["needed"] = json!(2),
        "2 is stated, 1 are asked for",
    ),
    (
        "a search among more hosts",
        |plan| search(plan)["exist"] = json!(3),
        "3 is stated, 2 are listed",
    ),
    (
        "a search of one that fits beside those listed",
        |plan| drop(list(search(plan), "reservations").pop()),
        "if there were only these",
    ),
    (
        "a search beside a ghost",
        |plan| list(search(plan), "reservations").push(json!("ghost")),
        "is unknown",
    ),
    (
        "a user left out",
        |plan| drop(list(conflict(plan), "reservations").pop()),
        "3 is stated, 2 is counted",
    ),
    (
        "an unknown user",
        |plan| list(conflict(plan), "reservations").push(json!("s9")),
        "is unknown",
    ),
    (
        "a user listed twice",
        |plan| list(conflict(plan), "reservations").push(json!("s1")),
        "stands twice",
    ),
    ("no rows", |plan| remove(conflict(plan), "certificate"), "missing"),
    (
        "one instant in place of two",
        |plan| {
            remove(conflict(plan), "certificate");
            conflict(plan)["reason"] = json!("capacity");
        },
        "not active all the time",
    ),
];

#[test]
fn every_error_in_a_certificate_is_found() {
    let problem = problem();
    all_found(&problem, &right(&problem), PLANTED);
}

/// What is refused by search is searched again.
#[test]
fn a_refusal_by_search_of_what_is_possible_is_found() {
    let problem = problem().replace(r#""start":110,"end":120"#, r#""start":120,"end":130"#);
    let mut wrong = right(&problem);
    wrong["decisions"][0] = wrong["decisions"][1].clone();
    wrong["decisions"][0]["request"] = json!("Q1");
    let problem_read = solver_format::Problem::parse(&problem).unwrap();
    let plan = solver_format::Plan::parse(&wrong.to_string()).unwrap();
    let name = solver_format::fingerprint(&problem);
    let violations = solver_check::check(&problem_read, &name, &plan);
    let said = violations
        .iter()
        .filter(|violation| violation.reason.contains("an assignment exists"));
    assert_eq!(said.count(), 2, "{violations:#?}");
}
