//! One document of every kind, and what each wrong change to it is told.

use serde_json::{Value, json};

use crate::{DocumentError, Problem};

/// Two hosts, a pool, a lease and a request with a reservation of each type.
fn document() -> Value {
    json!({
        "format": "berth-problem/1", "now": 100, "cleaning": 5,
        "hosts": [
            {"id": "a", "capacity": {"VCPU": 8, "DISK_GB": 10}, "blocks": [[500, 600]]},
            {"id": "b", "capacity": {"VCPU": 8}, "reservable": false},
        ],
        "pools": [{"id": "public", "units": ["u1", "u2", "u3"]}],
        "leases": [{"id": "L1", "reservations": [
            {"id": "h", "type": "host", "start": 550, "end": 650, "min": 1, "max": 2, "where": ["==", "$x", "1"],
                "holds": {"b": 1}},
            {"id": "i", "type": "instance", "start": 200, "end": 300, "amount": 4, "resources": {"VCPU": 2, "DISK_GB": 0},
                "affinity": null, "holds": {"a": 3, "b": 1}, "pinned": true},
            {"id": "j", "type": "instance", "start": 250, "end": 400, "amount": 1, "resources": {"VCPU": 2},
                "holds": {"a": 1}},
            {"id": "u", "type": "units", "start": 200, "end": 300, "pool": "public", "amount": 2, "required": ["u1"],
                "holds": {"u1": 1, "u2": 1}}]}],
        "requests": [
            {"id": "Q1", "reservations": [
                {"id": "qh", "type": "host", "start": 200, "end": 300, "min": 1, "max": 1},
                {"id": "qi", "type": "instance", "start": 200, "end": 300, "amount": 9, "resources": {"FPGA": 1},
                    "affinity": true, "where": []},
                {"id": "qu", "type": "units", "start": 200, "end": 300, "pool": "public", "amount": 5}]},
            {"id": "Q2", "replaces": "Q1", "at": 50, "reservations": [
                {"id": "qh", "type": "units", "start": 200, "end": 300, "pool": "public", "amount": 1}]}]
    })
}

fn told(document: &Value) -> (String, String) {
    match Problem::parse(&document.to_string()) {
        Err(DocumentError::Member { path, reason }) => (path, reason),
        other => panic!("{other:?}\n{document:#}"),
    }
}

#[test]
fn every_type_of_reservation_is_read() {
    let problem = Problem::parse(&document().to_string()).unwrap();
    let lease = problem.leases[0].reservations.iter();
    let kinds: Vec<&str> = lease.map(|part| &*part.id).collect();
    assert_eq!(kinds, ["h", "i", "j", "u"]);
    let written = serde_json::to_string(&problem).unwrap();
    assert_eq!(Problem::parse(&written).unwrap(), problem);
}

