//! Mode `admit`: the requests of a problem one after another at its `now`, in order of arrival.
//!
//! Invariant: every decision is taken on the state all earlier acceptances left.

use solver_format::{
    ConflictEntry, DecisionEntry, HeldUnits, Members, MoveEntry, OfferEntry, PLAN_FORMAT, Plan, Problem, RequestEntry,
    Summary, VerdictName, all_units, units,
};

use crate::deadline::Deadline;
use crate::decision::{Conflict, Decision, Tier, Verdict};
use crate::model::{Lease, Request, Seconds};
use crate::offers::{self, Offer};
use crate::planner::{ModelSolver, Planner, StateError};

/// How the requests are decided.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For each decision, from when it begins; its clock measures them.
    pub deadline: Deadline,
    /// Whether to look for what would be accepted in place of a refused request: some tens of decisions
    /// more for each, in what the decision leaves of its deadline.
    pub offers: bool,
}

/// Decides every request of a problem at its `now`. `fingerprint` names the problem's text.
pub fn run(
    problem: &Problem,
    fingerprint: &str,
    settings: Settings,
    solver: &dyn ModelSolver,
) -> Result<Plan, StateError> {
    let mut course = Course::new(problem, settings, solver)?;
    for entry in &problem.requests {
        course.decide(entry, problem.now)?;
    }
    Ok(course.finish(fingerprint, "admit", problem.now))
}

/// Requests decided one after another, and the plan they make so far.
pub(crate) struct Course<'a> {
    /// The state the decisions so far have led to.
    pub(crate) planner: Planner,
    cleaning: Seconds,
    settings: Settings,
    solver: &'a dyn ModelSolver,
    decisions: Vec<DecisionEntry>,
    summary: Summary,
}

impl<'a> Course<'a> {
    /// Before the first request of a problem.
    pub(crate) fn new(problem: &Problem, settings: Settings, solver: &'a dyn ModelSolver) -> Result<Self, StateError> {
        Ok(Self {
            planner: Planner::of(problem)?,
            cleaning: problem.cleaning,
            settings,
            solver,
            decisions: Vec::with_capacity(problem.requests.len()),
            summary: Summary::default(),
        })
    }

    /// Decides a request at `now`; what is accepted joins the state. `true` if it was.
    pub(crate) fn decide(&mut self, entry: &RequestEntry, now: Seconds) -> Result<bool, StateError> {
        let seen = &self.planner;
        let request = entry.to_request(self.cleaning);
        let (deadline, solver) = (&self.settings.deadline.restarted(), self.solver);
        let begun = deadline.now();
        let untimely = untimely(seen, &request, now);
        let out_of_time = untimely.is_some();
        let decision = match untimely {
            Some(conflict) => Decision {
                at: now,
                verdict: Verdict::Refused { conflict },
                tier: Tier::Static,
            },
            None => seen.decide(&request, now, deadline, solver),
        };
        let spent = deadline.micros_since(begun);
        count(&mut self.summary, entry, &decision);
        let mut written = write(entry, &decision, spent);
        if let Verdict::Refused { conflict } = &decision.verdict
            && !out_of_time
            && self.settings.offers
        {
            let found = offers::find(seen, &request, conflict, now, deadline, solver);
            written.offers = offers(&request, found);
        }
        self.decisions.push(written);
        self.planner.apply(&request, &decision)?;
        Ok(matches!(decision.verdict, Verdict::Accepted { .. }))
    }

    /// The plan. Leases that have ended by `now` are not part of what is held in the end.
    pub(crate) fn finish(self, fingerprint: &str, mode: &str, now: Seconds) -> Plan {
        Plan {
            format: PLAN_FORMAT.to_owned(),
            problem: fingerprint.to_owned(),
            mode: mode.to_owned(),
            decisions: self.decisions,
            last: held_at(&self.planner, now),
            summary: self.summary,
        }
    }
}

/// What the reservations of all leases that have not ended at `now` hold.
pub(crate) fn held_at(planner: &Planner, now: Seconds) -> Members<HeldUnits> {
    let unended = planner.leases().filter(|lease| !has_ended(lease, now));
    let held = unended.flat_map(|lease| &lease.reservations);
    held.map(|held| (held.id.clone(), units(&held.holds))).collect()
}

/// Whether no reservation of a lease lasts beyond `now`.
fn has_ended(lease: &Lease, now: Seconds) -> bool {
    lease.reservations.iter().all(|held| held.window.end <= now)
}

/// A request may not start before the clock, unless what starts has started already; and a lease that has
/// ended cannot be decided anew.
pub(crate) fn untimely(planner: &Planner, request: &Request, now: Seconds) -> Option<Conflict> {
    let replaced = request.replaces.as_ref().and_then(|lease| planner.lease(lease));
    let malformed = |from, until, reservations, text: &str| Conflict {
        reason: "malformed",
        from,
        until,
        needed: 0,
        exist: 0,
        hosts_matching: Vec::new(),
        reservations,
        certificate: Vec::new(),
        text: text.into(),
    };
    if let Some(lease) = replaced.filter(|lease| has_ended(lease, now)) {
        let end = lease.reservations.iter().map(|held| held.window.end).max();
        let own = request.reservations.iter().map(|asked| asked.id.clone()).collect();
        let text = "the lease it replaces has ended";
        return Some(malformed(end.unwrap_or(now), now, own, text));
    }
    let early = request.reservations.iter().find(|asked| {
        let has_started = replaced.is_some_and(|lease| {
            lease
                .reservations
                .iter()
                .any(|old| old.id == asked.id && old.window.start <= now)
        });
        asked.window.start < now && !has_started
    })?;
    let own = vec![early.id.clone()];
    Some(malformed(
        early.window.start,
        now,
        own,
        "the request starts before the clock",
    ))
}

fn count(summary: &mut Summary, entry: &RequestEntry, decision: &Decision) {
    match &decision.verdict {
        Verdict::Accepted { holds, .. } => {
            summary.accepted += 1;
            summary.moves += u64::from(decision.counted_moves());
            summary.value = summary.value.saturating_add(entry.worth());
            let seconds = entry.host_seconds(holds);
            summary.host_seconds_accepted = summary.host_seconds_accepted.saturating_add(seconds);
        }
        Verdict::Refused { .. } => summary.refused += 1,
        Verdict::Undecided(_) => summary.undecided += 1,
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
        unfinished: None,
    };
    match &decision.verdict {
        Verdict::Accepted { holds, moves } => {
            written.verdict = VerdictName::Accepted;
            written.holds = Some(all_units(holds));
            written.moves = Some(moves.iter().map(MoveEntry::from).collect());
        }
        Verdict::Refused { conflict } => {
            written.verdict = VerdictName::Refused;
            written.conflict = Some(ConflictEntry::from(conflict));
        }
        Verdict::Undecided(why) => {
            written.proved = false;
            written.unfinished = Some(why.name().to_owned());
        }
    }
    written
}

/// Offers as plans write them: the reservation is named only if the request has several.
fn offers(request: &Request, found: Vec<Offer>) -> Vec<OfferEntry> {
    let named = |reservation| (request.reservations.len() > 1).then_some(reservation);
    let entries = found.into_iter().map(|offer| match offer {
        Offer::Start { start } => OfferEntry::Start { start },
        Offer::Amount { reservation, amount } => OfferEntry::Amount {
            reservation: named(reservation),
            amount,
        },
        Offer::Drop { reservation, condition } => OfferEntry::Drop {
            reservation: named(reservation),
            condition: condition.to_json(),
        },
    });
    entries.collect()
}
