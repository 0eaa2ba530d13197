//! The working basis: exhausted capacities against demands that are split over classes.
//!
//! Every demand has one *key* class; a demand that is split has further basic classes, the columns. A column
//! stands for one host more in its class and one less in the key class, so its entries are 1, 0 and -1.
//!
//! Invariant: there are as many rows as columns, and the kernel knows them in the same places.

use crate::kernel::{Kernel, Vector};

/// An exhausted capacity.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Row {
    pub(super) class: usize,
    pub(super) instant: usize,
    pub(super) price: f64,
}

/// A class a demand uses besides its key.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) demand: usize,
    /// Number of the offer among all.
    pub(super) offer: usize,
    pub(super) value: f64,
}

#[derive(Clone, Default)]
pub(super) struct Basis {
    pub(super) rows: Vec<Row>,
    pub(super) columns: Vec<Column>,
    pub(super) kernel: Kernel,
}

impl Basis {
    /// A new row and a new column; see [`Kernel::border`].
    pub(super) fn border(&mut self, row: Row, direction: &Vector, new: Column, column: &[f64], pivot: f64) {
        self.kernel.border(direction, column, pivot);
        self.rows.push(row);
        self.columns.push(new);
    }

    /// A row takes another's place; `direction` is minus its entries times the inverse.
    pub(super) fn replace_row(&mut self, place: usize, new: Row, direction: &Vector) {
        self.kernel.replace_row(place, direction);
        self.rows[place] = new;
    }

    /// A column takes another's place; `column` is the inverse times its entries.
    pub(super) fn replace_column(&mut self, place: usize, new: Column, column: &[f64]) {
        self.kernel.replace_column(place, column);
        self.columns[place] = new;
    }

    /// A column and a row leave; the last ones take their places.
    pub(super) fn shrink(&mut self, column: usize, row: usize) {
        self.kernel.shrink(column, row);
        self.columns.swap_remove(column);
        self.rows.swap_remove(row);
    }

    /// A column of a demand becomes its key, and the key the column.
    pub(super) fn exchange_key(&mut self, place: usize) {
        let demand = self.columns[place].demand;
        let own = |column: &Column| column.demand == demand;
        let weights = (0..self.columns.len()).filter(|&other| own(&self.columns[other]));
        let weights: Vec<(usize, f64)> = weights.map(|other| (other, -1.0)).collect();
        let row = self.kernel.combine(&weights);
        self.kernel.set_row(place, row);
    }

    /// The inverse anew, from the columns' entries in the rows; `false` if there is none.
    pub(super) fn invert(&mut self, entry: impl Fn(&Column, &Row) -> f64) -> bool {
        let of = |row: &Row| self.columns.iter().map(|column| entry(column, row)).collect();
        self.kernel.invert(self.rows.iter().map(of).collect())
    }
}
