//! Leases of every kind against a model that looks at every host and unit: verdict, counted moves and
//! filling must agree on thousands of random decisions, and no host may ever be overbooked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of it is a test"
)]

mod audit;
mod availability;
mod binaries;
mod conflicts;
mod history;
mod per_host;

use std::collections::BTreeMap;

use solver::admit::{self, Settings};
use solver::deadline::Deadline;
use solver::decision::{Decision, Verdict};
use solver::model::{Host, Interval, Lease, Pool, Request, Resource, Seconds};
use solver::planner::Planner;
use solver_check::check;
use solver_format::{Problem, fingerprint};
use solver_highs::Highs;

use history::{Random, Setting};
use per_host::{Answer, World};

/// Decisions compared in every run.
const CASES: usize = 6_000;
/// Extensions of what runs compared in every run.
const EXTENSIONS: usize = 1_500;

struct State {
    planner: Planner,
    hosts: Vec<Host>,
    pool: Pool,
    now: Seconds,
    freeze: Seconds,
    cleaning: Seconds,
}

impl State {
    fn new(random: &mut Random) -> Self {
        let freeze = if random.percent(30) { random.between(1, 4) } else { 0 };
        let cleaning = if random.percent(40) { random.between(1, 3) } else { 0 };
        let mut state = Self {
            planner: Planner::new(freeze),
            hosts: history::fleet(random),
            pool: history::pool(random),
            now: 100,
            freeze,
            cleaning,
        };
        state.hosts.iter().for_each(|host| state.planner.put_host(host.clone()));
        state.planner.put_pool(state.pool.clone());
        state
    }

    /// The case as a document, to be looked at or replayed.
    fn problem(&self, request: &Request) -> String {
        let problem = self
            .planner
            .problem(self.now, self.cleaning, std::slice::from_ref(request));
        serde_json::to_string(&problem).unwrap()
    }

    fn leases(&self) -> Vec<Lease> {
        self.planner.leases().cloned().collect()
    }

