//! A plan made by hand with instances and units beside hosts.

use serde_json::{Value, json};

use super::{Planted, accepted, all_found, list, plan, refused, remove};

/// `q1h` needs the only GPU host, on which two instances of `i1` stand; `q1u` requires the unit that `n1`
/// holds. Afterwards `b` is full: three instances of `i1` with 2 VCPU each, two of `i2` with 1.
fn problem() -> String {
    let host = |id: &str, vcpu: u64| json!({"id": id, "capacity": {"VCPU": vcpu, "MEMORY_MB": 100}});
    let mut gpu = host("a", 8);
    gpu["properties"] = json!({"gpu": "True"});
    let mut blocked = host("k", 8);
    blocked["blocks"] = json!([[2000, 3000]]);
    let mut closed = host("z", 8);
    closed["reservable"] = json!(false);
    let instances = |id: &str, amount: u64, vcpu: u64| {
        json!({"id": id, "type": "instance", "start": 2000, "end": 2100,
        "amount": amount, "resources": {"VCPU": vcpu}})
    };
    let units = |id: &str, pool: &str, amount: u64| {
        json!({"id": id, "type": "units", "start": 2000, "end": 2100, "pool": pool,
        "amount": amount})
    };
    let with = |mut part: Value, members: Value| {
        part.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        part
    };
    let lease = |id: &str, part: Value| json!({"id": id, "reservations": [part]});
    let whole = |id: &str, condition: Value| {
        json!({"id": id, "type": "host", "start": 2000, "end": 2100, "min": 1, "max": 1,
        "where": condition})
    };
    json!({
        "format": "berth-problem/1", "now": 1000, "cleaning": 10,
        "hosts": [gpu, host("b", 8), host("c", 4), host("d", 4), host("e", 4), blocked, closed],
        "pools": [{"id": "public", "units": ["u1", "u2", "u3"]}, {"id": "private", "units": ["p1"]}],
        "leases": [
            lease("L1", with(instances("i1", 3, 2), json!({"holds": {"a": 2, "b": 1}}))),
            lease("L2", with(units("n1", "public", 1), json!({"holds": {"u1": 1}}))),
            lease("L3", with(whole("h1", json!([])), json!({"holds": {"c": 1}}))),
            lease("L4", with(instances("i2", 2, 1), json!({"affinity": true, "pinned": true, "holds": {"b": 2}}))),
            lease("L5", with(instances("i3", 2, 1), json!({"affinity": true, "start": 3000, "end": 3100, "holds": {"d": 2}}))),
        ],
        "requests": [
            {"id": "Q1", "reservations": [whole("q1h", json!(["==", "$gpu", "True"])),
                with(instances("q1i", 2, 3), json!({"affinity": false})),
                with(units("q1u", "public", 2), json!({"required": ["u1"]}))]},
            {"id": "Q2", "reservations": [instances("q2", 30, 4)]},
            {"id": "Q3", "reservations": [units("q3", "private", 2)]},
            {"id": "Q4", "reservations": [with(units("q4", "public", 1), json!({"start": 2050, "end": 2060}))]},
            {"id": "Q5", "reservations": [instances("q5", 2, 5)]},
        ]
    })
    .to_string()
}

fn right(problem: &str) -> Value {
    let all = ["a", "b", "c", "d", "e"];
    let mut short = refused(
        "Q5",
        "capacity",
        (2000, 2100),
        (36, 28),
        &all,
        &["h1", "i1", "i2", "q1h", "q1i", "q5"],
    );
    short["conflict"]["resource"] = json!("VCPU");
    short["offers"] = json!([{"change": "start", "start": 3000}]);
    let decisions = [
        accepted(
            "Q1",
            &json!({"q1h": {"a": 1}, "q1i": {"d": 1, "e": 1}, "q1u": {"u1": 1, "u2": 1}}),
            &json!([
                {"reservation": "i1", "from": {"a": 2}, "to": {"b": 2}},
                {"reservation": "n1", "from": {"u1": 1}, "to": {"u3": 1}},
            ]),
        ),
        refused("Q2", "no_matching_hosts", (2000, 2100), (30, 7), &all, &["q2"]),
        refused("Q3", "no_matching_hosts", (2000, 2100), (2, 1), &["p1"], &["q3"]),
        refused(
            "Q4",
            "capacity",
            (2050, 2060),
            (4, 3),
            &["u1", "u2", "u3"],
            &["n1", "q1u", "q4"],
        ),
        short,
    ];
    let last = json!({"i1": {"b": 3}, "n1": {"u3": 1}, "h1": {"c": 1}, "i2": {"b": 2}, "i3": {"d": 2}, "q1h": {"a": 1},
        "q1i": {"d": 1, "e": 1}, "q1u": {"u1": 1, "u2": 1}});
    let summary = json!({"accepted": 1, "refused": 4, "undecided": 0, "host_seconds_accepted": 100, "moves": 2,
        "value": 100});
    plan(problem, "admit", &decisions, &last, &summary)
}

