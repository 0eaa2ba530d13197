//! Plans made by hand for streams, healing and batches.

use serde_json::{Value, json};

use super::{Planted, accepted, all_found, believed, list, plan, refused, remove};

fn whole(id: &str, window: (i64, i64), hosts: u32, condition: &Value) -> Value {
    json!({"id": id, "type": "host", "start": window.0, "end": window.1, "min": hosts, "max": hosts, "where": condition})
}

fn held(id: &str, window: (i64, i64), condition: &Value, host: &str, pinned: bool) -> Value {
    let mut part = whole(id, window, 1, condition);
    part["holds"] = json!({host: 1});
    part["pinned"] = json!(pinned);
    json!({"id": format!("L{id}"), "reservations": [part]})
}

/// `Q1` has run when `Q3` wants to extend it; `Q2` has started when `Q4` comes.
fn stream() -> (String, Value) {
    let any = json!([]);
    let problem = json!({"format": "berth-problem/1", "now": 0, "cleaning": 5, "hosts": [{"id": "a"}, {"id": "b"}],
    "requests": [
        {"id": "Q1", "at": 0, "reservations": [whole("q1", (0, 10), 1, &any)]},
        {"id": "Q2", "at": 5, "reservations": [whole("q2", (20, 30), 1, &any)]},
        {"id": "Q3", "at": 12, "replaces": "Q1", "reservations": [whole("q1", (0, 15), 1, &any)]},
        {"id": "Q4", "at": 25, "reservations": [whole("q4", (26, 29), 2, &any)]},
        {"id": "Q5", "at": 26, "reservations": [whole("q5", (26, 40), 1, &any)]},
        {"id": "Q6", "at": 28, "replaces": "Q5", "reservations": [whole("q5", (30, 40), 1, &any)]},
    ]})
    .to_string();
    let none = json!([]);
    let decisions = [
        accepted("Q1", &json!({"q1": {"a": 1}}), &none),
        accepted("Q2", &json!({"q2": {"a": 1}}), &none),
        refused("Q3", "malformed", (0, 12), (0, 0), &[], &["q1"]),
        refused("Q4", "capacity", (26, 29), (3, 2), &["a", "b"], &["q2", "q4"]),
        accepted("Q5", &json!({"q5": {"b": 1}}), &none),
        refused("Q6", "started", (30, 40), (1, 1), &["b"], &["q5"]),
    ];
    let summary = json!({"accepted": 3, "refused": 3, "undecided": 0, "host_seconds_accepted": 34, "moves": 0,
        "value": 34});
    let last = json!({"q2": {"a": 1}, "q5": {"b": 1}});
    let plan = plan(&problem, "replay", &decisions, &last, &summary);
    (problem, plan)
}

const STREAM: &[Planted] = &[
    (
        "the clock stands",
        |plan| plan["mode"] = json!("admit"),
        "the request is well formed",
    ),
    (
        "what has ended is held in the end",
        |plan| plan["final"]["q1"] = json!({"a": 1}),
        "unfinished lease",
    ),
    (
        "what runs is not held in the end",
        |plan| remove(&mut plan["final"], "q2"),
        "missing",
    ),
    (
        "an ended lease is extended",
        |plan| plan["decisions"][2] = accepted("Q3", &json!({"q1": {"a": 1}}), &json!([])),
        "does not exist or has ended",
    ),
    (
        "what has started moves",
        |plan| {
            plan["decisions"][4]["moves"] = json!([{"reservation": "q2", "from": {"a": 1}, "to": {"b": 1}}]);
            plan["decisions"][4]["holds"] = json!({"q5": {"a": 1}});
        },
        "may not move",
    ),
    (
        "a host in use",
        |plan| plan["decisions"][4]["holds"] = json!({"q5": {"a": 1}}),
        "both occupy",
    ),
    (
        "what has started stated at another time",
        |plan| plan["decisions"][5]["conflict"]["from"] = json!(26),
        "not as stated",
    ),
    (
        "what has started stated to keep more",
        |plan| plan["decisions"][5]["conflict"]["needed"] = json!(2),
        "not as stated",
    ),
    (
        "what has started stated to keep another host",
        |plan| plan["decisions"][5]["conflict"]["hosts_matching"] = json!(["a"]),
        "not as stated",
    ),
    (
        "cleaning is skipped",
        |plan| plan["decisions"][3]["offers"] = json!([{"change": "start", "start": 34}]),
        "could not be granted",
    ),
    (
        "a start that is over",
        |plan| plan["decisions"][3]["offers"] = json!([{"change": "start", "start": 24}]),
        "no other start",
    ),
];

