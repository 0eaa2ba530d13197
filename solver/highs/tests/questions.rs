//! Answers to questions against asking about every instant, every amount and every start one by one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of it is a test"
)]

#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "oracle/history.rs"]
mod history;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use history::Random;
use solver::deadline::{Deadline, Part};
use solver::decision::{Decision, Verdict};
use solver::heal::heal;
use solver::model::{
    Host, Instances, Interval, Lease, Pool, Request, RequestedReservation, Reservation, Resource, Seconds, Units,
};
use solver::planner::Planner;
use solver::predicate::{Operator, Predicate};
use solver::question::{FleetChange, MOST_DECISIONS, Most, Necessity, Question, Slot, Step, changed};
use solver_highs::Highs;

static UNLIMITED: LazyLock<Deadline> = LazyLock::new(Deadline::none);

const NOW: Seconds = 100;
const HORIZON: Seconds = 45;
/// Of fleets with many promises.
const FULL_HORIZON: Seconds = 220;

/// A fleet with promises.
struct State {
    planner: Planner,
    hosts: Vec<Host>,
    now: Seconds,
    freeze: Seconds,
    cleaning: Seconds,
}

impl State {
    fn new(random: &mut Random) -> Self {
        let freeze = if random.percent(40) { random.between(1, 6) } else { 0 };
        let cleaning = if random.percent(40) { random.between(1, 3) } else { 0 };
        let hosts = history::fleet(random);
        let mut planner = Planner::new(freeze);
        hosts.iter().for_each(|host| planner.put_host(host.clone()));
        let mut state = Self {
            planner,
            hosts,
            now: NOW,
            freeze,
            cleaning,
        };
        for number in 0..random.between(2, 14) {
            state.now += if random.percent(15) { random.between(1, 3) } else { 0 };
            let request = state.request(random, usize::try_from(number).unwrap());
            let decision = state.planner.decide(&request, state.now, &Deadline::none(), &Highs);
            state.planner.apply(&request, &decision).unwrap();
            if random.percent(8) {
                state.disturb(random);
            }
        }
        state
    }

    /// More promises than single instants can tell apart, on a few kinds of hosts. Some fleets have hosts out
    /// of service, cleaning, or a freeze horizon.
    fn full(random: &mut Random) -> Self {
        let freeze = if random.percent(20) { random.between(1, 30) } else { 0 };
        let cleaning = if random.percent(30) { random.between(1, 5) } else { 0 };
        let block = Interval::new(NOW + 60, NOW + 60 + random.between(10, 40));
        let blocked = random.percent(30);
        let hosts: Vec<Host> = (0..random.between(8, 24))
            .map(|number| Host {
                id: format!("h{number:02}").into(),
                properties: BTreeMap::from([("cpus".to_owned(), (1 << (number % 3)).to_string())]),
                zone: None,
                rack: None,
                capacity: BTreeMap::new(),
                blocks: if blocked && number % 4 == 0 {
                    vec![block]
                } else {
                    Vec::new()
                },
                reservable: true,
            })
            .collect();
        let mut planner = Planner::new(freeze);
        hosts.iter().for_each(|host| planner.put_host(host.clone()));
        let mut state = Self {
            planner,
            hosts,
            now: NOW,
            freeze,
            cleaning,
        };
        for number in 0..random.between(40, 160) {
            state.now += Seconds::from(random.percent(10));
            let mut request = state.wish(random, usize::try_from(number).unwrap());
            let later = random.between(0, FULL_HORIZON);
            request = shifted(&request, later);
            let decision = state.planner.decide(&request, state.now, &Deadline::none(), &Highs);
            state.planner.apply(&request, &decision).unwrap();
            if random.percent(3) {
                // Expressions die and classes are left finer than they need be.
                let leases: Vec<_> = state.planner.leases().map(|lease| lease.id.clone()).collect();
                if let Some(lease) = leases.first() {
                    state.planner.remove_lease(lease);
                }
            }
        }
        state
    }

