//! The linear relaxation of a batch, grown row by row.
//!
//! Invariant: what leaves this module as proved are prices, and they prove their bound in integers
//! whatever the linear program says (see `prices`). Its values only guide the search.
//!
//! A capacity becomes a row when the present point exceeds it at a peak of the load; the first rows are
//! those that are nearly used up, on average, at the prices of a subgradient method.

use super::formulation::{Formulation, Goal, Part, float};
use super::model::Model;
use super::packing::Packing;
use super::prices::{Bound, Prices};
use super::subgradient::{Response, guess};
use super::timeline::Split;
use super::timeline::Timeline;
use crate::deadline::Deadline;
use crate::program::{LinearEngine, Status};
use crate::scene::ClassNumber;

/// Load beyond room that counts as none.
const TOLERANCE: f64 = 1e-6;
/// Part of the room that may be left where a capacity becomes a row at first.
const NEARLY_FULL: f64 = 0.05;
/// Most rounds of growing; the prices of any of them are good for something.
const MOST_ROUNDS: usize = 200;

/// What the relaxation showed.
pub(crate) struct Relaxed {
    /// The best prices found.
    pub(crate) prices: Prices,
    /// What they prove.
    pub(crate) bound: Bound,
    /// How far each option of each group is taken, 0 to 1; empty before the first optimum.
    pub(crate) taken: Vec<Vec<f64>>,
}

/// Solves the relaxation as far as the deadline allows.
pub(crate) fn solve(
    model: &Model,
    packing: &Packing<'_>,
    engine: Option<Box<dyn LinearEngine>>,
    deadline: &Deadline,
) -> Relaxed {
    let free = Prices::none(&model.timeline);
    let mut relaxed = Relaxed {
        bound: free.bound(model),
        prices: free,
        taken: Vec::new(),
    };
    let guess = guess(
        &model.timeline,
        -float(packing.worth().0),
        &|sums| respond(model, sums),
        deadline,
    );
    let numbered = guess.prices.iter().enumerate();
    let nonzero = numbered.flat_map(|(class, prices)| {
        let instants = prices.iter().enumerate().filter(|&(_, &price)| price > 0.0);
        instants.map(move |(instant, &price)| (class, instant, price))
    });
    let prices = Prices::new(&model.timeline, nonzero);
    let bound = prices.bound(model);
    if bound.value() <= relaxed.bound.value() {
        (relaxed.prices, relaxed.bound) = (prices, bound);
    }
    let Some(engine) = engine else { return relaxed };
    let mut program = Growing::new(model, &relaxed.bound, engine);
    program.add(&model.timeline.tight(&guess.load, NEARLY_FULL));
    for _ in 0..MOST_ROUNDS {
        if deadline.is_over() || program.engine.solve(deadline) != Status::Optimal {
            return relaxed;
        }
        let prices = program.prices();
        let bound = prices.bound(model);
        if bound.value() <= relaxed.bound.value() {
            (relaxed.prices, relaxed.bound) = (prices, bound);
        }
        relaxed.taken = program.taken();
        let exceeded = program.exceeded();
        if exceeded.is_empty() {
            return relaxed;
        }
        program.add(&exceeded);
    }
    relaxed
}

/// Every group takes what is worth most beyond its price: the loads, and the negative of all of that.
fn respond(model: &Model, sums: &[Vec<f64>]) -> Response {
    let timeline = &model.timeline;
    let mut load = vec![vec![0.0; timeline.instants.len() + 1]; timeline.room.len()];
    let mut paid = 0.0;
    for group in &model.groups {
        let options = group.options.iter().map(|option| {
            let splits = option
                .demands
                .iter()
                .map(|&demand| timeline.cheapest(demand, sums, |_| 0.0));
            let (splits, prices): (Vec<Split>, Vec<f64>) = splits.unzip();
            (float(option.value) - prices.iter().sum::<f64>(), splits, option)
        });
        let best = options.max_by(|one, other| one.0.total_cmp(&other.0));
        let Some((profit, splits, option)) = best.filter(|(profit, ..)| group.mandatory || *profit > 0.0) else {
            continue;
        };
        paid -= profit;
        for (&demand, split) in option.demands.iter().zip(&splits) {
            timeline.add_changes(&mut load, demand, split);
        }
    }
    Timeline::accumulate(&mut load);
    (load, paid)
}

