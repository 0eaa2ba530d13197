//! Berth and its rivals behind one face.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use solver::deadline::Deadline;
use solver::decision::{Decision, Verdict};
use solver::model::{Host, HostId, Lease, LeaseId, Pool, Request, Reservation, ReservationId, Seconds};
use solver::planner::{ModelSolver, Planner};

use super::ReplayError;
use super::prices::Prices;
use super::tally::{Held, Tally};
use crate::baseline::{Named, Rule};
use crate::ledger::Ledger;
use crate::stages::Stages;

/// A planner in a replay.
pub trait Contender {
    /// Answers a request and keeps what it promises; `tally` hears of counted ones.
    fn answer(&mut self, request: &Request, now: Seconds, tally: Option<&mut Tally>) -> Result<bool, ReplayError>;
    /// A lease is over.
    fn end(&mut self, lease: &LeaseId);
    /// What a lease holds.
    fn held(&self, lease: &LeaseId) -> Held;
    /// Adds what is counted over the whole stream.
    fn finish(&self, tally: &mut Tally);
}

fn held(planner: &Planner, lease: &LeaseId) -> Held {
    let parts = planner.lease(lease).into_iter().flat_map(|lease| &lease.reservations);
    let amount = |part: &Reservation| part.holds.len() as u64 * part.window.end.abs_diff(part.window.start);
    parts.map(|part| (part.id.clone(), amount(part))).collect()
}

pub(super) fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}

/// Berth's planner, every applied decision of which is recounted.
pub struct Berth<'a> {
    planner: Planner,
    ledger: Ledger,
    /// For each decision.
    deadline: Deadline,
    solver: Stages<'a>,
    /// What an acceptance must be worth; without prices everything feasible is accepted.
    prices: Option<Prices>,
}

impl<'a> Berth<'a> {
    /// On the hosts of a planner without leases.
    pub fn new(planner: Planner, freeze: Seconds, deadline: Deadline, solver: &'a dyn ModelSolver) -> Self {
        Self {
            ledger: Ledger::new(planner.hosts().cloned(), freeze),
            planner,
            deadline,
            solver: Stages::new(solver),
            prices: None,
        }
    }

    /// The same, but what is feasible is refused if it displaces more than it is worth.
    #[must_use]
    pub fn with_prices(mut self, prices: Prices) -> Self {
        self.prices = Some(prices);
        self
    }

    /// Whether an acceptance is worth its price; the request is remembered.
    fn is_worth(&mut self, request: &Request, decision: &Decision) -> bool {
        let Some(prices) = &mut self.prices else { return true };
        let met = match &decision.verdict {
            Verdict::Accepted { holds, .. } => request.reservations.iter().all(|asked| {
                let hosts = holds.get(&asked.id).into_iter().flatten();
                let hosts: Vec<&Host> = hosts.filter_map(|host| self.planner.host(host)).collect();
                prices.are_met(&self.planner, asked, &hosts, decision.at)
            }),
            Verdict::Refused { .. } | Verdict::Undecided(_) => true,
        };
        prices.learn(request, decision.at);
        met
    }
}

impl Contender for Berth<'_> {
    fn answer(&mut self, request: &Request, now: Seconds, tally: Option<&mut Tally>) -> Result<bool, ReplayError> {
        let started = Instant::now();
        let deadline = self.deadline.restarted();
        let decide = |solver: &dyn ModelSolver| self.planner.decide(request, now, &deadline, solver);
        let (decision, stage, runs) = self.solver.watch(decide);
        let micros = micros(started);
        let is_worth = self.is_worth(request, &decision);
        if let Some(tally) = tally {
            tally.took(stage.name(), micros);
            tally.census.count(stage, runs);
            match &decision.verdict {
                Verdict::Accepted { .. } if is_worth => tally.moves += u64::from(decision.counted_moves()),
                Verdict::Accepted { .. } => {
                    tally.refused += 1;
                    tally.declined += 1;
                }
                Verdict::Refused { .. } => tally.refused += 1,
                Verdict::Undecided(_) => tally.undecided += 1,
            }
        }
        if !is_worth {
            return Ok(false);
        }
        let broken = |why: String| ReplayError(format!("request `{}`: {why}", request.id));
        self.ledger
            .record(request, &decision)
            .map_err(|breach| broken(breach.0))?;
        self.planner
            .apply(request, &decision)
            .map_err(|error| broken(error.to_string()))?;
        Ok(matches!(decision.verdict, Verdict::Accepted { .. }))
    }

    fn end(&mut self, lease: &LeaseId) {
        self.planner.remove_lease(lease);
        self.ledger.remove(lease);
    }

    fn held(&self, lease: &LeaseId) -> Held {
        held(&self.planner, lease)
    }

    fn finish(&self, _: &mut Tally) {}
}

/// A baseline, with a planner in the same state that says which of its refusals were needless.
pub struct Rival<'a> {
    named: Named,
    mirror: Planner,
    /// For each second opinion.
    deadline: Deadline,
    solver: &'a dyn ModelSolver,
    /// Whether refusals are held against the planner.
    second_opinion: bool,
}

impl<'a> Rival<'a> {
    /// On the hosts and pools of a planner without leases.
    pub fn new(
        rule: Rule,
        named: (Vec<Host>, Vec<Pool>),
        mirror: Planner,
        deadline: Deadline,
        solver: &'a dyn ModelSolver,
        second_opinion: bool,
    ) -> Self {
        Self {
            named: Named::new(rule, named.0, named.1),
            mirror,
            deadline,
            solver,
            second_opinion,
        }
    }
}

/// The lease a request becomes with these hosts.
fn granted(request: &Request, holds: &BTreeMap<ReservationId, Vec<HostId>>) -> Lease {
    let parts = request.reservations.iter().map(|part| Reservation {
        id: part.id.clone(),
        resource: part.resource.clone(),
        window: part.window,
        cleaning: part.cleaning,
        min: part.min,
        max: part.max,
        predicate: Arc::clone(&part.predicate),
        holds: holds.get(&part.id).cloned().unwrap_or_default(),
        pinned: false,
    });
    Lease {
        id: request.replaces.as_ref().unwrap_or(&request.id).clone(),
        reservations: parts.collect(),
    }
}

impl Contender for Rival<'_> {
    fn answer(&mut self, request: &Request, now: Seconds, tally: Option<&mut Tally>) -> Result<bool, ReplayError> {
        let started = Instant::now();
        let answer = self.named.answer(request, now);
        let micros = micros(started);
        if let Some(holds) = &answer {
            let lease = granted(request, holds);
            self.mirror
                .put_lease_since(lease, now)
                .map_err(|error| ReplayError(format!("request `{}`: {error}", request.id)))?;
        }
        if let Some(tally) = tally {
            tally.took("rule", micros);
            if answer.is_none() {
                tally.refused += 1;
                if self.second_opinion {
                    let deadline = self.deadline.restarted();
                    match self.mirror.decide(request, now, &deadline, self.solver).verdict {
                        Verdict::Accepted { .. } => tally.needless += 1,
                        Verdict::Refused { .. } => {}
                        Verdict::Undecided(_) => tally.unknown += 1,
                    }
                }
            }
        }
        Ok(answer.is_some())
    }

    fn end(&mut self, lease: &LeaseId) {
        self.named.end(lease);
        self.mirror.remove_lease(lease);
    }

    fn held(&self, lease: &LeaseId) -> Held {
        held(&self.mirror, lease)
    }

    fn finish(&self, tally: &mut Tally) {
        tally.overbooked = self.named.overbooked.requests;
    }
}