    /// A request for a few hosts that starts soon.
    fn wish(&self, random: &mut Random, number: usize) -> Request {
        let start = self.now + random.between(0, 5);
        let min = u32::try_from(random.between(1, 6)).unwrap();
        let compare = |operator, value: i64| Predicate::Compare {
            operator,
            property: "cpus".to_owned(),
            value: value.to_string(),
        };
        let predicate = match random.between(0, 4) {
            0 => Predicate::All(Vec::new()),
            1 => compare(Operator::AtLeast, 2),
            2 => compare(Operator::AtMost, 2),
            _ => compare(Operator::Equal, 1 << random.between(0, 2)),
        };
        let id = |prefix: &str| format!("{prefix}{number:03}").into();
        Request {
            id: id("l"),
            replaces: None,
            reservations: vec![RequestedReservation {
                id: id("r"),
                resource: Resource::Host,
                window: Interval::new(start, start + random.between(1, 25)),
                cleaning: self.cleaning,
                min,
                max: min,
                predicate: Arc::new(predicate),
            }],
        }
    }

    /// A host stops taking work, or is to be out of service, whatever it holds.
    fn disturb(&mut self, random: &mut Random) {
        let count = i64::try_from(self.hosts.len()).unwrap();
        let host = &mut self.hosts[usize::try_from(random.between(0, count - 1)).unwrap()];
        if random.percent(50) {
            host.reservable = !host.reservable;
        } else {
            host.blocks = history::blocks(random, self.now);
        }
        self.planner.put_host(host.clone());
    }

    fn request(&self, random: &mut Random, number: usize) -> Request {
        let leases: Vec<Lease> = self.planner.leases().cloned().collect();
        history::request(random, &self.hosts, &leases, self.now, self.cleaning, number)
    }

    fn question(&self) -> Question<'_> {
        Question {
            planner: &self.planner,
            now: self.now,
            deadline: &UNLIMITED,
            solver: &Highs,
            decisions: MOST_DECISIONS,
            each: Part::WHOLE,
        }
    }

    /// Counted moves if it works.
    fn works(&self, request: &Request) -> Option<u32> {
        let decision: Decision = self.planner.decide(request, self.now, &Deadline::none(), &Highs);
        match decision.verdict {
            Verdict::Accepted { .. } => Some(decision.counted_moves()),
            Verdict::Refused { .. } => None,
            Verdict::Undecided(_) => panic!("undecided"),
        }
    }

    fn held(&self) -> impl Iterator<Item = &Reservation> {
        self.planner.leases().flat_map(|lease| &lease.reservations)
    }

    fn is_fixed(&self, held: &Reservation) -> bool {
        held.pinned || held.window.start <= self.now || held.window.start < self.now + self.freeze
    }

    /// Host by host, for one instant.
    fn step(&self, asked: &RequestedReservation, at: Seconds) -> Step {
        let instant = Interval::new(at, at + 1);
        let active = |held: &&Reservation| held.occupation().contains(at);
        let offered: Vec<bool> = self
            .hosts
            .iter()
            .map(|host| host.suits(&asked.predicate, instant))
            .collect();
        let fixed: Vec<bool> = self
            .hosts
            .iter()
            .map(|host| {
                self.held()
                    .filter(active)
                    .any(|held| self.is_fixed(held) && held.holds.contains(&host.id))
            })
            .collect();
        // One line of suitable hosts for each host a pending promise holds, first; then what is wanted.
        let mut wishes: Vec<Vec<usize>> = Vec::new();
        let mut given: Vec<Option<usize>> = vec![None; self.hosts.len()];
        for held in self.held().filter(active).filter(|held| !self.is_fixed(held)) {
            for own in &held.holds {
                let may = |host: &Host| held.holds.contains(&host.id) || host.suits(&held.predicate, held.window);
                let all = self.hosts.iter().enumerate();
                let wished = all
                    .filter(|&(number, host)| may(host) && !fixed[number])
                    .map(|(number, _)| number);
                let own = self.hosts.iter().position(|host| host.id == *own).unwrap();
                given[own] = Some(wishes.len());
                wishes.push(wished.collect());
            }
        }
        let free = (0..self.hosts.len()).filter(|&host| offered[host] && !fixed[host] && given[host].is_none());
        let free = u32::try_from(free.count()).unwrap();
        let mut moved = 0;
        loop {
            wishes.push(
                (0..self.hosts.len())
                    .filter(|&host| offered[host] && !fixed[host])
                    .collect(),
            );
            if !augment(
                wishes.len() - 1,
                &wishes,
                &mut given,
                &mut vec![false; self.hosts.len()],
            ) {
                break;
            }
            moved += 1;
        }
        Step {
            from: at,
            in_service: u32::try_from(offered.iter().filter(|&&offered| offered).count()).unwrap(),
            free,
            free_with_moves: moved,
        }
    }
}

