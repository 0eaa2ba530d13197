//! The iterations: the bounded dual simplex method on the kernel.
//!
//! Invariant: reduced costs keep the signs their places ask for, and tight rows stay at their bounds.

use solver::deadline::Deadline;

use super::leaving::{Basic, Leaving};
use super::ratio::{TableauRow, Test};
use super::{Found, Place, Simplex, Variable};

/// How far the same pivot from row and column may differ.
const DRIFTED: f64 = 1e-5;
/// Iterations between two questions whether to go on.
const PATIENCE: usize = 64;
/// Iterations after which everything is computed anew.
const MOST_DRIFT: usize = 300;
/// Iterations after which equal costs are taken to be what keeps the method from an end.
const PERTURBED_AFTER: usize = 100;
/// A dense inverse of more tight rows is slower than HiGHS.
pub(super) const MOST_TIGHT: usize = 2_000;

impl Simplex {
    /// From a dual feasible basis to an optimum, or to a row that cannot be satisfied.
    pub(super) fn improve(&mut self, deadline: &Deadline) -> Found {
        let most = 200 + 20 * self.rows.len() + self.columns.len();
        for iteration in 1..=most {
            deadline.spend(1);
            if iteration % PATIENCE == 0 && deadline.is_over() || self.kernel.size() >= MOST_TIGHT {
                return Found::Nothing;
            }
            let stalls = !self.perturbed && iteration == PERTURBED_AFTER;
            if stalls || self.drift >= MOST_DRIFT {
                self.perturbed |= stalls;
                if !(stalls || self.reinvert()) || !self.price() {
                    return Found::Nothing;
                }
                self.evaluate();
            }
            self.drift += 1;
            let Some(leaving) = self.leaving() else {
                return Found::Optimal;
            };
            let row = self.tableau_row(&leaving);
            let (entering, passed) = match self.ratio_test(&row, leaving.target - self.value(leaving.variable)) {
                Test::Enters(entering, passed) => (entering, passed),
                Test::Nothing => return Found::Nothing,
                Test::NoEnd => {
                    self.ray = self.ray_of(&leaving);
                    return Found::Infeasible;
                }
            };
            self.flip(&passed);
            if !self.pivot(&leaving, entering.variable, entering.entry, &row) {
                return Found::Nothing;
            }
        }
        Found::Nothing
    }

    fn value(&self, variable: Basic) -> f64 {
        match variable {
            Basic::Column(place) => self.present[self.basic[place]],
            Basic::Row(row) => self.totals[row],
        }
    }

    /// The leaving row of the inverse.
    fn ray_of(&self, leaving: &Leaving) -> Vec<f64> {
        let mut ray = vec![0.0; self.rows.len()];
        for &(place, weight) in &leaving.direction.entries {
            ray[self.tight[place]] = weight;
        }
        if let Basic::Row(row) = leaving.variable {
            ray[row] = -1.0;
        }
        ray
    }

    /// Exchanges the leaving variable, which goes to its bound, for the entering one; `false` if arithmetic has become
    /// too inaccurate.
    fn pivot(&mut self, leaving: &Leaving, entering: Variable, entry: f64, row: &TableauRow) -> bool {
        let column = match entering {
            Variable::Column(column) => {
                let entries = self.columns[column].entries.iter();
                let tight = entries.filter(|(row, _)| self.logical_places[*row] != Place::Basic);
                let tight: Vec<(usize, f64)> = tight.map(|&(row, factor)| (self.place_of_row[row], factor)).collect();
                self.kernel.times(&tight)
            }
            Variable::Logical(row) => self.kernel.times(&[(self.place_of_row[row], -1.0)]),
        };
        // What the entering variable has in the leaving one's row, by the column this time.
        let pivot = match leaving.variable {
            Basic::Column(place) => column[place],
            Basic::Row(row) => {
                let own = match entering {
                    Variable::Column(entering) => {
                        let entries = self.columns[entering].entries.iter();
                        let own = entries.filter(|(other, _)| *other == row);
                        own.map(|(_, factor)| factor).sum()
                    }
                    Variable::Logical(_) => 0.0,
                };
                let entries = self.kernel_entries(row).into_iter();
                entries.map(|(place, factor)| factor * column[place]).sum::<f64>() - own
            }
        };
        if (pivot - entry).abs() > DRIFTED * (1.0 + entry.abs()) {
            return false;
        }
        let step = self.reduced_of(entering) / entry;
        for &(column, entry) in &row.columns {
            self.reduced[column] -= step * entry;
        }
        for &(row, entry) in &row.logical {
            self.duals[row] -= step * entry;
        }
        let amount = (self.value(leaving.variable) - leaving.target) / pivot;
        for (place, &factor) in column.iter().enumerate() {
            self.change(self.basic[place], -factor * amount);
        }
        if let Variable::Column(column) = entering {
            self.change(column, amount);
        }
        self.exchange(leaving, entering, &column, pivot, step);
        true
    }

    /// Rows and columns of the kernel change.
    fn exchange(&mut self, leaving: &Leaving, entering: Variable, column: &[f64], pivot: f64, step: f64) {
        let left = match leaving.variable {
            Basic::Column(place) => Variable::Column(self.basic[place]),
            Basic::Row(row) => Variable::Logical(row),
        };
        let (least, most) = self.bounds(left);
        let target = leaving.target;
        *self.place_mut(left) = if (target - least).abs() <= (target - most).abs() {
            Place::Lower
        } else {
            Place::Upper
        };
        *self.reduced_mut(left) = -step;
        *self.place_mut(entering) = Place::Basic;
        *self.reduced_mut(entering) = 0.0;
        match (leaving.variable, entering) {
            (Basic::Row(row), Variable::Column(new)) => {
                let direction = leaving.direction.negative();
                self.kernel.border(&direction, column, -pivot);
                self.place_of_row[row] = self.tight.len();
                self.tight.push(row);
                self.place_of[new] = self.basic.len();
                self.basic.push(new);
            }
            (Basic::Row(row), Variable::Logical(slack)) => {
                let place = self.place_of_row[slack];
                self.kernel.replace_row(place, &leaving.direction.negative());
                self.tight[place] = row;
                self.place_of_row[row] = place;
                self.lengths[slack] = 1.0;
            }
            (Basic::Column(place), Variable::Column(new)) => {
                self.kernel.replace_column(place, column);
                self.basic[place] = new;
                self.place_of[new] = place;
            }
            (Basic::Column(place), Variable::Logical(slack)) => {
                let row = self.place_of_row[slack];
                self.kernel.shrink(place, row);
                self.basic.swap_remove(place);
                self.tight.swap_remove(row);
                if let Some(&moved) = self.basic.get(place) {
                    self.place_of[moved] = place;
                }
                if let Some(&moved) = self.tight.get(row) {
                    self.place_of_row[moved] = row;
                }
                self.lengths[slack] = 1.0;
            }
        }
    }

    fn reduced_of(&self, variable: Variable) -> f64 {
        match variable {
            Variable::Column(column) => self.reduced[column],
            Variable::Logical(row) => self.duals[row],
        }
    }

    fn reduced_mut(&mut self, variable: Variable) -> &mut f64 {
        match variable {
            Variable::Column(column) => &mut self.reduced[column],
            Variable::Logical(row) => &mut self.duals[row],
        }
    }
}
