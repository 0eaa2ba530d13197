//! Refusals: every one carries a proof that the checker recounts, names nobody without need, and offers
//! what does work.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of it is a test"
)]
#![allow(dead_code, reason = "the histories have more than is used here")]

#[path = "oracle/history.rs"]
mod history;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use solver::admit::{self, Settings};
use solver::deadline::Deadline;
use solver::decision::{Conflict, Verdict};
use solver::model::{
    Host, Interval, Lease, Request, RequestedReservation, Reservation, ReservationId, Resource, Seconds,
};
use solver::offers::{self, Offer};
use solver::planner::Planner;
use solver::predicate::{Operator, Predicate};
use solver_check::check;
use solver_format::{Problem, fingerprint};
use solver_highs::Highs;

use history::Random;

/// A state and a request it refuses.
struct Refusal<'a> {
    planner: &'a Planner,
    hosts: &'a [Host],
    request: &'a Request,
    conflict: &'a Conflict,
    now: Seconds,
    freeze: Seconds,
    cleaning: Seconds,
    case: String,
}

/// Random histories; calls back for every refusal.
fn refusals(seeds: std::ops::Range<u64>, mut found: impl FnMut(Refusal<'_>)) {
    for seed in seeds {
        let mut random = Random(seed);
        let freeze = if random.percent(40) { random.between(1, 6) } else { 0 };
        let cleaning = if random.percent(40) { random.between(1, 3) } else { 0 };
        let mut hosts = history::fleet(&mut random);
        let mut planner = Planner::new(freeze);
        hosts.iter().for_each(|host| planner.put_host(host.clone()));
        let mut now = 100;
        for number in 0..16 {
            now += if random.percent(40) { random.between(1, 4) } else { 0 };
            if random.percent(10) {
                let host = usize::try_from(random.between(0, i64::try_from(hosts.len()).unwrap() - 1)).unwrap();
                hosts[host].blocks = history::blocks(&mut random, now);
                planner.put_host(hosts[host].clone());
            }
            let leases: Vec<Lease> = planner.leases().cloned().collect();
            let request = history::request(&mut random, &hosts, &leases, now, cleaning, number);
            let decision = planner.decide(&request, now, &Deadline::none(), &Highs);
            if let Verdict::Refused { conflict } = &decision.verdict {
                found(Refusal {
                    planner: &planner,
                    hosts: &hosts,
                    request: &request,
                    conflict,
                    now,
                    freeze,
                    cleaning,
                    case: format!("seed {seed}, request {number}"),
                });
            }
            planner.apply(&request, &decision).unwrap();
        }
    }
}

impl Refusal<'_> {
    /// The verdict if nobody but these reservations had ever asked for anything.
    fn fails_with(&self, members: &BTreeSet<&ReservationId>) -> bool {
        let mut planner = Planner::new(self.freeze);
        self.hosts.iter().for_each(|host| planner.put_host(host.clone()));
        for lease in self.planner.leases() {
            let own = self.request.replaces.as_ref() == Some(&lease.id);
            let mut lease = lease.clone();
            lease.reservations.retain(|held| members.contains(&held.id));
            if own || !lease.reservations.is_empty() {
                planner.put_lease(lease).unwrap();
            }
        }
        let mut request = self.request.clone();
        request.reservations.retain(|asked| members.contains(&asked.id));
        let verdict = planner.decide(&request, self.now, &Deadline::none(), &Highs).verdict;
        matches!(verdict, Verdict::Refused { .. })
    }

    fn asks_for(&self, reservation: &ReservationId) -> bool {
        self.request.reservations.iter().any(|asked| asked.id == *reservation)
    }
}