#[test]
fn every_error_in_a_stream_is_found() {
    let (problem, plan) = stream();
    // `q5` is not there yet when `Q4` is refused: without it, 35 is early enough.
    let mut offered = plan.clone();
    offered["decisions"][3]["offers"] = json!([{"change": "start", "start": 35}]);
    all_found(&problem, &offered, &[]);
    all_found(&problem, &plan, STREAM);
}

/// `a` and `g` take no work, `b` breaks at 150. `w1` can only be on `g`.
fn broken() -> (String, Value) {
    let any = json!([]);
    let instances = json!({"id": "Lx1", "reservations": [{"id": "x1", "type": "instance", "start": 120, "end": 180,
        "amount": 2, "resources": {"VCPU": 1}, "holds": {"b": 2}}]});
    let problem = json!({"format": "berth-problem/1", "now": 100,
        "hosts": [{"id": "a", "reservable": false}, {"id": "b", "capacity": {"VCPU": 4}, "blocks": [[150, 300]]},
            {"id": "c"}, {"id": "d"}, {"id": "e", "capacity": {"VCPU": 4}}, {"id": "g", "reservable": false}],
        "leases": [held("s1", (50, 200), &any, "a", true), held("p1", (120, 180), &any, "c", true),
            held("w1", (120, 180), &json!(["==", "$id", "g"]), "g", false), instances]})
    .to_string();
    let moves = json!([
        {"reservation": "s1", "from": {"a": 1}, "to": {"d": 1}},
        {"reservation": "w1", "from": {"g": 1}, "to": {}},
        {"reservation": "x1", "from": {"b": 2}, "to": {"e": 2}}]);
    let lost = refused("", "capacity", (120, 180), (1, 0), &[], &["w1"])["conflict"].clone();
    let summary = json!({"accepted": 0, "refused": 0, "undecided": 0, "host_seconds_accepted": 0, "moves": 3, "value": 0,
        "unkept": [{"reservation": "w1", "missing": 1, "conflict": lost}]});
    let last = json!({"s1": {"d": 1}, "p1": {"c": 1}, "w1": {}, "x1": {"e": 2}});
    let plan = plan(
        &problem,
        "heal",
        &[accepted("heal", &json!({}), &moves)],
        &last,
        &summary,
    );
    (problem, plan)
}

fn moves(plan: &mut Value) -> &mut Vec<Value> {
    list(&mut plan["decisions"][0], "moves")
}

