//! Documents from strangers: whatever they say, reading them ends in a problem or in an error that names
//! the member, never in a panic; and what can be read can be planned and checked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of it is a test"
)]

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};
use solver::admit::{self, Settings};
use solver::deadline::Deadline;
use solver::predicate;
use solver::program::{ModelSolver, Outcome, Program};
use solver_check::check;
use solver_format::{DocumentError, Plan, Problem, fingerprint};

/// Leaves every program open: enough to reach all of the planner but the programs' answers.
struct CountingOnly;

impl ModelSolver for CountingOnly {
    fn solve(&self, _: &Program, _: &Deadline) -> Outcome {
        Outcome::TimeLimit
    }
}

/// Reads, plans and checks; the checker must agree with every plan.
fn digest(text: &str) -> Result<(), DocumentError> {
    let problem = Problem::parse(text)?;
    let settings = Settings {
        deadline: Deadline::none(),
        offers: true,
    };
    let plan = admit::run(&problem, &fingerprint(text), settings, &CountingOnly).unwrap();
    assert_eq!(check(&problem, &fingerprint(text), &plan), [], "{text}");
    let _ = Plan::parse(text);
    Ok(())
}

fn base() -> Value {
    json!({
        "format": "berth-problem/1", "now": 100, "cleaning": 2, "freeze": 3,
        "hosts": [
            {"id": "a", "properties": {"gpu": "True", "cpus": "8"}, "zone": "z1", "rack": "r1",
             "capacity": {"VCPU": 8}, "blocks": [[150, 160]], "reservable": true},
            {"id": "b", "properties": {"cpus": "4"}},
            {"id": "c"}],
        "pools": [{"id": "public", "units": ["203.0.113.5"]}],
        "leases": [{"id": "L1", "reservations": [
            {"id": "r1", "type": "host", "start": 90, "end": 120, "min": 1, "max": 2,
             "where": [">=", "$cpus", "8"], "holds": {"a": 1}, "pinned": true},
            {"id": "r2", "type": "host", "start": 130, "end": 140, "min": 1, "max": 1, "where": [],
             "holds": {"b": 1}}]}],
        "requests": [
            {"id": "Q1", "at": 100, "value": 3, "reservations": [
                {"id": "q1", "type": "host", "start": 110, "end": 135, "min": 1, "max": 3,
                 "where": ["or", ["==", "$zone", "z1"], ["and", ["<", "$cpus", "5"]]]}]},
            {"id": "Q2", "replaces": "L1", "reservations": [
                {"id": "r1", "type": "host", "start": 90, "end": 125, "min": 1, "max": 1, "where": []}]}]
    })
}

/// Every place of a document, as JSON pointers.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(n, item)| places(item, &format!("{here}/{n}"), found));
        }
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(name, member)| places(member, &format!("{here}/{name}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-5_i64..200).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(host|a|b|r1|q1|L1|Q1|\\$gpu|==|and|or|.{0,6})".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("(id|type|start|end|min|max|where|holds|.{0,3})", inner, 0..4)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4_000, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn a_changed_document_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), anything()), 1..4)
    ) {
        let mut document = base();
        for (place, value) in changes {
            let mut found = Vec::new();
            places(&document, "", &mut found);
            // Names with a slash are no pointers; then the change is left out.
            if let Some(place) = document.pointer_mut(place.get(found.as_slice()).as_str()) {
                *place = value;
            }
        }
        let _ = digest(&document.to_string());
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}", value in anything()) {
        let _ = digest(&text);
        let _ = digest(&value.to_string());
        if let Ok(read) = predicate::parse(&value) {
            prop_assert_eq!(predicate::parse(&read.to_json()), Ok(read));
        }
    }
}

