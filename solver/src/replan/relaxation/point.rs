//! What the present point says to those who want whole numbers.
//!
//! Invariant: hosts that are reserved are part of every later answer.

use super::{Relaxation, TOLERANCE};
use crate::batch::model::Split;

/// How far from a whole number a value may lie and still be that number.
const INTEGRALITY: f64 = 1e-5;

impl Relaxation {
    /// Prices of exhausted capacities, by class and instant.
    pub(in crate::replan) fn prices(&self) -> impl Iterator<Item = (usize, usize, f64)> {
        self.basis.rows.iter().map(|row| (row.class, row.instant, row.price))
    }

    /// The splits of all demands in the order they were added, `None` if some are not whole.
    pub(in crate::replan) fn splits(&self) -> Option<Vec<Split>> {
        let mut splits: Vec<Split> = vec![Split::new(); self.demands.len()];
        let keys = self.demands.iter().enumerate();
        let keys = keys.map(|(number, demand)| (number, demand.key, demand.count - demand.elsewhere));
        let columns = self.basis.columns.iter();
        let columns = columns.map(|column| (column.demand, self.offers[column.offer].class, column.value));
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

    /// Gives a demand hosts of a class for good.
    pub(in crate::replan) fn reserve(&mut self, number: usize, class: usize, count: u32) {
        let demand = &mut self.demands[number];
        demand.count -= f64::from(count);
        for room in &mut self.loads.room[class][demand.span.0..demand.span.1] {
            *room -= f64::from(count);
        }
        self.reserved.push((number, class, count));
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
