//! Large neighbourhoods: everything near one instant is chosen anew, the rest stays.
//!
//! Invariant: the packing never gets worse, and what the solver answers is recounted before it is taken.

use super::clock::Clock;
use super::formulation::{Formulation, Goal, Part, float};
use super::model::Model;
use super::packing::{Packing, Taken};
use super::prices::Bound;
use super::random::Random;
use crate::program::ModelSolver;

/// Columns a neighbourhood may have in the beginning, and at most.
const COLUMNS: (usize, usize) = (400, 6_000);
/// Seconds one neighbourhood may take. A guard: neighbourhoods shrink before they get that hard.
const SECONDS: f64 = 4.0;

/// Solves neighbourhoods until `rounds` of them in succession brought nothing or the clock says stop.
pub(crate) fn improve(
    model: &Model,
    bound: &Bound,
    best: &mut Packing<'_>,
    solver: &dyn ModelSolver,
    random: &mut Random,
    rounds: u32,
    clock: &mut Clock<'_>,
) {
    let instants = model.timeline.instants.len();
    let spans: Vec<(usize, usize)> = (0..model.groups.len()).map(|group| span(model, group)).collect();
    let mut most = COLUMNS.0;
    let mut fruitless = 0;
    while fruitless < rounds && instants > 0 && best.worth().0 < bound.value() && !clock.is_over() {
        let centre = random.below(instants);
        let groups = near(model, &spans, centre, most, random);
        let seconds = clock.left().map_or(SECONDS, |left| left.min(SECONDS));
        match choose(model, bound, best, solver, &groups, seconds) {
            Some(true) => fruitless = 0,
            Some(false) => {
                fruitless += 1;
                most = (most + most / 16).min(COLUMNS.1);
            }
            None => {
                fruitless += 1;
                most = (most - most / 4).max(COLUMNS.0 / 4);
            }
        }
    }
}

fn span(model: &Model, group: usize) -> (usize, usize) {
    let needs = || {
        let options = model.groups[group].options.iter();
        options
            .flat_map(|option| &option.demands)
            .map(|&demand| model.need(demand))
    };
    let first = needs().map(|need| need.first).min().unwrap_or(0);
    (first, needs().map(|need| need.after).max().unwrap_or(first))
}

/// Groups whose middle is nearest to an instant, some left out at random, as many as the columns allow.
fn near(model: &Model, spans: &[(usize, usize)], centre: usize, most: usize, random: &mut Random) -> Vec<usize> {
    let mut by_distance: Vec<(usize, usize, usize)> = spans
        .iter()
        .enumerate()
        .filter(|(_, (first, after))| first < after)
        .map(|(group, &(first, after))| {
            let middle = usize::midpoint(first, after - 1);
            let outside = if (first..after).contains(&centre) {
                0
            } else {
                model.timeline.instants.len()
            };
            (outside + middle.abs_diff(centre), random.below(1 << 20), group)
        })
        .collect();
    by_distance.sort_unstable();
    let mut chosen = Vec::new();
    let mut columns = 0;
    for (_, coin, group) in by_distance {
        if coin % 4 == 0 {
            continue;
        }
        let options = &model.groups[group].options;
        let demands = options.iter().flat_map(|option| &option.demands);
        columns += options.len() + demands.map(|&demand| model.need(demand).eligible.len()).sum::<usize>();
        if columns > most && !chosen.is_empty() {
            break;
        }
        chosen.push(group);
    }
    chosen.sort_unstable();
    chosen
}

/// Chooses among some groups anew. `Some`: whether the packing is better now; `None`: too hard in the time.
fn choose(
    model: &Model,
    bound: &Bound,
    best: &mut Packing<'_>,
    solver: &dyn ModelSolver,
    groups: &[usize],
    seconds: f64,
) -> Option<bool> {
    let (value, before) = (best.worth().0, best.worth());
    let mut engine = solver.engine()?;
    let mut without = best.clone();
    let old: Vec<(usize, Taken)> = groups
        .iter()
        .filter_map(|&group| Some((group, without.remove(group)?)))
        .collect();
    let part = Part {
        groups,
        // What cannot be part of anything better need not be looked at; what is taken must be.
        allowed: &|group, option| {
            bound.allows(group, option, value + 1) || best.taken(group).is_some_and(|taken| taken.option == option)
        },
        dispensable: &|group| {
            !model.groups[group].mandatory && (best.taken(group).is_none() || bound.allows_nothing(group, value + 1))
        },
    };
    let mut program = Formulation::new(model, &part, Goal::Value);
    program.limit_all(model, |class, instant| i64::from(without.free(class)[instant]));
    let scale = program
        .options
        .iter()
        .map(|&(group, option, _)| model.groups[group].options[option].value);
    let scale = float(scale.max().unwrap_or(1).max(1)) / 1000.0;
    program.load(&mut *engine, scale);
    engine.set_integer(true);
    engine.propose(&program.values(model, |group| {
        old.iter().find(|&&(other, _)| other == group).map(|(_, taken)| taken)
    }));
    let status = engine.solve(Some(seconds));
    let found = super::exact::whole_values(engine.values()).and_then(|values| program.read(model, &values));
    let Some(found) = found else {
        return (status == crate::program::Status::Optimal).then_some(false);
    };
    for (group, taken) in found {
        without.restore(group, taken);
    }
    if without.is_complete() && without.is_sound() && without.worth() > before {
        *best = without;
        return Some(true);
    }
    (status == crate::program::Status::Optimal).then_some(false)
}