/// Gives a wish a host, letting others change theirs.
fn augment(wish: usize, wishes: &[Vec<usize>], given: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    for &host in &wishes[wish] {
        if std::mem::replace(&mut seen[host], true) {
            continue;
        }
        if given[host].is_none_or(|other| augment(other, wishes, given, seen)) {
            given[host] = Some(wish);
            return true;
        }
    }
    false
}

#[test]
fn availability_is_exact_at_every_instant() {
    let (mut instants, mut with_moves) = (0, 0);
    for seed in 0..1_500 {
        let mut random = Random(seed);
        let state = State::new(&mut random);
        let asked = &state.request(&mut random, 90).reservations[0];
        let range = Interval::new(state.now, state.now + HORIZON);
        let answer = state.question().availability(&asked.predicate, range, usize::MAX);
        assert_eq!((answer.until, answer.steps[0].from), (range.end, range.start));
        let matching = state.hosts.iter().filter(|host| host.matches(&asked.predicate));
        assert_eq!(answer.matching as usize, matching.count());
        for at in range.start..range.end {
            let step = answer.steps.iter().rev().find(|step| step.from <= at).unwrap();
            let expected = state.step(asked, at);
            assert_eq!(Step { from: at, ..*step }, expected, "seed {seed}, at {at}");
            instants += 1;
            with_moves += u32::from(step.free_with_moves > step.free);
        }
        for pair in answer.steps.windows(2) {
            assert_ne!(
                Step {
                    from: pair[1].from,
                    ..pair[0]
                },
                pair[1],
                "seed {seed}: no change"
            );
        }
        let few = state.question().availability(&asked.predicate, range, 2);
        assert_eq!(few.steps, answer.steps[..answer.steps.len().min(2)], "seed {seed}");
        assert_eq!(
            few.until,
            answer.steps.get(2).map_or(range.end, |step| step.from),
            "seed {seed}"
        );
    }
    println!("{instants} instants, {with_moves} with moves");
    assert!(with_moves > instants / 100);
}

#[test]
fn b2_the_latest_end_is_the_last_that_works() {
    let (mut found, mut not_counted) = (0, 0);
    for seed in 0..1_500 {
        let mut random = Random(seed);
        let state = State::new(&mut random);
        let mut request = state.request(&mut random, 90);
        for asked in &mut request.reservations {
            asked.window.end += 20;
        }
        let decision = state.planner.decide(&request, state.now, &Deadline::none(), &Highs);
        let Verdict::Refused { conflict } = decision.verdict else {
            continue;
        };
        let until = |end: Seconds| {
            let mut shorter = request.clone();
            for asked in &mut shorter.reservations {
                asked.window.end = asked.window.end.min(end);
            }
            shorter
        };
        let starts = request.reservations.iter().map(|asked| asked.window.start);
        let ends = request.reservations.iter().map(|asked| asked.window.end);
        let (start, end) = (starts.max().unwrap().max(state.now), ends.max().unwrap());
        let last = (start + 1..end)
            .rev()
            .find_map(|end| Some((end, state.works(&until(end))?)));
        let latest = state.question().latest_end(&request, &conflict, 1);
        assert_eq!(
            latest.as_ref().map(|latest| (latest.end, latest.moves)),
            last,
            "seed {seed}"
        );
        if let Some(latest) = latest {
            found += 1;
            not_counted += u32::from(conflict.from > latest.conflict.from);
            assert_eq!(state.works(&until(latest.end + 1)), None);
        }
    }
    println!("{found} found, {not_counted} before what the first refusal names");
    assert!(found > 100 && not_counted > 5);
}

#[test]
fn the_earliest_start_is_the_first_that_works() {
    let (mut found, mut later, mut apart) = (0, 0, 0);
    for seed in 0..1_500 {
        let mut random = Random(seed);
        let state = State::new(&mut random);
        let request = state.request(&mut random, 90);
        let first = request
            .reservations
            .iter()
            .map(|asked| asked.window.start)
            .min()
            .unwrap();
        let answer = state.question().earliest(&request, first + HORIZON);
        let each: Vec<Option<u32>> = (0..=HORIZON)
            .map(|shift| state.works(&shifted(&request, shift)))
            .collect();
        let may_shift = request.replaces.as_ref().is_none_or(|lease| {
            let lease = state.planner.lease(lease).unwrap();
            !lease.reservations.iter().any(|held| state.is_fixed(held))
        });
        let each = if may_shift { &each[..] } else { &each[..1] };
        let start = |shift: usize| first + Seconds::try_from(shift).unwrap();
        let slot = |start| Slot { start, proved: true };
        let expected = slot(each.iter().position(Option::is_some).map(start));
        assert_eq!(answer.with_moves, expected, "seed {seed}: {request:?}");
        let expected = slot(each.iter().position(|moves| *moves == Some(0)).map(start));
        assert_eq!(answer.without_moves, expected, "seed {seed}: {request:?}");
        found += usize::from(answer.with_moves.start.is_some());
        later += usize::from(answer.with_moves.start.is_some_and(|start| start > first));
        apart += usize::from(answer.with_moves != answer.without_moves);
    }
    println!("{found} found, {later} later than asked for, {apart} earlier with moves");
    assert!(later > 100 && apart > 10);
}

