//! Decisions small enough to follow by hand, each for one rule.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of it is a test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use solver::admit::{self, Settings};
use solver::deadline::Deadline;
use solver::decision::{Conflict, Decision, Tier, Unfinished, Verdict};
use solver::model::{
    Host, Interval, Lease, Pool, PoolWords, Request, RequestedReservation, Reservation, Resource, Seconds, Units,
};
use solver::planner::{Planner, StateError};
use solver::predicate::{Operator, Predicate};
use solver::program::{ModelSolver, Outcome, Program};
use solver_check::{check, holdings};
use solver_format::{Problem, fingerprint};
use solver_highs::Highs;

/// Runs out of time at once.
struct Exhausted;

impl ModelSolver for Exhausted {
    fn solve(&self, _: &Program, _: &Deadline) -> Outcome {
        Outcome::TimeLimit
    }
}

fn host(id: &str, properties: &[(&str, &str)]) -> Host {
    Host {
        id: id.into(),
        properties: properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        zone: None,
        rack: None,
        capacity: BTreeMap::new(),
        blocks: Vec::new(),
        reservable: true,
    }
}

fn planner(hosts: &[Host]) -> Planner {
    let mut planner = Planner::new(0);
    for host in hosts {
        planner.put_host(host.clone());
    }
    planner
}

fn any() -> Arc<Predicate> {
    Arc::new(Predicate::All(Vec::new()))
}

fn only(property: &str, value: &str) -> Arc<Predicate> {
    let (property, value) = (property.to_owned(), value.to_owned());
    Arc::new(Predicate::Compare {
        operator: Operator::Equal,
        property,
        value,
    })
}

fn lease(id: &str, window: (Seconds, Seconds), holds: &[&str], pinned: bool) -> Lease {
    let size = u32::try_from(holds.len().max(1)).unwrap();
    Lease {
        id: format!("lease-{id}").into(),
        reservations: vec![Reservation {
            id: id.into(),
            resource: Resource::Host,
            window: Interval::new(window.0, window.1),
            cleaning: 0,
            min: size,
            max: size,
            predicate: any(),
            holds: holds.iter().map(|host| (*host).into()).collect(),
            pinned,
        }],
    }
}

fn request(id: &str, window: (Seconds, Seconds), min: u32, max: u32, predicate: Arc<Predicate>) -> Request {
    Request {
        id: format!("lease-{id}").into(),
        replaces: None,
        reservations: vec![RequestedReservation {
            id: id.into(),
            resource: Resource::Host,
            window: Interval::new(window.0, window.1),
            cleaning: 0,
            min,
            max,
            predicate,
        }],
    }
}

/// Decides, and lets the checker see the same decision in a plan.
fn decide(planner: &Planner, request: &Request, now: Seconds) -> Decision {
    let deadline = Deadline::none();
    let decision = planner.decide(request, now, &deadline, &Highs);
    let document = planner.problem(now, 0, std::slice::from_ref(request));
    let text = serde_json::to_string(&document).unwrap();
    let problem = Problem::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let settings = Settings { deadline, offers: true };
    let plan = admit::run(&problem, &fingerprint(&text), settings, &Highs).unwrap();
    assert_eq!(check(&problem, &fingerprint(&text), &plan), []);
    assert_eq!(plan.decisions[0].tier, decision.tier.name());
    decision
}

fn given(decision: &Decision, reservation: &str) -> Vec<String> {
    let Verdict::Accepted { holds, .. } = &decision.verdict else {
        panic!("{decision:?}")
    };
    holds[reservation].iter().map(ToString::to_string).collect()
}

fn conflict(decision: &Decision) -> &Conflict {
    let Verdict::Refused { conflict } = &decision.verdict else {
        panic!("{decision:?}")
    };
    conflict
}

#[test]
fn counting_instants_is_not_enough_where_hosts_have_calendars() {
    // At every instant of [1, 4) one of the two hosts is free, but neither is all the time.
    let mut planner = planner(&[host("a", &[]), host("b", &[])]);
    planner.put_lease(lease("left", (3, 9), &["a"], true)).unwrap();
    planner.put_lease(lease("right", (0, 2), &["b"], true)).unwrap();
    let decision = decide(&planner, &request("q", (1, 4), 1, 1, any()), 0);
    let conflict = conflict(&decision);
    assert_eq!((conflict.reason, conflict.needed, conflict.exist), ("rows", 3, 2));
}

