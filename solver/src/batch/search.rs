//! Improving a packing by taking some of it out and putting it back otherwise.
//!
//! Invariant: what is searched is complete and sound after every step; the numbers come from a generator
//! with a fixed seed, so equal models give equal searches unless a limit in time cuts them short.

use super::model::Model;
use super::packing::{Packing, Taken, Worth};
use super::prices::{DENOMINATOR, Prices};
use super::random::{Random, SEED};
use crate::deadline::Deadline;
use crate::scene::{ClassNumber, DemandNumber};

/// Steps of one cooling, from the first temperature to the last.
const STEPS_OF_A_COOLING: u32 = 20_000;
/// Steps between two looks at the deadline.
const STEPS_BETWEEN_LOOKS: u32 = 64;
/// Rounds of a search without any limit.
const ROUNDS: u32 = 8;
/// Most groups that are taken out at once.
const MOST_REMOVED: usize = 14;

/// A choice among the options of groups that can be changed step by step.
pub(crate) trait Changing: Clone {
    /// What was taken of a group.
    type Taken;
    /// What the choice is worth.
    fn worth(&self) -> Worth;
    /// Whether something is taken of a group.
    fn is_taken(&self, group: usize) -> bool;
    /// Gives up what is taken of a group, if anything is and it may be.
    fn remove(&mut self, group: usize) -> Option<Self::Taken>;
    /// Takes what was taken before, into room that is known to be there.
    fn restore(&mut self, group: usize, taken: Self::Taken);
    /// Takes the most valuable option of a group that fits; `true` if something is taken.
    fn serve(&mut self, group: usize) -> bool;
}

/// A packing with the orders in which demands try their classes.
#[derive(Clone)]
pub(crate) struct Ordered<'m, 'o> {
    pub(crate) packing: Packing<'m>,
    pub(crate) model: &'m Model,
    pub(crate) orders: &'o [Vec<ClassNumber>],
}

impl Changing for Ordered<'_, '_> {
    type Taken = Taken;

    fn worth(&self) -> Worth {
        self.packing.worth()
    }

    fn is_taken(&self, group: usize) -> bool {
        self.packing.taken(group).is_some()
    }

    fn remove(&mut self, group: usize) -> Option<Taken> {
        self.packing.remove(group)
    }

    fn restore(&mut self, group: usize, taken: Taken) {
        self.packing.restore(group, taken);
    }

    fn serve(&mut self, group: usize) -> bool {
        serve(&mut self.packing, self.model, group, self.orders)
    }
}

/// The orders in which demands try their classes: what they hold first, then the cheapest, then the poorest.
pub(crate) fn class_orders(model: &Model, prices: &Prices) -> Vec<Vec<ClassNumber>> {
    let order = |demand: DemandNumber| {
        let held = &model.held[demand];
        let mut classes = model.need(demand).eligible.clone();
        classes.sort_by_key(|&class| {
            (
                !held.contains_key(&class),
                prices.of(&model.timeline, demand, class),
                model.richness[class],
                class,
            )
        });
        classes
    };
    (0..model.timeline.needs.len()).map(order).collect()
}

/// What is promised already, where it is; `None` if that does not fit, which a sound state excludes unless
/// fixed work displaced a pending promise.
pub(crate) fn promised<'m>(model: &'m Model, orders: &[Vec<ClassNumber>]) -> Option<Packing<'m>> {
    let mut packing = Packing::new(model);
    // First as held, in whole classes, so that nothing takes another promise's place.
    let mut displaced = Vec::new();
    for (number, group) in model.groups.iter().enumerate().filter(|(_, group)| group.mandatory) {
        let option = &group.options[0];
        let own = |demand: &DemandNumber| {
            model.held[*demand]
                .iter()
                .map(|(&class, &count)| (class, count))
                .collect()
        };
        let splits: Vec<Vec<_>> = option.demands.iter().map(own).collect();
        let fits = option.demands.iter().zip(&splits).all(|(&demand, split)| {
            let need = model.need(demand);
            let given: u32 = split.iter().map(|&(_, count)| count).sum();
            given == need.least
                && split
                    .iter()
                    .all(|(class, _)| need.eligible.binary_search(class).is_ok())
        });
        if !fits {
            displaced.push(number);
            continue;
        }
        packing.restore(number, Taken { option: 0, splits });
        if !packing.is_sound_for(number) {
            packing.remove(number);
            displaced.push(number);
        }
    }
    for number in displaced {
        if !packing.insert(number, 0, orders) {
            return None;
        }
    }
    Some(packing)
}

/// Adds options one after another, in this order, as they fit.
pub(crate) fn add_all(packing: &mut Packing<'_>, model: &Model, order: &[usize], orders: &[Vec<ClassNumber>]) {
    for &group in order {
        serve(packing, model, group, orders);
    }
}

/// Takes the most valuable option of a group that fits; `true` if something is taken.
fn serve(packing: &mut Packing<'_>, model: &Model, group: usize, orders: &[Vec<ClassNumber>]) -> bool {
    let options = &model.groups[group].options;
    if let [_] = options.as_slice() {
        return packing.insert(group, 0, orders);
    }
    let mut by_value: Vec<usize> = (0..options.len()).collect();
    by_value.sort_by_key(|&option| std::cmp::Reverse(options[option].value));
    by_value.into_iter().any(|option| packing.insert(group, option, orders))
}

/// How many rounds a search has.
pub(crate) const fn rounds(deadline: &Deadline) -> u32 {
    if deadline.is_limited() { u32::MAX } else { ROUNDS }
}

