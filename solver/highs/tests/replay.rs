//! Streams of requests: the clock moves, leases start, run and end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of it is a test")]
#![allow(dead_code, reason = "the histories have more than is used here")]

#[path = "oracle/history.rs"]
mod history;

use serde_json::{Value, json};
use solver::admit::{self, Settings};
use solver::deadline::Deadline;
use solver::model::{Lease, Request, Seconds};
use solver::planner::Planner;
use solver::replay;
use solver_check::check;
use solver_format::VerdictName::{self, Accepted, Refused};
use solver_format::{Plan, Problem, fingerprint};
use solver_highs::Highs;

use history::Random;

fn settings() -> Settings {
    Settings {
        deadline: Deadline::none(),
        offers: false,
    }
}

fn replayed(problem: &Value) -> Plan {
    let text = problem.to_string();
    let problem = Problem::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let mut told = 0;
    let plan = replay::run(&problem, &fingerprint(&text), settings(), &Highs, |done| told = done).unwrap();
    assert_eq!(told, problem.requests.len());
    assert_eq!(check(&problem, &fingerprint(&text), &plan), []);
    plan
}

fn asked(id: &str, at: Seconds, window: (Seconds, Seconds), hosts: u32) -> Value {
    json!({"id": id.to_uppercase(), "at": at, "reservations": [
        {"id": id, "type": "host", "start": window.0, "end": window.1, "min": hosts, "max": hosts, "where": []}]})
}

fn instead(lease: &str, id: &str, request: Value) -> Value {
    let mut request = request;
    request["replaces"] = json!(lease);
    request["id"] = json!(id);
    request
}

fn fleet(requests: &[Value]) -> Value {
    json!({"format": "berth-problem/1", "now": 0, "cleaning": 5, "hosts": [{"id": "a"}, {"id": "b"}],
        "requests": requests})
}

fn verdicts(plan: &Plan) -> Vec<VerdictName> {
    plan.decisions.iter().map(|decision| decision.verdict).collect()
}

#[test]
fn hosts_come_back_after_the_end_and_the_cleaning() {
    let plan = replayed(&fleet(&[
        asked("q1", 0, (0, 10), 2),
        asked("q2", 10, (10, 20), 1),
        asked("q3", 15, (15, 20), 2),
    ]));
    assert_eq!(verdicts(&plan), [Accepted, Refused, Accepted]);
    assert_eq!(plan.last.keys().map(|id| &**id).collect::<Vec<_>>(), ["q3"]);
    assert_eq!(plan.mode, "replay");
}

#[test]
fn what_has_started_stays_and_what_is_pending_makes_room() {
    let early = |at| {
        let requests = [
            asked("one", 0, (10, 20), 1),
            asked("two", 0, (20, 40), 1),
            asked("all", at, (10, 30), 1),
        ];
        let mut problem = fleet(&requests);
        problem["cleaning"] = json!(0);
        // `two` has the host of `one`, or the other: either way one host is free on [10, 30) before the
        // start of `one` only by exchanging.
        replayed(&problem)
    };
    assert_eq!(verdicts(&early(5))[2], VerdictName::Accepted);
    let late = early(11);
    assert_eq!(
        late.decisions[2]
            .conflict
            .as_ref()
            .map(|conflict| conflict.reason.as_str()),
        Some("malformed"),
        "the clock is past its start"
    );
}

#[test]
fn a_running_lease_can_be_extended_and_an_ended_one_cannot() {
    let plan = replayed(&fleet(&[
        asked("q1", 0, (0, 10), 2),
        instead("Q1", "X1", asked("q1", 5, (0, 30), 2)),
        asked("q2", 12, (12, 20), 1),
        instead("Q1", "X2", asked("q1", 30, (0, 50), 2)),
        asked("q3", 40, (40, 45), 2),
    ]));
    assert_eq!(verdicts(&plan), [Accepted, Accepted, Refused, Refused, Accepted]);
    let ended = plan.decisions[3].conflict.as_ref().unwrap();
    assert_eq!(
        (ended.reason.as_str(), &*ended.text),
        ("malformed", "the lease it replaces has ended")
    );
}

#[test]
fn a_lease_shortened_while_it_runs_frees_its_hosts_early() {
    let plan = replayed(&fleet(&[
        asked("q1", 0, (0, 100), 2),
        instead("Q1", "X1", asked("q1", 10, (0, 20), 2)),
        asked("q2", 25, (25, 30), 2),
    ]));
    assert_eq!(verdicts(&plan), [VerdictName::Accepted; 3]);
}

/// Growth of a lease that has run since 0 onto the host of one that ended at 10 and is cleaned until 15.
fn growing(at: Seconds, hosts: u32) -> Value {
    fleet(&[
        asked("q1", 0, (0, 60), 1),
        asked("q2", 0, (0, 10), 1),
        instead("Q1", "X1", asked("q1", at, (0, 60), hosts)),
    ])
}

fn growth(at: Seconds, hosts: u32) -> Plan {
    replayed(&growing(at, hosts))
}

#[test]
fn what_has_ended_is_not_in_the_way_of_a_running_lease_that_grows() {
    let plan = growth(15, 2);
    assert_eq!(verdicts(&plan), [VerdictName::Accepted; 3]);
    assert_eq!(plan.last["q1"].len(), 2);
}

#[test]
fn what_is_still_to_be_cleaned_is_in_the_way_of_a_running_lease_that_grows() {
    for at in [9, 10, 14] {
        let plan = growth(at, 2);
        assert_eq!(verdicts(&plan), [Accepted, Accepted, Refused], "{at}");
        let conflict = plan.decisions[2].conflict.as_ref().unwrap();
        assert_eq!((conflict.reason.as_str(), conflict.from), ("capacity", at));
    }
}

