//! Chooses the subset.
//!
//! Invariant: [`Batch::value`] is the sum of the values of the accepted requests and at most
//! [`Batch::bound`]; [`Batch::proved`] says that no other subset is worth more.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::answer::{self, Answer};
use super::chain;
use super::exact::{self, Finished};
use super::mixed;
use super::model::Model;
use super::neighbourhood;
use super::packing::{Packing, Worth};
use super::prices::Prices;
use super::proof::{MOST_DECISIONS, Open, Proof, Settling};
use super::random::{Random, SEED};
use super::receipt::{self, Receipt};
use super::relaxation::{self, Relaxed};
use super::search::{self, Ordered, Search, add_all, class_orders};
use super::world::{Candidate, World};
use crate::classes::Classes;
use crate::deadline::{Deadline, Part};
use crate::decision::{Conflict, Move, Verdict};
use crate::model::{HostId, LeaseId, Request, ReservationId, Seconds};
use crate::planner::{ModelSolver, Planner, StateError};
use crate::request::Ask;

/// Part of the deadline that the relaxation may take.
const RELAXATION_SHARE: f64 = 0.5;
/// Groups of which all choices are looked at, whatever a program says.
const FEW: usize = 16;
/// What saying of a request why it is impossible may take: what shows it is mostly counted.
pub(super) const LITTLE: Part = Part::of_work(1_000);
/// How many neighbourhoods in succession may bring nothing before the other search has its turn.
const FRUITLESS: u32 = 40;

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// Part of the subset, with the hosts of each requested reservation, sorted.
    Accepted(BTreeMap<ReservationId, Vec<HostId>>),
    /// Accepted with a later request that replaces it: hosts that suit it, where there is a choice those the
    /// later one has; nothing is kept for it.
    Superseded(BTreeMap<ReservationId, Vec<HostId>>),
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
    /// Whether no choice of this value needs fewer moves, as far as that was proved.
    pub fewest: bool,
    /// What shows that no subset is worth more than the bound; none where nothing does but the sum of all values.
    pub receipt: Option<Receipt>,
    /// The state with the subset accepted.
    pub planner: Planner,
}

impl Batch {
    /// Whether the value is the greatest possible.
    pub const fn proved(&self) -> bool {
        self.value == self.bound
    }
}

