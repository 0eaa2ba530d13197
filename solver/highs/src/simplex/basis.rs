//! The dense inverse of the basis matrix.
//!
//! Invariant: with the basic variables' columns as a matrix `B`, this is its inverse, row by row, and the
//! squared length of each row is kept with it.

#[derive(Debug, Default)]
pub(super) struct Inverse {
    rows: Vec<Vec<f64>>,
    lengths: Vec<f64>,
}

impl Inverse {
    /// Of the basis of logical variables, whose columns are negative units.
    pub(super) fn logical(size: usize) -> Self {
        let mut inverse = Self::default();
        for _ in 0..size {
            inverse.border(&vec![0.0; inverse.rows.len()]);
        }
        inverse
    }

    /// Grows by a row whose logical variable is basic and in which the basic variables have these factors.
    pub(super) fn border(&mut self, factors: &[f64]) {
        let mut new = vec![0.0; self.rows.len()];
        for (row, &factor) in self.rows.iter().zip(factors) {
            if factor != 0.0 {
                add(&mut new, row, factor);
            }
        }
        for row in &mut self.rows {
            row.push(0.0);
        }
        new.push(-1.0);
        self.lengths.push(dot(&new, &new));
        self.rows.push(new);
    }

    pub(super) fn row(&self, place: usize) -> &[f64] {
        &self.rows[place]
    }

    /// The squared length of a row.
    pub(super) fn length(&self, place: usize) -> f64 {
        self.lengths[place]
    }

    pub(super) fn row_times(&self, place: usize, vector: &[f64]) -> f64 {
        dot(&self.rows[place], vector)
    }

    pub(super) fn add_row_to(&self, place: usize, factor: f64, vector: &mut [f64]) {
        add(vector, &self.rows[place], factor);
    }

    /// The inverse times a sparse column.
    pub(super) fn times(&self, entries: &[(usize, f64)]) -> Vec<f64> {
        self.rows
            .iter()
            .map(|row| entries.iter().map(|&(place, factor)| row[place] * factor).sum())
            .collect()
    }

    /// Puts a new column in a place of the basis; `column` is the inverse times it.
    pub(super) fn replace(&mut self, place: usize, column: &[f64]) {
        let mut pivot = std::mem::take(&mut self.rows[place]);
        let factor = 1.0 / column[place];
        for value in &mut pivot {
            *value *= factor;
        }
        for (other, row) in self.rows.iter_mut().enumerate() {
            if other != place && column[other] != 0.0 {
                add(row, &pivot, -column[other]);
                self.lengths[other] = dot(row, row);
            }
        }
        self.lengths[place] = dot(&pivot, &pivot);
        self.rows[place] = pivot;
    }
}

fn add(to: &mut [f64], row: &[f64], factor: f64) {
    for (to, value) in to.iter_mut().zip(row) {
        *to += factor * value;
    }
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}