#[test]
fn no_conflict_names_a_reservation_without_need() {
    let (mut reasons, mut loose) = (BTreeMap::<String, u32>::new(), BTreeMap::<String, u32>::new());
    refusals(0..700, |refusal| {
        let conflict = refusal.conflict;
        *reasons.entry(conflict.reason.to_owned()).or_default() += 1;
        assert!(!conflict.text.contains("  "), "{}: {}", refusal.case, conflict.text);
        if matches!(conflict.reason, "started" | "malformed" | "search") {
            return;
        }
        let members: BTreeSet<&ReservationId> = conflict.reservations.iter().collect();
        assert_eq!(members.len(), conflict.reservations.len(), "{}", refusal.case);
        assert!(refusal.fails_with(&members), "{}: {conflict:?}", refusal.case);
        for member in &members {
            let mut others = members.clone();
            others.remove(*member);
            let asked = others.iter().any(|id| refusal.asks_for(id));
            if asked && refusal.fails_with(&others) {
                *loose.entry(conflict.reason.to_owned()).or_default() += 1;
                assert_ne!(
                    conflict.reason,
                    "capacity",
                    "{}: without {member}: {conflict:?}\n{}",
                    refusal.case,
                    serde_json::to_string(&refusal.planner.problem(
                        refusal.now,
                        refusal.cleaning,
                        std::slice::from_ref(refusal.request)
                    ))
                    .unwrap()
                );
                break;
            }
        }
    });
    println!("{reasons:?}, of which not minimal: {loose:?}");
    assert!(reasons["capacity"] > 500, "{reasons:?}");
}

#[test]
fn every_refusal_and_every_offer_passes_the_checker_and_holds() {
    let (mut starts, mut amounts, mut drops, mut searched, mut all) = (0, 0, 0, 0, 0);
    refusals(2_000..2_150, |refusal| {
        let Refusal {
            planner, request, now, ..
        } = refusal;
        let text =
            serde_json::to_string(&planner.problem(now, refusal.cleaning, std::slice::from_ref(request))).unwrap();
        let problem = Problem::parse(&text).unwrap();
        let settings = Settings {
            deadline: Deadline::none(),
            offers: true,
        };
        let plan = admit::run(&problem, &fingerprint(&text), settings, &Highs).unwrap();
        assert_eq!(
            check(&problem, &fingerprint(&text), &plan),
            [],
            "{}\n{text}",
            refusal.case
        );
        let found = offers::find(planner, request, refusal.conflict, now, &Deadline::none(), &Highs);
        for offer in &found {
            let mut changed = request.clone();
            match offer {
                Offer::Start { start } => {
                    starts += 1;
                    let first = request
                        .reservations
                        .iter()
                        .map(|asked| asked.window.start)
                        .min()
                        .unwrap();
                    for asked in &mut changed.reservations {
                        let shift = start - first;
                        asked.window = Interval::new(asked.window.start + shift, asked.window.end + shift);
                    }
                }
                Offer::Amount { reservation, amount } => {
                    amounts += 1;
                    let asked = changed.reservations.iter_mut().find(|asked| asked.id == *reservation);
                    asked.unwrap().min = *amount;
                    let mut more = changed.clone();
                    let asked = more.reservations.iter_mut().find(|asked| asked.id == *reservation);
                    asked.unwrap().min += 1;
                    let verdict = planner.decide(&more, now, &Deadline::none(), &Highs).verdict;
                    assert!(
                        matches!(verdict, Verdict::Refused { .. }),
                        "{}: {offer:?}",
                        refusal.case
                    );
                }
                Offer::Drop { reservation, condition } => {
                    drops += 1;
                    let asked = changed
                        .reservations
                        .iter_mut()
                        .find(|asked| asked.id == *reservation)
                        .unwrap();
                    let rest = match &*asked.predicate {
                        Predicate::All(parts) => parts.iter().filter(|part| *part != condition).cloned().collect(),
                        Predicate::Any(_) | Predicate::Compare { .. } | Predicate::Lacks(_) => Vec::new(),
                    };
                    asked.predicate = Arc::new(Predicate::All(rest));
                }
            }
            let verdict = planner.decide(&changed, now, &Deadline::none(), &Highs).verdict;
            assert!(
                matches!(verdict, Verdict::Accepted { .. }),
                "{}: {offer:?}",
                refusal.case
            );
        }
        // No start before the one offered works.
        if let Some(Offer::Start { start }) = found.iter().find(|offer| matches!(offer, Offer::Start { .. })) {
            let first = request
                .reservations
                .iter()
                .map(|asked| asked.window.start)
                .min()
                .unwrap();
            for shift in 1..(start - first).min(40) {
                let mut earlier = request.clone();
                for asked in &mut earlier.reservations {
                    asked.window = Interval::new(asked.window.start + shift, asked.window.end + shift);
                }
                let verdict = planner.decide(&earlier, now, &Deadline::none(), &Highs).verdict;
                assert!(matches!(verdict, Verdict::Refused { .. }), "{}: {shift}", refusal.case);
            }
        }
        all += 1;
        searched += u32::from(refusal.conflict.reason == "search");
    });
    println!("{all} refusals, {searched} by search; {starts} starts, {amounts} amounts, {drops} drops offered");
    assert!(starts > 100 && amounts > 50 && drops > 20);
    assert!(searched * 100 < all, "{searched} of {all}");
}

