//! A small linear program around good prices, grown until nothing is missing.
//!
//! Every demand starts with the classes that are nearly cheapest at the guessed prices; a demand with only
//! one such class stays outside the program and takes it. Capacities that are nearly used up are rows. After
//! each solve the dual values price all classes of all demands and the loads are compared with all rooms:
//! what would pay or is exceeded joins. When nothing does, the point is optimal for the whole program.
//!
//! Invariant: the bound comes from the dual values as prices, counted in whole numbers.

mod growth;
mod whole;

use std::collections::BTreeMap;

use super::charges::{Charges, Found};
use super::prices::respond;
use crate::batch::clock::Clock;
use crate::batch::formulation::float;
use crate::batch::model::Split;
use crate::batch::prices::{DENOMINATOR, Prices};
use crate::batch::subgradient::{Guess, guess, sums};
use crate::batch::timeline::Timeline;
use crate::classes::ClassNumber;
use crate::program::{LinearEngine, ModelSolver, Status};
use crate::scene::DemandNumber;

/// What must be gained for a column to join, relative to what one host costs for one unit of time.
const GAIN: f64 = 1e-7;
/// Load beyond room that counts as none.
const TOLERANCE: f64 = 1e-6;
/// What a host that does not exist costs, in hosts of the dearest class; more each time that is not enough.
const LACKING: f64 = 8.0;
/// How often that is raised.
const MOST_DEARER: i32 = 4;
/// What a column may lack of the next whole number to be rounded up with others, dive by dive.
const REACHES: [f64; 5] = [0.3, 0.0, 0.15, 0.51, 0.26];
/// Classes a demand gets at least when its place is overfull.
const ALTERNATIVES: usize = 3;
/// Most solves of a dive.
const MOST_DIVES: usize = 200;
/// Part of the room that may be left where a capacity becomes a row at first.
const NEARLY_FULL: f64 = 0.03;
/// Classes dearer than the cheapest by so many prices are left out at first.
const MARGIN: f64 = 0.3;

/// Finds the cheapest splits.
pub(crate) fn solve(
    timeline: &Timeline,
    charges: &Charges,
    solver: &dyn ModelSolver,
    clock: &mut Clock<'_>,
) -> Option<Found> {
    let most = dearest(timeline, charges);
    let guess = guess(timeline, most, &|sums| respond(timeline, charges, sums));
    let mut sifting = Sifting::new(timeline, charges, &guess, solver.engine()?);
    sifting.relax(clock)?;
    let bound = bound(timeline, charges, &sifting.exact_prices());
    let optimum = sifting.optimum();
    let relaxed = sifting.splits();
    let mut dived = relaxed;
    for reach in REACHES {
        if dived.as_ref().is_some_and(|splits| charges.of(splits) <= bound) || clock.is_over() {
            break;
        }
        if let Some(other) = sifting.dive(reach, clock)
            && dived
                .as_ref()
                .is_none_or(|splits| charges.of(&other) < charges.of(splits))
        {
            dived = Some(other);
        }
    }
    let cost = dived.as_ref().map(|splits| charges.of(splits));
    if cost.is_some_and(|cost| cost <= bound) {
        let splits = dived?;
        return Some(Found {
            splits,
            bound,
            optimal: true,
        });
    }
    let closed = sifting.close(&optimum, cost.map(|cost| cost - bound), clock);
    let optimal = closed.is_some();
    let splits = closed.or(dived)?;
    Some(Found { splits, bound, optimal })
}

/// What it costs to serve every demand in its dearest class: no plan costs more.
fn dearest(timeline: &Timeline, charges: &Charges) -> f64 {
    let of = |(demand, need): (usize, &crate::batch::timeline::Need)| {
        let dearest = need
            .eligible
            .iter()
            .map(|&class| charges.one(demand, class))
            .max()
            .unwrap_or(0);
        float(dearest) * f64::from(need.least)
    };
    timeline.needs.iter().enumerate().map(of).sum()
}

/// No plan costs less, in units of charge.
fn bound(timeline: &Timeline, charges: &Charges, prices: &Prices) -> i128 {
    let least = |demand| {
        let charge = |class| i128::from(charges.one(demand, class)) * DENOMINATOR;
        prices.least(timeline, demand, charge).unwrap_or(0)
    };
    let total: i128 = (0..timeline.needs.len()).map(least).sum::<i128>() - prices.rooms();
    // Costs are whole: rounding up is allowed.
    -(-total).div_euclid(DENOMINATOR)
}