const BROKEN: &[Planted] = &[
    (
        "something is left on a host",
        |plan| drop(moves(plan).remove(0)),
        "takes no work or is out of service",
    ),
    (
        "nothing is done",
        |plan| plan["decisions"] = json!([]),
        "takes no work or is out of service",
    ),
    (
        "healthy pinned work moves",
        |plan| moves(plan).push(json!({"reservation": "p1", "from": {"c": 1}, "to": {"d": 1}})),
        "may not move",
    ),
    (
        "onto a host in use",
        |plan| moves(plan)[0]["to"] = json!({"c": 1}),
        "both occupy",
    ),
    (
        "onto a host that breaks",
        |plan| moves(plan)[0]["to"] = json!({"b": 1}),
        "out of service",
    ),
    (
        "onto another closed host",
        |plan| moves(plan)[0]["to"] = json!({"g": 1}),
        "takes no new work",
    ),
    (
        "instances where they do not fit",
        |plan| moves(plan)[2]["to"] = json!({"c": 2}),
        "VCPU",
    ),
    (
        "a promise grows",
        |plan| moves(plan)[0]["to"] = json!({"d": 1, "e": 1}),
        "at most 1",
    ),
    (
        "a loss not listed",
        |plan| remove(&mut plan["summary"], "unkept"),
        "has become smaller",
    ),
    (
        "a loss overstated",
        |plan| plan["summary"]["unkept"][0]["missing"] = json!(2),
        "2 is stated, 1 is counted",
    ),
    (
        "a loss that is none",
        |plan| plan["summary"]["unkept"][0]["reservation"] = json!("p1"),
        "is kept, unknown or stands twice",
    ),
    (
        "a shortage that is none",
        |plan| {
            let conflict = &mut plan["summary"]["unkept"][0]["conflict"];
            conflict["hosts_matching"] = json!(["e"]);
            conflict["exist"] = json!(1);
        },
        "there is no shortage",
    ),
    (
        "a needless loss",
        |plan| {
            moves(plan)[0]["to"] = json!({});
            plan["final"]["s1"] = json!({});
            let mut lost = plan["summary"]["unkept"][0].clone();
            lost["reservation"] = json!("s1");
            lost["conflict"]["reservations"] = json!(["s1"]);
            lost["conflict"]["reason"] = json!("search");
            list(&mut plan["summary"], "unkept").push(lost);
        },
        "could be kept beside",
    ),
    (
        "moves miscounted",
        |plan| plan["summary"]["moves"] = json!(4),
        "4 is stated, 3 is counted",
    ),
    (
        "another final state",
        |plan| plan["final"]["x1"] = json!({"e": 1}),
        "differs from",
    ),
    (
        "a refusal",
        |plan| plan["decisions"][0]["verdict"] = json!("refused"),
        "nothing to refuse",
    ),
    (
        "an unproved acceptance",
        |plan| plan["decisions"][0]["proved"] = json!(false),
        "contradicts the verdict",
    ),
    (
        "another name",
        |plan| plan["decisions"][0]["request"] = json!("Q1"),
        "expected `heal`",
    ),
    (
        "something accepted",
        |plan| plan["summary"]["accepted"] = json!(1),
        "1 is stated, 0 is counted",
    ),
];

#[test]
fn every_error_in_healing_is_found() {
    let (problem, plan) = broken();
    all_found(&problem, &plan, BROKEN);
    let mut open = plan;
    open["decisions"][0]["verdict"] = json!("undecided");
    open["decisions"][0]["proved"] = json!(false);
    all_found(&problem, &open, &[]);
    // That it cannot be kept is shown where it is counted; else the plan leaves it open.
    open["summary"]["unkept"][0]["conflict"]["reason"] = json!("undecided");
    assert_eq!(believed(&problem, &open), [""; 0]);
    all_found(
        &problem,
        &open,
        &[
            (
                "a search that did not take place",
                |plan| plan["summary"]["unkept"][0]["conflict"]["reason"] = json!("search"),
                "nothing says that all was tried",
            ),
            (
                "a host that does not suit",
                |plan| plan["summary"]["unkept"][0]["conflict"]["hosts_matching"] = json!(["e"]),
                "are not the 0 that suit",
            ),
            (
                "hosts that are not listed",
                |plan| plan["summary"]["unkept"][0]["conflict"]["exist"] = json!(1),
                "1 is stated, 0 are listed",
            ),
            (
                "a ghost",
                |plan| plan["summary"]["unkept"][0]["conflict"]["reservations"] = json!(["w1", "ghost"]),
                "is unknown",
            ),
        ],
    );
}

