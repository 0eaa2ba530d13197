//! The iterations: the bounded dual simplex method with steepest-edge pricing and a ratio test that flips
//! bounds on the way (Fourer, "Notes on the dual simplex method", 1994; Maros, "Computational techniques of
//! the simplex method", 2003).

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::basis::Inverse;
use super::{FEASIBILITY, Found, Place, Simplex, Variable};

/// Entries below this are zeros of arithmetic.
const ZERO: f64 = 1e-9;
/// Pivots below this would spoil the inverse.
const LEAST_PIVOT: f64 = 1e-5;
/// Iterations between two questions whether to go on.
const PATIENCE: usize = 64;

/// A nonbasic variable that may enter the basis.
struct Candidate {
    variable: Variable,
    ratio: f64,
    /// Its entry in the leaving row.
    entry: f64,
    /// The distance of its bounds.
    range: f64,
}

/// The first to reach a reduced cost of zero is the greatest; among equals the largest entry, which is the
/// safest pivot.
impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        let ratio = other.ratio.total_cmp(&self.ratio);
        ratio
            .then(self.entry.abs().total_cmp(&other.entry.abs()))
            .then(other.variable.cmp(&self.variable))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

impl Simplex {
    /// From a dual feasible basis to an optimum, or to a row that cannot be satisfied.
    pub(super) fn improve(&mut self, go_on: &mut impl FnMut() -> bool) -> Found {
        let most = 200 + 20 * self.rows.len() + self.columns.len();
        for iteration in 1..=most {
            if iteration % PATIENCE == 0 && !go_on() {
                return Found::Nothing;
            }
            let Some((leaving, target)) = self.leaving() else {
                return Found::Optimal;
            };
            let missing = target - self.basic[leaving];
            let entries = self.pivot_row(leaving);
            let mut candidates = BinaryHeap::from(self.candidates(&entries, missing));
            let mut slope = missing.abs();
            let mut passed: Vec<Candidate> = Vec::new();
            let entering = loop {
                let Some(next) = candidates.pop() else {
                    // Even with every variable at its best bound the row is not satisfied.
                    if slope > FEASIBILITY {
                        self.ray = self.inverse.row(leaving).to_vec();
                        return Found::Infeasible;
                    }
                    break passed.pop();
                };
                slope -= next.range * next.entry.abs();
                if slope < 0.0 {
                    break Some(next);
                }
                passed.push(next);
            };
            let Some(entering) = entering.filter(|entering| entering.entry.abs() >= LEAST_PIVOT) else {
                return Found::Nothing;
            };
            let (variable, step) = (entering.variable, self.reduced_of(entering.variable) / entering.entry);
            self.flip(&passed);
            self.pivot(leaving, target, variable, step, &entries);
        }
        Found::Nothing
    }

    /// The basic variable to make feasible, by infeasibility in relation to its row's length, and the bound
    /// it violates.
    fn leaving(&self) -> Option<(usize, f64)> {
        let mut best: Option<(f64, usize, f64)> = None;
        for (place, (&variable, &value)) in self.basis.iter().zip(&self.basic).enumerate() {
            let (least, most) = self.bounds(variable);
            let (violation, target) = if value < least - FEASIBILITY {
                (least - value, least)
            } else if value > most + FEASIBILITY {
                (value - most, most)
            } else {
                continue;
            };
            let weight = violation * violation / self.inverse.length(place).max(ZERO);
            if best.is_none_or(|best| weight > best.0) {
                best = Some((weight, place, target));
            }
        }
        best.map(|(_, place, target)| (place, target))
    }

    /// The entries of the nonbasic variables in a row of the tableau: columns, then logical variables.
    fn pivot_row(&self, place: usize) -> (Vec<f64>, Vec<usize>, Vec<f64>) {
        let row = self.inverse.row(place);
        let mut entries = vec![0.0; self.columns.len()];
        let mut met = vec![false; self.columns.len()];
        let mut touched = Vec::new();
        for (&weight, row) in row.iter().zip(&self.rows) {
            if weight.abs() > ZERO {
                for &(column, factor) in &row.entries {
                    if !met[column] {
                        met[column] = true;
                        touched.push(column);
                    }
                    entries[column] += weight * factor;
                }
            }
        }
        (entries, touched, row.iter().map(|weight| -weight).collect())
    }