/// Before 10 there was no second host; that proves nothing about what begins at 15.
#[test]
fn a_shortage_that_is_over_is_no_reason() {
    let problem = growing(15, 2).to_string();
    let mut wrong = serde_json::to_value(growth(15, 2)).unwrap();
    wrong["decisions"][2] = json!({"request": "X1", "verdict": "refused", "proved": true, "tier": "certificate",
        "micros": 0, "conflict": {"reason": "capacity", "from": 5, "until": 10, "needed": 3, "exist": 2,
            "hosts_matching": ["a", "b"], "reservations": ["q1", "q2"], "text": "no"}});
    let wrong = Plan::parse(&wrong.to_string()).unwrap();
    let violations = check(&Problem::parse(&problem).unwrap(), &fingerprint(&problem), &wrong);
    let found = violations
        .iter()
        .any(|violation| violation.reason.contains("not active all the time"));
    assert!(found, "{violations:#?}");
}

#[test]
fn a_host_that_was_out_of_service_earlier_may_join_a_running_lease() {
    let grown = |at| {
        let requests = [
            asked("q1", 0, (0, 60), 1),
            instead("Q1", "X1", asked("q1", at, (0, 60), 2)),
        ];
        let mut problem = fleet(&requests);
        problem["hosts"] = json!([{"id": "a"}, {"id": "b", "blocks": [[5, 20]]}]);
        verdicts(&replayed(&problem))[1]
    };
    assert_eq!((grown(19), grown(20)), (Refused, Accepted));
}

/// The same without a stream: the document still has the lease that ended.
#[test]
fn a_document_may_have_leases_that_ended_on_hosts_that_are_held_now() {
    let lease = |id: &str, end: Seconds, holds: Value| {
        json!({"id": id, "reservations": [{"id": id.to_lowercase(), "type": "host", "start": 0, "end": end, "min": 1,
            "max": 2, "where": [], "holds": holds}]})
    };
    let mut problem = fleet(&[
        asked("q3", 20, (20, 40), 1),
        instead("L1", "X1", asked("l1", 20, (0, 60), 2)),
    ]);
    problem["now"] = json!(20);
    problem["leases"] = json!([
        lease("L1", 30, json!({"a": 1})),
        lease("L2", 10, json!({"a": 1, "b": 1}))
    ]);
    let admitted = |problem: &Value| {
        let text = problem.to_string();
        let problem = Problem::parse(&text).unwrap_or_else(|error| panic!("{error}"));
        let plan = admit::run(&problem, &fingerprint(&text), settings(), &Highs).unwrap();
        assert_eq!(check(&problem, &fingerprint(&text), &plan), []);
        verdicts(&plan)
    };
    assert_eq!(admitted(&problem), [Accepted, Refused]);
    problem["requests"].as_array_mut().unwrap().swap(0, 1);
    assert_eq!(admitted(&problem), [Accepted, Refused]);
}

/// One problem for every request, in which nothing is ever forgotten: what a stream leads to must not
/// depend on how ends are kept.
#[test]
fn a_stream_decides_as_single_problems_do() {
    let (mut accepted, mut compared) = (0, 0);
    for seed in 0..150 {
        let mut random = Random(seed);
        let hosts = history::fleet(&mut random);
        let (freeze, cleaning) = (random.between(0, 3), random.between(0, 2));
        let mut planner = Planner::new(freeze);
        hosts.iter().for_each(|host| planner.put_host(host.clone()));
        let mut clock = 100;
        let mut stream: Vec<(Seconds, Request)> = Vec::new();
        let mut single: Vec<Value> = Vec::new();
        for number in 0..20 {
            clock += if random.percent(60) { random.between(1, 4) } else { 0 };
            let leases: Vec<Lease> = planner.leases().cloned().collect();
            let request = history::request(&mut random, &hosts, &leases, clock, cleaning, number);
            let text = serde_json::to_string(&planner.problem(clock, cleaning, std::slice::from_ref(&request)));
            let problem = Problem::parse(&text.unwrap()).unwrap();
            let plan = admit::run(&problem, "", settings(), &Highs).unwrap();
            single.push(serde_json::to_value(&plan.decisions[0]).unwrap());
            let decision = planner.decide(&request, clock, &Deadline::none(), &Highs);
            planner.apply(&request, &decision).unwrap();
            stream.push((clock, request));
        }
        let mut empty = Planner::new(freeze);
        hosts.iter().for_each(|host| empty.put_host(host.clone()));
        let requests: Vec<Request> = stream.iter().map(|(_, request)| request.clone()).collect();
        let mut problem = empty.problem(100, cleaning, &requests);
        for (entry, (at, _)) in problem.requests.iter_mut().zip(&stream) {
            entry.at = Some(*at);
        }
        let plan = replay::run(&problem, "", settings(), &Highs, |_| ()).unwrap();
        let violations = check(&problem, "", &plan);
        assert_eq!(
            violations,
            [],
            "seed {seed}\n{}\n{}",
            serde_json::to_string(&problem).unwrap(),
            serde_json::to_string(&plan).unwrap()
        );
        for (number, (decision, single)) in plan.decisions.iter().zip(&single).enumerate() {
            let decision = serde_json::to_value(decision).unwrap();
            assert_eq!(decision["verdict"], single["verdict"], "seed {seed}, request {number}");
            // Between hosts that are equally good, what is forgotten may decide; from there on the states differ.
            if ["holds", "moves"]
                .iter()
                .any(|member| decision.get(member) != single.get(member))
            {
                break;
            }
            compared += 1;
        }
        accepted += plan.summary.accepted;
    }
    assert!(
        accepted > 500 && compared > 1_500,
        "{accepted} accepted, {compared} compared"
    );
}