/// How a demand takes part.
enum Part {
    /// Outside the program, in these classes.
    Outside(Split),
    /// With a row, columns, and one for hosts that do not exist.
    Inside {
        row: usize,
        columns: Vec<(ClassNumber, usize)>,
        lacking: usize,
    },
}

struct Sifting<'s> {
    timeline: &'s Timeline,
    charges: &'s Charges,
    engine: Box<dyn LinearEngine>,
    parts: Vec<Part>,
    /// Per class: instants that are rows.
    rows: Vec<BTreeMap<usize, usize>>,
    /// Per class: columns and their demands.
    users: Vec<Vec<(DemandNumber, usize)>>,
    /// Load of demands outside the program.
    outside: Vec<Vec<i64>>,
    columns: usize,
}

impl<'s> Sifting<'s> {
    fn new(timeline: &'s Timeline, charges: &'s Charges, guess: &Guess, engine: Box<dyn LinearEngine>) -> Self {
        let classes = timeline.room.len();
        let mut this = Self {
            timeline,
            charges,
            engine,
            parts: Vec::with_capacity(timeline.needs.len()),
            rows: vec![BTreeMap::new(); classes],
            users: vec![Vec::new(); classes],
            outside: vec![vec![0; timeline.instants.len()]; classes],
            columns: 0,
        };
        let sums: Vec<Vec<f64>> = guess.prices.iter().map(|prices| sums(prices)).collect();
        let mut wanted: Vec<(DemandNumber, Vec<ClassNumber>)> = Vec::new();
        for demand in 0..timeline.needs.len() {
            let near = this.near(demand, &sums);
            match near.as_slice() {
                &[class] if timeline.most(demand, class) >= timeline.needs[demand].least => {
                    let split = vec![(class, timeline.needs[demand].least)];
                    this.shift(demand, &split, 1);
                    this.parts.push(Part::Outside(split));
                }
                _ => {
                    this.parts.push(Part::Outside(Split::new()));
                    wanted.push((demand, near));
                }
            }
        }
        this.join(wanted);
        let rows = timeline.tight(&guess.load, NEARLY_FULL);
        this.limit(&rows);
        this.unburden(&sums);
        this
    }

    /// Classes that are nearly cheapest, as many as the demand needs.
    fn near(&self, demand: DemandNumber, sums: &[Vec<f64>]) -> Vec<ClassNumber> {
        let need = &self.timeline.needs[demand];
        let mut offers: Vec<(f64, ClassNumber)> = need
            .eligible
            .iter()
            .map(|&class| (self.price(demand, class, sums), class))
            .collect();
        offers.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let mut left = i64::from(need.least);
        let mut limit = f64::INFINITY;
        let mut near = Vec::new();
        for (price, class) in offers {
            if price > limit {
                break;
            }
            near.push(class);
            left -= i64::from(self.timeline.most(demand, class));
            if left <= 0 && limit.is_infinite() {
                limit = price + MARGIN * float(self.charges.units(demand));
            }
        }
        near
    }

    fn price(&self, demand: DemandNumber, class: ClassNumber, sums: &[Vec<f64>]) -> f64 {
        let need = &self.timeline.needs[demand];
        float(self.charges.one(demand, class)) + sums[class][need.after] - sums[class][need.first]
    }

    /// Solves and grows the relaxation to its optimum; `None` if the time ran out, or hosts are lacking.
    fn relax(&mut self, clock: &mut Clock<'_>) -> Option<()> {
        let mut dearer = 0;
        loop {
            if self.engine.solve(clock.left()) != Status::Optimal {
                return None;
            }
            let exceeded = self.exceeded();
            let wanted = self.paying();
            if exceeded.is_empty() && wanted.is_empty() {
                let lacking = self.lacking();
                if lacking.is_empty() {
                    return Some(());
                }
                dearer += 1;
                if dearer > MOST_DEARER {
                    return None;
                }
                for (demand, column) in lacking {
                    let cost = LACKING.powi(1 + dearer) * float(self.charges.dearest(demand));
                    self.engine.set_cost(column, cost);
                }
                continue;
            }
            self.limit(&exceeded);
            self.join(wanted);
            let sums: Vec<Vec<f64>> = self.dual_prices().iter().map(|prices| sums(prices)).collect();
            self.unburden(&sums);
        }
    }

