//! What to repair next.
//!
//! Invariant: none needed, any violated capacity or negative value may leave. The choice is the greatest
//! violation in relation to the length of the direction it moves prices in (steepest edge; Forrest and
//! Goldfarb 1992). Lengths of capacities are only looked up where they may matter.

use super::basis::Sparse;
use super::{Relaxation, TOLERANCE};

/// Most directions of capacities computed for one choice.
const MOST_LOOKS: usize = 12;

/// What becomes feasible in the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// A capacity that is exceeded, by class and instant.
    Capacity(usize, usize),
    /// A column that is negative.
    Column(usize),
    /// The key of the demand of this column, which is negative.
    Key(usize),
}

impl Relaxation {
    /// What to repair, `None` if nothing.
    pub(super) fn leaving(&mut self) -> Option<Leaving> {
        let mut best: Option<(f64, Leaving)> = None;
        let mut consider = |score: f64, leaving: Leaving| {
            if best.is_none_or(|best| score > best.0) {
                best = Some((score, leaving));
            }
        };
        for (place, column) in self.basis.columns.iter().enumerate() {
            if column.value < -TOLERANCE {
                consider(column.value * column.value / column.length, Leaving::Column(place));
            }
            let demand = &self.demands[column.demand];
            let key = demand.count - demand.elsewhere;
            if key < -TOLERANCE {
                let length = if demand.columns == 1 {
                    column.length
                } else {
                    let columns = self.basis.columns.iter().enumerate();
                    let own = columns.filter(|(_, other)| other.demand == column.demand);
                    let row = self.basis.combine(&own.map(|(other, _)| (other, 1.0)).collect());
                    row.iter().map(|value| value * value).sum()
                };
                consider(key * key / length, Leaving::Key(place));
            }
        }
        let mut seen: Vec<(usize, usize)> = Vec::with_capacity(MOST_LOOKS);
        for _ in 0..MOST_LOOKS {
            let Some((score, class, instant)) = self.worst_peak(&seen) else { break };
            if best.is_some_and(|best| score <= best.0) {
                break;
            }
            let row = self.basis.combine(&self.row_entries(class, instant));
            let length = 1.0 + row.iter().map(|value| value * value).sum::<f64>();
            self.lengths[class][instant] = length;
            seen.push((class, instant));
            let excess = self.loads.excess(class, instant);
            let score = excess * excess / length;
            if best.is_none_or(|best| score > best.0) {
                best = Some((score, Leaving::Capacity(class, instant)));
            }
        }
        best.map(|(_, leaving)| leaving)
    }

    /// The greatest violation of a capacity in relation to the length last seen, but for these.
    fn worst_peak(&self, seen: &[(usize, usize)]) -> Option<(f64, usize, usize)> {
        let mut worst: Option<(f64, usize, usize)> = None;
        for (class, peaks) in self.loads.peaks.iter().enumerate() {
            for peak in peaks {
                let score = peak.excess * peak.excess / self.lengths[class][peak.instant];
                let new = !seen.contains(&(class, peak.instant));
                if worst.is_none_or(|worst| score > worst.0) && new {
                    worst = Some((score, class, peak.instant));
                }
            }
        }
        worst
    }

    /// What the columns have in the row of a capacity.
    pub(super) fn row_entries(&self, class: usize, instant: usize) -> Sparse {
        let columns = self.basis.columns.iter().enumerate();
        let entries = columns.map(|(place, column)| {
            let entry = self.entry((column.demand, column.offer), (class, instant));
            (place, entry)
        });
        entries.filter(|(_, entry)| *entry != 0.0).collect()
    }
}