/// What the search knows of a group.
pub(crate) struct Known {
    /// Whether one of its options must be taken.
    pub(crate) mandatory: bool,
    /// The most one of its options is worth.
    pub(crate) worth: i64,
    /// What its best option is worth beyond its price.
    pub(crate) profit: f64,
    /// When it takes room, from first to after last, in any unit of time.
    pub(crate) span: (usize, usize),
}

/// The groups of a model at these prices.
pub(crate) fn known(model: &Model, prices: &Prices) -> Vec<Known> {
    let known = model.groups.iter().map(|group| {
        let profits = group.options.iter().filter_map(|option| prices.profit(model, option));
        let needs = || {
            let options = group.options.iter().flat_map(|option| &option.demands);
            options.map(|&demand| model.need(demand))
        };
        let first = needs().map(|need| need.first).min().unwrap_or(0);
        Known {
            mandatory: group.mandatory,
            worth: worth(group).unwrap_or(0),
            profit: profits.max().map_or(f64::NEG_INFINITY, inexact) / inexact(DENOMINATOR),
            span: (first, needs().map(|need| need.after).max().unwrap_or(first)),
        }
    });
    known.collect()
}

/// The search and what it needs besides what it changes.
pub(crate) struct Search {
    groups: Vec<Known>,
    random: Random,
    /// Typical value of a group.
    typical: f64,
}

#[expect(clippy::cast_precision_loss, reason = "only the search's taste depends on it")]
pub(crate) const fn inexact(value: i128) -> f64 {
    value as f64
}

impl Search {
    pub(crate) fn new(groups: Vec<Known>) -> Self {
        let mut values: Vec<i64> = groups.iter().map(|group| group.worth).collect();
        values.sort_unstable();
        let typical = values.get(values.len() / 2).copied().unwrap_or(1);
        Self {
            groups,
            random: Random::new(SEED),
            typical: inexact(typical.into()).max(1.0),
        }
    }

    /// Searches for one cooling, or until nothing can be better or the deadline ends; leaves the best choice found.
    pub(crate) fn improve<P: Changing>(
        &mut self,
        best: &mut P,
        is_best: &mut dyn FnMut(Worth) -> bool,
        deadline: &Deadline,
    ) {
        let mut present = best.clone();
        for step in 0..STEPS_OF_A_COOLING {
            if step % STEPS_BETWEEN_LOOKS == 0 {
                if is_best(best.worth()) || deadline.is_over() {
                    return;
                }
                deadline.spend(STEPS_BETWEEN_LOOKS.into());
            }
            let progress = f64::from(step) / f64::from(STEPS_OF_A_COOLING);
            let temperature = self.typical * 0.3 * (0.005_f64).powf(progress);
            self.step(&mut present, temperature);
            if present.worth() > best.worth() {
                *best = present.clone();
            }
        }
    }

    /// Takes some groups out around one, puts groups in, and keeps the change if it is good enough.
    fn step<P: Changing>(&mut self, present: &mut P, temperature: f64) {
        let centre = self.random.below(self.groups.len());
        let (first, after) = self.groups[centre].span;
        let near = |group: &usize| {
            let span = self.groups[*group].span;
            *group != centre && span.0 < after && first < span.1
        };
        let (taken, mut waiting): (Vec<usize>, Vec<usize>) = (0..self.groups.len())
            .filter(near)
            .partition(|&group| present.is_taken(group));
        let before = present.worth();
        let mut undo: Vec<(usize, P::Taken)> = Vec::new();
        let mut changed: Vec<usize> = Vec::new();
        undo.extend(present.remove(centre).map(|taken| (centre, taken)));
        let most = MOST_REMOVED.min(taken.len());
        let count = if most == 0 { 0 } else { 1 + self.random.below(most) };
        for _ in 0..count {
            let group = taken[self.random.below(taken.len())];
            undo.extend(present.remove(group).map(|taken| (group, taken)));
        }
        let was_waiting = undo.iter().all(|&(group, _)| group != centre);
        waiting.extend(undo.iter().map(|&(group, _)| group).filter(|&group| group != centre));
        self.arrange(&mut waiting);
        // What waited in the middle comes first: the room was made for it.
        let place = if was_waiting { 0 } else { waiting.len() };
        waiting.insert(place, centre);
        waiting.sort_by_key(|&group| !self.groups[group].mandatory);
        for group in waiting {
            if present.serve(group) {
                changed.push(group);
            }
        }
        let complete = undo
            .iter()
            .all(|&(group, _)| !self.groups[group].mandatory || present.is_taken(group));
        let after = present.worth();
        let worse = inexact((before.0 - after.0).into());
        let keep = complete && (after >= before || (worse > 0.0 && self.random.unit() < (-worse / temperature).exp()));
        if !keep {
            for group in changed {
                present.remove(group);
            }
            for (group, taken) in undo {
                present.restore(group, taken);
            }
        }
    }

    /// Brings groups into an order, each time another one.
    fn arrange(&mut self, groups: &mut [usize]) {
        let kind = self.random.below(5);
        let mut keys: Vec<(f64, usize)> = groups
            .iter()
            .map(|&group| {
                let known = &self.groups[group];
                let noise = self.random.unit();
                let key = match kind {
                    0 | 1 => known.profit + (noise - 0.5) * self.typical,
                    2 => inexact(known.worth.into()) * (0.5 + noise),
                    3 => -inexact(known.span.0 as i128) + noise * 4.0,
                    _ => noise,
                };
                (-key, group)
            })
            .collect();
        keys.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        for (group, (_, chosen)) in groups.iter_mut().zip(keys) {
            *group = chosen;
        }
    }
}

/// The most one of the options is worth.
pub(crate) fn worth(group: &super::model::Alternatives) -> Option<i64> {
    group.options.iter().map(|option| option.value).max()
}
