//! Refusals of instances that belong on different hosts, or on one: they count hosts, and the checker counts them again.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "all of it is a test"
)]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use solver::admit::{self, Settings};
use solver::deadline::Deadline;
use solver_check::{Report, report};
use solver_format::{ConflictEntry, Plan, Problem, VerdictName, fingerprint};
use solver_highs::Highs;

const NOW: i64 = 1_893_456_000;
const HOUR: i64 = 3_600;

fn at(hours: i64) -> i64 {
    NOW + hours * HOUR
}

/// Hosts of 8 processors, `h0` and so on.
fn hosts(count: usize) -> Vec<Value> {
    let host = |number| json!({"id": format!("h{number}"), "capacity": {"VCPU": 8}});
    (0..count).map(host).collect()
}

fn whole(id: &str, hours: (i64, i64), amount: u32) -> Value {
    json!({"id": id, "type": "host", "start": at(hours.0), "end": at(hours.1), "min": amount, "max": amount,
        "where": []})
}

fn instances(id: &str, hours: (i64, i64), amount: u32, processors: u64, affinity: Option<bool>) -> Value {
    json!({"id": id, "type": "instance", "start": at(hours.0), "end": at(hours.1), "amount": amount,
        "affinity": affinity, "resources": {"VCPU": processors}})
}

fn lease(id: &str, mut reservation: Value, holds: &Value) -> Value {
    reservation["holds"] = holds.clone();
    json!({"id": id, "reservations": [reservation]})
}

/// Decides one request and has the plan checked; nothing may be believed.
fn decided(hosts: &[Value], leases: &[Value], request: &Value) -> (Problem, String, Plan) {
    all_decided(hosts, leases, std::slice::from_ref(request))
}

/// The same for several requests, one after the other.
fn all_decided(hosts: &[Value], leases: &[Value], requests: &[Value]) -> (Problem, String, Plan) {
    let document = json!({"format": "berth-problem/1", "now": NOW, "hosts": hosts, "leases": leases,
        "requests": requests});
    let text = document.to_string();
    let problem = Problem::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let name = fingerprint(&text);
    let settings = Settings {
        deadline: Deadline::none(),
        offers: false,
    };
    let plan = admit::run(&problem, &name, settings, &Highs).unwrap();
    assert_eq!(report(&problem, &name, &plan), Report::default(), "{text}\n{plan:?}");
    (problem, name, plan)
}

fn refused(hosts: &[Value], leases: &[Value], reservation: &Value) -> ConflictEntry {
    let request = json!({"id": "Q", "reservations": [reservation]});
    let (problem, name, plan) = decided(hosts, leases, &request);
    let conflict = plan.decisions[0].conflict.clone().unwrap_or_else(|| panic!("{plan:?}"));
    // Less than was counted is not taken for it, and nobody is listed without need.
    let mut wrong = plan;
    wrong.decisions[0].conflict.as_mut().unwrap().exist += 1;
    assert_ne!(report(&problem, &name, &wrong).violations, [], "{conflict:?}");
    conflict
}

#[test]
fn b6_a_host_that_is_promised_whole_is_missing_for_instances_on_different_hosts() {
    let asked = instances("q", (10, 12), 4, 1, Some(false));
    // The lease may still move, but wherever it goes it takes one of the four.
    let ahead = lease("L", whole("l", (11, 14), 1), &json!({"h3": 1}));
    let conflict = refused(&hosts(4), &[ahead], &asked);
    assert_eq!(
        (&*conflict.reason, conflict.needed, conflict.exist),
        ("capacity", 5, 4),
        "{conflict:?}"
    );
    assert_eq!(
        conflict.text,
        "at 2030-01-01T11:00Z, 5 matching hosts are needed by your request (4, one for each instance) and by earlier \
         leases (1); 4 exist, so at most 3 can be yours (too few until 2030-01-01T12:00Z)"
    );
    assert_eq!((conflict.from, conflict.until), (at(11), at(12)));
    // It has begun.
    let running = lease("L", whole("l", (-1, 14), 1), &json!({"h3": 1}));
    let conflict = refused(&hosts(4), &[running], &asked);
    assert_eq!((&*conflict.reason, conflict.needed, conflict.exist), ("occupied", 4, 3));
    assert_eq!(
        conflict.text,
        "4 instances are needed on different hosts from 2030-01-01T10:00Z to 2030-01-01T12:00Z; beside work that cannot \
         move any more, the 4 matching hosts in service then have room for 3"
    );
    // With one more there is room.
    let ahead = lease("L", whole("l", (11, 14), 1), &json!({"h3": 1}));
    let request = json!({"id": "Q", "reservations": [asked]});
    let plan = decided(&hosts(5), &[ahead], &request).2;
    assert_eq!(plan.decisions[0].verdict, VerdictName::Accepted);
}

