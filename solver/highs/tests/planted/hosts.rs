//! Plans of the planner for host reservations.

use serde_json::{Value, json};
use solver::admit::{self, Settings};
use solver::deadline::Deadline;
use solver_check::check;
use solver_format::{Problem, fingerprint};
use solver_highs::Highs;

use super::{Planted, all_found, list, remove};

/// Cleaning 10, freeze 50. `q1` gets both GPU hosts only if `r1` leaves one.
fn problem() -> String {
    let host =
        |id: &str, gpu: bool| json!({"id": id, "properties": if gpu { json!({"gpu": "True"}) } else { json!({}) }});
    let mut blocked = host("b3", false);
    blocked["blocks"] = json!([[2050, 2060], [3990, 4020]]);
    let mut closed = host("u1", false);
    closed["reservable"] = json!(false);
    let part = |id: &str, start: i64, end: i64, min: u32, max: u32, condition: Value| json!({"id": id, "type": "host", "start": start, "end": end, "min": min, "max": max, "where": condition});
    let held = |mut part: Value, hosts: &[&str], pinned: bool| {
        part["holds"] = hosts
            .iter()
            .map(|host| ((*host).to_owned(), json!(1)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        part["pinned"] = json!(pinned);
        part
    };
    let gpu = || json!(["==", "$gpu", "True"]);
    json!({
        "format": "berth-problem/1", "now": 1000, "cleaning": 10, "freeze": 50,
        "hosts": [host("a1", true), host("a2", true), host("b1", false), host("b2", false), blocked, closed],
        "leases": [
            {"id": "L0", "reservations": [held(part("r0", 900, 1200, 1, 1, json!([])), &["b1"], false)]},
            {"id": "L1", "reservations": [held(part("r1", 2000, 2100, 1, 1, json!([])), &["a1"], false)]},
            {"id": "L2", "reservations": [held(part("r2", 3000, 3100, 1, 1, json!([])), &["a2"], true)]},
        ],
        "requests": [
            {"id": "Q1", "reservations": [part("q1", 2000, 2100, 2, 2, gpu())]},
            {"id": "Q2", "reservations": [part("q2", 3050, 3090, 2, 2, gpu())]},
            {"id": "Q3", "replaces": "L0", "reservations": [part("r0", 900, 1300, 1, 1, json!([]))]},
            {"id": "Q4", "reservations": [part("q4", 2000, 2100, 5, 5, gpu())]},
            {"id": "Q5", "value": 7, "reservations": [
                part("q5a", 4000, 4100, 2, 2, json!([])), part("q5b", 4105, 4200, 1, 1, gpu())]},
        ]
    })
    .to_string()
}

/// What is planted, how, and a part of what the checker says.
const PLANTED: &[Planted] = &[
    (
        "another problem",
        |plan| plan["problem"] = json!("sha256:0"),
        "the plan is of",
    ),
    ("another mode", |plan| plan["mode"] = json!("haste"), "not supported"),
    (
        "a mode it was not made in",
        |plan| plan["mode"] = json!("batch"),
        "bound: missing",
    ),
    (
        "a decision left out",
        |plan| drop(list(plan, "decisions").pop()),
        "4 decisions for 5",
    ),
    (
        "decisions swapped",
        |plan| list(plan, "decisions").swap(0, 1),
        "expected `Q1`",
    ),
    (
        "unproved acceptance",
        |plan| plan["decisions"][0]["proved"] = json!(false),
        "contradicts the verdict",
    ),
    (
        "unknown tier",
        |plan| plan["decisions"][0]["tier"] = json!("luck"),
        "no tier",
    ),
    (
        "acceptance without hosts",
        |plan| remove(&mut plan["decisions"][0], "holds"),
        "is missing",
    ),
    (
        "acceptance with a conflict",
        |plan| {
            plan["decisions"][0]["conflict"] = plan["decisions"][1]["conflict"].clone();
        },
        "must not be there",
    ),
    (
        "refusal without a conflict",
        |plan| remove(&mut plan["decisions"][1], "conflict"),
        "is missing",
    ),
    (
        "refusal turned undecided",
        |plan| plan["decisions"][1]["verdict"] = json!("undecided"),
        "contradicts",
    ),
    (
        "unknown host",
        |plan| plan["decisions"][0]["holds"]["q1"]["zz"] = json!(1),
        "no such host",
    ),
    (
        "a host held twice",
        |plan| plan["decisions"][0]["holds"]["q1"]["a1"] = json!(2),
        "held once",
    ),
    (
        "fewer hosts than min",
        |plan| remove(&mut plan["decisions"][0]["holds"]["q1"], "a1"),
        "1 hosts, 2 to 2",
    ),
    (
        "more hosts than max",
        |plan| plan["decisions"][0]["holds"]["q1"]["b2"] = json!(1),
        "3 hosts, 2 to 2",
    ),
    (
        "a host that does not match",
        |plan| {
            plan["decisions"][0]["holds"]["q1"] = json!({"a2": 1, "b2": 1});
        },
        "does not match",
    ),
    (
        "an unreservable host",
        |plan| hosts(plan, 4, "q5a", &["b1", "u1"]),
        "takes no new work",
    ),
    (
        "a host out of service",
        |plan| hosts(plan, 4, "q5a", &["b1", "b3"]),
        "out of service",
    ),
    (
        "cleaning cut short",
        |plan| {
            hosts(plan, 4, "q5a", &["a1", "b1"]);
            hosts(plan, 4, "q5b", &["a1"]);
            plan["decisions"][4]["moves"] = json!([]);
        },
        "both occupy",
    ),
    (
        "half a lease",
        |plan| remove(&mut plan["decisions"][4]["holds"], "q5b"),
        "all of its reservations",
    ),
    (
        "more than was asked for",
        |plan| plan["decisions"][4]["holds"]["q9"] = json!({"b2": 1}),
        "was not asked for",
    ),
    (
        "a move not listed",
        |plan| plan["decisions"][0]["moves"] = json!([]),
        "both occupy",
    ),
    (
        "a move onto a busy host",
        |plan| plan["decisions"][0]["moves"][0]["to"] = json!({"a2": 1}),
        "both occupy",
    ),
    (
        "a move onto a blocked host",
        |plan| plan["decisions"][0]["moves"][0]["to"] = json!({"b3": 1}),
        "out of service",
    ),
    (
        "a move of pinned work",
        |plan| {
            list(&mut plan["decisions"][0], "moves")
                .push(json!({"reservation": "r2", "from": {"a2": 1}, "to": {"b1": 1}}));
        },
        "may not move",
    ),
    (
        "a move of started work",
        |plan| {
            list(&mut plan["decisions"][0], "moves")
                .push(json!({"reservation": "r0", "from": {"b1": 1}, "to": {"b2": 1}}));
        },
        "may not move",
    ),
    (
        "a promise shrinks",
        |plan| plan["decisions"][0]["moves"][0]["to"] = json!({}),
        "changes its size",
    ),
    (
        "a move from a host not held",
        |plan| {
            plan["decisions"][0]["moves"][0]["from"] = json!({"a2": 1});
        },
        "was not held",
    ),
    (
        "a move that changes nothing",
        |plan| {
            plan["decisions"][0]["moves"][0] = json!({"reservation": "r1", "from": {}, "to": {}});
        },
        "nothing changes",
    ),
    (
        "a move of nothing known",
        |plan| {
            plan["decisions"][0]["moves"][0]["reservation"] = json!("r99");
        },
        "no reservation `r99`",
    ),
    (
        "a reservation moved twice",
        |plan| {
            let again = plan["decisions"][0]["moves"][0].clone();
            list(&mut plan["decisions"][0], "moves").push(again);
        },
        "moves twice",
    ),
    (
        "started work gives up its host",
        |plan| hosts(plan, 2, "r0", &["b2"]),
        "gave up a host",
    ),
    (
        "need overstated",
        |plan| plan["decisions"][1]["conflict"]["needed"] = json!(9),
        "9 is stated",
    ),
    (
        "hosts withheld",
        |plan| {
            let conflict = &mut plan["decisions"][1]["conflict"];
            conflict["hosts_matching"] = json!(["a2"]);
            conflict["exist"] = json!(1);
        },
        "is stated",
    ),
    (
        "hosts miscounted",
        |plan| plan["decisions"][1]["conflict"]["exist"] = json!(1),
        "hosts are listed",
    ),
    (
        "a competitor that is not there",
        |plan| {
            list(&mut plan["decisions"][1]["conflict"], "reservations").push(json!("r1"));
        },
        "not active all the time",
    ),
    (
        "a competitor nobody knows",
        |plan| {
            list(&mut plan["decisions"][1]["conflict"], "reservations").push(json!("r77"));
        },
        "is unknown",
    ),
    (
        "an interval too long",
        |plan| plan["decisions"][1]["conflict"]["until"] = json!(9000),
        "not active",
    ),
    (
        "an unknown reason",
        |plan| plan["decisions"][1]["conflict"]["reason"] = json!("mood"),
        "no reason",
    ),
    (
        "a reason that is not so",
        |plan| plan["decisions"][1]["conflict"]["reason"] = json!("malformed"),
        "well formed",
    ),
    (
        "matching hosts miscounted",
        |plan| plan["decisions"][3]["conflict"]["exist"] = json!(3),
        "matching hosts",
    ),
    (
        "an offer of more",
        |plan| {
            plan["decisions"][1]["offers"] = json!([{"change": "amount", "amount": 3}]);
        },
        "no smaller amount",
    ),
    (
        "an offer out of reach",
        |plan| {
            plan["decisions"][3]["offers"] = json!([{"change": "amount", "amount": 4}]);
        },
        "could not be granted",
    ),
    (
        "an offer on pinned hosts",
        |plan| {
            plan["decisions"][1]["offers"] = json!([{"change": "start", "start": 3060}]);
        },
        "could not be granted",
    ),
    (
        "final hosts differ",
        |plan| plan["final"]["r2"] = json!({"a1": 1}),
        "differs",
    ),
    ("final lacks one", |plan| remove(&mut plan["final"], "r2"), "missing"),
    (
        "final knows too much",
        |plan| plan["final"]["q2"] = json!({"a1": 1}),
        "unfinished lease",
    ),
    (
        "moves not counted",
        |plan| plan["summary"]["moves"] = json!(0),
        "0 is stated, 1 is counted",
    ),
    (
        "acceptances miscounted",
        |plan| plan["summary"]["accepted"] = json!(5),
        "5 is stated",
    ),
    (
        "value made up",
        |plan| plan["summary"]["value"] = json!(1),
        "1 is stated",
    ),
    (
        "host-seconds made up",
        |plan| plan["summary"]["host_seconds_accepted"] = json!(1),
        "1 is stated",
    ),
];

fn hosts(plan: &mut Value, decision: usize, reservation: &str, hosts: &[&str]) {
    let units: serde_json::Map<_, _> = hosts.iter().map(|host| ((*host).to_owned(), json!(1))).collect();
    plan["decisions"][decision]["holds"][reservation] = units.into();
}

#[test]
fn every_error_in_a_plan_of_hosts_is_found() {
    let text = problem();
    let (problem, name) = (Problem::parse(&text).unwrap(), fingerprint(&text));
    let settings = Settings {
        deadline: Deadline::none(),
        offers: true,
    };
    let plan = admit::run(&problem, &name, settings, &Highs).unwrap();
    let right = serde_json::to_value(&plan).unwrap();
    assert_eq!(check(&problem, &name, &plan), [], "{right:#}");
    assert_eq!(
        (plan.summary.accepted, plan.summary.refused, plan.summary.moves),
        (3, 2, 1),
        "{right:#}"
    );
    all_found(&text, &right, PLANTED);
}