/// The place that is changed (JSON pointer), its new value (`null` removes it), the path that is blamed,
/// and a part of the reason.
type Wrong = (&'static str, fn() -> Value, &'static str, &'static str);

const LEASE: &str = "/leases/0/reservations/";

const WRONG: &[Wrong] = &[
    ("/format", || json!("berth-problem/2"), "format", "not supported"),
    ("/format", || Value::Null, "format", "missing"),
    ("/colour", || json!(1), "colour", "unknown field"),
    ("/cleaning", || json!(-1), "cleaning", "allowed are 0 to"),
    ("/hosts/1/id", || json!("a"), "hosts[1].id", "stands twice"),
    ("/hosts/1/id", || json!(""), "hosts[1].id", "must not be empty"),
    (
        "/hosts/0/blocks/0/1",
        || json!(500),
        "hosts[0].blocks[0][1]",
        "after the start",
    ),
    (
        "/hosts/0/capacity/VCPU",
        || json!(-1),
        "hosts[0].capacity.VCPU",
        "expected a whole number from 0",
    ),
    (
        "/hosts/0/capacity/VCPU",
        || json!(u64::MAX),
        "hosts[0].capacity.VCPU",
        "out of range",
    ),
    (
        "/hosts/0/capacity/",
        || json!(1),
        "hosts[0].capacity",
        "must not be empty",
    ),
    ("/pools/0/units/1", || json!("u1"), "pools[0].units[1]", "stands twice"),
    (
        "/pools/1",
        || json!({"id": "public", "units": []}),
        "pools[1].id",
        "stands twice",
    ),
    ("/pools/0/id", || json!(""), "pools[0].id", "must not be empty"),
    (
        "/leases/1",
        || json!({"id": "L1", "reservations": []}),
        "leases[1].id",
        "stands twice",
    ),
    ("0/id", || json!("i"), "leases[0].reservations[1].id", "belongs to"),
    (
        "0/end",
        || json!(550),
        "leases[0].reservations[0].end",
        "after the start",
    ),
    (
        "0/start",
        || json!(1_i64 << 60),
        "leases[0].reservations[0].start",
        "out of range",
    ),
    (
        "0/min",
        || json!(0),
        "leases[0].reservations[0].min",
        "allowed are 1 to",
    ),
    ("0/min", || json!(3), "leases[0].reservations[0].min", "more than max"),
    (
        "0/max",
        || json!(1_000_001),
        "leases[0].reservations[0].max",
        "allowed are 1 to",
    ),
    ("0/max", || Value::Null, "leases[0].reservations[0].max", "missing"),
    (
        "0/amount",
        || json!(1),
        "leases[0].reservations[0].amount",
        "no such member",
    ),
    ("0/holds", || Value::Null, "leases[0].reservations[0].holds", "missing"),
    (
        "0/holds/z",
        || json!(1),
        "leases[0].reservations[0].holds.z",
        "no such host",
    ),
    (
        "0/holds/b",
        || json!(2),
        "leases[0].reservations[0].holds.b",
        "held once",
    ),
    (
        "0/max",
        || json!(0),
        "leases[0].reservations[0].max",
        "allowed are 1 to",
    ),
    ("1/min", || json!(1), "leases[0].reservations[1].min", "no such member"),
    (
        "1/amount",
        || Value::Null,
        "leases[0].reservations[1].amount",
        "missing",
    ),
    (
        "1/amount",
        || json!(0),
        "leases[0].reservations[1].amount",
        "allowed are 1 to",
    ),
    (
        "1/amount",
        || json!(3),
        "leases[0].reservations[1].holds",
        "4 instances are held, at most 3",
    ),
    (
        "1/resources",
        || Value::Null,
        "leases[0].reservations[1].resources",
        "missing",
    ),
    (
        "1/resources",
        || json!({}),
        "leases[0].reservations[1].resources",
        "missing",
    ),
    (
        "1/resources",
        || json!({"VCPU": 0}),
        "leases[0].reservations[1].resources",
        "at least 1",
    ),
    (
        "1/resources/VCPU",
        || json!(3),
        "leases[0].reservations[1].holds.a",
        "9 VCPU",
    ),
    (
        "1/resources/FPGA",
        || json!(1),
        "leases[0].reservations[1].holds.a",
        "it has 0",
    ),
    (
        "1/affinity",
        || json!(true),
        "leases[0].reservations[1].holds",
        "one for all",
    ),
    (
        "1/affinity",
        || json!(false),
        "leases[0].reservations[1].holds.a",
        "one instance on each",
    ),
    (
        "1/holds/a",
        || json!(0),
        "leases[0].reservations[1].holds.a",
        "at least 1",
    ),
    (
        "1/where",
        || json!(["~", "$x", 1]),
        "leases[0].reservations[1].where",
        "",
    ),
    (
        "2/resources/VCPU",
        || json!(3),
        "leases[0].reservations[2].holds.a",
        "9 VCPU",
    ),
    (
        "3/pool",
        || json!("private"),
        "leases[0].reservations[3].pool",
        "no such pool",
    ),
    ("3/pool", || Value::Null, "leases[0].reservations[3].pool", "missing"),
    (
        "3/where",
        || json!([]),
        "leases[0].reservations[3].where",
        "no such member",
    ),
    (
        "3/holds/u9",
        || json!(1),
        "leases[0].reservations[3].holds.u9",
        "no such unit",
    ),
    (
        "3/holds/u1",
        || json!(2),
        "leases[0].reservations[3].holds.u1",
        "held once",
    ),
    (
        "3/required/0",
        || json!("u3"),
        "leases[0].reservations[3].holds",
        "`u3` is not held",
    ),
    (
        "3/required/0",
        || json!("u9"),
        "leases[0].reservations[3].required[0]",
        "no such unit",
    ),
    (
        "3/required/1",
        || json!("u1"),
        "leases[0].reservations[3].required[1]",
        "stands twice",
    ),
    ("/requests/0/id", || json!("L1"), "requests[0].id", "a lease already"),
    ("/requests/1/id", || json!("Q1"), "requests[1].id", "stands twice"),
    (
        "/requests/1/replaces",
        || json!("Q9"),
        "requests[1].replaces",
        "no lease or earlier request",
    ),
    (
        "/requests/0/value",
        || json!(u64::MAX),
        "requests[0].value",
        "out of range",
    ),
    (
        "/requests/0/at",
        || json!(1_i64 << 60),
        "requests[0].at",
        "out of range",
    ),
    (
        "/requests/0/reservations",
        || json!([]),
        "requests[0].reservations",
        "at least one",
    ),
    (
        "/requests/0/reservations/0/pinned",
        || json!(true),
        "requests[0].reservations[0].pinned",
        "only reservations",
    ),
    (
        "/requests/0/reservations/0/holds",
        || json!({}),
        "requests[0].reservations[0].holds",
        "only reservations",
    ),
    (
        "/requests/0/reservations/2/required",
        || json!(["u1", "u2", "u3", "u1"]),
        "requests[0].reservations[2].required[3]",
        "twice",
    ),
    (
        "/requests/1/reservations/0/required",
        || json!(["u1", "u2"]),
        "requests[1].reservations[0].required",
        "2 units are required",
    ),
];

#[test]
fn every_wrong_member_is_named() {
    for (place, value, path, reason) in WRONG {
        let mut wrong = document();
        let place = if place.starts_with('/') {
            (*place).to_owned()
        } else {
            format!("{LEASE}{place}")
        };
        let (parent, member) = place.rsplit_once('/').unwrap();
        match (wrong.pointer_mut(parent).unwrap(), value()) {
            (Value::Object(members), Value::Null) => drop(members.remove(member)),
            (Value::Object(members), value) => drop(members.insert(member.to_owned(), value)),
            (Value::Array(items), value) => {
                let position: usize = member.parse().unwrap();
                items.truncate(position);
                items.push(value);
            }
            (other, _) => panic!("{other}"),
        }
        let (blamed, why) = told(&wrong);
        assert_eq!((blamed.as_str(), why.contains(reason)), (*path, true), "{place}: {why}");
    }
}

#[test]
fn hosts_serve_no_instances_beside_a_host_reservation() {
    let with = |start: i64, end: i64| {
        let mut document = document();
        let part = &mut document["leases"][0]["reservations"][0];
        (part["start"], part["end"]) = (json!(start), json!(end));
        document
    };
    // The instance on `b` is there from 200 to 300; 5 seconds of cleaning come after a host reservation.
    for (start, end) in [(150, 196), (150, 400), (250, 260), (299, 400)] {
        let (path, reason) = told(&with(start, end));
        assert!(
            path.ends_with("holds.b") && reason.contains("already"),
            "{path}: {reason}"
        );
    }
    for (start, end) in [(150, 195), (300, 400)] {
        assert!(
            Problem::parse(&with(start, end).to_string()).is_ok(),
            "{start} to {end}"
        );
    }
}

#[test]
fn a_unit_is_held_once_at_a_time() {
    let mut twice = document();
    let more = |start: i64, end: i64| {
        json!({"id": "L2", "reservations": [{"id": "v", "type": "units", "start": start, "end": end,
            "pool": "public", "amount": 1, "holds": {"u2": 1}}]})
    };
    twice["leases"].as_array_mut().unwrap().push(more(299, 310));
    let (path, reason) = told(&twice);
    assert_eq!(path, "leases[1].reservations[0].holds.u2");
    assert!(reason.contains("until 300"), "{reason}");
    let mut after = document();
    after["leases"].as_array_mut().unwrap().push(more(300, 310));
    assert!(Problem::parse(&after.to_string()).is_ok());
}

#[test]
fn a_short_document_may_not_hold_without_bound() {
    let parts = |lease: i64| {
        let reservations: Vec<Value> = (0..3)
            .map(|part| {
                json!({"id": format!("{lease}-{part}"), "type": "instance", "start": part, "end": part + 1,
                    "amount": 1_000_000, "resources": {"VCPU": 1}, "holds": {"c": 1_000_000}})
            })
            .collect();
        json!({"id": format!("M{lease}"), "reservations": reservations})
    };
    let leases: Vec<Value> = (0..7).map(parts).collect();
    let large = json!({"format": "berth-problem/1", "now": 0, "hosts": [{"id": "c", "capacity": {"VCPU": 9_000_000}}],
        "leases": leases});
    let (path, reason) = told(&large);
    assert_eq!(path, "leases");
    assert!(reason.contains("at most 20000000"), "{reason}");
}