    fn setting(&self) -> Setting<'_> {
        Setting {
            hosts: &self.hosts,
            pool: &self.pool,
            now: self.now,
            cleaning: self.cleaning,
        }
    }

    /// Time passes, hosts break or change, promises are pinned.
    fn disturb(&mut self, random: &mut Random) {
        self.now += if random.percent(30) { random.between(1, 3) } else { 0 };
        if random.percent(12) {
            let host = usize::try_from(random.between(0, i64::try_from(self.hosts.len()).unwrap() - 1)).unwrap();
            let host = &mut self.hosts[host];
            match random.between(0, 3) {
                0 => host.reservable = !host.reservable,
                1 => host.blocks = history::blocks(random, self.now),
                2 => drop(host.properties.insert("gpu".to_owned(), "True".to_owned())),
                _ => drop(host.properties.remove("gpu")),
            }
            self.planner.put_host(host.clone());
        }
        let leases = self.leases();
        if !leases.is_empty() && random.percent(10) {
            let lease = usize::try_from(random.next() % u64::try_from(leases.len()).unwrap()).unwrap();
            let mut lease = leases[lease].clone();
            lease.reservations.iter_mut().for_each(|held| held.pinned = true);
            self.planner.put_lease(lease).unwrap();
        }
        for lease in leases {
            if lease.reservations.iter().all(|held| held.occupation().end <= self.now) {
                self.planner.remove_lease(&lease.id);
            }
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    /// Refusals by reason.
    reasons: BTreeMap<&'static str, usize>,
    accepted: usize,
    moved: usize,
    rearranged: usize,
    refused: usize,
    changes: usize,
    only_hosts: usize,
    several: usize,
    pending: usize,
    checked: usize,
}

#[test]
fn verdict_moves_and_filling_equal_the_per_host_model() {
    let mut tally = Tally::default();
    let mut seed = 0;
    while tally.accepted + tally.refused < CASES {
        seed += 1;
        history(seed, &mut tally);
    }
    println!("{tally:?}");
    assert!(tally.moved > CASES / 100, "too few cases needed a move: {tally:?}");
    assert!(tally.refused > CASES / 10 && tally.only_hosts > CASES / 20, "{tally:?}");
    assert!(tally.checked > CASES / 2, "{tally:?}");
}

/// What a running lease keeps may leave too little room for several promises on its host, though for each of them alone.
#[test]
fn extensions_of_what_runs_equal_the_per_host_model() {
    let mut tally = Tally::default();
    let mut seed = 0;
    while tally.changes < EXTENSIONS {
        seed += 1;
        extension(seed, &mut tally);
    }
    println!("{tally:?}");
    assert!(
        tally.moved > EXTENSIONS / 20,
        "too few extensions need a move: {tally:?}"
    );
}

fn extension(seed: u64, tally: &mut Tally) {
    let mut random = Random(seed);
    let mut state = State::new(&mut random);
    let running = Interval::new(state.now, state.now + random.between(2, 6));
    for number in 0..random.between(3, 8) {
        let mut asked = state.setting().asked(&mut random, format!("r{number}"));
        asked.window = running;
        if number > 0 {
            let start = running.end + random.between(-1, 2);
            asked.window = Interval::new(start, start + random.between(1, 5));
        }
        let request = Request {
            id: format!("l{number}").into(),
            replaces: None,
            reservations: vec![asked],
        };
        let case = format!("extension {seed}, request {number}");
        decide(&mut state, &request, &case, &mut Tally::default());
    }
    let Some(lease) = state.planner.lease(&"l0".into()) else {
        return;
    };
    let mut asked = lease.reservations[0].requested();
    asked.window.end += random.between(1, 5);
    if random.percent(30) && !matches!(asked.resource, Resource::Units(_)) {
        asked.min += 1;
        asked.max = asked.min.max(asked.max);
    }
    let request = Request {
        id: "extended".into(),
        replaces: Some(lease.id.clone()),
        reservations: vec![asked],
    };
    state.now += random.between(0, 1);
    decide(&mut state, &request, &format!("extension {seed}"), tally);
}

fn history(seed: u64, tally: &mut Tally) {
    let mut random = Random(seed);
    let mut state = State::new(&mut random);
    for number in 0..14 {
        state.disturb(&mut random);
        let leases = state.leases();
        let request = state.setting().request(&mut random, &leases, number);
        decide(&mut state, &request, &format!("seed {seed}, request {number}"), tally);
    }
}

fn decide(state: &mut State, request: &Request, case: &str, tally: &mut Tally) {
    let leases = &state.leases();
    let decision = state.planner.decide(request, state.now, &Deadline::none(), &Highs);
    let world = World {
        hosts: &state.hosts,
        pool: &state.pool,
        leases,
        now: state.now,
        freeze: state.freeze,
    };
    let found = match &decision.verdict {
        Verdict::Accepted { holds, .. } => Answer::Accepted {
            moves: decision.counted_moves(),
            given: holds.values().map(|hosts| u32::try_from(hosts.len()).unwrap()).sum(),
        },
        Verdict::Refused { .. } => Answer::Refused,
        Verdict::Undecided(_) => panic!("{case}: undecided\n{}", state.problem(request)),
    };
    assert_eq!(
        found,
        world.answer(request),
        "{case}: {decision:?}\n{}",
        state.problem(request)
    );
    count(tally, leases, request, &decision);
    tally.checked += usize::from(checked(state, request, &decision, case));
    let text = state.problem(request);
    state
        .planner
        .apply(request, &decision)
        .unwrap_or_else(|error| panic!("{case}: {error}\n{text}"));
    if let Verdict::Accepted { .. } = decision.verdict {
        let after = state.leases();
        let audit = audit::Audit {
            hosts: &state.hosts,
            pool: &state.pool,
            now: state.now,
            freeze: state.freeze,
        };
        let violations = audit.run(leases, &after, request);
        assert!(violations.is_empty(), "{case}: {violations:#?}\n{text}\n{decision:?}");
    }
}

/// The plan document of the decision passes the checker and says what the decision says; `false` if the case
/// is no document: those know no instances that take nothing and no units that a pool lacks.
fn checked(state: &State, request: &Request, decision: &Decision, case: &str) -> bool {
    let text = state.problem(request);
    let Ok(problem) = Problem::parse(&text) else {
        return false;
    };
    let settings = Settings {
        deadline: Deadline::none(),
        offers: state.now % 32 == 0,
    };
    let plan = admit::run(&problem, &fingerprint(&text), settings, &Highs).unwrap();
    let violations = check(&problem, &fingerprint(&text), &plan);
    assert!(
        violations.is_empty(),
        "{case}: {violations:#?}\n{text}\n{}",
        serde_json::to_string(&plan).unwrap()
    );
    assert_eq!(
        plan.summary.moves,
        u64::from(decision.counted_moves()),
        "{case}\n{text}"
    );
    true
}

fn count(tally: &mut Tally, leases: &[Lease], request: &Request, decision: &Decision) {
    tally.changes += usize::from(request.replaces.is_some());
    tally.only_hosts += usize::from(
        request
            .reservations
            .iter()
            .all(|asked| asked.resource == Resource::Host),
    );
    tally.several += usize::from(request.reservations.len() > 1);
    tally.pending += leases.len();
    match &decision.verdict {
        Verdict::Accepted { moves, .. } => {
            tally.accepted += 1;
            tally.moved += usize::from(decision.counted_moves() > 0);
            tally.rearranged += usize::from(decision.counted_moves() == 0 && !moves.is_empty());
        }
        Verdict::Refused { conflict } => {
            tally.refused += 1;
            *tally.reasons.entry(conflict.reason).or_default() += 1;
        }
        Verdict::Undecided(_) => {}
    }
}