/// On fleets with many promises, at every start in turn: what counting finds without deciding is what decisions find.
#[test]
fn the_earliest_start_without_moves_is_the_first_in_a_full_fleet() {
    let (mut later, mut never, mut decided) = (0, 0, 0);
    for seed in 0..60 {
        let mut random = Random(seed);
        let state = State::full(&mut random);
        for number in 0..6 {
            let request = state.wish(&mut random, 900 + number);
            let first = request.reservations[0].window.start;
            let mut question = state.question();
            let each = (0..=FULL_HORIZON).map(|shift| state.works(&shifted(&request, shift)) == Some(0));
            let found = each.into_iter().position(|works| works);
            let start = found.map(|shift| first + Seconds::try_from(shift).unwrap());
            let expected = Slot { start, proved: true };
            let latest = first + FULL_HORIZON;
            assert_eq!(
                question.earliest_without_moves(&request, latest),
                expected,
                "seed {seed}: {request:?}"
            );
            let both = question.earliest(&request, latest);
            assert_eq!(both.without_moves, expected, "seed {seed}: {request:?}");
            assert!(
                both.with_moves.proved
                    && both
                        .with_moves
                        .start
                        .is_none_or(|start| expected.start.is_none_or(|without| start <= without))
            );
            question.decisions = 0;
            let counted = question.earliest_without_moves(&request, latest);
            decided += u32::from(!counted.proved);
            assert!(!counted.proved || counted == expected);
            later += u32::from(found.is_some_and(|shift| shift > 0));
            never += u32::from(found.is_none());
        }
    }
    println!("{later} later, {never} never, {decided} not by counting alone");
    assert!(later > 100 && never > 5 && decided < 180);
}

#[test]
fn the_most_hosts_are_one_fewer_than_what_fails() {
    let mut apart = 0;
    for seed in 0..1_500 {
        let mut random = Random(seed);
        let state = State::new(&mut random);
        let request = state.request(&mut random, 90);
        let position = usize::try_from(random.between(0, 5)).unwrap() % request.reservations.len();
        let (without_moves, with_moves) = state.question().most(&request, position);
        let count = u32::try_from(state.hosts.len()).unwrap();
        let works = |number: u32| state.works(&with(&request, position, number));
        let most = |hosts: Option<u32>| {
            let hosts = hosts.unwrap_or(0);
            Most { hosts, at_most: hosts }
        };
        let expected = most((1..=count).rev().find(|&number| works(number).is_some()));
        assert_eq!(with_moves, expected, "seed {seed}: {request:?}");
        let expected = most((1..=count).rev().find(|&number| works(number) == Some(0)));
        assert_eq!(without_moves, expected, "seed {seed}: {request:?}");
        apart += u32::from(with_moves != without_moves);
    }
    println!("{apart} give more with moves");
    assert!(apart > 50);
}

