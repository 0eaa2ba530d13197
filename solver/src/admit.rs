//! Mode `admit`: the requests of a problem one after another at its `now`, in order of arrival.
//!
//! Invariant: every decision is taken on the state all earlier acceptances left, and every offer was
//! decided like a request before it is made.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::decision::{Conflict, Decision, Tier, Verdict};
use crate::document::{
    ConflictEntry, DecisionEntry, MoveEntry, OfferEntry, PLAN_FORMAT, Plan, Problem, RequestEntry, Summary,
    VerdictName, all_units, units,
};
use crate::model::{Lease, Request, Seconds};
use crate::planner::{Budget, ModelSolver, Planner, StateError};

/// Later starts that are tried for an offer.
const MOST_STARTS: usize = 12;
/// Seconds the model solver may spend on one possible offer.
const OFFER_SECONDS: f64 = 0.5;

/// How the requests are decided.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// For one decision.
    pub budget: Budget,
    /// Whether to look for what would be accepted in place of a refused request. Takes some twenty more
    /// decisions each.
    pub offers: bool,
}

/// Decides every request of a problem. `fingerprint` names the problem's text; `micros` is a clock that
/// counts microseconds from any origin.
pub fn run(
    problem: &Problem,
    fingerprint: &str,
    settings: Settings,
    solver: &dyn ModelSolver,
    mut micros: impl FnMut() -> u64,
) -> Result<Plan, StateError> {
    let mut planner = problem.planner()?;
    let mut decisions = Vec::new();
    let mut summary = Summary::default();
    for entry in &problem.requests {
        let request = entry.to_request(problem.cleaning);
        let started = micros();
        let decision = match in_the_past(&planner, &request, problem.now) {
            Some(conflict) => Decision {
                at: problem.now,
                verdict: Verdict::Refused { conflict },
                tier: Tier::Static,
            },
            None => planner.decide(&request, problem.now, settings.budget, solver),
        };
        let spent = micros().saturating_sub(started);
        count(&mut summary, entry, &decision);
        let mut written = write(entry, &decision, spent);
        let refused = matches!(&decision.verdict, Verdict::Refused { conflict } if conflict.reason != "malformed");
        if refused && settings.offers {
            written.offers = offers(&planner, &request, problem.now, settings.budget, solver);
        }
        decisions.push(written);
        planner.apply(&request, &decision)?;
    }
    let unended = |lease: &&Lease| lease.reservations.iter().any(|held| held.window.end > problem.now);
    let last = planner.leases().filter(unended).flat_map(|lease| &lease.reservations);
    Ok(Plan {
        format: PLAN_FORMAT.to_owned(),
        problem: fingerprint.to_owned(),
        mode: "admit".to_owned(),
        decisions,
        last: last.map(|held| (held.id.clone(), units(&held.holds))).collect(),
        summary,
    })
}

/// A request may not start before the clock, unless what starts has started already.
fn in_the_past(planner: &Planner, request: &Request, now: Seconds) -> Option<Conflict> {
    let replaced = request.replaces.as_ref().and_then(|lease| planner.lease(lease));
    let early = request.reservations.iter().find(|asked| {
        let has_started = replaced.is_some_and(|lease| {
            lease
                .reservations
                .iter()
                .any(|old| old.id == asked.id && old.window.start <= now)
        });
        asked.window.start < now && !has_started
    })?;
    Some(Conflict {
        reason: "malformed",
        from: early.window.start,
        until: now,
        needed: 0,
        exist: 0,
        hosts_matching: Vec::new(),
        reservations: vec![early.id.clone()],
        text: "the request starts before the clock".into(),
    })
}

fn count(summary: &mut Summary, entry: &RequestEntry, decision: &Decision) {
    match &decision.verdict {
        Verdict::Accepted { holds, .. } => {
            summary.accepted += 1;
            summary.moves += u64::from(decision.counted_moves());
            summary.value = summary.value.saturating_add(entry.worth());
            for part in &entry.reservations {
                let hosts = holds.get(&part.id).map_or(0, Vec::len) as u64;
                let seconds = hosts.saturating_mul(part.end.abs_diff(part.start));
                summary.host_seconds_accepted = summary.host_seconds_accepted.saturating_add(seconds);
            }
        }
        Verdict::Refused { .. } => summary.refused += 1,
        Verdict::Undecided => summary.undecided += 1,
    }
}