#[test]
fn equal_hosts_exchange_their_tails_without_a_counted_move() {
    let mut planner = planner(&[host("a", &[]), host("b", &[])]);
    planner.put_lease(lease("one", (10, 20), &["a"], false)).unwrap();
    planner.put_lease(lease("two", (20, 30), &["b"], false)).unwrap();
    let decision = decide(&planner, &request("q", (10, 30), 1, 1, any()), 0);
    assert_eq!((decision.tier, decision.counted_moves()), (Tier::Count, 0));
    let Verdict::Accepted { moves, .. } = &decision.verdict else {
        panic!("{decision:?}")
    };
    assert_eq!(moves.len(), 1, "one of the two makes room: {moves:?}");
}

#[test]
fn a_promise_leaves_the_scarce_host_and_only_if_it_may() {
    let hosts = [host("fast", &[("gpu", "True")]), host("plain", &[])];
    let wanted = request("q", (10, 20), 1, 1, only("gpu", "True"));
    let decided = |pinned: bool| {
        let mut planner = planner(&hosts);
        planner.put_lease(lease("early", (10, 20), &["fast"], pinned)).unwrap();
        decide(&planner, &wanted, 0)
    };
    let decision = decided(false);
    assert_eq!(
        (given(&decision, "q"), decision.counted_moves()),
        (vec!["fast".to_owned()], 1)
    );
    let decision = decided(true);
    let conflict = conflict(&decision);
    assert_eq!((conflict.reason, conflict.needed, conflict.exist), ("capacity", 2, 1));
    let text = "at 1970-01-01T00:00:10Z, 2 hosts with gpu = True are needed by your request (1) and by earlier leases \
                (1); 1 exists, so none is left for your request (too few until 1970-01-01T00:00:20Z)";
    assert_eq!(&*conflict.text, text);
}

/// A running reservation of units grows into the next one: the sentence is the one of hosts, in the pool's words.
#[test]
fn b2_units_are_told_from_when_on_they_are_booked() {
    let mut planner = Planner::new(0);
    planner.put_pool(Pool {
        id: "cad".into(),
        units: ["a", "b", "c"].map(Into::into).to_vec(),
        words: Some(PoolWords {
            one: "licence".into(),
            more: "licences".into(),
            pool: "licence:cad".into(),
        }),
    });
    let units = || {
        Resource::Units(Arc::new(Units {
            pool: "cad".into(),
            required: Vec::new(),
        }))
    };
    let hold = |planner: &mut Planner, id, window, holds: &[&str]| {
        let mut lease = lease(id, window, holds, false);
        lease.reservations[0].resource = units();
        planner.put_lease(lease).unwrap();
    };
    hold(&mut planner, "running", (0, 10), &["a", "b"]);
    let mut longer = request("running", (0, 15), 2, 2, any());
    longer.replaces = Some("lease-running".into());
    longer.reservations[0].resource = units();
    // Of the two leases that may come next the first can do with another unit.
    let mut before = planner.clone();
    hold(&mut before, "next", (12, 20), &["b"]);
    assert_eq!(given(&decide(&before, &longer, 5), "running"), ["a", "b"]);
    hold(&mut planner, "next", (12, 20), &["b", "c"]);
    let decision = decide(&planner, &longer, 5);
    assert_eq!(
        &*conflict(&decision).text,
        "from 1970-01-01T00:00:12Z, your request and 1 earlier lease need more than the 3 licences of licence:cad that can \
         serve your request"
    );
}

#[test]
fn filling_up_to_max_never_counts_a_move() {
    let mut planner = planner(&[
        host("fast", &[("gpu", "True")]),
        host("g", &[("gpu", "True")]),
        host("plain", &[]),
    ]);
    planner.put_lease(lease("early", (10, 20), &["fast"], false)).unwrap();
    let decision = decide(&planner, &request("q", (10, 20), 1, 2, only("gpu", "True")), 0);
    assert_eq!(
        (given(&decision, "q"), decision.counted_moves()),
        (vec!["g".to_owned()], 0)
    );
}

#[test]
fn what_has_started_keeps_its_hosts_and_pushes_pending_work_aside() {
    let mut planner = planner(&[host("a", &[]), host("b", &[])]);
    planner.put_lease(lease("running", (0, 10), &["a"], false)).unwrap();
    planner.put_lease(lease("next", (10, 20), &["a"], false)).unwrap();
    let mut longer = request("running", (0, 15), 1, 1, any());
    longer.replaces = Some("lease-running".into());
    let decision = decide(&planner, &longer, 5);
    assert_eq!(given(&decision, "running"), ["a"]);
    planner.apply(&longer, &decision).unwrap();
    assert_eq!(
        &*planner.lease(&"lease-next".into()).unwrap().reservations[0].holds[0],
        "b"
    );

    let mut shifted = request("running", (6, 15), 1, 1, any());
    shifted.replaces = Some("lease-running".into());
    assert_eq!(conflict(&decide(&planner, &shifted, 5)).reason, "started");
}