fn host(id: String, gpu: bool) -> Host {
    let properties = [("gpu".to_owned(), gpu.to_string())];
    Host {
        id: id.into(),
        properties: properties.into_iter().collect(),
        zone: None,
        rack: None,
        capacity: BTreeMap::new(),
        blocks: Vec::new(),
        reservable: true,
    }
}

fn gpu() -> Predicate {
    Predicate::Compare {
        operator: Operator::Equal,
        property: "gpu".to_owned(),
        value: "true".to_owned(),
    }
}

fn lease(id: &str, window: (Seconds, Seconds), holds: std::ops::Range<u32>) -> Lease {
    let size = holds.end - holds.start;
    Lease {
        id: id.to_uppercase().into(),
        reservations: vec![Reservation {
            id: id.into(),
            resource: Resource::Host,
            window: Interval::new(window.0, window.1),
            cleaning: 0,
            min: size,
            max: size,
            predicate: Arc::new(gpu()),
            holds: holds.map(|number| format!("g{number:02}").into()).collect(),
            pinned: false,
        }],
    }
}

#[test]
fn the_sentence_names_amounts_and_conditions_and_what_could_be_had() {
    let mut planner = Planner::new(0);
    (0..30).for_each(|number| planner.put_host(host(format!("g{number:02}"), true)));
    (0..9).for_each(|number| planner.put_host(host(format!("p{number:02}"), false)));
    planner.put_lease(lease("a", (100, 200), 0..15)).unwrap();
    planner.put_lease(lease("b", (150, 250), 15..25)).unwrap();
    planner.put_lease(lease("later", (300, 400), 0..5)).unwrap();
    let request = Request {
        id: "Q".into(),
        replaces: None,
        reservations: vec![RequestedReservation {
            id: "q".into(),
            resource: Resource::Host,
            window: Interval::new(120, 220),
            cleaning: 0,
            min: 12,
            max: 12,
            predicate: Arc::new(gpu()),
        }],
    };
    let Verdict::Refused { conflict } = planner.decide(&request, 0, &Deadline::none(), &Highs).verdict else {
        panic!("37 of 30 hosts")
    };
    assert_eq!(
        &*conflict.text,
        "at 1970-01-01T00:02:30Z, 37 hosts with gpu = true are needed by your request (12) and by earlier leases (25); \
         30 exist, so at most 5 can be yours (too few until 1970-01-01T00:03:20Z)"
    );
    let named: Vec<&str> = conflict.reservations.iter().map(|id| &**id).collect();
    assert_eq!(named, ["a", "b", "q"]);
    let found = offers::find(&planner, &request, &conflict, 0, &Deadline::none(), &Highs);
    let expected = [
        Offer::Start { start: 200 },
        Offer::Amount {
            reservation: "q".into(),
            amount: 5,
        },
        Offer::Drop {
            reservation: "q".into(),
            condition: gpu(),
        },
    ];
    assert_eq!(found, expected);
}