    /// The nonbasic variables whose move off their bounds brings the leaving one nearer to its own.
    fn candidates(
        &self,
        (entries, touched, logical): &(Vec<f64>, Vec<usize>, Vec<f64>),
        missing: f64,
    ) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        let mut consider = |variable: Variable, place: Place, entry: f64, reduced: f64| {
            let (least, most) = self.bounds(variable);
            // The leaving variable changes by minus the entry for each unit.
            let helps = match place {
                Place::Lower => -entry * missing > 0.0,
                Place::Upper => entry * missing > 0.0,
                Place::Basic => false,
            };
            if helps && entry.abs() > ZERO && most > least {
                candidates.push(Candidate {
                    variable,
                    ratio: (reduced / entry).abs(),
                    entry,
                    range: most - least,
                });
            }
        };
        for &column in touched {
            consider(
                Variable::Column(column),
                self.places[column],
                entries[column],
                self.reduced[column],
            );
        }
        for (row, &entry) in logical.iter().enumerate() {
            consider(Variable::Logical(row), self.logical_places[row], entry, self.duals[row]);
        }
        candidates
    }

    fn reduced_of(&self, variable: Variable) -> f64 {
        match variable {
            Variable::Column(column) => self.reduced[column],
            Variable::Logical(row) => self.duals[row],
        }
    }

    fn place_mut(&mut self, variable: Variable) -> &mut Place {
        match variable {
            Variable::Column(column) => &mut self.places[column],
            Variable::Logical(row) => &mut self.logical_places[row],
        }
    }

    /// Puts variables to their other bounds.
    fn flip(&mut self, candidates: &[Candidate]) {
        if candidates.is_empty() {
            return;
        }
        let mut change = vec![0.0; self.rows.len()];
        for candidate in candidates {
            let place = self.place_mut(candidate.variable);
            let amount = if *place == Place::Lower {
                *place = Place::Upper;
                candidate.range
            } else {
                *place = Place::Lower;
                -candidate.range
            };
            match candidate.variable {
                Variable::Column(column) => {
                    for &(row, factor) in &self.columns[column].entries {
                        change[row] += factor * amount;
                    }
                }
                Variable::Logical(row) => change[row] -= amount,
            }
        }
        let change: Vec<(usize, f64)> = change.into_iter().enumerate().filter(|entry| entry.1 != 0.0).collect();
        for (value, change) in self.basic.iter_mut().zip(self.inverse.times(&change)) {
            *value -= change;
        }
    }

    /// Exchanges the leaving variable, which goes to `target`, for the entering one.
    fn pivot(
        &mut self,
        leaving: usize,
        target: f64,
        entering: Variable,
        step: f64,
        (entries, touched, logical): &(Vec<f64>, Vec<usize>, Vec<f64>),
    ) {
        for &column in touched {
            if self.places[column] != Place::Basic {
                self.reduced[column] -= step * entries[column];
            }
        }
        for (row, &entry) in logical.iter().enumerate() {
            if self.logical_places[row] != Place::Basic {
                self.duals[row] -= step * entry;
            }
        }
        let column = match entering {
            Variable::Column(column) => self.inverse.times(&self.columns[column].entries),
            Variable::Logical(row) => self.inverse.times(&[(row, -1.0)]),
        };
        let bounds = self.bounds(entering);
        let from = Self::resting(*self.place_mut(entering), bounds);
        let amount = (self.basic[leaving] - target) / column[leaving];
        for (value, factor) in self.basic.iter_mut().zip(&column) {
            *value -= factor * amount;
        }
        self.basic[leaving] = from + amount;
        let left = self.basis[leaving];
        let (least, most) = self.bounds(left);
        *self.place_mut(left) = if (target - least).abs() <= (target - most).abs() {
            Place::Lower
        } else {
            Place::Upper
        };
        match left {
            Variable::Column(column) => self.reduced[column] = -step,
            Variable::Logical(row) => self.duals[row] = -step,
        }
        *self.place_mut(entering) = Place::Basic;
        match entering {
            Variable::Column(column) => self.reduced[column] = 0.0,
            Variable::Logical(row) => self.duals[row] = 0.0,
        }
        self.basis[leaving] = entering;
        self.inverse.replace(leaving, &column);
    }

    /// Computes the inverse anew; `false` if the basis is singular.
    pub(super) fn reinvert(&mut self) -> bool {
        let wanted = self.basis.clone();
        let mut inverse = Inverse::logical(self.rows.len());
        let mut basis: Vec<Option<Variable>> = vec![None; self.rows.len()];
        for &variable in &wanted {
            if let Variable::Logical(row) = variable {
                basis[row] = Some(variable);
            }
        }
        for &variable in &wanted {
            let Variable::Column(number) = variable else { continue };
            let column = inverse.times(&self.columns[number].entries);
            let place = (0..column.len())
                .filter(|&place| basis[place].is_none())
                .max_by(|&one, &other| column[one].abs().total_cmp(&column[other].abs()));
            let Some(place) = place.filter(|&place| column[place].abs() > LEAST_PIVOT) else {
                return false;
            };
            inverse.replace(place, &column);
            basis[place] = Some(variable);
        }
        let Some(basis) = basis.into_iter().collect::<Option<Vec<Variable>>>() else {
            return false;
        };
        self.basis = basis;
        self.inverse = inverse;
        true
    }
}
