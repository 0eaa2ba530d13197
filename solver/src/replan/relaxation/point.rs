//! What the present point says to those who want whole numbers.
//!
//! Invariant: hosts that are reserved are part of every later answer.

use super::basis::Column;
use super::{Offer, Relaxation, TOLERANCE, bit};
use crate::batch::timeline::Split;

/// How far from a whole number a value may lie and still be that number.
const INTEGRALITY: f64 = 1e-5;

impl Relaxation {
    /// Prices of exhausted capacities, by class and instant.
    pub(in crate::replan) fn prices(&self) -> impl Iterator<Item = (usize, usize, f64)> {
        self.basis.rows.iter().map(|row| (row.class, row.instant, row.price))
    }

    /// The splits of all demands in the order they were added, `None` if some are not whole.
    pub(in crate::replan) fn splits(&self) -> Option<Vec<Split>> {
        let mut splits: Vec<Split> = vec![Split::new(); self.added];
        let keys = self.demands.iter();
        let keys = keys.map(|demand| (demand.origin, demand.key, demand.count - demand.elsewhere));
        let columns = self.basis.columns.iter();
        let origin = |column: &Column| self.demands[column.demand].origin;
        let columns = columns.map(|column| (origin(column), self.offers[column.offer].class, column.value));
        for (number, class, value) in keys.chain(columns) {
            splits[number].push((class, whole(value)?));
        }
        for &(number, class, count) in &self.reserved {
            splits[number].push((class, count));
        }
        for split in &mut splits {
            split.sort_unstable();
            split.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 += next.1;
                }
                same
            });
            split.retain(|&(_, count)| count > 0);
        }
        Some(splits)
    }

    /// Values to round up, with the classes: those that lack less than `reach`, at least one, and one of each demand.
    pub(in crate::replan) fn nearly_whole(&self, reach: f64) -> Vec<(usize, usize, u32)> {
        let mut fractional: Vec<(f64, usize, usize, f64)> = Vec::new();
        let mut consider = |number: usize, class: usize, value: f64| {
            if (value - value.round()).abs() > INTEGRALITY {
                fractional.push((value.ceil() - value, number, class, value.ceil()));
            }
        };
        for column in &self.basis.columns {
            consider(column.demand, self.offers[column.offer].class, column.value);
            let demand = &self.demands[column.demand];
            consider(column.demand, demand.key, demand.count - demand.elsewhere);
        }
        fractional.sort_by(|one, other| one.0.total_cmp(&other.0).then((one.1, one.2).cmp(&(other.1, other.2))));
        let near = fractional.iter().take_while(|lacks| lacks.0 < reach).count().max(1);
        let mut rounded: Vec<(usize, usize, u32)> = Vec::new();
        for (_, number, class, value) in fractional.into_iter().take(near) {
            if rounded.iter().all(|&(other, ..)| other != number) {
                rounded.extend(whole(value).map(|value| (number, class, value)));
            }
        }
        rounded
    }

    /// Values to branch on, those farthest from whole numbers first: demand, class, and the next lower whole number.
    pub(in crate::replan) fn branchings(&self, most: usize) -> Vec<(usize, usize, u32)> {
        let mut fractional: Vec<(f64, usize, usize, f64)> = Vec::new();
        let mut consider = |number: usize, class: usize, value: f64| {
            let distance = (value - value.round()).abs();
            if distance > INTEGRALITY {
                fractional.push((distance, number, class, value.floor()));
            }
        };
        for column in &self.basis.columns {
            consider(column.demand, self.offers[column.offer].class, column.value);
            let demand = &self.demands[column.demand];
            if demand.columns > 1 {
                consider(column.demand, demand.key, demand.count - demand.elsewhere);
            }
        }
        fractional.sort_by(|one, other| other.0.total_cmp(&one.0).then((one.1, one.2).cmp(&(other.1, other.2))));
        fractional.dedup_by_key(|value| (value.1, value.2));
        let values = fractional.into_iter().take(most);
        values
            .filter_map(|(_, number, class, value)| Some((number, class, whole(value)?)))
            .collect()
    }

    /// Lets a demand have no more of a class than so many: the others become a demand of their own, which the class
    /// does not suit. `false` if no other class does.
    pub(in crate::replan) fn restrict(&mut self, number: usize, class: usize, most: u32) -> bool {
        let mut rest = self.demands[number].clone();
        let first = self.offers.len();
        for place in rest.offers.0..rest.offers.1 {
            if self.offers[place].class != class {
                self.offers.push(self.offers[place]);
            }
        }
        let price = |offer: &Offer| {
            let sums = &self.sums[offer.class];
            offer.cost + sums[rest.span.1] - sums[rest.span.0]
        };
        let others = self.offers[first..].iter();
        let Some(cheapest) = others.min_by(|one, other| price(one).total_cmp(&price(other))) else {
            return false;
        };
        rest.key = cheapest.class;
        rest.count -= f64::from(most);
        rest.offers = (first, self.offers.len());
        rest.classes = self.offers[first..]
            .iter()
            .fold(0, |bits, offer| bits | bit(offer.class));
        rest.columns = 0;
        rest.elsewhere = 0.0;
        self.demands[number].count = f64::from(most);
        self.demands.push(rest);
        true
    }

    /// What every plan within this program costs at least, in units of `charge`: exact, whatever the prices are. `ray`
    /// says how many times to add the direction in which the bound of an infeasible program grows.
    pub(in crate::replan) fn proved(&self, charge: &dyn Fn(usize, usize) -> i128, unit: f64, ray: f64) -> i128 {
        let mut sums: Vec<Vec<i128>> = self.sums.iter().map(|sums| vec![0; sums.len()]).collect();
        let mut total = 0;
        let along = self
            .ray
            .iter()
            .map(|&(class, instant, rate)| (class, instant, ray * rate));
        for (class, instant, price) in self.prices().chain(along) {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "any price proves a bound; the conversion saturates"
            )]
            let price = (price.max(0.0) * unit).round().min(1e24) as i128;
            sums[class][instant + 1] += price;
            #[expect(clippy::cast_possible_truncation, reason = "rooms are whole numbers of hosts")]
            let room = self.loads.room[class][instant] as i128;
            total -= price * room;
        }
        for sums in &mut sums {
            let mut sum = 0;
            for value in sums {
                sum += *value;
                *value = sum;
            }
        }
        for demand in &self.demands {
            let (first, after) = demand.span;
            let price = |offer: &Offer| {
                charge(demand.origin, offer.class) + sums[offer.class][after] - sums[offer.class][first]
            };
            let least = self.offers[demand.offers.0..demand.offers.1].iter().map(price).min();
            #[expect(clippy::cast_possible_truncation, reason = "counts are whole numbers of hosts")]
            let count = demand.count as i128;
            total += count * least.unwrap_or(0);
        }
        let reserved = self.reserved.iter();
        total
            + reserved
                .map(|&(origin, class, count)| charge(origin, class) * i128::from(count))
                .sum::<i128>()
    }

    /// Gives a demand hosts of a class for good.
    pub(in crate::replan) fn reserve(&mut self, number: usize, class: usize, count: u32) {
        let demand = &mut self.demands[number];
        demand.count -= f64::from(count);
        for room in &mut self.loads.room[class][demand.span.0..demand.span.1] {
            *room -= f64::from(count);
        }
        self.reserved.push((demand.origin, class, count));
    }
}

/// The whole number a value is, if it is one and not negative.
fn whole(value: f64) -> Option<u32> {
    let rounded = value.round();
    let exact = (value - rounded).abs() <= INTEGRALITY && (-TOLERANCE..=f64::from(u32::MAX)).contains(&rounded);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    exact.then_some(rounded as u32)
}
