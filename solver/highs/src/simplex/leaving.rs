//! What to repair next.
//!
//! Invariant: none needed, any basic variable beyond its bounds may leave. The choice is the greatest violation in
//! relation to the length of its row of the inverse (steepest edge; Forrest and Goldfarb 1992). Lengths of rows that are
//! not tight are only looked up where they may matter.

use solver::kernel::Vector;

use super::{FEASIBILITY, Place, Simplex, ZERO};

/// Most rows whose directions are computed for one choice.
const MOST_LOOKS: usize = 8;

/// A basic variable beyond its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basic {
    /// The column at a place of the kernel.
    Column(usize),
    /// The logical variable of a row.
    Row(usize),
}

/// What leaves the basis.
pub(super) struct Leaving {
    pub(super) variable: Basic,
    /// The bound it goes to.
    pub(super) target: f64,
    /// Its row of the inverse over the tight rows; that of a row has minus one in the row itself besides.
    pub(super) direction: Vector,
}

fn violation(value: f64, (least, most): (f64, f64)) -> Option<(f64, f64)> {
    if value < least - FEASIBILITY {
        Some((least - value, least))
    } else if value > most + FEASIBILITY {
        Some((value - most, most))
    } else {
        None
    }
}

impl Simplex {
    /// The basic variable to make feasible; `None` if all are.
    pub(super) fn leaving(&mut self) -> Option<Leaving> {
        let mut best: Option<(f64, Basic, f64)> = None;
        for (place, &column) in self.basic.iter().enumerate() {
            if let Some((violation, target)) = violation(self.present[column], self.columns[column].bounds) {
                let score = violation * violation / self.kernel.length(place).max(ZERO);
                if best.is_none_or(|best| score > best.0) {
                    best = Some((score, Basic::Column(place), target));
                }
            }
        }
        let mut direction = None;
        for (score, row, amount, target) in self.worst_rows() {
            if best.is_some_and(|best| score <= best.0) {
                break;
            }
            let own = self.direction_of(row);
            let length = 1.0 + own.entries.iter().map(|(_, value)| value * value).sum::<f64>();
            self.lengths[row] = length;
            let score = amount * amount / length;
            if best.is_none_or(|best| score > best.0) {
                best = Some((score, Basic::Row(row), target));
                direction = Some(own);
            }
        }
        let (_, variable, target) = best?;
        let direction = match (variable, direction) {
            (Basic::Row(_), Some(direction)) => direction,
            (Basic::Row(row), None) => self.direction_of(row),
            (Basic::Column(place), _) => Vector::new(self.kernel.row(place).to_vec()),
        };
        Some(Leaving {
            variable,
            target,
            direction,
        })
    }

    /// The greatest violations of rows that are not tight, in relation to the lengths last seen, greatest first: score
    /// if nothing were longer, row, violation and bound. Lengths may be of long ago, so they count for less.
    fn worst_rows(&self) -> Vec<(f64, usize, f64, f64)> {
        let mut scores: Vec<(f64, usize, f64, f64)> = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            if self.logical_places[number] == Place::Basic
                && let Some((violation, target)) = violation(self.totals[number], row.bounds)
            {
                let score = violation * violation / self.lengths[number].sqrt();
                scores.push((score, number, violation, target));
            }
        }
        let worst_first = |one: &(f64, usize, f64, f64), other: &(f64, usize, f64, f64)| {
            other.0.total_cmp(&one.0).then(one.1.cmp(&other.1))
        };
        if scores.len() > MOST_LOOKS {
            scores.select_nth_unstable_by(MOST_LOOKS, worst_first);
            scores.truncate(MOST_LOOKS);
        }
        scores.sort_unstable_by(worst_first);
        scores
    }

    /// What the kernel's columns have in a row.
    pub(super) fn kernel_entries(&self, row: usize) -> Vec<(usize, f64)> {
        let entries = self.rows[row].entries.iter();
        entries
            .filter(|(column, _)| self.places[*column] == Place::Basic)
            .map(|&(column, factor)| (self.place_of[column], factor))
            .collect()
    }

    /// The row of the inverse of a row that is not tight, over the tight ones.
    fn direction_of(&self, row: usize) -> Vector {
        Vector::new(self.kernel.combine(&self.kernel_entries(row)))
    }
}