/// Instances of equal hosts put together on one of them are no move, though the classes count both hosts as in use.
#[test]
fn instances_that_make_room_inside_a_class_are_no_move() {
    let host = |id: &str| Host {
        id: id.into(),
        properties: BTreeMap::new(),
        zone: None,
        rack: None,
        capacity: BTreeMap::from([("VCPU".to_owned(), 8)]),
        blocks: Vec::new(),
        reservable: true,
    };
    let mut planner = Planner::new(0);
    let hosts = vec![host("a"), host("b")];
    hosts.iter().for_each(|host| planner.put_host(host.clone()));
    let predicate = Arc::new(Predicate::All(Vec::new()));
    for id in ["a", "b"] {
        let reservation = Reservation {
            id: id.into(),
            resource: Resource::Instances(Arc::new(Instances {
                resources: BTreeMap::from([("VCPU".to_owned(), 4)]),
                affinity: None,
            })),
            window: Interval::new(NOW + 10, NOW + 20),
            cleaning: 0,
            min: 1,
            max: 1,
            predicate: Arc::clone(&predicate),
            holds: vec![id.into()],
            pinned: false,
        };
        let lease = Lease {
            id: id.into(),
            reservations: vec![reservation],
        };
        planner.put_lease(lease).unwrap();
    }
    let state = State {
        planner,
        hosts,
        now: NOW,
        freeze: 0,
        cleaning: 0,
    };
    let request = Request {
        id: "asked".into(),
        replaces: None,
        reservations: vec![RequestedReservation {
            id: "asked".into(),
            resource: Resource::Host,
            window: Interval::new(NOW + 12, NOW + 18),
            cleaning: 0,
            min: 1,
            max: 1,
            predicate,
        }],
    };
    assert_eq!(state.works(&request), Some(0));
    let one = Most { hosts: 1, at_most: 1 };
    assert_eq!(state.question().most(&request, 0), (one, one));
    let slot = Slot {
        start: Some(NOW + 12),
        proved: true,
    };
    assert_eq!(state.question().earliest_without_moves(&request, NOW + 99), slot);
}

/// The most of a request is counted in what it asks for: on two hosts, of which one is reserved, there is room for more
/// instances than there are hosts, and a pool may have more units than the fleet has hosts.
#[test]
fn b1_the_most_is_counted_in_what_is_asked_for() {
    let mut planner = Planner::new(0);
    for id in ["a", "b"] {
        planner.put_host(Host {
            id: id.into(),
            properties: BTreeMap::new(),
            zone: None,
            rack: None,
            capacity: BTreeMap::from([("VCPU".to_owned(), 8)]),
            blocks: Vec::new(),
            reservable: true,
        });
    }
    planner.put_pool(Pool {
        id: "licences".into(),
        units: ["l1", "l2", "l3"].map(Into::into).to_vec(),
        words: None,
    });
    let predicate = Arc::new(Predicate::All(Vec::new()));
    let (start, end) = (NOW + 10, NOW + 20);
    let reservation = Reservation {
        id: "whole".into(),
        resource: Resource::Host,
        window: Interval::new(start, end),
        cleaning: 0,
        min: 1,
        max: 1,
        predicate: Arc::clone(&predicate),
        holds: vec!["a".into()],
        pinned: false,
    };
    let lease = Lease {
        id: "whole".into(),
        reservations: vec![reservation],
    };
    planner.put_lease(lease).unwrap();
    let instances = |affinity| {
        Resource::Instances(Arc::new(Instances {
            resources: BTreeMap::from([("VCPU".to_owned(), 2)]),
            affinity,
        }))
    };
    let units = Resource::Units(Arc::new(Units {
        pool: "licences".into(),
        required: Vec::new(),
    }));
    for (resource, most) in [
        (Resource::Host, 1),
        (instances(None), 4),
        (instances(Some(true)), 4),
        (instances(Some(false)), 1),
        (units, 3),
    ] {
        let request = Request {
            id: "asked".into(),
            replaces: None,
            reservations: vec![RequestedReservation {
                id: "asked".into(),
                resource,
                window: Interval::new(start, end),
                cleaning: 0,
                min: 1,
                max: 1,
                predicate: Arc::clone(&predicate),
            }],
        };
        let question = Question {
            planner: &planner,
            now: NOW,
            deadline: &UNLIMITED,
            solver: &Highs,
            decisions: MOST_DECISIONS,
            each: Part::WHOLE,
        };
        let (_, with_moves) = question.most(&request, 0);
        let expected = Most {
            hosts: most,
            at_most: most,
        };
        assert_eq!(with_moves, expected, "{request:?}");
    }
}

/// A search that may not decide any more says so and keeps to what it has shown.
#[test]
fn what_was_not_decided_is_not_claimed() {
    let mut unproved = 0;
    for seed in 0..300 {
        let mut random = Random(seed);
        let state = State::new(&mut random);
        let request = state.request(&mut random, 90);
        let full = state.question();
        for decisions in 0..3 {
            let some = Question { decisions, ..full };
            let (short, long) = (some.most(&request, 0), full.most(&request, 0));
            for (short, long) in [(short.0, long.0), (short.1, long.1)] {
                assert!(short.hosts <= long.hosts && long.hosts <= short.at_most, "seed {seed}");
                unproved += u32::from(!short.is_proved());
            }
            let latest = request.reservations[0].window.start + HORIZON;
            let (short, long) = (some.earliest(&request, latest), full.earliest(&request, latest));
            for (short, long) in [
                (short.with_moves, long.with_moves),
                (short.without_moves, long.without_moves),
            ] {
                assert!(!short.proved || short == long, "seed {seed}");
                unproved += u32::from(!short.proved);
            }
        }
    }
    assert!(unproved > 100);
}