/// Chooses among requests with their values at `now`.
///
/// # Errors
/// The state contradicts itself.
pub fn choose(
    planner: &Planner,
    requests: &[(Request, u64)],
    now: Seconds,
    deadline: &Deadline,
    solver: &dyn ModelSolver,
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
    let standing = chain::standing(seen, requests);
    let readers = chain::readers(seen, &standing, now);
    let ahead: Vec<Cow<'_, Request>> = standing.iter().map(|request| request.ahead(now)).collect();
    let readings = Readings {
        standing: &standing,
        ahead: &ahead,
        readers: &readers,
    };
    let (candidates, outcome, open) = candidates(seen, requests, readings, now, solver, deadline);
    let mut world = World::new(seen, &candidates, now);
    let classes = Classes::new(&world.scene);
    let model = Model::new(&world, &classes);
    let units = |value: i64| u64::try_from(value).unwrap_or(0).saturating_mul(model.unit);
    // What was not even looked at in time may be worth something beside all the rest.
    let unknown = open.iter().map(|&place| requests[place].1).fold(0, u64::saturating_add);
    let everything = candidates
        .iter()
        .map(|candidate| candidate.value)
        .fold(unknown, u64::saturating_add);
    let mut batch = Batch {
        requests: outcome,
        moves: Vec::new(),
        value: 0,
        bound: everything,
        fewest: false,
        receipt: None,
        planner: planner.clone(),
    };
    let settling = Settling {
        planner: seen,
        candidates: &candidates,
        now,
        solver,
    };
    let (answer, proved) = if mixed::is_needed(planner, &candidates, now) {
        let move_class_of = &world.move_class_of;
        let mixed = mixed::choose(&settling, move_class_of, deadline);
        batch.bound = mixed.bound.saturating_add(unknown).min(everything);
        batch.fewest = mixed.fewest;
        batch.receipt = mixed.receipt;
        (mixed.answer, mixed.proved)
    } else {
        let mut packed = pack(&model, solver, deadline);
        batch.bound = units(packed.relaxed.bound.value())
            .saturating_add(unknown)
            .min(everything);
        let hosts = packed.best.take().and_then(|packing| {
            Some((
                answer::hosts(&mut world, &classes, &model, &packing, &candidates)?,
                packing,
            ))
        });
        let known = hosts.as_ref().map_or(0, |(_, packing)| packing.worth().0);
        // A program's word is no proof, but says that there is one to look for.
        let groups = open_groups(&world, &model);
        let proof = if packed.finished == Finished::Optimal || groups.len() <= FEW {
            let least = known.saturating_add(1);
            settling.prove(&groups, &packed.relaxed.bound, (least, known), MOST_DECISIONS, deadline)
        } else {
            Proof::nothing(packed.relaxed.bound.value() <= known)
        };
        batch.receipt = receipt::of_packing(
            &world,
            &classes,
            &model,
            &packed.relaxed.prices,
            &settling,
            &proof.refuted,
        );
        batch.fewest = packed.fewest && proof.best.is_none();
        match (proof.best, hosts) {
            (Some(answer), _) | (None, Some((answer, _))) => (answer, proof.complete),
            (None, None) => (
                Answer {
                    holds: BTreeMap::new(),
                    moves: Vec::new(),
                },
                proof.complete,
            ),
        }
    };
    let mut accepted: Vec<(usize, Chosen)> = Vec::new();
    let mut value: u64 = 0;
    let bare = chain::bare(planner);
    for (&number, holds) in &answer.holds {
        let last = &candidates[number];
        for &earlier in &last.earlier {
            let earlier = &candidates[earlier];
            let last = (last.request, holds);
            let Some(suitable) = chain::superseded((planner, &bare), earlier, last, now, solver, deadline) else {
                return Ok(batch);
            };
            accepted.push((earlier.place, Chosen::Superseded(suitable)));
        }
        accepted.push((last.place, Chosen::Accepted(holds.clone())));
        value = value.saturating_add(last.worth);
    }
    batch.planner = answer::apply(planner, &candidates, now, &answer)?;
    batch.value = value;
    for (place, chosen) in accepted {
        batch.requests[place] = chosen;
    }
    batch.moves = answer.moves;
    batch.fewest |= batch.moves.iter().all(|change| change.counted == 0);
    if proved {
        batch.bound = batch.value.saturating_add(unknown);
    }
    explain(&mut batch, seen, &candidates, now, solver, deadline);
    Ok(batch)
}

/// Says of what was left out where it could not be accepted even alone. A lease that may be replaced may
/// also make room, so that only holds if there is none.
fn explain(
    batch: &mut Batch,
    seen: &Planner,
    candidates: &[Candidate<'_>],
    now: Seconds,
    solver: &dyn ModelSolver,
    deadline: &Deadline,
) {
    if candidates.iter().any(|candidate| candidate.request.replaces.is_some()) {
        return;
    }
    let mut last: BTreeMap<&LeaseId, (usize, &Candidate<'_>)> = BTreeMap::new();
    for candidate in candidates {
        let (members, of) = last.entry(candidate.lease()).or_insert((0, candidate));
        (*members, *of) = (*members + 1, candidate);
    }
    let alone = last.into_values().filter(|&(members, _)| members == 1);
    for (_, candidate) in alone {
        if batch.requests[candidate.place] != Chosen::LeftOut {
            continue;
        }
        if deadline.is_over() {
            return;
        }
        let little = deadline.part(LITTLE);
        if let Verdict::Refused { conflict } = seen.decide(candidate.request, now, &little, solver).verdict {
            batch.requests[candidate.place] = Chosen::Impossible(conflict);
        }
    }
}

/// The requests of a batch as they are read.
#[derive(Clone, Copy)]
struct Readings<'a> {
    /// See [`chain::standing`].
    standing: &'a [Request],
    /// What of each is still to come.
    ahead: &'a [Cow<'a, Request>],
    /// See [`chain::readers`].
    readers: &'a [Option<Planner>],
}

