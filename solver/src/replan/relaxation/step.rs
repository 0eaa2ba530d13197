//! One exchange of the basis.
//!
//! Invariant: capacities that are rows stay exhausted, and the bound does not fall.

use super::basis::{Column, Row};
use super::leaving::Leaving;
use super::ratio::Entering;
use super::{Outcome, Relaxation};
use crate::kernel::{Sparse, Vector};

/// Excess below this is a zero of arithmetic.
const ZERO: f64 = 1e-9;
/// Pivots below this would spoil the inverse.
const LEAST_PIVOT: f64 = 1e-7;

impl Relaxation {
    /// Makes what leaves feasible; an outcome if that is the end.
    pub(super) fn step(&mut self, leaving: Leaving) -> Option<Outcome> {
        if let Leaving::Key(place) = leaving {
            self.exchange_key(place);
        }
        let (capacity, entries) = match leaving {
            Leaving::Capacity(class, instant) => (Some((class, instant)), self.row_entries(class, instant)),
            Leaving::Column(_) | Leaving::Key(_) => (None, Sparse::new()),
        };
        let (slope, direction) = match leaving {
            Leaving::Capacity(class, instant) => {
                let mut row = self.basis.kernel.combine(&entries);
                row.iter_mut().for_each(|value| *value = -*value);
                (self.loads.excess(class, instant), row)
            }
            Leaving::Column(place) | Leaving::Key(place) => {
                (-self.basis.columns[place].value, self.basis.kernel.row(place).to_vec())
            }
        };
        let direction = Vector::new(direction);
        let Some((entering, step)) = self.ratio_test(slope, &direction.entries, capacity) else {
            let moving = direction.entries.iter().map(|&(place, rate)| {
                let row = &self.basis.rows[place];
                (row.class, row.instant, rate)
            });
            let leaving = capacity.map(|(class, instant)| (class, instant, 1.0));
            self.ray = moving.chain(leaving).collect();
            return Some(Outcome::Infeasible);
        };
        self.move_prices(&direction.entries, step);
        // Rows were exhausted: what exceeds them now came with demands that changed class.
        self.loads.apply();
        let rows = self.basis.rows.iter().enumerate();
        let excess = rows.map(|(place, row)| (place, -self.loads.excess(row.class, row.instant)));
        let mut changes = self
            .basis
            .kernel
            .times(&excess.filter(|entry| entry.1.abs() > ZERO).collect::<Sparse>());
        let missing = match leaving {
            Leaving::Capacity(class, instant) => {
                let moved: f64 = entries.iter().map(|&(place, entry)| entry * changes[place]).sum();
                self.loads.excess(class, instant) + moved
            }
            Leaving::Column(place) | Leaving::Key(place) => self.basis.columns[place].value + changes[place],
        };
        // How the columns give way to one unit that enters, and what it adds to the capacity itself.
        let (column, own) = match entering {
            Entering::Row(row) => (self.basis.kernel.times(&[(row, 1.0)]), 0.0),
            Entering::Offer(demand, offer) => {
                let rows = self.basis.rows.iter().enumerate();
                let entries = rows.map(|(place, row)| (place, self.entry((demand, offer), (row.class, row.instant))));
                let column = self
                    .basis
                    .kernel
                    .times(&entries.filter(|entry| entry.1 != 0.0).collect::<Sparse>());
                (
                    column,
                    capacity.map_or(0.0, |capacity| self.entry((demand, offer), capacity)),
                )
            }
        };
        let pivot = match leaving {
            Leaving::Capacity(..) => {
                let moved: f64 = entries.iter().map(|&(place, entry)| entry * column[place]).sum();
                own - moved
            }
            Leaving::Column(place) | Leaving::Key(place) => -column[place],
        };
        if pivot.abs() < LEAST_PIVOT {
            self.loads.settle();
            return Some(Outcome::Stopped);
        }
        let amount = -missing / pivot;
        for (change, column) in changes.iter_mut().zip(&column) {
            *change -= amount * column;
        }
        for (place, change) in changes.into_iter().enumerate() {
            if change.abs() > ZERO * ZERO {
                self.change(place, change);
            }
        }
        let new_row = capacity.map(|(class, instant)| Row {
            class,
            instant,
            price: step,
        });
        self.exchange(leaving, entering, amount, new_row, (&direction, &column, pivot));
        self.loads.settle();
        None
    }

    /// Rows and columns of the basis change.
    fn exchange(
        &mut self,
        leaving: Leaving,
        entering: Entering,
        amount: f64,
        new_row: Option<Row>,
        (direction, column, pivot): (&Vector, &[f64], f64),
    ) {
        if let Leaving::Column(place) | Leaving::Key(place) = leaving {
            let left = self.basis.columns[place];
            // Arithmetic leaves it nearly zero.
            self.change(place, -left.value);
            let demand = &mut self.demands[left.demand];
            demand.columns -= 1;
            if demand.columns == 0 {
                demand.elsewhere = 0.0;
            }
        }
        let new_column = match entering {
            Entering::Row(_) => None,
            Entering::Offer(number, offer) => {
                let demand = &mut self.demands[number];
                demand.columns += 1;
                demand.elsewhere += amount;
                self.loads.note(self.offers[offer].class, demand.span, amount);
                self.loads.note(demand.key, demand.span, -amount);
                Some(Column {
                    demand: number,
                    offer,
                    value: amount,
                })
            }
        };
        match (leaving, entering) {
            (Leaving::Capacity(..), Entering::Row(place)) => {
                if let Some(new) = new_row {
                    self.basis.replace_row(place, new, direction);
                }
            }
            (Leaving::Capacity(..), Entering::Offer(..)) => {
                if let (Some(row), Some(new)) = (new_row, new_column) {
                    self.basis.border(row, direction, new, column, pivot);
                }
            }
            (Leaving::Column(place) | Leaving::Key(place), Entering::Row(row)) => self.basis.shrink(place, row),
            (Leaving::Column(place) | Leaving::Key(place), Entering::Offer(..)) => {
                if let Some(new) = new_column {
                    self.basis.replace_column(place, new, column);
                }
            }
        }
    }

    fn move_prices(&mut self, direction: &Sparse, step: f64) {
        for &(place, rate) in direction {
            let price = &mut self.basis.rows[place].price;
            *price = (*price + step * rate).max(0.0);
        }
        let classes = self.sums.iter_mut().zip(&self.rates).zip(&self.moving);
        for ((sums, rates), _) in classes.filter(|(_, moving)| **moving) {
            for (sum, rate) in sums.iter_mut().zip(rates) {
                *sum += step * rate;
            }
        }
    }

    /// A column has so much more, its demand's key so much less.
    pub(super) fn change(&mut self, place: usize, amount: f64) {
        let column = &mut self.basis.columns[place];
        column.value += amount;
        let demand = &mut self.demands[column.demand];
        demand.elsewhere += amount;
        self.loads.note(self.offers[column.offer].class, demand.span, amount);
        self.loads.note(demand.key, demand.span, -amount);
    }

    /// The class of a column becomes the key of its demand, and the key the column.
    fn exchange_key(&mut self, place: usize) {
        self.basis.exchange_key(place);
        let Column {
            demand, offer, value, ..
        } = self.basis.columns[place];
        let old = self.key_offer(demand);
        let demand = &mut self.demands[demand];
        let of_key = demand.count - demand.elsewhere;
        demand.elsewhere += of_key - value;
        demand.key = self.offers[offer].class;
        let column = &mut self.basis.columns[place];
        column.offer = old;
        column.value = of_key;
    }
}
