//! The linear relaxation of a re-plan by a dual simplex method made for it.
//!
//! Every demand splits its count over classes; a class has so much room at each instant. The method starts
//! with every demand in its cheapest class, which costs least and exceeds rooms, and raises the prices of
//! capacities that are exceeded until none is. Three things make it fast:
//!
//! * Neither rows nor columns are written down. An entry of a demand in a row of the tableau is a difference
//!   of two prefix sums over time, so all columns take part in every step and there is nothing to generate.
//! * A demand's row is implicit (generalized upper bounds; Dantzig and Van Slyke 1967): the working basis has
//!   a row for each exhausted capacity and a column for each class a demand uses besides its key.
//! * The ratio test goes on past classes of a demand that become cheaper, as long as the bound rises: the
//!   whole demand changes class (Fourer, "Notes on the dual simplex method", 1994).
//!
//! Costs are perturbed by less than [`PERTURBATION`] in total, which breaks the many ties.
//!
//! Invariant: every demand that is not split is in its cheapest class at the present prices, every class of
//! a split one is; prices are never negative. So the present cost is a lower bound, and where no room is
//! exceeded it is the optimum. Arithmetic is floating point: who uses prices or splits recounts them.

mod basis;
mod leaving;
mod loads;
mod point;
mod ratio;
mod step;

use basis::{Basis, Column, Row};
use loads::Loads;

use crate::deadline::Deadline;
use crate::kernel::Sparse;

/// Values this far from a bound are at it.
pub(super) const TOLERANCE: f64 = 1e-7;
/// What all perturbations of costs come to at most, in units of cost.
const PERTURBATION: f64 = 0.05;
/// Iterations after which everything is computed anew.
const MOST_DRIFT: usize = 500;
/// Iterations after which another method is the better bet.
const MOST_ITERATIONS: usize = 200_000;
/// Most answers that did not hold when everything was computed anew.
const MOST_ATTEMPTS: usize = 8;

/// A class that suits a demand.
#[derive(Clone, Copy)]
struct Offer {
    class: usize,
    cost: f64,
}

#[derive(Clone)]
struct Demand {
    /// First instant it is active at, and the first after.
    span: (usize, usize),
    count: f64,
    /// The demand that was added of which this is a part.
    origin: usize,
    /// Its part of all offers.
    offers: (usize, usize),
    /// The classes of its offers as bits, modulo the width.
    classes: u64,
    /// Class it has its hosts of, but for what columns say.
    key: usize,
    /// Columns of the basis it has.
    columns: u32,
    /// What those columns have together.
    elsewhere: f64,
}

/// What came of a solve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Optimal,
    /// The rooms are too small.
    Infeasible,
    /// The deadline ended, or arithmetic failed.
    Stopped,
}

/// The program, its basis and what follows from it.
#[derive(Clone)]
pub(super) struct Relaxation {
    offers: Vec<Offer>,
    demands: Vec<Demand>,
    basis: Basis,
    loads: Loads,
    /// Sums of prices before each instant, by class.
    sums: Vec<Vec<f64>>,
    /// How fast those change in the present step; only classes in `moving` count.
    rates: Vec<Vec<f64>>,
    moving: Vec<bool>,
    /// Squared lengths of directions as last seen, by class and instant.
    lengths: Vec<Vec<f64>>,
    /// Iterations since everything was computed anew.
    drift: usize,
    iterations: usize,
    /// Hosts given for good: demand, class and count.
    reserved: Vec<(usize, usize, u32)>,
    /// Demands that were added; there may be more by branching.
    added: usize,
    /// After an infeasibility: how prices of capacities move, with the bound, without end.
    ray: Vec<(usize, usize, f64)>,
}

const fn bit(class: usize) -> u64 {
    1 << (class % 64)
}

impl Relaxation {
    /// Nothing but rooms, by class and instant.
    pub(super) fn new(room: &[Vec<u32>]) -> Self {
        let float = |room: &Vec<u32>| room.iter().map(|&room| f64::from(room)).collect();
        let room: Vec<Vec<f64>> = room.iter().map(float).collect();
        let sums: Vec<Vec<f64>> = room.iter().map(|room| vec![0.0; room.len() + 1]).collect();
        Self {
            offers: Vec::new(),
            demands: Vec::new(),
            basis: Basis::default(),
            rates: sums.clone(),
            moving: vec![false; room.len()],
            lengths: room.iter().map(|room| vec![1.0; room.len()]).collect(),
            sums,
            loads: Loads::new(room),
            drift: 0,
            iterations: 0,
            reserved: Vec::new(),
            added: 0,
            ray: Vec::new(),
        }
    }

    /// Adds a demand with the classes that suit it and what one host of each costs; `false` if there are none.
    pub(super) fn demand(
        &mut self,
        span: (usize, usize),
        count: u32,
        offers: impl Iterator<Item = (usize, f64)>,
    ) -> bool {
        let first = self.offers.len();
        self.offers.extend(offers.map(|(class, cost)| Offer { class, cost }));
        let own = &self.offers[first..];
        let Some(cheapest) = own.iter().min_by(|one, other| one.cost.total_cmp(&other.cost)) else {
            return false;
        };
        self.demands.push(Demand {
            span,
            count: f64::from(count),
            origin: self.added,
            offers: (first, self.offers.len()),
            classes: own.iter().fold(0, |bits, offer| bits | bit(offer.class)),
            key: cheapest.class,
            columns: 0,
            elsewhere: 0.0,
        });
        self.added += 1;
        true
    }

