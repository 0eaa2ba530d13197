//! The program itself, as it grows.
//!
//! Invariant: columns and rows know of the same entries. A new row begins slack and a new column at its lower bound, so
//! the kernel stays as it is.

use super::{Place, Simplex};

/// The middle of what is added to a cost: so little that all of it together is no whole unit of cost.
const PERTURBATION: f64 = 1e-6;

/// A column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) cost: f64,
    pub(crate) bounds: (f64, f64),
    pub(crate) entries: Vec<(usize, f64)>,
}

/// A row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) bounds: (f64, f64),
    pub(crate) entries: Vec<(usize, f64)>,
}

impl Simplex {
    /// Adds a column; both bounds must be finite.
    pub(crate) fn add_column(&mut self, cost: f64, bounds: (f64, f64), entries: &[(usize, f64)]) -> usize {
        let number = self.columns.len();
        for &(row, factor) in entries {
            self.rows[row].entries.push((number, factor));
        }
        self.columns.push(Column {
            cost,
            bounds,
            entries: entries.to_vec(),
        });
        self.places.push(Place::Lower);
        self.added.push(perturbation(number));
        self.reduced.push(0.0);
        self.present.push(0.0);
        self.entries.push(0.0);
        self.place_of.push(0);
        number
    }

    /// Adds a row; its logical variable becomes basic.
    pub(crate) fn add_row(&mut self, bounds: (f64, f64), entries: &[(usize, f64)]) -> usize {
        let number = self.rows.len();
        for &(column, factor) in entries {
            self.columns[column].entries.push((number, factor));
        }
        self.rows.push(Row {
            bounds,
            entries: entries.to_vec(),
        });
        self.logical_places.push(Place::Basic);
        self.duals.push(0.0);
        self.totals.push(0.0);
        self.place_of_row.push(0);
        self.lengths.push(1.0);
        number
    }
}

/// A little cost that differs from column to column, so that few reduced costs are equal: moves all cost the same, and
/// without it most iterations change nothing.
fn perturbation(column: usize) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
    let mut state = (column as u32).wrapping_mul(0x9e37_79b9) ^ 0x85eb_ca6b;
    state ^= state >> 15;
    state = state.wrapping_mul(0x2c1b_3c6d);
    state ^= state >> 12;
    PERTURBATION * (0.5 + f64::from(state >> 8) / f64::from(1 << 24))
}
