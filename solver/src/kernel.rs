//! The kernel of a basis: what is left of it when slack rows and what is trivial are taken away.
//!
//! In a linear program with many more rows than tight ones, a basis is its tight rows against as many columns; every
//! other row follows. So only their matrix is inverted, and a row costs nothing until it becomes tight.
//!
//! Invariant: there are as many rows as columns, `inverse` (a row for each column) is the inverse of their matrix, and
//! the squared length of each of its rows is kept with it.

/// A sparse vector.
pub type Sparse = Vec<(usize, f64)>;

/// Entries below this are zeros of arithmetic.
const ZERO: f64 = 1e-11;
/// Pivots below this make a matrix count as singular.
const LEAST_PIVOT: f64 = 1e-9;

/// A vector with the entries that are not zero.
#[derive(Debug)]
pub struct Vector {
    all: Vec<f64>,
    /// Places and values of those entries.
    pub entries: Sparse,
}

impl Vector {
    /// Of all values.
    pub fn new(all: Vec<f64>) -> Self {
        let entries = all.iter().copied().enumerate();
        Self {
            entries: entries.filter(|(_, value)| value.abs() > ZERO).collect(),
            all,
        }
    }

    /// The same with all signs changed.
    #[must_use]
    pub fn negative(&self) -> Self {
        Self {
            all: self.all.iter().map(|value| -value).collect(),
            entries: self.entries.iter().map(|&(place, value)| (place, -value)).collect(),
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

/// The dense inverse. Places of rows and columns are the caller's to remember.
#[derive(Debug, Clone, Default)]
pub struct Kernel {
    inverse: Vec<Vec<f64>>,
    lengths: Vec<f64>,
}

impl Kernel {
    /// How many rows and columns there are.
    pub const fn size(&self) -> usize {
        self.inverse.len()
    }

    /// The row of the inverse that belongs to a column.
    pub fn row(&self, column: usize) -> &[f64] {
        &self.inverse[column]
    }

    /// Its squared length.
    pub fn length(&self, column: usize) -> f64 {
        self.lengths[column]
    }

    /// A combination of rows of the inverse, by columns.
    pub fn combine(&self, weights: &[(usize, f64)]) -> Vec<f64> {
        let mut sum = vec![0.0; self.size()];
        for &(column, weight) in weights {
            add(&mut sum, &self.inverse[column], weight);
        }
        sum
    }

    /// The inverse times a vector over the rows.
    pub fn times(&self, entries: &[(usize, f64)]) -> Vec<f64> {
        let of = |row: &Vec<f64>| entries.iter().map(|&(place, factor)| row[place] * factor).sum();
        self.inverse.iter().map(of).collect()
    }

    /// A new last row and a new last column. `column` is the inverse times the column's entries, `direction` minus the
    /// row's entries times the inverse, `pivot` what the column has in the row beyond their product.
    pub fn border(&mut self, direction: &Vector, column: &[f64], pivot: f64) {
        for (place, inverse) in self.inverse.iter_mut().enumerate() {
            let factor = column[place] / pivot;
            if factor.abs() > ZERO {
                direction.add_to(inverse, -factor);
                inverse.push(-factor);
                self.lengths[place] = square(inverse);
            } else {
                inverse.push(0.0);
            }
        }
        let mut last: Vec<f64> = direction.all.iter().map(|value| value / pivot).collect();
        last.push(1.0 / pivot);
        self.lengths.push(square(&last));
        self.inverse.push(last);
    }

    /// A row takes another's place; `direction` is minus its entries times the inverse.
    pub fn replace_row(&mut self, place: usize, direction: &Vector) {
        let pivot = -direction.all[place];
        for (inverse, length) in self.inverse.iter_mut().zip(&mut self.lengths) {
            let factor = inverse[place] / pivot;
            if factor.abs() > ZERO {
                direction.add_to(inverse, factor);
                inverse[place] = factor;
                *length = square(inverse);
            } else {
                inverse[place] = 0.0;
            }
        }
    }

    /// A column takes another's place; `column` is the inverse times its entries.
    pub fn replace_column(&mut self, place: usize, column: &[f64]) {
        let mut pivot = std::mem::take(&mut self.inverse[place]);
        for value in &mut pivot {
            *value /= column[place];
        }
        let pivot = Vector::new(pivot);
        for (other, inverse) in self.inverse.iter_mut().enumerate() {
            if other != place && column[other].abs() > ZERO {
                pivot.add_to(inverse, -column[other]);
                self.lengths[other] = square(inverse);
            }
        }
        self.lengths[place] = square(&pivot.all);
        self.inverse[place] = pivot.all;
    }

    /// A column and a row leave; the last ones take their places.
    pub fn shrink(&mut self, column: usize, row: usize) {
        let gone = Vector::new(self.inverse.swap_remove(column));
        self.lengths.swap_remove(column);
        for (inverse, length) in self.inverse.iter_mut().zip(&mut self.lengths) {
            let factor = inverse[row] / gone.all[row];
            if factor.abs() > ZERO {
                gone.add_to(inverse, -factor);
                inverse.swap_remove(row);
                *length = square(inverse);
            } else {
                inverse.swap_remove(row);
            }
        }
    }

    /// Replaces a row of the inverse, as when a column is expressed by others.
    pub fn set_row(&mut self, column: usize, row: Vec<f64>) {
        self.lengths[column] = square(&row);
        self.inverse[column] = row;
    }

    /// The inverse of a square matrix, given row by row; `false`, and nothing changes, if there is none.
    pub fn invert(&mut self, mut matrix: Vec<Vec<f64>>) -> bool {
        let size = matrix.len();
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
            let Some(best) = best.filter(|&best| matrix[best][place].abs() > LEAST_PIVOT) else {
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
        self.lengths = inverse.iter().map(|row| square(row)).collect();
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