/// `Q1` and `Q3` are worth most; `r1` makes room.
fn batch() -> (String, Value) {
    let any = json!([]);
    let request = |id: &str, value: u64, part: Value| json!({"id": id, "value": value, "reservations": [part]});
    let problem = json!({"format": "berth-problem/1", "now": 0,
    "hosts": [{"id": "a", "properties": {"gpu": "True"}}, {"id": "b"}],
    "leases": [held("r1", (10, 20), &any, "a", false)],
    "requests": [
        request("Q1", 5, whole("q1", (10, 20), 1, &json!(["==", "$gpu", "True"]))),
        request("Q2", 3, whole("q2", (10, 20), 2, &any)),
        request("Q3", 4, whole("q3", (30, 40), 2, &any)),
        request("Q4", 1, whole("q4", (30, 40), 5, &any)),
        request("Q5", 2, whole("q5", (30, 40), 1, &any)),
    ]})
    .to_string();
    let decisions = [
        accepted(
            "Q1",
            &json!({"q1": {"a": 1}}),
            &json!([{"reservation": "r1", "from": {"a": 1}, "to": {"b": 1}}]),
        ),
        refused("Q2", "value", (10, 20), (3, 0), &[], &["q2"]),
        accepted("Q3", &json!({"q3": {"a": 1, "b": 1}}), &json!([])),
        refused("Q4", "no_matching_hosts", (30, 40), (5, 2), &["a", "b"], &["q4"]),
        refused("Q5", "value", (30, 40), (2, 0), &[], &["q5"]),
    ];
    let summary = json!({"accepted": 2, "refused": 3, "undecided": 0, "host_seconds_accepted": 30, "moves": 1, "value": 9,
        "bound": 9});
    let last = json!({"r1": {"b": 1}, "q1": {"a": 1}, "q3": {"a": 1, "b": 1}});
    let plan = plan(&problem, "batch", &decisions, &last, &summary);
    (problem, plan)
}

const BATCH: &[Planted] = &[
    (
        "a bound in another mode",
        |plan| plan["mode"] = json!("admit"),
        "summary.bound: must not be there",
    ),
    (
        "a proof in another mode",
        |plan| {
            plan["mode"] = json!("replay");
            plan["summary"]["proved"] = json!(true);
        },
        "summary.proved: must not be there",
    ),
    (
        "a receipt in another mode",
        |plan| {
            plan["mode"] = json!("admit");
            plan["summary"]["receipt"] = json!({"denominator": 1, "prices": []});
        },
        "summary.receipt: must not be there",
    ),
    ("no bound", |plan| remove(&mut plan["summary"], "bound"), "missing"),
    (
        "a bound below the value",
        |plan| plan["summary"]["bound"] = json!(8),
        "8 is below the value, 9",
    ),
    (
        "a bound above everything",
        |plan| plan["summary"]["bound"] = json!(16),
        "16 is more than all requests are worth",
    ),
    (
        "a value made up",
        |plan| plan["summary"]["value"] = json!(8),
        "8 is stated, 9 is counted",
    ),
    (
        "a bound that leaves it open",
        |plan| plan["summary"]["bound"] = json!(10),
        "contradicts the verdict",
    ),
    (
        "a worse subset called best",
        |plan| {
            plan["decisions"][2] = refused("Q3", "value", (30, 40), (4, 0), &[], &["q3"]);
            remove(&mut plan["final"], "q3");
            plan["summary"] = json!({"accepted": 1, "refused": 4, "undecided": 0, "host_seconds_accepted": 10, "moves": 1,
            "value": 5, "bound": 5});
        },
        "can be accepted together",
    ),
    (
        "two on one host",
        |plan| plan["decisions"][4] = accepted("Q5", &json!({"q5": {"a": 1}}), &json!([])),
        "both occupy",
    ),
    (
        "a move not listed",
        |plan| plan["decisions"][0]["moves"] = json!([]),
        "both occupy",
    ),
    (
        "a move listed twice",
        |plan| plan["decisions"][2]["moves"] = plan["decisions"][0]["moves"].clone(),
        "moves twice",
    ),
    (
        "moves not counted",
        |plan| plan["summary"]["moves"] = json!(0),
        "0 is stated, 1 is counted",
    ),
    (
        "another order",
        |plan| list(plan, "decisions").swap(0, 2),
        "expected `Q1`",
    ),
    (
        "a host that does not match",
        |plan| plan["decisions"][0]["holds"] = json!({"q1": {"b": 1}}),
        "does not match",
    ),
    (
        "a refusal in favour of others that is not proved",
        |plan| plan["decisions"][4]["proved"] = json!(false),
        "contradicts the verdict",
    ),
    (
        "proved with a bound above the value",
        |plan| {
            plan["summary"]["bound"] = json!(10);
            plan["summary"]["proved"] = json!(true);
        },
        "leaves room above the value",
    ),
    (
        "offers beside a better choice",
        |plan| plan["decisions"][4]["offers"] = json!([{"change": "start", "start": 50}]),
        "has none",
    ),
];

