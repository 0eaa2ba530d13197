//! Batches in which instances or units of pools take part.
//!
//! Invariant: the bound comes from what hosts and units have in sum, which leaves out conditions and so never
//! excludes a choice. A choice is called the best only if it meets the bound or the planner refused every
//! one that could be worth more, each as one request of all its reservations.
//!
//! `world` puts everything on spots, `stores` sums them up and `relaxation` prices them. `yard` is what the search
//! changes, and `planned` what the planner makes of it; what the prices leave is settled as for whole hosts.

mod builder;
mod planned;
mod receipt;
mod relaxation;
mod stores;
mod world;
mod yard;

use std::cmp::Reverse;
use std::time::Duration;

use super::answer::Answer;
use super::choose::LITTLE;
use super::packing::Worth;
use super::prices::DENOMINATOR;
use super::proof::{MOST_DECISIONS, Open, Proof, Settling};
use super::receipt::Receipt;
use super::search::{Changing, Known, Search, inexact, rounds};
use super::world::Candidate;
use crate::deadline::{Deadline, Part};
use crate::mixed::has_other_kinds;
use crate::model::Seconds;
use crate::planner::Planner;
use crate::scene::ClassNumber;
use planned::Planned;
use relaxation::Relaxed;
use stores::Stores;
use world::World;
use yard::Yard;

/// Shares of the deadline after which the relaxation ends, and the search.
const SHARES: (f64, f64) = (0.4, 0.8);
/// Choices that are decided before the search has its turn.
const FIRST_DECISIONS: usize = 256;
/// What one decision of the planner may take in the end.
const DECISION: Part = Part {
    time: Duration::from_millis(250),
    work: 100_000,
};

