//! Chooses the subset.
//!
//! Invariant: [`Batch::value`] is the sum of the values of the accepted requests and at most
//! [`Batch::bound`]; [`Batch::proved`] says that no other subset is worth more.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::answer;
use super::clock::Clock;
use super::exact::{self, Finished};
use super::mixed;
use super::model::Model;
use super::neighbourhood;
use super::packing::{Packing, Worth};
use super::prices::Prices;
use super::random::Random;
use super::relaxation::{self, Relaxed};
use super::search::{self, Search, add_all, class_orders};
use super::world::{Candidate, Restrictions, World};
use crate::classes::Classes;
use crate::decision::{Conflict, Move};
use crate::model::{HostId, Request, ReservationId, Seconds};
use crate::planner::{ModelSolver, Planner, StateError};
use crate::request::Ask;

/// Part of the time the relaxation may take.
const RELAXATION_SHARE: f64 = 0.5;

/// How long and how hard to search.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Wall seconds for the whole batch, `None` without limit.
    pub seconds: Option<f64>,
    /// Rounds of the search: with no time limit the search ends after so many.
    pub rounds: u32,
    /// Seed of the search.
    pub seed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            seconds: None,
            rounds: 8,
            seed: 1,
        }
    }
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// Part of the subset, with the hosts of each requested reservation, sorted.
    Accepted(BTreeMap<ReservationId, Vec<HostId>>),
    /// Could not be accepted even alone.
    Impossible(Conflict),
    /// Left out in favour of others.
    LeftOut,
}

/// The chosen subset.
pub struct Batch {
    /// One for each request, in their order.
    pub requests: Vec<Chosen>,
    /// Every change of what a pending reservation holds.
    pub moves: Vec<Move>,
    /// Value of the accepted requests.
    pub value: u64,
    /// No subset is worth more.
    pub bound: u64,
    /// The state with the subset accepted.
    pub planner: Planner,
}

impl Batch {
    /// Whether the value is the greatest possible.
    pub const fn proved(&self) -> bool {
        self.value == self.bound
    }
}

/// Chooses among requests with their values at `now`. `micros` is a clock that counts microseconds from
/// any origin.
///
/// # Errors
/// The state contradicts itself.
pub fn choose(
    planner: &Planner,
    requests: &[(Request, u64)],
    now: Seconds,
    limits: Limits,
    solver: &dyn ModelSolver,
    micros: &mut dyn FnMut() -> u64,
) -> Result<Batch, StateError> {
    let together = Request {
        id: "".into(),
        replaces: None,
        reservations: requests
            .iter()
            .flat_map(|(request, _)| request.reservations.iter().cloned())
            .collect(),
    };
    let knowing = planner.knowing(&together);
    let seen = knowing.as_ref().unwrap_or(planner);
    let mut outcome: Vec<Chosen> = Vec::with_capacity(requests.len());
    let mut candidates: Vec<Candidate<'_>> = Vec::new();
    for (place, (request, value)) in requests.iter().enumerate() {
        let asks = match crate::admit::untimely(seen, request, now) {
            Some(conflict) => Err(conflict),
            None => Ask::read_all(seen, request, now),
        };
        match asks {
            Ok(asks) => {
                outcome.push(Chosen::LeftOut);
                candidates.push(Candidate {
                    place,
                    request,
                    asks,
                    value: *value,
                });
            }
            Err(conflict) => outcome.push(Chosen::Impossible(conflict)),
        }
    }
    let restrictions = Restrictions::new(seen, &candidates, now);
    let mut world = World::new(seen, &candidates, &restrictions, now);
    let classes = Classes::new(&world.scene);
    let model = Model::new(&world, &classes);
    let mut clock = Clock::new(limits.seconds, micros);
    let units = |value: i64| u64::try_from(value).unwrap_or(0).saturating_mul(model.unit);
    let everything = candidates
        .iter()
        .map(|candidate| candidate.value)
        .fold(0, u64::saturating_add);
    let mut batch = Batch {
        requests: outcome,
        moves: Vec::new(),
        value: 0,
        bound: everything,
        planner: planner.clone(),
    };
    let (answer, proved) = if mixed::is_needed(planner, &candidates, now) {
        let packing = greedy(&model, &Prices::none(&model.timeline), None).unwrap_or_else(|| Packing::new(&model));
        let reserved = limits.seconds.map_or(0.0, |seconds| seconds * (1.0 - RELAXATION_SHARE));
        let mut left = || clock.left().map(|left| left - reserved);
        let relaxed = relaxation::solve(&model, &packing, solver.engine(), &mut left);
        batch.bound = units(relaxed.bound.value()).min(everything);
        mixed::choose(planner, &candidates, &world.move_class_of, now, solver, &mut clock)
    } else {
        let Some((packing, bound)) = pack(&model, limits, solver, &mut clock) else {
            return Ok(batch);
        };
        batch.bound = units(bound).min(everything);
        let Some(answer) = answer::hosts(&mut world, &classes, &model, &packing, &candidates) else {
            return Ok(batch);
        };
        (answer, false)
    };
    batch.planner = answer::apply(planner, &candidates, now, &answer)?;
    for (number, holds) in answer.holds {
        let candidate = &candidates[number];
        batch.requests[candidate.place] = Chosen::Accepted(holds);
        batch.value = batch.value.saturating_add(candidate.value);
    }
    batch.moves = answer.moves;
    if proved {
        batch.bound = batch.value;
    }
    Ok(batch)
}

