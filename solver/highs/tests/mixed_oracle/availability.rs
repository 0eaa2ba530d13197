//! How many whole hosts could be had at single instants, where instances may be put together.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use solver::deadline::{Deadline, Part};
use solver::model::{
    Host, Instances, Interval, Lease, Request, RequestedReservation, Reservation, ReservationId, Resource, Seconds,
};
use solver::planner::Planner;
use solver::predicate::Predicate;
use solver::question::{MOST_DECISIONS, Question};
use solver_highs::Highs;

use super::State;
use super::history::Random;
use super::per_host::{Answer, World};

static UNLIMITED: LazyLock<Deadline> = LazyLock::new(Deadline::none);

fn question(planner: &Planner, now: Seconds) -> Question<'_> {
    Question {
        planner,
        now,
        deadline: &UNLIMITED,
        solver: &Highs,
        decisions: MOST_DECISIONS,
        each: Part::WHOLE,
    }
}

fn whole(at: Seconds, hosts: u32, predicate: &Predicate) -> Request {
    Request {
        id: "asked".into(),
        replaces: None,
        reservations: vec![RequestedReservation {
            id: "asked".into(),
            resource: Resource::Host,
            window: Interval::new(at, at + 1),
            cleaning: 0,
            min: hosts,
            max: hosts,
            predicate: Arc::new(predicate.clone()),
        }],
    }
}

#[test]
fn availability_with_moves_equals_the_per_host_model_at_every_instant() {
    let (mut instants, mut with_moves) = (0, 0);
    for seed in 0..160 {
        let mut random = Random(70_000 + seed);
        let mut state = State::new(&mut random);
        let mut predicate = Predicate::All(Vec::new());
        for number in 0..9 {
            let leases = state.leases();
            let request = state.setting().request(&mut random, &leases, number);
            if random.percent(40) {
                predicate = (*request.reservations[0].predicate).clone();
            }
            let decision = state.planner.decide(&request, state.now, &Deadline::none(), &Highs);
            state.planner.apply(&request, &decision).unwrap();
        }
        let range = Interval::new(state.now, state.now + 30);
        let answer = question(&state.planner, state.now).availability(&predicate, range, usize::MAX);
        for step in answer.steps {
            let at = step.from;
            let mut active = state.leases();
            for lease in &mut active {
                lease.reservations.retain(|held| held.occupation().contains(at));
            }
            active.retain(|lease| !lease.reservations.is_empty());
            let world = World {
                hosts: &state.hosts,
                pool: &state.pool,
                leases: &active,
                now: state.now,
                freeze: state.freeze,
            };
            let works = |hosts| world.answer(&whole(at, hosts, &predicate)) != Answer::Refused;
            let most = step.free_with_moves;
            assert!(most == 0 || works(most), "seed {seed}, at {at}: {step:?}");
            assert!(!works(most + 1), "seed {seed}, at {at}: {step:?}");
            instants += 1;
            with_moves += u32::from(most > step.free);
        }
    }
    println!("{instants} instants, {with_moves} with moves");
    assert!(with_moves > 20, "{with_moves} of {instants}");
}

/// Two instances on a host each fit on one of them.
#[test]
fn hosts_are_available_if_instances_that_wait_are_put_together() {
    let mut planner = Planner::new(0);
    for number in 1..=3 {
        planner.put_host(Host {
            id: format!("n{number}").into(),
            properties: BTreeMap::new(),
            zone: None,
            rack: None,
            capacity: BTreeMap::from([("VCPU".to_owned(), 8)]),
            blocks: Vec::new(),
            reservable: true,
        });
    }
    let window = Interval::new(200, 300);
    for (id, host) in [("a", "n1"), ("b", "n2")] {
        let id: ReservationId = id.into();
        let instances = Instances {
            resources: BTreeMap::from([("VCPU".to_owned(), 1)]),
            affinity: None,
        };
        let held = Reservation {
            id: Arc::clone(&id),
            resource: Resource::Instances(Arc::new(instances)),
            window,
            cleaning: 0,
            min: 1,
            max: 1,
            predicate: Arc::new(Predicate::All(Vec::new())),
            holds: vec![host.into()],
            pinned: false,
        };
        let reservations = vec![held];
        planner.put_lease(Lease { id, reservations }).unwrap();
    }
    let any = Predicate::All(Vec::new());
    let during = |question: Question<'_>| {
        let answer = question.availability(&any, Interval::new(100, 400), usize::MAX);
        let step = answer.steps.iter().find(|step| step.from == window.start).unwrap();
        (step.free, step.free_with_moves)
    };
    assert_eq!(during(question(&planner, 100)), (1, 2));
    // Where nobody may be asked, it is a lower bound.
    let unasked = Question {
        decisions: 0,
        ..question(&planner, 100)
    };
    assert_eq!(during(unasked), (1, 1));
    // What has begun stays.
    assert_eq!(during(question(&planner, 200)), (1, 1));
}