#[test]
fn b6_instances_on_different_hosts_leave_no_host_for_a_whole_one() {
    let apart = instances("l", (10, 12), 4, 1, Some(false));
    let ahead = lease("L", apart, &json!({"h0": 1, "h1": 1, "h2": 1, "h3": 1}));
    let conflict = refused(&hosts(4), &[ahead], &whole("q", (11, 13), 1));
    assert_eq!((&*conflict.reason, conflict.needed, conflict.exist), ("capacity", 5, 4));
    assert!(
        conflict
            .text
            .contains("by earlier leases (4); 4 exist, so none is left"),
        "{}",
        conflict.text
    );
}

#[test]
fn b6_a_lease_that_grows_counts_what_it_keeps() {
    let running = lease(
        "L",
        instances("l", (-1, 20), 2, 1, Some(false)),
        &json!({"h0": 1, "h1": 1}),
    );
    let ahead = lease("M", whole("m", (5, 9), 1), &json!({"h3": 1}));
    let request = json!({"id": "Q", "replaces": "L", "reservations": [instances("l", (-1, 20), 4, 1, Some(false))]});
    let plan = decided(&hosts(4), &[running, ahead], &request).2;
    let conflict = plan.decisions[0].conflict.as_ref().unwrap();
    assert_eq!(
        (&*conflict.reason, conflict.needed, conflict.exist),
        ("capacity", 5, 4),
        "{conflict:?}"
    );
}

#[test]
fn b6_of_instances_on_one_host_the_most_that_fit_are_said() {
    let asked = instances("q", (10, 12), 4, 2, Some(true));
    let running = |id: &str, host: &str, processors| {
        let held = instances(&format!("{id}-part"), (-1, 14), 1, processors, None);
        lease(id, held, &json!({host: 1}))
    };
    let leases = [running("L", "h0", 5), running("M", "h1", 1), running("N", "h2", 7)];
    let conflict = refused(&hosts(3), &leases, &asked);
    assert_eq!((&*conflict.reason, conflict.needed, conflict.exist), ("occupied", 4, 3));
    assert!(
        conflict
            .text
            .ends_with("3 matching hosts in service then have room for 3 on one host at most"),
        "{}",
        conflict.text
    );
    // Larger than any host.
    let conflict = refused(&hosts(3), &[], &instances("q", (10, 12), 5, 2, Some(true)));
    assert_eq!(
        (&*conflict.reason, conflict.needed, conflict.exist),
        ("no_matching_hosts", 5, 4)
    );
    assert!(
        conflict.text.ends_with("have room for 4 on one host at most"),
        "{}",
        conflict.text
    );
}

/// Equal seeds give equal numbers.
struct Random(u64);

impl Random {
    /// From `least` to `most`.
    fn between(&mut self, least: u64, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        least + (self.0 >> 33) % (most - least + 1)
    }
}

