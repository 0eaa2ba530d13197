//! The planner against a model that looks at every host: verdict, counted moves and filling must agree
//! on many thousand random decisions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of it is a test"
)]

mod history;
mod per_host;

use solver::admit::{self, Settings};
use solver::deadline::Deadline;
use solver::decision::{Decision, Tier, Verdict};
use solver::model::{Host, Lease, Request, Seconds};
use solver::planner::Planner;
use solver_check::check;
use solver_format::{Plan, Problem, fingerprint};
use solver_highs::Highs;

use history::Random;
use per_host::{Answer, World};

/// Decisions compared in every run.
const CASES: usize = 20_000;

struct State {
    planner: Planner,
    hosts: Vec<Host>,
    now: Seconds,
    freeze: Seconds,
    cleaning: Seconds,
}

impl State {
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

    /// Time passes, hosts break or change, promises are pinned.
    fn disturb(&mut self, random: &mut Random) {
        self.now += if random.percent(40) { random.between(1, 4) } else { 0 };
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
    accepted: usize,
    moved: usize,
    exchanged: usize,
    refused: usize,
    by_certificate: usize,
    by_search: usize,
    changes: usize,
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
    assert!(tally.by_search > 0 && tally.by_certificate > CASES / 100, "{tally:?}");
}

/// Many requests in one document: every acceptance is the next decision's state, in plan and checker.
#[test]
fn plans_of_many_requests_pass_the_checker() {
    let mut accepted = 0;
    for seed in 0..300 {
        let mut random = Random(seed);
        let hosts = history::fleet(&mut random);
        let mut planner = Planner::new(random.between(0, 3));
        for host in &hosts {
            planner.put_host(host.clone());
        }
        let mut requests: Vec<Request> = (0..14)
            .map(|number| history::request(&mut random, &hosts, &[], 100, 1, number))
            .collect();
        // Some ask again for an earlier lease, at another time.
        for position in (3..14).step_by(4) {
            let mut again = requests[position - 3].clone();
            again.replaces = Some(std::mem::replace(&mut again.id, format!("again{position}").into()));
            for asked in &mut again.reservations {
                asked.window.end += 3;
            }
            requests[position] = again;
        }
        let text = serde_json::to_string(&planner.problem(100, 1, &requests)).unwrap();
        let problem = Problem::parse(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
        let settings = Settings {
            deadline: Deadline::none(),
            offers: false,
        };
        let plan = admit::run(&problem, &fingerprint(&text), settings, &Highs).unwrap();
        assert_eq!(check(&problem, &fingerprint(&text), &plan), [], "seed {seed}\n{text}");
        accepted += plan.summary.accepted;
    }
    assert!(accepted > 1_000, "{accepted}");
}

fn history(seed: u64, tally: &mut Tally) {
    let mut random = Random(seed);
    let freeze = if random.percent(40) { random.between(1, 6) } else { 0 };
    let cleaning = if random.percent(40) { random.between(1, 3) } else { 0 };
    let mut state = State {
        planner: Planner::new(freeze),
        hosts: history::fleet(&mut random),
        now: 100,
        freeze,
        cleaning,
    };
    state.hosts.iter().for_each(|host| state.planner.put_host(host.clone()));
    for number in 0..16 {
        state.disturb(&mut random);
        let leases = state.leases();
        let request = history::request(&mut random, &state.hosts, &leases, state.now, cleaning, number);
        decide(
            &mut state,
            &leases,
            &request,
            &format!("seed {seed}, request {number}"),
            tally,
        );
    }
}

/// Instances that nothing in the way of the request is held at the time of change neither the verdict nor the moves.
fn beside_far_instances(state: &State, request: &Request, decision: &Decision, case: &str) {
    let mut planner = state.planner.clone();
    for lease in history::far_instances(&state.hosts, state.now) {
        planner.put_lease(lease).unwrap();
    }
    let beside = planner.decide(request, state.now, &Deadline::none(), &Highs);
    let is_accepted = |decision: &Decision| matches!(decision.verdict, Verdict::Accepted { .. });
    assert_eq!(
        (is_accepted(&beside), beside.counted_moves()),
        (is_accepted(decision), decision.counted_moves()),
        "{case}: {beside:?}\n{}",
        state.problem(request)
    );
    let undecided = matches!(beside.verdict, Verdict::Undecided(_));
    assert!(!undecided, "{case}: {beside:?}");
}

fn decide(state: &mut State, leases: &[Lease], request: &Request, case: &str, tally: &mut Tally) {
    let decision = state.planner.decide(request, state.now, &Deadline::none(), &Highs);
    beside_far_instances(state, request, &decision, case);
    let world = World {
        hosts: &state.hosts,
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
    checked(state, request, &decision, case);
    tally.changes += usize::from(request.replaces.is_some());
    match &decision.verdict {
        Verdict::Accepted { moves, .. } => {
            tally.accepted += 1;
            tally.moved += usize::from(decision.counted_moves() > 0);
            tally.exchanged += usize::from(decision.counted_moves() == 0 && !moves.is_empty());
        }
        Verdict::Refused { conflict } => {
            tally.refused += 1;
            tally.by_certificate += usize::from(decision.tier == Tier::Certificate);
            tally.by_search += usize::from(conflict.reason == "search");
        }
        Verdict::Undecided(_) => {}
    }
    state
        .planner
        .apply(request, &decision)
        .unwrap_or_else(|error| panic!("{case}: {error}"));
}

/// The plan document of the decision passes the checker, and says what the decision says.
fn checked(state: &State, request: &Request, decision: &Decision, case: &str) {
    let text = state.problem(request);
    let problem = Problem::parse(&text).unwrap_or_else(|error| panic!("{case}: {error}\n{text}"));
    // Offers take many more decisions each, so only some refusals look for them.
    let offers = state.now % 32 == 0;
    let settings = Settings {
        deadline: Deadline::none(),
        offers,
    };
    let plan = admit::run(&problem, &fingerprint(&text), settings, &Highs).unwrap();
    let written = serde_json::to_string(&plan).unwrap();
    assert_eq!(Plan::parse(&written).as_ref(), Ok(&plan), "{case}");
    let violations = check(&problem, &fingerprint(&text), &plan);
    assert!(violations.is_empty(), "{case}: {violations:#?}\n{text}\n{written}");
    assert_eq!(
        plan.summary.moves,
        u64::from(decision.counted_moves()),
        "{case}\n{text}"
    );
    let accepted = matches!(decision.verdict, Verdict::Accepted { .. });
    assert_eq!(plan.summary.accepted, u64::from(accepted), "{case}\n{text}");
}