fn shifted(request: &Request, shift: Seconds) -> Request {
    let mut later = request.clone();
    for asked in &mut later.reservations {
        asked.window = Interval::new(asked.window.start + shift, asked.window.end + shift);
    }
    later
}

fn with(request: &Request, position: usize, number: u32) -> Request {
    let mut changed = request.clone();
    (changed.reservations[position].min, changed.reservations[position].max) = (number, number);
    changed
}

/// Hosts go down: whatever is left stands on hosts in order, and what must move cannot stay.
#[test]
fn consequences_are_what_healing_with_a_promise_pinned_says() {
    let (mut must, mut may, mut lost) = (0, 0, 0);
    for seed in 0..600 {
        let mut random = Random(seed);
        let state = State::new(&mut random);
        let count = i64::try_from(state.hosts.len()).unwrap();
        let picked = |random: &mut Random| {
            state.hosts[usize::try_from(random.between(0, count - 1)).unwrap()]
                .id
                .clone()
        };
        let gone = FleetChange::Remove(picked(&mut random));
        let host = picked(&mut random);
        let from = state.now + random.between(0, 10);
        let down = FleetChange::Down {
            host,
            during: Interval::new(from, from + random.between(1, 20)),
        };
        let (planner, affected) = changed(&state.planner, &[gone, down], state.now).unwrap();
        let question = Question {
            planner: &planner,
            ..state.question()
        };
        let found = question.consequences(&affected).unwrap();
        assert!(found.proved, "seed {seed}");
        let left = |planner: &Planner| heal(planner, state.now, &Deadline::none(), &Highs);
        let again = left(&found.after);
        assert_eq!(
            again.moves,
            [],
            "seed {seed}: what is left is in order, but for what is lost"
        );
        lost += found.unkept.len();
        for moved in &found.moves {
            let mut lease = planner.lease(&moved.lease).unwrap().clone();
            let stands_on = |host| affected.contains(host);
            assert_eq!(moved.displaced, moved.change.from.iter().any(stands_on), "seed {seed}");
            lease
                .reservations
                .iter_mut()
                .for_each(|part| part.pinned |= part.id == moved.change.reservation);
            let mut pinned = planner.clone();
            pinned.put_lease(lease).unwrap();
            let worse = left(&pinned).unkept.len() > found.unkept.len();
            let expected = if moved.displaced || worse {
                Necessity::Must
            } else {
                Necessity::May
            };
            assert_eq!(moved.necessity, expected, "seed {seed}");
            must += u32::from(worse && !moved.displaced);
            may += u32::from(expected == Necessity::May);
        }
    }
    println!("{must} not displaced must move, {may} may, {lost} lost");
    assert!(may > 0 && lost > 0);
}

/// A request's moves: those that must cannot be avoided, for those that may there is another way.
#[test]
fn what_must_move_for_a_request_cannot_stay() {
    let (mut must, mut may) = (0, 0);
    for seed in 0..1_500 {
        let mut random = Random(seed);
        let state = State::new(&mut random);
        let request = state.request(&mut random, 90);
        let decision = state.planner.decide(&request, state.now, &Deadline::none(), &Highs);
        let Verdict::Accepted { moves, .. } = &decision.verdict else {
            continue;
        };
        for moved in state.question().moves(&request, moves) {
            let mut lease = state.planner.lease(&moved.lease).unwrap().clone();
            lease
                .reservations
                .iter_mut()
                .for_each(|part| part.pinned |= part.id == moved.change.reservation);
            let mut pinned = state.planner.clone();
            pinned.put_lease(lease).unwrap();
            let refused = matches!(
                pinned.decide(&request, state.now, &Deadline::none(), &Highs).verdict,
                Verdict::Refused { .. }
            );
            assert_eq!(
                moved.necessity,
                if refused { Necessity::Must } else { Necessity::May },
                "seed {seed}"
            );
            must += u32::from(refused);
            may += u32::from(!refused);
        }
    }
    println!("{must} must, {may} may");
    assert!(must > 10 && may > 10);
}