    /// Makes costs differ where they are equal, and starts with every demand in its cheapest class.
    pub(super) fn begin(&mut self) {
        let hosts: f64 = self.demands.iter().map(|demand| demand.count).sum();
        let unit = PERTURBATION / hosts.max(1.0) / f64::from(1 << 24);
        let mut state: u32 = 0x9e37_79b9;
        for offer in &mut self.offers {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            offer.cost += unit * f64::from(state >> 8);
        }
        for number in 0..self.demands.len() {
            let (first, after) = self.demands[number].offers;
            let own = self.offers[first..after].iter();
            if let Some(cheapest) = own.min_by(|one, other| one.cost.total_cmp(&other.cost)) {
                self.demands[number].key = cheapest.class;
            }
        }
    }

    /// Goes on from where it is.
    pub(super) fn solve(&mut self, deadline: &Deadline) -> Outcome {
        self.recompute();
        for attempt in 0..MOST_ATTEMPTS {
            let outcome = self.improve(deadline);
            let certain = match outcome {
                // A step or two more each time: that is what arithmetic is uncertain by.
                Outcome::Optimal => self.drift <= attempt,
                Outcome::Infeasible => attempt > 0,
                Outcome::Stopped => deadline.is_over(),
            };
            if certain {
                return outcome;
            }
            // What was found must hold when everything is computed anew.
            if !self.refresh(outcome != Outcome::Optimal) {
                break;
            }
        }
        Outcome::Stopped
    }

    /// Iterates until an answer.
    fn improve(&mut self, deadline: &Deadline) -> Outcome {
        loop {
            let Some(leaving) = self.leaving() else {
                return Outcome::Optimal;
            };
            deadline.spend(1);
            if self.iterations >= MOST_ITERATIONS || self.iterations % 64 == 63 && deadline.is_over() {
                return Outcome::Stopped;
            }
            self.iterations += 1;
            self.drift += 1;
            if let Some(outcome) = self.step(leaving) {
                return outcome;
            }
            if self.drift >= MOST_DRIFT && !self.refresh(false) {
                return Outcome::Stopped;
            }
        }
    }

    /// What a column has in a row.
    fn entry(&self, (demand, offer): (usize, usize), (class, instant): (usize, usize)) -> f64 {
        let demand = &self.demands[demand];
        let within = demand.span.0 <= instant && instant < demand.span.1;
        let has = |own: usize| f64::from(u8::from(within && own == class));
        has(self.offers[offer].class) - has(demand.key)
    }

    /// Everything that follows from the basis anew, and the inverse too if it has lost its accuracy or `all` is
    /// wanted; `false` if there is none.
    fn refresh(&mut self, all: bool) -> bool {
        self.recompute();
        let mut rows = self.basis.rows.iter();
        let exhausted = rows.all(|row| self.loads.excess(row.class, row.instant).abs() <= TOLERANCE);
        if exhausted && !all {
            return true;
        }
        let mut basis = std::mem::take(&mut self.basis);
        let entry = |column: &Column, row: &Row| self.entry((column.demand, column.offer), (row.class, row.instant));
        let inverted = basis.invert(entry);
        self.basis = basis;
        self.recompute();
        inverted
    }

    /// Prices, values and loads from the basis.
    fn recompute(&mut self) {
        self.drift = 0;
        let columns = self.basis.columns.iter().enumerate();
        let dearer = columns.map(|(place, column)| {
            let key = self.key_offer(column.demand);
            (place, self.offers[key].cost - self.offers[column.offer].cost)
        });
        let prices = self.basis.kernel.combine(&dearer.collect::<Sparse>());
        for sums in &mut self.sums {
            sums.fill(0.0);
        }
        for (row, price) in self.basis.rows.iter_mut().zip(prices) {
            row.price = price.max(0.0);
            self.sums[row.class][row.instant + 1] += row.price;
        }
        for sums in &mut self.sums {
            let mut sum = 0.0;
            for value in sums {
                sum += *value;
                *value = sum;
            }
        }
        self.loads.clear();
        for demand in &mut self.demands {
            demand.elsewhere = 0.0;
            self.loads.note(demand.key, demand.span, demand.count);
        }
        self.loads.apply();
        let rows = self.basis.rows.iter().enumerate();
        let left = rows.map(|(place, row)| (place, -self.loads.excess(row.class, row.instant)));
        let values = self.basis.kernel.times(&left.collect::<Sparse>());
        for (place, value) in values.into_iter().enumerate() {
            self.basis.columns[place].value = 0.0;
            self.change(place, value);
        }
        self.loads.settle();
    }

    fn key_offer(&self, demand: usize) -> usize {
        let demand = &self.demands[demand];
        let (first, after) = demand.offers;
        let own = self.offers[first..after].iter();
        first + own.take_while(|offer| offer.class != demand.key).count()
    }
}