/// Whether counts of whole hosts do not say everything about this batch.
pub(crate) fn is_needed(planner: &Planner, candidates: &[Candidate<'_>], now: Seconds) -> bool {
    planner.may_move_instances(now) || candidates.iter().any(|candidate| has_other_kinds(candidate.request))
}

/// A choice and what none is worth more than.
pub(crate) struct Mixed {
    pub(crate) answer: Answer,
    pub(crate) bound: u64,
    /// Whether no other choice is worth more.
    pub(crate) proved: bool,
    /// Whether no choice of this value needs fewer moves, as far as that was proved.
    pub(crate) fewest: bool,
    /// What shows the bound.
    pub(crate) receipt: Option<Receipt>,
}

/// Chooses among the candidates.
pub(crate) fn choose(settling: &Settling<'_, '_>, move_class_of: &[ClassNumber], deadline: &Deadline) -> Mixed {
    let &Settling {
        planner,
        candidates,
        now,
        solver,
    } = settling;
    let world = World::new(planner, candidates, now);
    let stores = Stores::new(&world);
    let early = &deadline.share(SHARES.1);
    let relaxed = relaxation::solve(&world, &stores, solver.engine(), &deadline.share(SHARES.0));
    let bound = relaxed.bound.value();
    let groups = known(&world, &stores, &relaxed);
    let mut left: Vec<usize> = (0..world.groups.len()).filter(|&group| world.is_open(group)).collect();
    left.sort_by_key(|&group| (Reverse(groups[group].worth), group));
    let units = |value: u64| i64::try_from(value / stores.unit).unwrap_or(i64::MAX);
    let mut best = Planned::nothing(planner);
    let mut yard = Yard::new(&world);
    if let Some(yard) = &mut yard {
        *yard = greedy(yard, &groups, &left);
        best = Planned::of(planner, candidates, &world, yard, now).unwrap_or(best);
    }
    best.extend(candidates, &world, (&left, LITTLE), now, solver, deadline);
    // The yard keeps everything on its spot; the planner alone takes longer and fits more whole hosts in.
    let mut planned = Planned::nothing(planner);
    let order = by_density(&world, candidates);
    planned.extend(candidates, &world, (&order, DECISION), now, solver, early);
    if planned.value(candidates) > best.value(candidates) {
        best = planned;
    }
    let mut value = best.value(candidates);
    let open = open_groups(&world, &stores);
    let known = units(value);
    let mut proof = settling.prove(&open, &relaxed.bound, (known, known), FIRST_DECISIONS, deadline);
    if !proof.complete
        && let Some(mut yard) = yard
    {
        let mut search = Search::new(groups);
        for _ in 0..rounds(deadline) {
            let mut is_best = |worth: Worth| worth.0 / i64::try_from(stores.unit).unwrap_or(i64::MAX) >= bound;
            search.improve(&mut yard, &mut is_best, early);
            if is_best(yard.worth()) || early.is_over() {
                break;
            }
        }
        if let Ok(mut next) = Planned::of(planner, candidates, &world, &yard, now) {
            next.extend(candidates, &world, (&left, DECISION), now, solver, deadline);
            if next.value(candidates) > value {
                best = next;
                value = best.value(candidates);
            }
        }
        let known = units(value).max(proof.value.unwrap_or(0));
        let next = settling.prove(&open, &relaxed.bound, (known, known), MOST_DECISIONS, deadline);
        proof = if next.best.is_none() && proof.value.is_some_and(|found| found >= known) {
            Proof {
                complete: next.complete,
                refuted: next.refuted,
                ..proof
            }
        } else {
            next
        };
    }
    let receipt = receipt::of_stores(&world, &stores, &relaxed.sums, settling, &proof.refuted);
    let proved = proof.complete || proof.value.unwrap_or(units(value)) >= bound;
    let (answer, fewest) = match proof.best {
        Some(answer) => (answer, proof.complete && !deadline.is_over()),
        None => (best.answer(planner, candidates, move_class_of), false),
    };
    Mixed {
        answer,
        bound: u64::try_from(bound).unwrap_or(0).saturating_mul(stores.unit),
        proved,
        fewest,
        receipt,
    }
}

/// The groups of which something is for a candidate to decide.
fn open_groups(world: &World, stores: &Stores) -> Vec<Open> {
    let open = (0..world.groups.len()).filter(|&group| world.is_open(group));
    open.map(|number| {
        let group = &world.groups[number];
        let options = group.options.iter();
        Open {
            group: number,
            mandatory: group.mandatory,
            options: options.map(|option| (option.candidate, stores.value(option))).collect(),
        }
    })
    .collect()
}

/// What the search knows of the groups at the relaxation's prices.
fn known(world: &World, stores: &Stores, relaxed: &Relaxed) -> Vec<Known> {
    let known = world.groups.iter().map(|group| {
        let options = || group.options.iter();
        let profits = options().filter_map(|option| stores.profit(option, &relaxed.sums));
        let spans = || {
            options()
                .flat_map(|option| &option.needs)
                .map(|&need| &stores.demands[need])
        };
        let first = spans().map(|demand| demand.first).min().unwrap_or(0);
        let value = options().map(|option| option.value).max().unwrap_or(0);
        let unit = inexact(stores.unit.into());
        Known {
            mandatory: group.mandatory,
            worth: i64::try_from(value).unwrap_or(i64::MAX),
            profit: profits.max().map_or(f64::NEG_INFINITY, inexact) / inexact(DENOMINATOR) * unit,
            span: (first, spans().map(|demand| demand.after).max().unwrap_or(first)),
        }
    });
    known.collect()
}

/// The groups that are open, those of most value for their spots and time first.
fn by_density(world: &World, candidates: &[Candidate<'_>]) -> Vec<usize> {
    let density = |number: usize| {
        let candidate = &candidates[number];
        let asked = candidate.request.reservations.iter();
        let of = asked.map(|asked| u128::from(asked.min) * u128::from(asked.window.seconds().unsigned_abs()));
        u128::from(candidate.worth) * 1_000_000 / of.sum::<u128>().max(1)
    };
    let mut order: Vec<usize> = (0..world.groups.len()).filter(|&group| world.is_open(group)).collect();
    order.sort_by_cached_key(|&group| {
        let options = || world.groups[group].options.iter();
        let densities = options().filter_map(|option| option.candidate).map(density);
        (
            Reverse(densities.max()),
            Reverse(options().map(|option| option.value).max()),
            group,
        )
    });
    order
}

/// The best of several yards filled group by group, from one with only what is promised.
fn greedy<'w>(promised: &Yard<'w>, groups: &[Known], by_value: &[usize]) -> Yard<'w> {
    let mut by_profit = by_value.to_vec();
    by_profit.sort_by(|&one, &other| {
        groups[other]
            .profit
            .total_cmp(&groups[one].profit)
            .then(one.cmp(&other))
    });
    let filled = [by_value.to_vec(), by_profit].map(|order| {
        let mut yard = promised.clone();
        for group in order {
            yard.remove(group);
            yard.serve(group);
        }
        yard
    });
    let [by_value, by_profit] = filled;
    if by_profit.worth() > by_value.worth() {
        by_profit
    } else {
        by_value
    }
}
