//! How far prices can move, and what flips on the way.
//!
//! The ratio test goes on past columns that only change bounds, as long as the objective rises (Fourer, "Notes on the
//! dual simplex method", 1994; Maros, "Computational techniques of the simplex method", 2003).
//!
//! Invariant: afterwards every nonbasic column is at the bound that the prices of the step ask for.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::leaving::{Basic, Leaving};
use super::{FEASIBILITY, Place, Simplex, Variable, ZERO};

/// Pivots below this would spoil the inverse.
const LEAST_PIVOT: f64 = 1e-5;

/// A nonbasic variable that may enter the basis.
pub(super) struct Candidate {
    pub(super) variable: Variable,
    ratio: f64,
    /// Its entry in the leaving row.
    pub(super) entry: f64,
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

/// What the ratio test says.
pub(super) enum Test {
    /// This enters, the others go to their other bounds.
    Enters(Candidate, Vec<Candidate>),
    /// Even with every variable at its best bound the row is not satisfied.
    NoEnd,
    /// Nothing has a usable entry.
    Nothing,
}

/// The leaving variable's row of the tableau: columns with an entry, and tight rows with the entry of their logical
/// variables.
pub(super) struct TableauRow {
    pub(super) columns: Vec<(usize, f64)>,
    pub(super) logical: Vec<(usize, f64)>,
}

impl Simplex {
    /// The entries of the nonbasic variables in the leaving row.
    pub(super) fn tableau_row(&mut self, leaving: &Leaving) -> TableauRow {
        let mut entries = std::mem::take(&mut self.entries);
        let mut touched: Vec<usize> = Vec::new();
        let own = match leaving.variable {
            Basic::Row(row) => Some((row, -1.0)),
            Basic::Column(_) => None,
        };
        let tight = leaving.direction.entries.iter();
        let tight = tight.map(|&(place, weight)| (self.tight[place], weight));
        for (row, weight) in tight.chain(own) {
            if weight.abs() > ZERO {
                for &(column, factor) in &self.rows[row].entries {
                    if self.places[column] != Place::Basic {
                        if entries[column] == 0.0 {
                            touched.push(column);
                        }
                        entries[column] += weight * factor;
                    }
                }
            }
        }
        let mut columns = Vec::with_capacity(touched.len());
        for column in touched {
            // What cancelled out on the way may be listed twice; the first has it all.
            let entry = std::mem::take(&mut entries[column]);
            if entry.abs() > ZERO {
                columns.push((column, entry));
            }
        }
        self.entries = entries;
        let logical = leaving.direction.entries.iter();
        TableauRow {
            columns,
            logical: logical.map(|&(place, weight)| (self.tight[place], -weight)).collect(),
        }
    }

    /// What enters for a variable that lacks so much.
    pub(super) fn ratio_test(&self, row: &TableauRow, missing: f64) -> Test {
        let mut candidates = BinaryHeap::from(self.candidates(row, missing));
        let mut slope = missing.abs();
        let mut passed: Vec<Candidate> = Vec::new();
        while let Some(next) = candidates.pop() {
            slope -= next.range * next.entry.abs();
            passed.push(next);
            if slope < 0.0 {
                break;
            }
        }
        if slope > FEASIBILITY {
            return Test::NoEnd;
        }
        // Where the last pivot would spoil the inverse, an earlier one is an end too.
        while let Some(last) = passed.pop() {
            if last.entry.abs() >= LEAST_PIVOT {
                return Test::Enters(last, passed);
            }
        }
        Test::Nothing
    }

    /// The nonbasic variables whose move off their bounds brings the leaving one nearer to its own.
    fn candidates(&self, row: &TableauRow, missing: f64) -> Vec<Candidate> {
        let candidate = |variable: Variable, place: Place, entry: f64, reduced: f64| {
            let (least, most) = self.bounds(variable);
            // The leaving variable changes by minus the entry for each unit.
            let helps = match place {
                Place::Lower => -entry * missing > 0.0,
                Place::Upper => entry * missing > 0.0,
                Place::Basic => false,
            };
            (helps && entry.abs() > ZERO && most > least).then(|| Candidate {
                variable,
                ratio: (reduced / entry).abs(),
                entry,
                range: most - least,
            })
        };
        let columns = row.columns.iter().filter_map(|&(column, entry)| {
            let variable = Variable::Column(column);
            candidate(variable, self.places[column], entry, self.reduced[column])
        });
        let logical = row.logical.iter().filter_map(|&(row, entry)| {
            let variable = Variable::Logical(row);
            candidate(variable, self.logical_places[row], entry, self.duals[row])
        });
        columns.chain(logical).collect()
    }

    /// Puts variables to their other bounds.
    pub(super) fn flip(&mut self, passed: &[Candidate]) {
        for candidate in passed {
            let place = self.place_mut(candidate.variable);
            let amount = if *place == Place::Lower {
                *place = Place::Upper;
                candidate.range
            } else {
                *place = Place::Lower;
                -candidate.range
            };
            if let Variable::Column(column) = candidate.variable {
                self.change(column, amount);
            }
        }
        if !passed.is_empty() {
            self.tighten();
        }
    }

    pub(super) fn place_mut(&mut self, variable: Variable) -> &mut Place {
        match variable {
            Variable::Column(column) => &mut self.places[column],
            Variable::Logical(row) => &mut self.logical_places[row],
        }
    }
}