/// The linear program so far.
struct Growing<'m> {
    model: &'m Model,
    formulation: Formulation,
    engine: Box<dyn LinearEngine>,
    /// What one unit of the objective is worth.
    scale: f64,
    /// Row, class and instant of every capacity.
    capacities: Vec<(usize, ClassNumber, usize)>,
}

impl<'m> Growing<'m> {
    fn new(model: &'m Model, bound: &Bound, mut engine: Box<dyn LinearEngine>) -> Self {
        let all: Vec<usize> = (0..model.groups.len()).collect();
        let part = Part {
            groups: &all,
            allowed: &|group, option| bound.allows(group, option, i64::MIN),
            dispensable: &|group| !model.groups[group].mandatory,
        };
        let formulation = Formulation::new(model, &part, Goal::Value);
        let values = model.groups.iter().flat_map(|group| &group.options);
        let scale = float(values.map(|option| option.value).max().unwrap_or(1).max(1)) / 1000.0;
        formulation.load(&mut *engine, scale);
        Self {
            model,
            formulation,
            engine,
            scale,
            capacities: Vec::new(),
        }
    }

    fn add(&mut self, capacities: &[(ClassNumber, usize)]) {
        for &(class, instant) in capacities {
            let active = self.formulation.active(self.model, class, instant);
            let entries: Vec<(usize, f64)> = active.into_iter().map(|(column, _)| (column, 1.0)).collect();
            let room = f64::from(self.model.timeline.room[class][instant]);
            let row = self.engine.add_row((f64::NEG_INFINITY, room), &entries);
            self.capacities.push((row, class, instant));
        }
    }

    /// Minimising the negative value makes the dual values of capacities negative prices.
    fn prices(&self) -> Prices {
        let duals = self.engine.duals();
        let price = |&(row, class, instant): &(usize, ClassNumber, usize)| {
            (class, instant, -duals.get(row).copied().unwrap_or(0.0) * self.scale)
        };
        Prices::new(&self.model.timeline, self.capacities.iter().map(price))
    }

    fn taken(&self) -> Vec<Vec<f64>> {
        let groups = self.model.groups.iter();
        let mut taken: Vec<Vec<f64>> = groups.map(|group| vec![0.0; group.options.len()]).collect();
        let values = self.engine.values();
        for &(group, option, column) in &self.formulation.options {
            taken[group][option] = values.get(column).copied().unwrap_or(0.0);
        }
        taken
    }

    /// Peaks of the load that exceed the room.
    fn exceeded(&self) -> Vec<(ClassNumber, usize)> {
        let timeline = &self.model.timeline;
        let instants = timeline.instants.len();
        let mut changes = vec![vec![0.0; instants + 1]; timeline.room.len()];
        let values = self.engine.values();
        for (&demand, columns) in &self.formulation.splits {
            let need = self.model.need(demand);
            for &(class, column) in columns {
                let value = values.get(column).copied().unwrap_or(0.0);
                changes[class][need.first] += value;
                changes[class][need.after] -= value;
            }
        }
        let mut found = Vec::new();
        for (class, changes) in changes.iter().enumerate() {
            let mut load = 0.0;
            let excess: Vec<f64> = changes
                .iter()
                .zip(&timeline.room[class])
                .map(|(change, &room)| {
                    load += change;
                    load - f64::from(room)
                })
                .collect();
            for (instant, &here) in excess.iter().enumerate() {
                let before = instant
                    .checked_sub(1)
                    .map_or(f64::NEG_INFINITY, |before| excess[before]);
                let after = excess.get(instant + 1).copied().unwrap_or(f64::NEG_INFINITY);
                if here > TOLERANCE && here >= after && here > before {
                    found.push((class, instant));
                }
            }
        }
        found
    }
}