#[test]
fn b10_an_interval_of_three_numbers_is_named_by_its_path() {
    for numbers in [json!([1, 2, 3]), json!([1]), json!([])] {
        let mut document = base();
        document["hosts"][0]["blocks"] = json!([[150, 160], numbers]);
        let error = digest(&document.to_string()).unwrap_err();
        let count = numbers.as_array().unwrap().len();
        let expected =
            format!("hosts[0].blocks[1]: expected two numbers, start and end in seconds, found {count} at line");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[test]
fn b10_wrong_values_are_told_in_plain_words() {
    for (place, value, expected) in [
        (
            "/now",
            json!("soon"),
            r#"now: expected a whole number, found string "soon" at line "#,
        ),
        ("/now", json!(1.5), "now: expected a whole number, found 1.5 at line "),
        (
            "/hosts",
            json!({"a": 1}),
            "hosts: expected a list, found an object at line ",
        ),
        (
            "/hosts/0",
            json!([]),
            "hosts[0]: expected an object, found a list at line ",
        ),
        (
            "/hosts/0/id",
            json!(["a"]),
            "hosts[0].id: expected a string, found a list at line ",
        ),
        (
            "/hosts/0/properties",
            json!(null),
            "hosts[0].properties: expected an object, found null at line ",
        ),
        (
            "/requests/0/reservations/0/min",
            json!(-1),
            "requests[0].reservations[0].min: expected a whole number from 0 to 4294967295, found -1 at line ",
        ),
    ] {
        let mut document = base();
        *document.pointer_mut(place).unwrap() = value;
        let error = digest(&document.to_string()).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    for (text, expected) in [
        ("[]", "the document: expected an object, found a list at line "),
        ("5", "the document: expected an object, found 5 at line "),
        ("null", "the document: expected an object, found null at line "),
    ] {
        let error = digest(text).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn errors_name_the_member_at_fault() {
    digest(&base().to_string()).unwrap();
    let cases: &[(&str, Value, &str)] = &[
        ("/format", json!("berth-problem/9"), "format"),
        ("/now", json!(i64::MAX), "now"),
        ("/cleaning", json!(-1), "cleaning"),
        ("/hosts/1/id", json!("a"), "hosts[1].id"),
        ("/hosts/0/blocks/0", json!([5, 5]), "hosts[0].blocks[0][1]"),
        ("/hosts/0/properties/gpu", json!(1), "hosts[0].properties.gpu"),
        (
            "/leases/0/reservations/1/holds",
            json!({"x": 1}),
            "leases[0].reservations[1].holds.x",
        ),
        (
            "/leases/0/reservations/1/holds",
            json!({"b": 2}),
            "leases[0].reservations[1].holds.b",
        ),
        (
            "/leases/0/reservations/1/holds",
            json!({"b": 1, "c": 1}),
            "leases[0].reservations[1].holds",
        ),
        (
            "/leases/0/reservations/1/id",
            json!("r1"),
            "leases[0].reservations[1].id",
        ),
        (
            "/leases/0/reservations/1",
            json!({"id": "r2", "type": "host", "start": 121, "end": 140, "min": 1, "max": 1,
            "holds": {"a": 1}, "pinned": true}),
            "leases[0].reservations[1].holds.a",
        ),
        (
            "/leases/0/reservations/0/end",
            json!(90),
            "leases[0].reservations[0].end",
        ),
        (
            "/requests/0/reservations/0/min",
            json!(0),
            "requests[0].reservations[0].min",
        ),
        (
            "/requests/0/reservations/0/min",
            json!(4),
            "requests[0].reservations[0].min",
        ),
        (
            "/requests/0/reservations/0/max",
            json!(1_u64 << 40),
            "requests[0].reservations[0].max",
        ),
        (
            "/requests/0/reservations/0/type",
            json!("server"),
            "requests[0].reservations[0].type",
        ),
        (
            "/requests/0/reservations/0/where",
            json!(["=="]),
            "requests[0].reservations[0].where",
        ),
        (
            "/requests/0/reservations/0/id",
            json!("r2"),
            "requests[0].reservations[0].id",
        ),
        ("/requests/0/reservations", json!([]), "requests[0].reservations"),
        ("/requests/0/id", json!("L1"), "requests[0].id"),
        ("/requests/1/id", json!("Q1"), "requests[1].id"),
        ("/requests/1/replaces", json!("L7"), "requests[1].replaces"),
    ];
    for (place, value, expected) in cases {
        let mut document = base();
        *document.pointer_mut(place).unwrap() = value.clone();
        match digest(&document.to_string()) {
            Err(DocumentError::Member { path, .. }) => assert_eq!(path, *expected, "{place} = {value}"),
            other => panic!("{place} = {value}: {other:?}"),
        }
    }
    let text = base().to_string();
    let missing = text.replacen("\"format\":\"berth-problem/1\",", "", 1);
    assert!(matches!(digest(&missing), Err(DocumentError::Member { path, .. }) if path == "format"));
    let unknown = text.replacen("\"zone\"", "\"zome\"", 1);
    assert!(matches!(digest(&unknown), Err(DocumentError::Member { path, .. }) if path == "hosts[0].zome"));
    let twice = text.replacen("{\"b\":1}", "{\"b\":1,\"b\":1}", 1);
    assert!(matches!(digest(&twice), Err(DocumentError::Member { .. })));
    assert!(matches!(
        digest(&"[".repeat(100_000)),
        Err(DocumentError::Syntax { .. } | DocumentError::Member { .. })
    ));
    assert!(matches!(
        digest(&format!("{text} x")),
        Err(DocumentError::Syntax { .. })
    ));
}

#[test]
fn the_fuzzing_corpus_is_read_or_refused() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let files = |kind: &str| {
        fs::read_dir(corpus.join(kind))
            .unwrap()
            .map(|file| file.unwrap().path())
    };
    let problems: Vec<String> = files("problem").map(|file| fs::read_to_string(file).unwrap()).collect();
    assert!(problems.iter().any(|text| digest(text).is_ok()) && problems.iter().any(|text| digest(text).is_err()));
    for file in files("expression") {
        let value: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let _ = predicate::parse(&value);
    }
}
