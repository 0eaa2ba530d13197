//! How many members of the conflicts are needed: without any one of them, is the request possible?

use std::collections::{BTreeMap, BTreeSet};

use solver::admit::{self, Settings};
use solver::deadline::Deadline;
use solver::decision::{Conflict, Verdict};
use solver::model::{Request, ReservationId};
use solver::planner::Planner;
use solver_check::check;
use solver_format::{ConflictEntry, Problem, fingerprint};
use solver_highs::Highs;

use super::State;
use super::history::Random;

/// Histories looked at.
const HISTORIES: u64 = 120;

/// The verdict if nobody but these reservations had ever asked for anything.
fn fails_with(state: &State, request: &Request, members: &BTreeSet<&ReservationId>) -> bool {
    let mut planner = Planner::new(state.freeze);
    state.hosts.iter().for_each(|host| planner.put_host(host.clone()));
    planner.put_pool(state.pool.clone());
    for mut lease in state.leases() {
        let own = request.replaces.as_ref() == Some(&lease.id);
        lease.reservations.retain(|held| own || members.contains(&held.id));
        if !lease.reservations.is_empty() {
            planner.put_lease(lease).unwrap();
        }
    }
    let mut request = request.clone();
    request.reservations.retain(|asked| members.contains(&asked.id));
    let verdict = planner.decide(&request, state.now, &Deadline::none(), &Highs).verdict;
    matches!(verdict, Verdict::Refused { .. })
}

#[derive(Debug, Default)]
struct Tally {
    conflicts: u32,
    members: usize,
    /// Without one of the members the request is impossible all the same.
    not_minimal: u32,
}

#[test]
fn the_members_of_a_conflict_suffice_for_it() {
    let mut tallies: BTreeMap<&'static str, Tally> = BTreeMap::new();
    for seed in 0..HISTORIES {
        let mut random = Random(90_000 + seed);
        let mut state = State::new(&mut random);
        for number in 0..14 {
            state.disturb(&mut random);
            let leases = state.leases();
            let request = state.setting().request(&mut random, &leases, number);
            let decision = state.planner.decide(&request, state.now, &Deadline::none(), &Highs);
            if let Verdict::Refused { conflict } = &decision.verdict {
                look(
                    &state,
                    &request,
                    conflict,
                    &mut tallies,
                    &format!("seed {seed}, request {number}"),
                );
            }
            state.planner.apply(&request, &decision).unwrap();
        }
    }
    println!("{tallies:#?}");
    assert!(tallies["resources"].conflicts > 30, "{tallies:?}");
    assert!(tallies["occupied"].conflicts > 30, "{tallies:?}");
}

fn look(
    state: &State,
    request: &Request,
    conflict: &Conflict,
    tallies: &mut BTreeMap<&'static str, Tally>,
    case: &str,
) {
    in_words(conflict, case);
    if matches!(conflict.reason, "started" | "malformed") {
        tallies.entry(conflict.reason).or_default().conflicts += 1;
        return;
    }
    let members: BTreeSet<&ReservationId> = conflict.reservations.iter().collect();
    let asked =
        |members: &BTreeSet<&ReservationId>| request.reservations.iter().any(|asked| members.contains(&asked.id));
    let problem = || state.problem(request);
    assert!(
        fails_with(state, request, &members),
        "{case}: {conflict:?}\n{}",
        problem()
    );
    let tally = tallies.entry(conflict.reason).or_default();
    tally.conflicts += 1;
    tally.members += members.len();
    if conflict.reason == "search" {
        return;
    }
    without_any_part(&problem(), case);
    let is_asked = |member: &ReservationId| request.reservations.iter().any(|asked| asked.id == *member);
    let loose = members.iter().filter(|member| !is_asked(member)).any(|member| {
        let mut others = members.clone();
        others.remove(*member);
        asked(&others) && fails_with(state, request, &others)
    });
    tally.not_minimal += u32::from(loose);
    assert!(
        !(loose && conflict.reason == "capacity"),
        "{case}: {conflict:?}\n{}",
        problem()
    );
}

/// The text has the numbers of the conflict: what is needed first, then whose it is in brackets.
fn in_words(conflict: &Conflict, case: &str) {
    assert!(!conflict.text.contains("  "), "{case}: {}", conflict.text);
    let Some((what, by)) = conflict.text.split_once(" needed by your request (") else {
        return;
    };
    let number = |text: &str| -> u64 { text.split([' ', ',', ')']).next().unwrap().parse().unwrap() };
    let needed = number(what.split_once(", ").unwrap().1);
    let earlier = by.split_once("by earlier leases (").map_or(0, |(_, more)| number(more));
    assert_eq!(needed, conflict.needed, "{case}: {}", conflict.text);
    assert_eq!(number(by) + earlier, needed, "{case}: {}", conflict.text);
}

/// The checker accepts the conflict as it is, and no longer when a member is left out or less is said to
/// exist.
fn without_any_part(text: &str, case: &str) {
    // Documents know no instances that take nothing and no units that a pool lacks.
    let Ok(problem) = Problem::parse(text) else { return };
    let name = fingerprint(text);
    let settings = Settings {
        deadline: Deadline::none(),
        offers: false,
    };
    let plan = admit::run(&problem, &name, settings, &Highs).unwrap();
    assert_eq!(check(&problem, &name, &plan), [], "{case}\n{text}");
    let conflict = plan.decisions[0].conflict.as_ref().unwrap();
    let wrong = |change: &dyn Fn(&mut ConflictEntry)| {
        let mut wrong = plan.clone();
        change(wrong.decisions[0].conflict.as_mut().unwrap());
        let found = check(&problem, &name, &wrong);
        assert!(!found.is_empty(), "{case}: {:?}\n{text}", wrong.decisions[0].conflict);
    };
    // Rows prove more than the planner counts: the checker places what is left out beside fixed work, too.
    let members = if conflict.reason == "rows" {
        0
    } else {
        conflict.reservations.len()
    };
    for member in 0..members {
        wrong(&|conflict| drop(conflict.reservations.remove(member)));
    }
    wrong(&|conflict| conflict.exist = conflict.exist.wrapping_sub(1));
}
