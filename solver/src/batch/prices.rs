//! Prices of hosts per class and instant, and the bound that any prices prove.
//!
//! Invariant: everything here is exact. If every host of a class is charged its price at every instant,
//! no choice can be worth more than the prices of all rooms together plus, for each group, the most that
//! one of its options is worth beyond what its demands pay when each uses its cheapest classes (Lagrangean
//! relaxation of the capacities). So the bound holds whatever the prices are; good ones make it tight.

use super::model::{Model, Offered};
use super::timeline::Timeline;
use crate::scene::{ClassNumber, DemandNumber};

/// Prices are whole multiples of one unit of value divided by this.
pub(crate) const DENOMINATOR: i128 = 1 << 20;

/// Prices and what follows from them.
pub(crate) struct Prices {
    /// Per class: sums of the prices of the instants before each.
    sums: Vec<Vec<i128>>,
    /// What all rooms cost.
    rooms: i128,
}

impl Prices {
    /// Everything is free.
    pub(crate) fn none(timeline: &Timeline) -> Self {
        Self::new(timeline, std::iter::empty())
    }

    /// Prices at some instants of some classes, in units of value; what is negative or no number is 0.
    pub(crate) fn new(timeline: &Timeline, prices: impl Iterator<Item = (ClassNumber, usize, f64)>) -> Self {
        let mut at: Vec<Vec<i128>> = vec![vec![0; timeline.instants.len()]; timeline.room.len()];
        for (class, instant, price) in prices {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                reason = "any price proves a bound; the conversion saturates"
            )]
            let whole = (price.max(0.0) * DENOMINATOR as f64).round().min(1e24) as i128;
            at[class][instant] += whole;
        }
        let mut rooms = 0;
        for (prices, room) in at.iter().zip(&timeline.room) {
            rooms += prices
                .iter()
                .zip(room)
                .map(|(price, &room)| price * i128::from(room))
                .sum::<i128>();
        }
        let sums = at
            .into_iter()
            .map(|prices| {
                let mut sum = 0;
                let mut sums = vec![0];
                sums.extend(prices.into_iter().map(|price| {
                    sum += price;
                    sum
                }));
                sums
            })
            .collect();
        Self { sums, rooms }
    }

    /// What one host of a class costs a demand.
    pub(crate) fn of(&self, timeline: &Timeline, demand: DemandNumber, class: ClassNumber) -> i128 {
        let need = &timeline.needs[demand];
        self.sums[class][need.after] - self.sums[class][need.first]
    }

    /// The price of a class at an instant.
    pub(crate) fn at(&self, class: ClassNumber, instant: usize) -> i128 {
        self.sums[class][instant + 1] - self.sums[class][instant]
    }

    /// What all rooms cost.
    pub(crate) const fn rooms(&self) -> i128 {
        self.rooms
    }

    /// The least a demand pays if a host of a class costs so much besides its price, all in units of value
    /// times the denominator; `None` if its classes are too small.
    pub(crate) fn least(
        &self,
        timeline: &Timeline,
        demand: DemandNumber,
        besides: impl Fn(ClassNumber) -> i128,
    ) -> Option<i128> {
        let need = &timeline.needs[demand];
        let offer = |&class: &ClassNumber| {
            let price = self.of(timeline, demand, class) + besides(class);
            (price, timeline.most(demand, class))
        };
        let mut offers: Vec<(i128, u32)> = need.eligible.iter().map(offer).collect();
        offers.sort_unstable();
        let mut left = need.least;
        let mut paid = 0;
        for (price, room) in offers {
            let given = left.min(room);
            paid += price * i128::from(given);
            left -= given;
        }
        (left == 0).then_some(paid)
    }

    /// What an option is worth beyond what it pays, in units of value times the denominator; `None` if it
    /// can never be served.
    pub(crate) fn profit(&self, model: &Model, option: &Offered) -> Option<i128> {
        let mut profit = i128::from(option.value) * DENOMINATOR;
        for &demand in &option.demands {
            profit -= self.least(&model.timeline, demand, |_| 0)?;
        }
        Some(profit)
    }

    /// No choice is worth more, in units of value; and for every option how much less the best choice with
    /// it is worth at most.
    pub(crate) fn bound(&self, model: &Model) -> Bound {
        let profits = model.groups.iter().map(|group| {
            let profits = group.options.iter().map(|option| self.profit(model, option));
            (group.mandatory, profits.collect())
        });
        Bound::new(self.rooms, profits)
    }
}

/// An upper bound on the value and what each option costs of it.
pub(crate) struct Bound {
    total: i128,
    with: Vec<Vec<Option<i128>>>,
    without: Vec<Option<i128>>,
}

impl Bound {
    /// The bound when all rooms cost `rooms`; for each group whether one of its options must be taken, and
    /// what each of them is worth beyond what it pays, `None` if it can never be served.
    pub(crate) fn new(rooms: i128, profits: impl Iterator<Item = (bool, Vec<Option<i128>>)>) -> Self {
        let mut bound = Self {
            total: rooms,
            with: Vec::new(),
            without: Vec::new(),
        };
        for (mandatory, profits) in profits {
            let nothing = (!mandatory).then_some(0);
            let best = profits.iter().flatten().copied().chain(nothing).max().unwrap_or(0);
            bound.total += best;
            bound
                .with
                .push(profits.into_iter().map(|profit| Some(best - profit?)).collect());
            bound.without.push(nothing.map(|nothing| best - nothing));
        }
        bound
    }

    /// How much more than so much a choice may be worth at most, in units of value times the denominator.
    pub(crate) fn spare(&self, value: i64) -> i128 {
        self.total - i128::from(value) * DENOMINATOR
    }

    /// How much less a choice with this option, or with none, is worth at most; `None` if there is none.
    pub(crate) fn loss(&self, group: usize, option: Option<usize>) -> Option<i128> {
        option.map_or(self.without[group], |option| self.with[group][option])
    }

    /// In units of value, rounded down: values are whole.
    pub(crate) fn value(&self) -> i64 {
        i64::try_from(self.total.div_euclid(DENOMINATOR)).unwrap_or(i64::MAX)
    }

    /// Whether a choice with this option may be worth at least so much.
    pub(crate) fn allows(&self, group: usize, option: usize, value: i64) -> bool {
        self.loss(group, Some(option))
            .is_some_and(|loss| loss <= self.spare(value))
    }

    /// Whether a choice with nothing of this group may be worth at least so much.
    pub(crate) fn allows_nothing(&self, group: usize, value: i64) -> bool {
        self.loss(group, None).is_some_and(|loss| loss <= self.spare(value))
    }
}