/// The best packing and the bound on its value, both in the model's unit; `None` if not even what is
/// promised fits.
fn pack<'m>(
    model: &'m Model,
    limits: Limits,
    solver: &dyn ModelSolver,
    clock: &mut Clock<'_>,
) -> Option<(Packing<'m>, i64)> {
    let free = Prices::none(&model.timeline);
    let mut best = greedy(model, &free, None)?;
    let reserved = limits.seconds.map_or(0.0, |seconds| seconds * (1.0 - RELAXATION_SHARE));
    let mut left = || clock.left().map(|left| left - reserved);
    let relaxed = relaxation::solve(model, &best, solver.engine(), &mut left);
    if let Some(guided) = greedy(model, &relaxed.prices, Some(&relaxed))
        && guided.worth() > best.worth()
    {
        best = guided;
    }
    let bound = relaxed.bound.value();
    let mut proved = exact::finish(model, &relaxed.bound, &mut best, solver, &mut || clock.left());
    if proved == Finished::Open {
        let orders = class_orders(model, &relaxed.prices);
        let mut search = Search::new(model, &relaxed.prices, &orders, limits.seed);
        let mut random = Random::new(limits.seed);
        for _ in 0..limits.rounds {
            let mut stop = |worth: Worth| worth.0 >= bound || clock.is_over();
            search.improve(&mut best, 1, &mut stop);
            let mut stop = |worth: Worth| worth.0 >= bound || clock.is_over();
            if stop(best.worth()) {
                break;
            }
            neighbourhood::improve(model, &relaxed.bound, &mut best, solver, &mut random, 20, clock);
        }
        proved = exact::finish(model, &relaxed.bound, &mut best, solver, &mut || clock.left());
    }
    exact::settle(model, &relaxed.bound, &mut best, solver, &mut || clock.left());
    best.fill(&class_orders(model, &relaxed.prices));
    let bound = if proved == Finished::Optimal {
        best.worth().0
    } else {
        bound
    };
    Some((best, bound))
}

/// The best of several greedy packings.
fn greedy<'m>(model: &'m Model, prices: &Prices, relaxed: Option<&Relaxed>) -> Option<Packing<'m>> {
    let orders = class_orders(model, prices);
    let promised = search::promised(model, &orders)?;
    let undecided: Vec<usize> = (0..model.groups.len())
        .filter(|&group| promised.taken(group).is_none())
        .collect();
    let value = |group: usize| search::worth(&model.groups[group]).unwrap_or(0);
    let host_seconds = |group: usize| -> i64 {
        let options = model.groups[group].options.iter().flat_map(|option| &option.demands);
        let of = |&demand: &usize| {
            model
                .need(demand)
                .seconds
                .saturating_mul(i64::from(model.need(demand).least))
        };
        options.map(of).fold(1, i64::saturating_add)
    };
    let profit = |group: usize| {
        let options = model.groups[group].options.iter();
        options
            .filter_map(|option| prices.profit(model, option))
            .max()
            .unwrap_or(i128::MIN)
    };
    let mut tried: Vec<Vec<usize>> = Vec::new();
    let mut by_value = undecided.clone();
    by_value.sort_by_key(|&group| (Reverse(value(group)), group));
    tried.push(by_value);
    let mut by_density = undecided.clone();
    by_density.sort_by_key(|&group| {
        let density = i128::from(value(group)) * 1_000_000 / i128::from(host_seconds(group));
        (Reverse(density), Reverse(value(group)), group)
    });
    tried.push(by_density);
    let mut by_profit = undecided.clone();
    by_profit.sort_by_key(|&group| (Reverse(profit(group)), group));
    tried.push(by_profit);
    if let Some(taken) = relaxed.map(|relaxed| &relaxed.taken).filter(|taken| !taken.is_empty()) {
        let mut by_relaxation = undecided;
        let whole = |group: usize| taken[group].iter().copied().fold(0.0, f64::max);
        by_relaxation.sort_by(|&one, &other| {
            let by_taken = whole(other).total_cmp(&whole(one));
            by_taken
                .then_with(|| profit(other).cmp(&profit(one)))
                .then(one.cmp(&other))
        });
        tried.push(by_relaxation);
    }
    let packings = tried.into_iter().map(|order| {
        let mut packing = promised.clone();
        add_all(&mut packing, model, &order, &orders);
        packing
    });
    packings.max_by_key(Packing::worth)
}
