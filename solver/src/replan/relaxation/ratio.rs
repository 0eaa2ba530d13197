//! How far prices can move in a direction.
//!
//! Invariant: afterwards every demand that is not split is in its cheapest class at the prices of the step.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::{Demand, Relaxation, bit};
use crate::kernel::Sparse;

/// Changes below this are zeros of arithmetic.
const ZERO: f64 = 1e-6;

/// What enters the basis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entering {
    /// The price of this row falls to zero.
    Row(usize),
    /// An offer becomes as cheap as the key of this demand.
    Offer(usize, usize),
}

/// Where the bound's slope changes.
struct Kink {
    step: f64,
    pivot: f64,
    entering: Entering,
}

/// The first kink is the greatest; among equals the one with the largest pivot, which is the safest.
impl Ord for Kink {
    fn cmp(&self, other: &Self) -> Ordering {
        let step = other.step.total_cmp(&self.step);
        step.then(self.pivot.total_cmp(&other.pivot))
            .then(other.entering.cmp(&self.entering))
    }
}

impl PartialOrd for Kink {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Kink {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Kink {}

/// What moves in a step: the classes as bits, and the instants from the first to the last.
struct Moving {
    classes: u64,
    first: usize,
    last: usize,
}

impl Relaxation {
    /// Moves prices along the direction as long as the bound rises, whose slope is given at first; demands
    /// change class on the way. Gives what enters the basis and the length of the step, `None` if there is no end.
    pub(super) fn ratio_test(
        &mut self,
        mut slope: f64,
        direction: &Sparse,
        capacity: Option<(usize, usize)>,
    ) -> Option<(Entering, f64)> {
        let moving = self.set_rates(direction, capacity);
        let falling = direction.iter().filter(|entry| entry.1 < -ZERO);
        let mut kinks: Vec<Kink> = falling
            .map(|&(place, rate)| Kink {
                step: self.basis.rows[place].price / -rate,
                pivot: -rate,
                entering: Entering::Row(place),
            })
            .collect();
        for (number, demand) in self.demands.iter().enumerate() {
            let met = demand.span.0 <= moving.last && moving.first < demand.span.1;
            if met && demand.classes & moving.classes != 0 {
                kinks.extend(self.next_kink(number, demand, 0.0));
            }
        }
        let mut kinks = BinaryHeap::from(kinks);
        loop {
            let kink = kinks.pop()?;
            let Entering::Offer(number, offer) = kink.entering else {
                return Some((kink.entering, kink.step));
            };
            let demand = &self.demands[number];
            let left = slope - demand.count * kink.pivot;
            if demand.columns > 0 || left <= 0.0 {
                return Some((kink.entering, kink.step));
            }
            slope = left;
            self.loads.note(demand.key, demand.span, -demand.count);
            self.demands[number].key = self.offers[offer].class;
            let demand = &self.demands[number];
            self.loads.note(demand.key, demand.span, demand.count);
            kinks.extend(self.next_kink(number, demand, kink.step));
        }
    }

    /// Notes how fast the sums of prices change.
    fn set_rates(&mut self, direction: &Sparse, capacity: Option<(usize, usize)>) -> Moving {
        let mut moving = Moving {
            classes: 0,
            first: usize::MAX,
            last: 0,
        };
        self.moving.fill(false);
        let rows = direction.iter().map(|&(place, rate)| {
            let row = &self.basis.rows[place];
            ((row.class, row.instant), rate)
        });
        for ((class, instant), rate) in rows.chain(capacity.map(|capacity| (capacity, 1.0))) {
            if !self.moving[class] {
                self.moving[class] = true;
                self.rates[class].fill(0.0);
                moving.classes |= bit(class);
            }
            self.rates[class][instant + 1] += rate;
            moving.first = moving.first.min(instant);
            moving.last = moving.last.max(instant);
        }
        for (rates, _) in self.rates.iter_mut().zip(&self.moving).filter(|(_, moving)| **moving) {
            let mut sum = 0.0;
            for rate in rates {
                sum += *rate;
                *rate = sum;
            }
        }
        moving
    }

    /// Where another class of a demand becomes cheaper than its key, from a step on.
    fn next_kink(&self, number: usize, demand: &Demand, from: f64) -> Option<Kink> {
        let (first, after) = demand.span;
        let rate = |class: usize| {
            if self.moving[class] {
                self.rates[class][after] - self.rates[class][first]
            } else {
                0.0
            }
        };
        let of_key = rate(demand.key);
        let sums = |class: usize| self.sums[class][after] - self.sums[class][first];
        let offers = &self.offers[demand.offers.0..demand.offers.1];
        let mut best: Option<(f64, f64, usize)> = None;
        let mut key = f64::NAN;
        for (place, offer) in offers.iter().enumerate() {
            let pivot = of_key - rate(offer.class);
            if pivot <= ZERO || offer.class == demand.key {
                continue;
            }
            if key.is_nan() {
                let own = offers.iter().find(|offer| offer.class == demand.key)?;
                key = own.cost + sums(own.class);
            }
            let step = ((offer.cost + sums(offer.class) - key) / pivot).max(from);
            if best.is_none_or(|best| step < best.0) {
                best = Some((step, pivot, place));
            }
        }
        best.map(|(step, pivot, place)| Kink {
            step,
            pivot,
            entering: Entering::Offer(number, demand.offers.0 + place),
        })
    }
}