/// A whole host that may be put elsewhere, but finds no room there.
#[test]
fn b6_a_whole_host_that_has_no_other_place_is_missing_too() {
    let mut all = hosts(5);
    for (number, host) in all.iter_mut().enumerate() {
        host["properties"] = json!({"fast": if number < 4 { "yes" } else { "no" }});
    }
    let running = lease("L", whole("l", (-1, 20), 1), &json!({"h4": 1}));
    let ahead = lease("M", whole("m", (11, 14), 1), &json!({"h3": 1}));
    let mut asked = instances("q", (10, 12), 4, 1, Some(false));
    asked["where"] = json!(["==", "$fast", "yes"]);
    let conflict = refused(&all, &[running, ahead], &asked);
    assert_eq!(conflict.reason, "rows", "{conflict:?}");
    let rows = conflict.certificate.unwrap();
    assert!(rows.iter().any(|row| row.apart.as_deref() == Some("q")), "{rows:?}");
}

/// A running lease that holds some hosts.
fn running(random: &mut Random, number: usize, host: usize) -> Value {
    let (id, until) = (format!("l{number}"), random.between(2, 8).cast_signed());
    let held = if random.between(0, 1) == 0 {
        whole(&id, (-1, until), 1)
    } else {
        instances(&id, (-1, until), 1, random.between(3, 8), Some(false))
    };
    lease(&format!("L{number}"), held, &json!({format!("h{host}"): 1}))
}

/// Small fleets of two kinds of hosts, full of whole hosts and instances with rules: every refusal is one that the
/// checker finds again, and few say no more than that all was tried.
#[test]
fn b6_refusals_by_search_are_rare() {
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    let mut apart = 0;
    for seed in 0..400_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let count = random.between(3, 6) as usize;
        let mut all = hosts(count);
        for host in &mut all {
            host["properties"] = json!({"fast": if random.between(0, 2) > 0 { "yes" } else { "no" }});
        }
        let busy = random.between(0, 2) as usize;
        let leases: Vec<Value> = (0..busy)
            .map(|number| running(&mut random, number, count - 1 - number))
            .collect();
        let mut requests = Vec::new();
        for number in 0..12 {
            let start = random.between(1, 6).cast_signed();
            let hours = (start, start + random.between(1, 4).cast_signed());
            let id = format!("q{number}");
            let amount = random.between(1, count as u64 - 1) as u32;
            let mut asked = match random.between(0, 3) {
                0 => whole(&id, hours, amount.min(2)),
                1 => instances(&id, hours, amount, random.between(1, 4), Some(true)),
                _ => instances(&id, hours, amount, random.between(1, 5), Some(false)),
            };
            if random.between(0, 1) == 0 {
                asked["where"] = json!(["==", "$fast", "yes"]);
            }
            requests.push(json!({"id": format!("Q{number}"), "reservations": [asked]}));
        }
        let (problem, name, plan) = all_decided(&all, &leases, &requests);
        for (number, decision) in plan.decisions.iter().enumerate() {
            let reason = decision.conflict.as_ref().map_or("none", |conflict| &conflict.reason);
            *reasons.entry(reason.to_owned()).or_default() += 1;
            let certificate = decision
                .conflict
                .as_ref()
                .and_then(|conflict| conflict.certificate.as_ref());
            let Some(row) = certificate.and_then(|rows| rows.iter().position(|row| row.apart.is_some())) else {
                continue;
            };
            apart += 1;
            // A reservation without that rule is not counted like one with it.
            let mut wrong = plan.clone();
            let rows = wrong.decisions[number].conflict.as_mut().unwrap().certificate.as_mut();
            rows.unwrap()[row].apart = Some("nobody".into());
            assert_ne!(
                report(&problem, &name, &wrong).violations,
                [],
                "seed {seed}: {decision:?}"
            );
        }
    }
    println!("{reasons:?}, {apart} with rows of hosts for instances");
    let of = |reason: &str| reasons.get(reason).copied().unwrap_or(0);
    assert!(apart > 10, "{reasons:?}");
    assert!(of("capacity") > 100, "{reasons:?}");
    assert!(
        of("search") * 4 < of("capacity") + of("rows") + of("resources"),
        "{reasons:?}"
    );
}
