//! Prices for the tasks that carry a bound above the peak: the Lagrangean dual by incremental subgradients.
//!
//! The dual function is `sum of prices - sum over workers of max(0, best day - PRICE_UNIT)`; see
//! [`Bound::Prices`]. One pass visits the workers in random order. At each, the prices of the tasks of his
//! best day fall by the step if that day earns more than he costs, and the prices of all he can do rise by
//! his share of the step (Nedić and Bertsekas 2001). A price is thus corrected by every worker before the
//! next one reacts to it, which takes a hundredth of the passes that one step for all workers takes here.
//! The step shrinks as the bound stalls.
//!
//! Invariant: all of it is whole numbers, and every bound handed out is what its prices carry.

use solver::deadline::Deadline;

use super::bound::{Bound, MOST_PRICE, PRICE_UNIT};
use super::instance::Instance;
use crate::random::Random;

/// The first step.
const FIRST_STEP: i64 = PRICE_UNIT / 20;
/// Below this step the bound is taken for the best there is.
const LAST_STEP: i64 = PRICE_UNIT / 300_000;
/// Passes without progress after which the step shrinks to three fifths.
const PATIENCE: u32 = 60;
/// Passes between two looks at the running mean of the prices, which lies nearer the best than they do.
const PASSES_PER_MEAN: u32 = 5;

/// A worker's tasks by their end, and for each how many of them end before it starts.
struct Calendar {
    tasks: Vec<usize>,
    before: Vec<usize>,
}

/// The search for prices.
pub(super) struct Pricing<'a> {
    instance: &'a Instance,
    calendars: Vec<Calendar>,
    random: Random,
    order: Vec<usize>,
    /// Room for the best earnings within the first tasks of a calendar.
    earned: Vec<i64>,
    prices: Vec<i64>,
    mean: Vec<i64>,
    step: i64,
    stalled: u32,
    passes: u32,
    best: Vec<i64>,
    best_total: i64,
}

impl<'a> Pricing<'a> {
    /// Starts with prices that grow with scarcity, so low that nobody earns more than he costs.
    /// Every task needs somebody who can do it.
    pub(super) fn new(instance: &'a Instance, seed: u64) -> Self {
        let tasks = instance.tasks();
        let calendars: Vec<Calendar> = (0..instance.workers())
            .map(|worker| {
                let mut skill = instance.skills(worker).to_vec();
                skill.sort_by_key(|&task| (tasks[task].end, task));
                let ended = |at: i64| skill.partition_point(|&task| tasks[task].end <= at);
                let before = skill.iter().map(|&task| ended(tasks[task].start)).collect();
                Calendar { tasks: skill, before }
            })
            .collect();
        let scarcity = |task| PRICE_UNIT / share_count(instance, task);
        let mut pricing = Self {
            instance,
            order: (0..instance.workers()).collect(),
            earned: vec![0; tasks.len() + 1],
            prices: (0..tasks.len()).map(scarcity).collect(),
            mean: Vec::new(),
            calendars,
            random: Random::new(seed),
            step: FIRST_STEP,
            stalled: 0,
            passes: 0,
            best: Vec::new(),
            best_total: 0,
        };
        let days = (0..instance.workers())
            .map(|worker| pricing.day(worker))
            .max()
            .unwrap_or(0);
        // The best day is at most a day of tasks at their first price each: the product needs 128 bits.
        for price in &mut pricing.prices {
            let scaled = i128::from(*price) * i128::from(PRICE_UNIT) / i128::from(days.max(1));
            *price = i64::try_from(scaled).unwrap_or(MOST_PRICE).min(MOST_PRICE);
        }
        pricing.mean.clone_from(&pricing.prices);
        pricing.best.clone_from(&pricing.prices);
        pricing
    }

    /// Improves the prices until they carry `enough` workers, cannot be improved or the time is over.
    pub(super) fn run(&mut self, enough: usize, deadline: &Deadline) {
        self.compare();
        while self.step >= LAST_STEP && self.workers() < enough && !deadline.is_over() {
            deadline.spend(1);
            self.pass();
            let before = self.best_total;
            self.compare();
            if self.passes.is_multiple_of(PASSES_PER_MEAN) {
                std::mem::swap(&mut self.prices, &mut self.mean);
                self.compare();
                std::mem::swap(&mut self.prices, &mut self.mean);
            }
            if self.best_total > before + self.step / 10 {
                self.stalled = 0;
            }
            self.stalled += 1;
            if self.stalled > PATIENCE {
                self.stalled = 0;
                self.step = self.step * 3 / 5;
                self.prices.clone_from(&self.best);
                self.mean.clone_from(&self.best);
            }
        }
    }

    /// The best bound so far.
    pub(super) fn bound(&self) -> Bound {
        Bound::Prices {
            prices: self.best.clone(),
            workers: self.workers(),
        }
    }

    /// Workers come whole: the best total rounded up.
    fn workers(&self) -> usize {
        let whole = self
            .best_total
            .max(0)
            .unsigned_abs()
            .div_ceil(PRICE_UNIT.unsigned_abs());
        usize::try_from(whole).unwrap_or(0)
    }

    /// What each worker's best day earns at the best prices.
    pub(super) fn earnings(&mut self) -> Vec<i64> {
        self.prices.clone_from(&self.best);
        (0..self.instance.workers()).map(|worker| self.day(worker)).collect()
    }

    /// What the worker's best day earns; leaves the earnings within his first tasks in `earned`.
    fn day(&mut self, worker: usize) -> i64 {
        let calendar = &self.calendars[worker];
        for (place, (&task, &before)) in calendar.tasks.iter().zip(&calendar.before).enumerate() {
            self.earned[place + 1] = self.earned[place].max(self.earned[before] + self.prices[task]);
        }
        self.earned[calendar.tasks.len()]
    }

    fn pass(&mut self) {
        self.passes += 1;
        for last in (1..self.order.len()).rev() {
            let other = self.random.place(last + 1);
            self.order.swap(last, other);
        }
        for at in 0..self.order.len() {
            let worker = self.order[at];
            let works = self.day(worker) > PRICE_UNIT;
            let calendar = &self.calendars[worker];
            let mut place = calendar.tasks.len();
            while works && place > 0 {
                if self.earned[place] == self.earned[place - 1] {
                    place -= 1;
                } else {
                    self.prices[calendar.tasks[place - 1]] -= self.step;
                    place = calendar.before[place - 1];
                }
            }
            for &task in &calendar.tasks {
                let risen = self.prices[task] + self.step / share_count(self.instance, task);
                self.prices[task] = risen.clamp(0, MOST_PRICE);
            }
        }
        for (mean, &price) in self.mean.iter_mut().zip(&self.prices) {
            *mean += (price - *mean) / 10;
        }
    }

    /// Keeps the prices if they carry more than the best so far.
    fn compare(&mut self) {
        let mut total: i64 = self.prices.iter().sum();
        for worker in 0..self.instance.workers() {
            total -= (self.day(worker) - PRICE_UNIT).max(0);
        }
        if total > self.best_total {
            self.best_total = total;
            self.best.clone_from(&self.prices);
        }
    }
}

/// Among how many workers the rise of a task's price is shared.
fn share_count(instance: &Instance, task: usize) -> i64 {
    i64::try_from(instance.qualified(task).len()).map_or(i64::MAX, |count| count.max(1))
}