    /// Demands that are short of hosts at the present point, with the column that says so.
    fn lacking(&self) -> Vec<(DemandNumber, usize)> {
        let values = self.engine.values();
        let short = |(demand, part): (usize, &Part)| match part {
            Part::Inside { lacking, .. } if values.get(*lacking).is_some_and(|&value| value > TOLERANCE) => {
                Some((demand, *lacking))
            }
            Part::Inside { .. } | Part::Outside(_) => None,
        };
        self.parts.iter().enumerate().filter_map(short).collect()
    }

    /// Eligible classes a demand has no column of.
    fn missing(&self, demand: DemandNumber) -> Vec<ClassNumber> {
        let eligible = self.timeline.needs[demand].eligible.iter().copied();
        match &self.parts[demand] {
            Part::Outside(_) => eligible.collect(),
            Part::Inside { columns, .. } => eligible
                .filter(|class| columns.iter().all(|(other, _)| other != class))
                .collect(),
        }
    }

    /// Prices of all rows by class and instant.
    fn dual_prices(&self) -> Vec<Vec<f64>> {
        let duals = self.engine.duals();
        let mut prices = vec![vec![0.0; self.timeline.instants.len()]; self.rows.len()];
        for (prices, rows) in prices.iter_mut().zip(&self.rows) {
            for (&instant, &row) in rows {
                prices[instant] = (-duals.get(row).copied().unwrap_or(0.0)).max(0.0);
            }
        }
        prices
    }

    fn exact_prices(&self) -> Prices {
        let rows = self.rows.iter().enumerate();
        let duals = self.engine.duals();
        let prices = rows.flat_map(|(class, rows)| {
            rows.iter()
                .map(move |(&instant, &row)| (class, instant, -duals.get(row).copied().unwrap_or(0.0)))
        });
        Prices::new(self.timeline, prices)
    }

    /// Demands with classes that would pay at the present prices.
    fn paying(&self) -> Vec<(DemandNumber, Vec<ClassNumber>)> {
        let sums: Vec<Vec<f64>> = self.dual_prices().iter().map(|prices| sums(prices)).collect();
        let duals = self.engine.duals();
        let mut found = Vec::new();
        for (demand, part) in self.parts.iter().enumerate() {
            let (limit, classes) = match part {
                Part::Inside { row, .. } => (duals.get(*row).copied().unwrap_or(0.0), self.missing(demand)),
                Part::Outside(split) => {
                    let paid = split.iter().map(|&(class, _)| self.price(demand, class, &sums));
                    let own = |class: &ClassNumber| split.iter().any(|(other, _)| other == class);
                    let others = self.missing(demand).into_iter().filter(|class| !own(class));
                    (paid.fold(f64::NEG_INFINITY, f64::max), others.collect())
                }
            };
            let least = limit - GAIN * float(self.charges.units(demand));
            let pays = |class: &ClassNumber| self.price(demand, *class, &sums) < least;
            let mut paying: Vec<ClassNumber> = classes.into_iter().filter(pays).collect();
            if let Part::Outside(split) = part
                && !paying.is_empty()
            {
                paying.extend(split.iter().map(|&(class, _)| class));
            }
            if !paying.is_empty() {
                found.push((demand, paying));
            }
        }
        found
    }

    /// Peaks of the load that exceed the room.
    fn exceeded(&self) -> Vec<(ClassNumber, usize)> {
        let instants = self.timeline.instants.len();
        let values = self.engine.values();
        let mut found = Vec::new();
        for (class, users) in self.users.iter().enumerate() {
            let mut changes = vec![0.0; instants + 1];
            for &(demand, column) in users {
                let need = &self.timeline.needs[demand];
                let value = values.get(column).copied().unwrap_or(0.0);
                changes[need.first] += value;
                changes[need.after] -= value;
            }
            let mut load = 0.0;
            let excess: Vec<f64> = (0..instants)
                .map(|instant| {
                    load += changes[instant];
                    load - self.room(class, instant)
                })
                .collect();
            for (instant, &here) in excess.iter().enumerate() {
                let before = instant
                    .checked_sub(1)
                    .map_or(f64::NEG_INFINITY, |before| excess[before]);
                let after = excess.get(instant + 1).copied().unwrap_or(f64::NEG_INFINITY);
                if here > TOLERANCE && here >= before && here > after {
                    found.push((class, instant));
                }
            }
        }
        found
    }
}
