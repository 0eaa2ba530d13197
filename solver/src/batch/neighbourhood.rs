//! Large neighbourhoods: everything near one instant is chosen anew, the rest stays.
//!
//! Invariant: the packing never gets worse, and what the solver answers is recounted before it is taken.

use std::time::Duration;

use super::formulation::{Formulation, Goal, Part, float};
use super::model::Model;
use super::packing::{Packing, Taken};
use super::prices::Bound;
use super::random::Random;
use crate::deadline::{self, Deadline};
use crate::program::{ModelSolver, Status};

/// Columns a neighbourhood may have in the beginning, at least and at most.
const COLUMNS: (usize, usize, usize) = (400, 100, 20_000);
/// What one neighbourhood may take. A guard: neighbourhoods shrink before they get that hard.
const GUARD: deadline::Part = deadline::Part {
    time: Duration::from_secs(4),
    work: 100_000,
};
/// What one group may lose of the bound, as parts of how far the bound lies above the packing. The first
/// leaves out only what cannot be part of anything better. The others leave out what hardly will be,
/// because the distance is the sum of many small losses, and so larger neighbourhoods are as easy.
const PARTS: [i128; 4] = [1, 4, 12, 36];

/// Solves neighbourhoods until `rounds` of them in succession brought nothing or the deadline ends.
pub(crate) fn improve<'m>(
    model: &'m Model,
    bound: &Bound,
    best: &mut Packing<'m>,
    solver: &dyn ModelSolver,
    random: &mut Random,
    rounds: u32,
    deadline: &Deadline,
) {
    let instants = model.timeline.instants.len();
    let spans: Vec<(usize, usize)> = (0..model.groups.len()).map(|group| span(model, group)).collect();
    let mut sizes = [COLUMNS.0; PARTS.len()];
    let mut fruitless = 0;
    while fruitless < rounds && instants > 0 && best.worth().0 < bound.value() && !deadline.is_over() {
        deadline.spend(1);
        let centre = random.below(instants);
        let kind = random.below(PARTS.len());
        let open = Open {
            model,
            bound,
            packing: best,
            loss: bound.spare(best.worth().0 + 1) / PARTS[kind],
        };
        let groups = open.near(&spans, centre, sizes[kind], random);
        let size = sizes[kind];
        match open.choose(solver, &groups, &deadline.part(GUARD)) {
            Solved::Better(packing) => {
                fruitless = 0;
                *best = packing;
            }
            Solved::NoBetter => {
                fruitless += 1;
                sizes[kind] = (size + size / 8).min(COLUMNS.2);
            }
            Solved::TooHard => {
                fruitless += 1;
                sizes[kind] = (size - size / 4).max(COLUMNS.1);
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

/// What came of a neighbourhood.
enum Solved<'m> {
    Better(Packing<'m>),
    NoBetter,
    /// Not finished by its deadline.
    TooHard,
}

/// What a neighbourhood looks at: what loses little of the bound, and what is taken.
struct Open<'p, 'm> {
    model: &'m Model,
    bound: &'p Bound,
    packing: &'p Packing<'m>,
    /// In units of the bound.
    loss: i128,
}

impl<'m> Open<'_, 'm> {
    fn loses_little(&self, group: usize, option: Option<usize>) -> bool {
        self.bound.loss(group, option).is_some_and(|loss| loss <= self.loss)
    }

    fn allows(&self, group: usize, option: usize) -> bool {
        let is_taken = |taken: &Taken| taken.option == option;
        self.loses_little(group, Some(option)) || self.packing.taken(group).is_some_and(is_taken)
    }

    fn allows_nothing(&self, group: usize) -> bool {
        let mandatory = self.model.groups[group].mandatory;
        !mandatory && (self.packing.taken(group).is_none() || self.loses_little(group, None))
    }

    /// How many columns a group makes.
    fn columns(&self, group: usize) -> usize {
        let options = self.model.groups[group].options.iter().enumerate();
        let allowed = options.filter(|&(option, _)| self.allows(group, option));
        let of = |demand: &usize| self.model.need(*demand).eligible.len();
        allowed
            .map(|(_, option)| 1 + option.demands.iter().map(of).sum::<usize>())
            .sum()
    }

    /// Groups whose middle is nearest to an instant, some left out at random, as many as the columns allow.
    fn near(&self, spans: &[(usize, usize)], centre: usize, most: usize, random: &mut Random) -> Vec<usize> {
        let mut by_distance: Vec<(usize, usize, usize)> = spans
            .iter()
            .enumerate()
            .filter(|(_, (first, after))| first < after)
            .map(|(group, &(first, after))| {
                let middle = usize::midpoint(first, after - 1);
                let outside = if (first..after).contains(&centre) {
                    0
                } else {
                    self.model.timeline.instants.len()
                };
                (outside + middle.abs_diff(centre), random.below(1 << 20), group)
            })
            .collect();
        by_distance.sort_unstable();
        let mut chosen = Vec::new();
        let mut columns = 0;
        for (_, coin, group) in by_distance {
            let of_group = self.columns(group);
            if coin % 4 == 0 || of_group == 0 {
                continue;
            }
            columns += of_group;
            if columns > most && !chosen.is_empty() {
                break;
            }
            chosen.push(group);
        }
        chosen.sort_unstable();
        chosen
    }

    /// Chooses among some groups anew.
    fn choose(&self, solver: &dyn ModelSolver, groups: &[usize], deadline: &Deadline) -> Solved<'m> {
        let model = self.model;
        let Some(mut engine) = solver.engine() else {
            return Solved::NoBetter;
        };
        let mut without = self.packing.clone();
        let old: Vec<(usize, Taken)> = groups
            .iter()
            .filter_map(|&group| Some((group, without.remove(group)?)))
            .collect();
        let part = Part {
            groups,
            allowed: &|group, option| self.allows(group, option),
            dispensable: &|group| self.allows_nothing(group),
        };
        let mut program = Formulation::new(model, &part, Goal::Value);
        program.limit_all(model, |class, instant| i64::from(without.free(class)[instant]));
        let values = program.options.iter();
        let values = values.map(|&(group, option, _)| model.groups[group].options[option].value);
        let scale = float(values.max().unwrap_or(1).max(1)) / 1000.0;
        program.load(&mut *engine, scale);
        engine.set_integer(true);
        engine.propose(&program.values(model, |group| {
            old.iter().find(|&&(other, _)| other == group).map(|(_, taken)| taken)
        }));
        let status = engine.solve(deadline);
        let found = super::exact::whole_values(engine.values()).and_then(|values| program.read(model, &values));
        for (group, taken) in found.into_iter().flatten() {
            without.restore(group, taken);
        }
        if without.is_complete() && without.is_sound() && without.worth() > self.packing.worth() {
            return Solved::Better(without);
        }
        if status == Status::Optimal {
            Solved::NoBetter
        } else {
            Solved::TooHard
        }
    }
}
