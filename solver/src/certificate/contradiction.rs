//! A proof in whole numbers that no counts exist.
//!
//! Give capacities weights. A host of a demand in a class uses the weights of all of the class's rows
//! during the demand, so the demand uses at least its fewest hosts times the least such sum over the
//! classes it may use. If all demands together use more than the rows' rooms, weighted the same, have, no
//! counts fit (Farkas' lemma, with the demands' own multipliers chosen best).
//!
//! Invariant: a [`Contradiction`] was verified in integers against the scene, whatever engine its weights
//! came from.

use std::collections::BTreeMap;

use crate::classes::Classes;
use crate::model::Seconds;
use crate::scene::{ClassNumber, Scene};

/// Greatest factor tried to make weights whole.
const MOST_FACTOR: i32 = 64;
/// How far a weight may be from a whole number.
const CLOSE: f64 = 1e-3;
/// Weights below this share of the greatest are arithmetic noise.
const NOISE: f64 = 1e-6;

/// The capacity of a fine class at an instant, counted this many times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WeightedRow {
    pub(super) class: ClassNumber,
    pub(super) at: Seconds,
    /// Positive.
    pub(super) weight: u32,
}

/// Capacities that together are too small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contradiction {
    /// By class and instant.
    pub(super) rows: Vec<WeightedRow>,
}

impl Contradiction {
    /// From an engine's dual ray: class, instant and weight of each capacity.
    pub(super) fn from_ray(scene: &Scene<'_>, classes: &Classes, rows: &[(ClassNumber, Seconds, f64)]) -> Option<Self> {
        // All capacities are limits from above, so in a proof their weights have one sign.
        let total: f64 = rows.iter().map(|row| row.2).sum();
        let weights: Vec<f64> = rows.iter().map(|row| row.2 * total.signum()).collect();
        let greatest = weights.iter().copied().fold(0.0, f64::max);
        let real = |weight: f64| weight > NOISE * greatest;
        let least = weights
            .iter()
            .copied()
            .filter(|&weight| real(weight))
            .fold(f64::INFINITY, f64::min);
        (1..=MOST_FACTOR).find_map(|factor| {
            let mut scaled = Vec::new();
            for (&(class, at, _), &weight) in rows.iter().zip(&weights).filter(|(_, weight)| real(**weight)) {
                let weight = weight / least * f64::from(factor);
                let nearest = weight.round();
                if (weight - nearest).abs() > CLOSE || nearest > f64::from(u32::MAX) {
                    return None;
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "positive and in range"
                )]
                let weight = nearest as u32;
                scaled.push(WeightedRow { class, at, weight });
            }
            let found = Self { rows: scaled };
            found.holds(scene, classes).then_some(found)
        })
    }

    /// Recounts the proof.
    pub(super) fn holds(&self, scene: &Scene<'_>, classes: &Classes) -> bool {
        let mut by_class: BTreeMap<ClassNumber, Vec<(Seconds, u64)>> = BTreeMap::new();
        let mut exist: u128 = 0;
        for row in &self.rows {
            let weight = u64::from(row.weight);
            by_class.entry(row.class).or_default().push((row.at, weight));
            exist += u128::from(weight) * u128::from(classes.fine[row.class].room(row.at));
        }
        let without_row: Vec<ClassNumber> = (0..classes.fine.len())
            .filter(|class| !by_class.contains_key(class))
            .collect();
        let mut needed: u128 = 0;
        for (number, demand) in scene.demands.iter().enumerate() {
            let meets = self.rows.iter().any(|row| demand.occupation.contains(row.at));
            // What has no weight anywhere adds nothing; a requested demand may have no class at all.
            if demand.least == 0 || !(meets || demand.requested) {
                continue;
            }
            if without_row.iter().any(|&class| classes.eligible(scene, number, class)) {
                continue;
            }
            let used = |rows: &[(Seconds, u64)]| -> u64 {
                let during = rows.iter().filter(|row| demand.occupation.contains(row.0));
                during.map(|row| row.1).sum()
            };
            let least = by_class
                .iter()
                .filter(|(class, _)| classes.eligible(scene, number, **class))
                .map(|(_, rows)| used(rows))
                .min();
            match least {
                None => return true,
                Some(least) => needed += u128::from(demand.least) * u128::from(least),
            }
        }
        needed > exist
    }
}