/// The requests that may be accepted, and what is known of the others.
fn candidates<'a>(
    seen: &'a Planner,
    requests: &[(Request, u64)],
    readings: Readings<'a>,
    now: Seconds,
    solver: &dyn ModelSolver,
    deadline: &Deadline,
) -> (Vec<Candidate<'a>>, Vec<Chosen>, Vec<usize>) {
    let mut outcome: Vec<Chosen> = Vec::with_capacity(requests.len());
    let mut candidates: Vec<Candidate<'a>> = Vec::new();
    let asked = readings.standing.iter().zip(readings.ahead).zip(readings.readers);
    for (place, (((request, ahead), reader), (_, value))) in asked.zip(requests).enumerate() {
        let seen = reader.as_ref().unwrap_or(seen);
        let asks = match crate::admit::untimely(seen, request, now) {
            Some(conflict) => Err(conflict),
            None => Ask::read_all(seen, request, ahead, now),
        };
        match asks {
            Ok(asks) => {
                outcome.push(Chosen::LeftOut);
                candidates.push(Candidate {
                    place,
                    request,
                    asks,
                    value: *value,
                    earlier: Vec::new(),
                    worth: *value,
                    alone: None,
                });
            }
            Err(conflict) => outcome.push(Chosen::Impossible(conflict)),
        }
    }
    let settled = chain::settle(seen, requests, candidates, now, solver, deadline);
    for (place, conflict) in settled.impossible {
        outcome[place] = Chosen::Impossible(conflict);
    }
    (settled.candidates, outcome, settled.open)
}

/// The groups of which something is for a candidate to decide.
fn open_groups(world: &World<'_>, model: &Model) -> Vec<Open> {
    let groups = world.groups.iter().zip(&model.groups).enumerate();
    let open = groups.filter(|(_, (group, _))| group.options.iter().any(|option| option.candidate.is_some()));
    open.map(|(number, (group, alternatives))| Open {
        group: number,
        mandatory: group.mandatory,
        options: group
            .options
            .iter()
            .zip(&alternatives.options)
            .map(|(option, offered)| (option.candidate, offered.value))
            .collect(),
    })
    .collect()
}

/// What counting hosts per class came to.
struct Packed<'m> {
    /// The best packing; `None` if not even what is promised fits where it is.
    best: Option<Packing<'m>>,
    /// The prices and the bound they prove.
    relaxed: Relaxed,
    /// Whether a program says that nothing is worth more.
    finished: Finished,
    /// Whether its moves are proved the fewest.
    fewest: bool,
}

/// Searches for the best packing and bounds its value.
fn pack<'m>(model: &'m Model, solver: &dyn ModelSolver, deadline: &Deadline) -> Packed<'m> {
    let free = Prices::none(&model.timeline);
    let Some(mut best) = greedy(model, &free, None) else {
        let bound = free.bound(model);
        return Packed {
            best: None,
            relaxed: Relaxed {
                prices: free,
                bound,
                taken: Vec::new(),
            },
            finished: Finished::Open,
            fewest: false,
        };
    };
    let relaxed = relaxation::solve(model, &best, solver.engine(), &deadline.share(RELAXATION_SHARE));
    if let Some(guided) = greedy(model, &relaxed.prices, Some(&relaxed))
        && guided.worth() > best.worth()
    {
        best = guided;
    }
    let bound = relaxed.bound.value();
    let mut finished = exact::finish(model, &relaxed.bound, &mut best, solver, deadline);
    if finished == Finished::Open {
        let orders = class_orders(model, &relaxed.prices);
        let mut search = Search::new(search::known(model, &relaxed.prices));
        let mut random = Random::new(SEED);
        for _ in 0..search::rounds(deadline) {
            let mut is_best = |worth: Worth| worth.0 >= bound;
            let mut ordered = Ordered {
                packing: best,
                model,
                orders: &orders,
            };
            search.improve(&mut ordered, &mut is_best, deadline);
            best = ordered.packing;
            if is_best(best.worth()) || deadline.is_over() {
                break;
            }
            neighbourhood::improve(
                model,
                &relaxed.bound,
                &mut best,
                solver,
                &mut random,
                FRUITLESS,
                deadline,
            );
        }
        finished = exact::finish(model, &relaxed.bound, &mut best, solver, deadline);
    }
    let fewest = exact::settle(model, &relaxed.bound, &mut best, solver, deadline);
    best.fill(&class_orders(model, &relaxed.prices));
    Packed {
        best: Some(best),
        relaxed,
        finished,
        fewest,
    }
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