fn holds<'a>(plan: &'a mut Value, reservation: &str) -> &'a mut Value {
    &mut plan["decisions"][0]["holds"][reservation]
}

fn change(plan: &mut Value, number: usize) -> &mut Value {
    &mut plan["decisions"][0]["moves"][number]
}

fn conflict(plan: &mut Value, decision: usize) -> &mut Value {
    &mut plan["decisions"][decision]["conflict"]
}

const PLANTED: &[Planted] = &[
    (
        "instances beyond a host's capacity",
        |plan| change(plan, 0)["to"] = json!({"d": 2}),
        "7 VCPU",
    ),
    (
        "instances beside a host reservation",
        |plan| *holds(plan, "q1i") = json!({"a": 1, "d": 1}),
        "both occupy the host",
    ),
    (
        "instances together that are apart",
        |plan| *holds(plan, "q1i") = json!({"d": 2}),
        "one instance on each",
    ),
    (
        "too few instances",
        |plan| *holds(plan, "q1i") = json!({"d": 1}),
        "1 instances, 2 to 2",
    ),
    (
        "too many instances",
        |plan| *holds(plan, "q1i") = json!({"b": 1, "d": 1, "e": 1}),
        "3 instances, 2 to 2",
    ),
    (
        "endless instances",
        |plan| *holds(plan, "q1i") = json!({"d": 4_000_000_000_u32}),
        "at most 3",
    ),
    (
        "no instance on a host",
        |plan| *holds(plan, "q1i") = json!({"c": 0, "d": 1, "e": 1}),
        "not named",
    ),
    (
        "an instance on a closed host",
        |plan| *holds(plan, "q1i") = json!({"d": 1, "z": 1}),
        "takes no new work",
    ),
    (
        "an instance on a blocked host",
        |plan| *holds(plan, "q1i") = json!({"d": 1, "k": 1}),
        "out of service",
    ),
    (
        "a required unit left out",
        |plan| *holds(plan, "q1u") = json!({"u2": 1, "u3": 1}),
        "the required unit `u1`",
    ),
    (
        "a unit of another pool",
        |plan| *holds(plan, "q1u") = json!({"u1": 1, "p1": 1}),
        "no such unit in the pool",
    ),
    (
        "a host for a unit",
        |plan| *holds(plan, "q1u") = json!({"u1": 1, "a": 1}),
        "no such unit in the pool",
    ),
    (
        "a unit twice",
        |plan| *holds(plan, "q1u") = json!({"u1": 2}),
        "a unit is held once",
    ),
    (
        "a unit held by two",
        |plan| drop(list(&mut plan["decisions"][0], "moves").pop()),
        "both occupy the unit",
    ),
    (
        "units left out",
        |plan| remove(&mut plan["decisions"][0]["holds"], "q1u"),
        "all of its reservations",
    ),
    (
        "instances lost in a move",
        |plan| change(plan, 0)["to"] = json!({"b": 1}),
        "changes its size",
    ),
    (
        "more moved than was held",
        |plan| *change(plan, 0) = json!({"reservation": "i1", "from": {"a": 3}, "to": {"b": 3}}),
        "`a` was not held",
    ),
    (
        "a move to where it was",
        |plan| change(plan, 0)["to"] = json!({"a": 1, "b": 1}),
        "was held before",
    ),
    (
        "pinned instances moved",
        |plan| {
            list(&mut plan["decisions"][0], "moves")
                .push(json!({"reservation": "i2", "from": {"b": 2}, "to": {"c": 2}}));
        },
        "may not move",
    ),
    (
        "instances torn apart",
        |plan| {
            list(&mut plan["decisions"][0], "moves")
                .push(json!({"reservation": "i3", "from": {"d": 1}, "to": {"e": 1}}));
        },
        "one host for all",
    ),
    (
        "instances moved to a closed host",
        |plan| change(plan, 0)["to"] = json!({"z": 2}),
        "takes no new work",
    ),
    (
        "a unit moved out of its pool",
        |plan| change(plan, 1)["to"] = json!({"p1": 1}),
        "no such unit in the pool",
    ),
    (
        "moved instances not counted",
        |plan| plan["summary"]["moves"] = json!(1),
        "1 is stated, 2 is counted",
    ),
    (
        "host-seconds of instances",
        |plan| plan["summary"]["host_seconds_accepted"] = json!(300),
        "300 is stated, 100 is counted",
    ),
    (
        "instances lost in the end",
        |plan| plan["final"]["i1"] = json!({"b": 2}),
        "differs from",
    ),
    (
        "a promise given up",
        |plan| {
            plan["summary"]["unkept"] =
                json!([{"reservation": "i1", "missing": 1, "conflict": plan["decisions"][1]["conflict"]}]);
        },
        "every promise is kept",
    ),
    (
        "instances that fit miscounted",
        |plan| conflict(plan, 1)["exist"] = json!(6),
        "matching hosts",
    ),
    (
        "a host that fits withheld",
        |plan| drop(list(conflict(plan, 1), "hosts_matching").pop()),
        "matching hosts",
    ),
    (
        "too few that match at another time",
        |plan| conflict(plan, 1)["from"] = json!(2001),
        "matching hosts",
    ),
    (
        "too few that match for longer",
        |plan| conflict(plan, 1)["until"] = json!(2101),
        "matching hosts",
    ),
    (
        "too few that match, and a ghost",
        |plan| list(conflict(plan, 1), "reservations").push(json!("ghost")),
        "matching hosts",
    ),
    (
        "more needed than match miscounted",
        |plan| conflict(plan, 1)["needed"] = json!(31),
        "matching hosts",
    ),
    (
        "an amount understated",
        |plan| conflict(plan, 4)["needed"] = json!(35),
        "35 is stated, 36 is counted",
    ),
    (
        "units that exist miscounted",
        |plan| conflict(plan, 2)["exist"] = json!(0),
        "matching hosts",
    ),
    (
        "a competitor for units left out",
        |plan| drop(list(conflict(plan, 3), "reservations").remove(1)),
        "4 is stated, 2 is counted",
    ),
    (
        "a unit withheld",
        |plan| drop(list(conflict(plan, 3), "hosts_matching").pop()),
        "hosts are listed",
    ),
    (
        "units and hosts mixed",
        |plan| list(conflict(plan, 3), "reservations").push(json!("h1")),
        "do not compete",
    ),
    (
        "an amount overstated",
        |plan| conflict(plan, 4)["needed"] = json!(37),
        "37 is stated, 36 is counted",
    ),
    (
        "what hosts have understated",
        |plan| conflict(plan, 4)["exist"] = json!(20),
        "have 28 VCPU",
    ),
    (
        "another resource",
        |plan| conflict(plan, 4)["resource"] = json!("MEMORY_MB"),
        "have 500 MEMORY_MB",
    ),
    (
        "amounts taken for hosts",
        |plan| remove(conflict(plan, 4), "resource"),
        "is stated",
    ),
    (
        "hosts a competitor could use withheld",
        |plan| {
            drop(list(conflict(plan, 4), "hosts_matching").pop());
            conflict(plan, 4)["exist"] = json!(24);
        },
        "may use other hosts",
    ),
    (
        "an offer without room",
        |plan| plan["decisions"][4]["offers"][0]["start"] = json!(2100),
        "could not be granted",
    ),
    (
        "an offer of too many instances",
        |plan| plan["decisions"][4]["offers"] = json!([{"change": "amount", "amount": 1}]),
        "could not be granted",
    ),
    (
        "an offer of more units than exist",
        |plan| plan["decisions"][3]["offers"] = json!([{"change": "start", "start": 2041}]),
        "could not be granted",
    ),
];

#[test]
fn every_error_in_a_plan_of_all_kinds_is_found() {
    let problem = problem();
    all_found(&problem, &right(&problem), PLANTED);
}
