//! Filled fleets are consistent, and what is measured on them is true.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use benches::baseline::{Grain, outline};
use benches::book::CountingOnly;
use benches::fleet::{Budgets, Filled, Scan, Size, measure};
use benches::ledger::Ledger;
use solver::deadline::Deadline;
use solver::decision::Verdict;
use solver::model::Host;
use solver::program::{ModelSolver, Outcome};
use solver_highs::{Highs, wall_clock};

fn filled(hosts: u32) -> Filled {
    Filled::new(Size {
        hosts,
        classes: 12,
        leases: 2 * hosts as usize,
        seed: 3,
    })
    .expect("in range")
}

#[test]
fn a_filled_fleet_holds_as_many_leases_as_asked_for_and_no_host_twice() {
    let filled = filled(500);
    assert_eq!(filled.leases.len(), 1_000);
    Ledger::of(filled.hosts.iter().cloned(), &filled.leases).expect("nothing is held twice");
    let parts = || filled.leases.iter().flat_map(|lease| &lease.reservations);
    assert!(parts().any(|part| part.window.start <= filled.now), "some have begun");
    assert!(parts().any(|part| part.window.start > filled.now), "some are to come");
    let requests = filled.requests.iter().flat_map(|request| &request.reservations);
    assert!(requests.into_iter().all(|part| part.window.start >= filled.now));
}

/// What the scan finds, Berth accepts; what Berth refuses, the scan does not find.
#[test]
fn berth_accepts_whatever_the_scan_finds() {
    let filled = filled(200);
    let planner = filled.planner().expect("it is consistent");
    let scan = Scan::new(&filled);
    let mut found = 0;
    for request in &filled.requests {
        let decision = planner.decide(request, filled.now, &Deadline::none(), &Highs);
        let free = request.reservations.iter().all(|part| scan.first_free(part).is_some());
        found += usize::from(free);
        assert!(!free || matches!(decision.verdict, Verdict::Accepted { .. }));
    }
    assert!(found > 0 && found < filled.requests.len());
}

/// Whoever asks for every host that suits is refused because of some instant, which is not always the one at which most
/// of these hosts are in use: no program is needed to find it.
#[test]
fn asking_for_all_needs_no_program() {
    let filled = filled(1_000);
    let planner = filled.planner().expect("it is consistent");
    let mut refused = 0;
    for mut request in filled.requests.iter().take(150).cloned() {
        for asked in &mut request.reservations {
            let suits = |host: &&Host| host.matches(&asked.predicate);
            asked.min = u32::try_from(filled.hosts.iter().filter(suits).count()).expect("a thousand at most");
            asked.max = asked.min;
        }
        let decision = planner.decide(&request, filled.now, &Deadline::none(), &CountingOnly);
        assert!(!matches!(decision.verdict, Verdict::Undecided(_)), "{}", request.id);
        refused += usize::from(matches!(decision.verdict, Verdict::Refused { .. }));
    }
    assert!(refused > 100);
}

#[test]
fn every_measured_decision_holds() {
    let filled = filled(200);
    let planner = filled.planner().expect("it is consistent");
    let budgets = Budgets {
        wall: Duration::from_secs(20),
        decisions: 300,
        decision: Duration::from_secs(5),
    };
    let mut heard = 0;
    let figures = measure(&filled, &planner, budgets, &Highs, || heard += 1).expect("no promise is broken");
    assert_eq!(figures.times["all decisions"].0.len(), heard);
    assert!(heard > 0);
}

/// The class model and the model of every host are the same problem.
#[test]
fn the_whole_re_plan_costs_the_same_by_host_and_by_class() {
    let filled = filled(40);
    let optimum = |grain: Grain| {
        let outlined = outline(&filled, grain);
        assert!(outlined.reservations > 10);
        let deadline = wall_clock().limited(Some(Duration::from_mins(2)), None);
        match Highs.solve(&outlined.program, &deadline) {
            Outcome::Optimal(values) => outlined.program.cost(&values),
            other @ (Outcome::Infeasible | Outcome::TimeLimit | Outcome::WorkLimit | Outcome::Unreliable) => {
                panic!("{other:?}")
            }
        }
    };
    assert_eq!(optimum(Grain::Class), optimum(Grain::Host));
}
