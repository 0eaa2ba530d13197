//! Nearly right prices without a linear program: a deflected subgradient method on the capacities.
//!
//! Invariant: none needed. Any prices may be handed on: they only say what to look at first. See Barahona
//! and Anbil, "The volume algorithm", Mathematical Programming 87 (2000), for the averaging of loads.

use super::timeline::Timeline;
use crate::deadline::Deadline;

/// Steps of the method.
const STEPS: u32 = 400;
/// Steps without a better bound before steps become shorter.
const PATIENCE: u32 = 12;
/// How much of the last direction is kept.
const MEMORY: f64 = 0.6;
/// Weight of a new point in the average load.
const NEW: f64 = 0.06;

/// Prices and what the loads look like at them.
pub(crate) struct Guess {
    /// Per class and instant.
    pub(crate) prices: Vec<Vec<f64>>,
    /// Average load per class and instant.
    pub(crate) load: Vec<Vec<f64>>,
}

/// Sums of prices before each instant.
pub(crate) fn sums(prices: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let mut sums = Vec::with_capacity(prices.len() + 1);
    sums.push(0.0);
    for price in prices {
        sum += price;
        sums.push(sum);
    }
    sums
}

/// Loads per class and instant, and what all demands pay.
pub(crate) type Response = (Vec<Vec<f64>>, f64);

/// Runs the method as far as the deadline allows. `most` is what some plan costs, or about that; `respond` says what is cheapest when the
/// sums of prices before each instant are these.
pub(crate) fn guess(
    timeline: &Timeline,
    most: f64,
    respond: &dyn Fn(&[Vec<f64>]) -> Response,
    deadline: &Deadline,
) -> Guess {
    let (classes, instants) = (timeline.room.len(), timeline.instants.len());
    let peaks = peaks(timeline);
    let zero = || vec![vec![0.0; instants]; classes];
    let mut prices = zero();
    let mut best = (f64::NEG_INFINITY, prices.clone());
    let mut direction = zero();
    let mut average = zero();
    let mut length = 1.0;
    let mut fruitless = 0;
    for step in 0..STEPS {
        if deadline.is_over() {
            break;
        }
        deadline.spend(1);
        let sums: Vec<Vec<f64>> = prices.iter().map(|prices| sums(prices)).collect();
        let (load, paid) = respond(&sums);
        let mut bound = paid;
        let mut square = 0.0;
        let weight = if step == 0 { 1.0 } else { NEW };
        for class in 0..classes {
            for instant in 0..instants {
                let (price, load) = (prices[class][instant], load[class][instant]);
                let room = f64::from(timeline.room[class][instant]);
                bound -= price * room;
                average[class][instant] += weight * (load - average[class][instant]);
                let excess = if peaks[class][instant] { load - room } else { 0.0 };
                let old = direction[class][instant];
                let mut new = excess + MEMORY * old;
                if new < 0.0 && price <= 0.0 {
                    new = 0.0;
                }
                direction[class][instant] = new;
                square += new * new;
            }
        }
        if bound > best.0 + 1e-6 * bound.abs() {
            best = (bound, prices.clone());
            fruitless = 0;
        } else {
            fruitless += 1;
            if fruitless >= PATIENCE {
                fruitless = 0;
                length *= 0.6;
                prices.clone_from(&best.1);
                direction = zero();
                continue;
            }
        }
        if square <= 0.0 || length < 1e-3 {
            break;
        }
        let stride = length * (most + 0.01 * most.abs() - bound).max(0.001 * most.abs()) / square;
        for (prices, direction) in prices.iter_mut().zip(&direction) {
            for (price, direction) in prices.iter_mut().zip(direction) {
                *price = (*price + stride * direction).max(0.0);
            }
        }
    }
    Guess {
        prices: best.1,
        load: average,
    }
}

/// Instants after which something ends: the load of others is never greater.
fn peaks(timeline: &Timeline) -> Vec<Vec<bool>> {
    let mut peaks = vec![vec![false; timeline.instants.len()]; timeline.room.len()];
    for need in &timeline.needs {
        for &class in &need.eligible {
            peaks[class][need.after - 1] = true;
        }
    }
    peaks
}
