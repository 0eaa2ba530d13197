//! The working basis: exhausted capacities against demands that are split over classes.
//!
//! Every demand has one *key* class; a demand that is split has further basic classes, the columns. A column
//! stands for one host more in its class and one less in the key class, so its entries are 1, 0 and -1.
//!
//! Invariant: there are as many rows as columns, and `inverse` (a row for each column) is the inverse of
//! their matrix; `length` of a column is the squared length of its row.

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
    pub(super) length: f64,
}

/// A sparse vector.
pub(super) type Sparse = Vec<(usize, f64)>;

#[derive(Clone, Default)]
pub(super) struct Basis {
    pub(super) rows: Vec<Row>,
    pub(super) columns: Vec<Column>,
    inverse: Vec<Vec<f64>>,
}

/// Entries below this are zeros of arithmetic.
const ZERO: f64 = 1e-11;

/// A vector with the entries that are not zero.
pub(super) struct Vector {
    all: Vec<f64>,
    pub(super) entries: Sparse,
}

impl Vector {
    pub(super) fn new(all: Vec<f64>) -> Self {
        let entries = all.iter().copied().enumerate();
        Self {
            entries: entries.filter(|(_, value)| value.abs() > ZERO).collect(),
            all,
        }
    }

    /// Adds a multiple of it to a vector that may be longer.
    fn add_to(&self, to: &mut [f64], factor: f64) {
        if 3 * self.entries.len() > self.all.len() {
            add(to, &self.all, factor);
        } else {
            for &(place, value) in &self.entries {
                to[place] += factor * value;
            }
        }
    }
}

impl Basis {
    /// The row of the inverse that belongs to a column.
    pub(super) fn row(&self, column: usize) -> &[f64] {
        &self.inverse[column]
    }

    /// A combination of rows of the inverse, by columns.
    pub(super) fn combine(&self, weights: &Sparse) -> Vec<f64> {
        let mut sum = vec![0.0; self.rows.len()];
        for &(column, weight) in weights {
            add(&mut sum, &self.inverse[column], weight);
        }
        sum
    }

    /// The inverse times a vector over the rows.
    pub(super) fn times(&self, entries: &Sparse) -> Vec<f64> {
        let of = |row: &Vec<f64>| entries.iter().map(|&(place, factor)| row[place] * factor).sum();
        self.inverse.iter().map(of).collect()
    }

    /// A new row and a new column. `column` is the inverse times the column's entries, `direction` minus the row's
    /// entries times the inverse, `pivot` what the column has in the row beyond their product.
    pub(super) fn border(&mut self, row: Row, direction: &Vector, new: Column, column: &[f64], pivot: f64) {
        for (place, inverse) in self.inverse.iter_mut().enumerate() {
            let factor = column[place] / pivot;
            if factor.abs() > ZERO {
                direction.add_to(inverse, -factor);
                inverse.push(-factor);
                self.columns[place].length = square(inverse);
            } else {
                inverse.push(0.0);
            }
        }
        let mut last: Vec<f64> = direction.all.iter().map(|value| value / pivot).collect();
        last.push(1.0 / pivot);
        self.rows.push(row);
        self.columns.push(Column {
            length: square(&last),
            ..new
        });
        self.inverse.push(last);
    }

    /// A row takes another's place; `direction` is minus its entries times the inverse.
    pub(super) fn replace_row(&mut self, place: usize, new: Row, direction: &Vector) {
        let pivot = -direction.all[place];
        for (inverse, column) in self.inverse.iter_mut().zip(&mut self.columns) {
            let factor = inverse[place] / pivot;
            if factor.abs() > ZERO {
                direction.add_to(inverse, factor);
                inverse[place] = factor;
                column.length = square(inverse);
            } else {
                inverse[place] = 0.0;
            }
        }
        self.rows[place] = new;
    }