#[test]
fn every_error_in_a_batch_is_found() {
    let (problem, plan) = batch();
    all_found(&problem, &plan, BATCH);
}

/// `X1` asks for `Q1` later and on another host, `X2` for `Q2` longer; only the last of a lease counts.
fn chains() -> (String, Value) {
    let any = json!([]);
    let problem = json!({"format": "berth-problem/1", "now": 0,
    "hosts": [{"id": "a", "properties": {"gpu": "True"}}, {"id": "b"}],
    "requests": [
        {"id": "Q1", "value": 3, "reservations": [whole("q1", (10, 20), 1, &json!(["==", "$gpu", "True"]))]},
        {"id": "Q2", "value": 4, "reservations": [whole("q2", (10, 20), 1, &any)]},
        {"id": "Q3", "value": 2, "reservations": [whole("q3", (10, 20), 1, &any)]},
        {"id": "X1", "value": 1, "replaces": "Q1", "reservations": [whole("q1", (30, 40), 2, &any)]},
        {"id": "X2", "value": 1, "replaces": "Q2", "reservations": [whole("q2", (10, 25), 1, &any)]},
        {"id": "X3", "value": 1, "replaces": "Q3", "reservations": [whole("q3", (10, 31), 1, &any)]},
    ]})
    .to_string();
    let none = json!([]);
    let decisions = [
        accepted("Q1", &json!({"q1": {"a": 1}}), &none),
        accepted("Q2", &json!({"q2": {"b": 1}}), &none),
        accepted("Q3", &json!({"q3": {"a": 1}}), &none),
        accepted("X1", &json!({"q1": {"a": 1, "b": 1}}), &none),
        accepted("X2", &json!({"q2": {"b": 1}}), &none),
        refused("X3", "value", (10, 31), (1, 0), &[], &["q3"]),
    ];
    let summary = json!({"accepted": 5, "refused": 1, "undecided": 0, "host_seconds_accepted": 65, "moves": 0, "value": 11,
        "bound": 11, "proved": true});
    let last = json!({"q1": {"a": 1, "b": 1}, "q2": {"b": 1}, "q3": {"a": 1}});
    let plan = plan(&problem, "batch", &decisions, &last, &summary);
    (problem, plan)
}

const CHAINS: &[Planted] = &[
    (
        "a replacement without what it replaces",
        |plan| plan["decisions"][1] = refused("Q2", "value", (10, 20), (4, 0), &[], &["q2"]),
        "to replace is not accepted",
    ),
    (
        "a replaced request where it could not be",
        |plan| plan["decisions"][0]["holds"] = json!({"q1": {"b": 1}}),
        "does not match",
    ),
    (
        "a replacement on a host in use",
        |plan| plan["decisions"][4]["holds"] = json!({"q2": {"a": 1}}),
        "both occupy",
    ),
    (
        "a replacement called malformed",
        |plan| plan["decisions"][5] = refused("X3", "malformed", (10, 31), (0, 0), &[], &["q3"]),
        "the request is well formed",
    ),
    (
        "a lease as it was asked for at first",
        |plan| plan["final"]["q1"] = json!({"a": 1}),
        "differs from",
    ),
    (
        "a worse choice called best",
        |plan| {
            plan["decisions"][3] = refused("X1", "value", (30, 40), (1, 0), &[], &["q1"]);
            plan["decisions"][0] = refused("Q1", "value", (10, 20), (3, 0), &[], &["q1"]);
            remove(&mut plan["final"], "q1");
            plan["summary"] = json!({"accepted": 3, "refused": 3, "undecided": 0, "host_seconds_accepted": 35, "moves": 0,
                "value": 7, "bound": 7});
        },
        "can be accepted together",
    ),
];

#[test]
fn every_error_in_a_batch_with_replacements_is_found() {
    let (problem, plan) = chains();
    all_found(&problem, &plan, CHAINS);
}