#[test]
fn without_time_nothing_is_refused_that_was_not_proved() {
    // Two leases are in the way one after the other, so no exchange of one host makes room.
    let mut planner = planner(&[host("fast", &[("gpu", "True")]), host("plain", &[])]);
    planner.put_lease(lease("early", (10, 20), &["fast"], false)).unwrap();
    planner.put_lease(lease("late", (20, 30), &["fast"], false)).unwrap();
    let wanted = request("q", (10, 30), 1, 1, only("gpu", "True"));
    let decision = planner.decide(
        &wanted,
        0,
        &Deadline::none().limited(Some(Duration::ZERO), None),
        &Exhausted,
    );
    assert_eq!(decision.verdict, Verdict::Undecided(Unfinished::Work));
    let decision = planner.decide(
        &wanted,
        0,
        &Deadline::none().limited(Some(Duration::ZERO), None),
        &Highs,
    );
    assert_eq!(decision.verdict, Verdict::Undecided(Unfinished::Time));
    assert_eq!(decide(&planner, &wanted, 0).counted_moves(), 2);
}

#[test]
fn a_change_that_contradicts_the_state_changes_nothing() {
    let mut planner = planner(&[host("a", &[]), host("b", &[])]);
    planner.put_lease(lease("one", (10, 20), &["a"], false)).unwrap();
    let overlap = planner.put_lease(lease("two", (19, 30), &["b", "a"], false));
    assert!(
        matches!(overlap, Err(StateError::Overlap { at: 19, .. })),
        "{overlap:?}"
    );
    let unknown = planner.put_lease(lease("one", (10, 20), &["z"], false));
    assert!(matches!(unknown, Err(StateError::UnknownHost { .. })), "{unknown:?}");
    assert_eq!(planner.leases().count(), 1);
    assert!(planner.remove_host(&"b".into()) && !planner.remove_host(&"a".into()));
    planner.remove_lease(&"lease-one".into());
    assert!(planner.remove_host(&"a".into()));
}

#[test]
fn the_check_before_a_commit_finds_what_hides_behind_a_short_stay() {
    let parts = |window, id| lease(id, window, &["a"], false).reservations.remove(0);
    let apart = [parts((0, 10), "one"), parts((10, 12), "two")];
    assert_eq!(holdings(&["a".into()], &apart), []);
    let hidden = [
        parts((0, 100), "long"),
        parts((10, 12), "short"),
        parts((50, 60), "late"),
    ];
    assert_eq!(holdings(&["a".into()], &hidden).len(), 2);
    assert_eq!(holdings(&["b".into()], &hidden), []);
}

#[test]
fn a_clone_that_went_another_way_derives_nothing_for_the_state_it_left() {
    let gpu = |operator| {
        Arc::new(Predicate::Compare {
            operator,
            property: "gpu".to_owned(),
            value: "True".to_owned(),
        })
    };
    let held = |id, predicate| {
        let mut lease = lease(id, (10, 20), &[], false);
        lease.reservations[0].predicate = predicate;
        lease
    };
    let mut state = planner(&[host("a", &[("gpu", "False")]), host("b", &[("gpu", "True")])]);
    state.put_lease(held("one", gpu(Operator::Equal))).unwrap();
    let mut other = state.clone();
    other.remove_lease(&"lease-one".into());
    other.put_lease(held("two", gpu(Operator::NotEqual))).unwrap();
    decide(&other, &request("p", (10, 20), 1, 1, any()), 0);
    let decision = decide(&state, &request("q", (10, 20), 1, 1, gpu(Operator::Equal)), 0);
    assert_eq!(given(&decision, "q"), ["b"]);
}

/// The class asked for is full at many instants at which somebody could go elsewhere, and at one, not among the first,
/// at which nobody can.
#[test]
fn the_one_instant_at_which_everything_is_full_is_found_among_many() {
    let mut state = planner(&[host("a", &[("kind", "a")]), host("b", &[("kind", "b")])]);
    for number in 1..40 {
        let id = format!("h{number}");
        state
            .put_lease(lease(&id, (10 * number, 10 * number + 5), &["a"], false))
            .unwrap();
    }
    let mut other = lease("other", (152, 153), &["b"], false);
    other.reservations[0].predicate = only("kind", "b");
    state.put_lease(other).unwrap();
    let asked = request("new", (5, 500), 1, 1, only("kind", "a"));
    let decision = state.decide(&asked, 0, &Deadline::none(), &Exhausted);
    assert_eq!(decision.tier, Tier::Certificate);
    let decision = decide(&state, &asked, 0);
    let conflict = conflict(&decision);
    assert_eq!((conflict.from, conflict.until), (152, 153));
    assert_eq!(conflict.reservations, ["h15", "new", "other"].map(Into::into));
}