    /// A column takes another's place; `column` is the inverse times its entries.
    pub(super) fn replace_column(&mut self, place: usize, new: Column, column: &[f64]) {
        let mut pivot = std::mem::take(&mut self.inverse[place]);
        for value in &mut pivot {
            *value /= column[place];
        }
        let pivot = Vector::new(pivot);
        for (other, inverse) in self.inverse.iter_mut().enumerate() {
            if other != place && column[other].abs() > ZERO {
                pivot.add_to(inverse, -column[other]);
                self.columns[other].length = square(inverse);
            }
        }
        self.columns[place] = Column {
            length: square(&pivot.all),
            ..new
        };
        self.inverse[place] = pivot.all;
    }

    /// A column and a row leave; the last ones take their places.
    pub(super) fn shrink(&mut self, column: usize, row: usize) {
        let gone = Vector::new(self.inverse.swap_remove(column));
        self.columns.swap_remove(column);
        self.rows.swap_remove(row);
        for (inverse, column) in self.inverse.iter_mut().zip(&mut self.columns) {
            let factor = inverse[row] / gone.all[row];
            if factor.abs() > ZERO {
                gone.add_to(inverse, -factor);
                inverse.swap_remove(row);
                column.length = square(inverse);
            } else {
                inverse.swap_remove(row);
            }
        }
    }

    /// A column of a demand becomes its key, and the key the column.
    pub(super) fn exchange_key(&mut self, place: usize) {
        let demand = self.columns[place].demand;
        let own = |column: &Column| column.demand == demand;
        let weights = (0..self.columns.len()).filter(|&other| own(&self.columns[other]));
        let row = self.combine(&weights.map(|other| (other, -1.0)).collect());
        self.columns[place].length = square(&row);
        self.inverse[place] = row;
    }

    /// The inverse anew, from the columns' entries in the rows; `false` if there is none.
    pub(super) fn invert(&mut self, entry: impl Fn(&Column, &Row) -> f64) -> bool {
        let size = self.rows.len();
        let old = std::mem::take(&mut self.inverse);
        let mut matrix: Vec<Vec<f64>> = self
            .rows
            .iter()
            .map(|row| self.columns.iter().map(|column| entry(column, row)).collect())
            .collect();
        let unit = |place: usize| {
            (0..size)
                .map(move |other| f64::from(u8::from(other == place)))
                .collect()
        };
        let mut inverse: Vec<Vec<f64>> = (0..size).map(unit).collect();
        for place in 0..size {
            let best = (place..size).max_by(|&one, &other| {
                let (one, other) = (matrix[one][place].abs(), matrix[other][place].abs());
                one.total_cmp(&other)
            });
            let Some(best) = best.filter(|&best| matrix[best][place].abs() > 1e-9) else {
                self.inverse = old;
                return false;
            };
            matrix.swap(place, best);
            inverse.swap(place, best);
            let factor = 1.0 / matrix[place][place];
            for value in matrix[place].iter_mut().chain(&mut inverse[place]) {
                *value *= factor;
            }
            let pivot = Vector::new(matrix[place].clone());
            let of_inverse = Vector::new(inverse[place].clone());
            for other in (0..size).filter(|&other| other != place) {
                let factor = matrix[other][place];
                if factor != 0.0 {
                    pivot.add_to(&mut matrix[other], -factor);
                    of_inverse.add_to(&mut inverse[other], -factor);
                }
            }
        }
        for (column, row) in self.columns.iter_mut().zip(&inverse) {
            column.length = square(row);
        }
        self.inverse = inverse;
        true
    }
}

fn add(to: &mut [f64], row: &[f64], factor: f64) {
    for (to, value) in to.iter_mut().zip(row) {
        *to += factor * value;
    }
}

/// The squared length, summed in lanes that a processor adds at once.
fn square(vector: &[f64]) -> f64 {
    let (lanes, rest) = vector.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for lane in lanes {
        for (sum, value) in sums.iter_mut().zip(lane) {
            *sum += value * value;
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|value| value * value).sum::<f64>()
}