fn write(entry: &RequestEntry, decision: &Decision, micros: u64) -> DecisionEntry {
    let mut written = DecisionEntry {
        request: entry.id.clone(),
        verdict: VerdictName::Undecided,
        proved: true,
        tier: decision.tier.name().to_owned(),
        micros,
        holds: None,
        moves: None,
        conflict: None,
        offers: Vec::new(),
    };
    match &decision.verdict {
        Verdict::Accepted { holds, moves } => {
            written.verdict = VerdictName::Accepted;
            written.holds = Some(all_units(holds));
            let moves = moves.iter().map(|change| MoveEntry {
                reservation: change.reservation.clone(),
                from: units(&change.from),
                to: units(&change.to),
            });
            written.moves = Some(moves.collect());
        }
        Verdict::Refused { conflict } => {
            written.verdict = VerdictName::Refused;
            written.conflict = Some(ConflictEntry::of(conflict));
        }
        Verdict::Undecided => written.proved = false,
    }
    written
}

/// The next start and the largest amount that would be accepted, as far as they are found quickly.
fn offers(
    planner: &Planner,
    request: &Request,
    now: Seconds,
    budget: Budget,
    solver: &dyn ModelSolver,
) -> Vec<OfferEntry> {
    let seconds = budget
        .seconds
        .map_or(OFFER_SECONDS, |seconds| seconds.min(OFFER_SECONDS));
    let budget = Budget { seconds: Some(seconds) };
    let works = |request: &Request| {
        matches!(
            planner.decide(request, now, budget, solver).verdict,
            Verdict::Accepted { .. }
        )
    };
    let mut offers = Vec::new();
    offers.extend(later(planner, request, works));
    offers.extend(fewer(request, works));
    offers
}

/// The first end of other work or of a block at which the whole request could start. Between such ends
/// nothing becomes free, so no earlier start is missed unless more than the tried ones lie before it.
fn later(planner: &Planner, request: &Request, works: impl Fn(&Request) -> bool) -> Option<OfferEntry> {
    if request.replaces.is_some() {
        return None;
    }
    let held = planner
        .leases()
        .flat_map(|lease| &lease.reservations)
        .map(|held| held.occupation().end);
    let blocks = planner
        .hosts
        .values()
        .flat_map(|carried| carried.host.blocks.iter().map(|block| block.end));
    let ends: Vec<Seconds> = held.chain(blocks).collect();
    let mut shifts: BTreeSet<Seconds> = BTreeSet::new();
    for asked in &request.reservations {
        shifts.extend(
            ends.iter()
                .map(|end| end.saturating_sub(asked.window.start))
                .filter(|&shift| shift > 0),
        );
    }
    let first = request.reservations.first()?.window.start;
    for shift in shifts.into_iter().take(MOST_STARTS) {
        let mut shifted = request.clone();
        for asked in &mut shifted.reservations {
            asked.window.start = asked.window.start.checked_add(shift)?;
            asked.window.end = asked.window.end.checked_add(shift)?;
        }
        if works(&shifted) {
            let first = request
                .reservations
                .iter()
                .map(|asked| asked.window.start)
                .min()
                .unwrap_or(first);
            return Some(OfferEntry::Start { start: first + shift });
        }
    }
    None
}

/// The greatest smaller amount of the only reservation. What works with more works with less, so halving
/// the range finds it.
fn fewer(request: &Request, works: impl Fn(&Request) -> bool) -> Option<OfferEntry> {
    let [asked] = request.reservations.as_slice() else {
        return None;
    };
    let with = |amount: u32| {
        let mut fewer = asked.clone();
        fewer.min = amount;
        Request {
            reservations: vec![fewer],
            id: Arc::clone(&request.id),
            replaces: request.replaces.clone(),
        }
    };
    let (mut works_with, mut fails_with) = (0, asked.min);
    while fails_with - works_with > 1 {
        let middle = works_with + (fails_with - works_with) / 2;
        if works(&with(middle)) {
            works_with = middle;
        } else {
            fails_with = middle;
        }
    }
    (works_with > 0).then_some(OfferEntry::Amount {
        reservation: None,
        amount: works_with,
    })
}
