//! What to repair next.
//!
//! Invariant: none needed, any violated capacity or negative value may leave. The choice is the greatest
//! violation in relation to the length of the direction it moves prices in (steepest edge; Forrest and
//! Goldfarb 1992). Lengths of capacities are only looked up where they may matter.

use super::loads::Peak;
use super::{Relaxation, TOLERANCE};
use crate::kernel::Sparse;

/// Most directions of capacities computed for one choice.
const MOST_LOOKS: usize = 8;

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
                consider(
                    column.value * column.value / self.basis.kernel.length(place),
                    Leaving::Column(place),
                );
            }
            let demand = &self.demands[column.demand];
            let key = demand.count - demand.elsewhere;
            if key < -TOLERANCE {
                let length = if demand.columns == 1 {
                    self.basis.kernel.length(place)
                } else {
                    let columns = self.basis.columns.iter().enumerate();
                    let own = columns.filter(|(_, other)| other.demand == column.demand);
                    let row = self
                        .basis
                        .kernel
                        .combine(&own.map(|(other, _)| (other, 1.0)).collect::<Sparse>());
                    row.iter().map(|value| value * value).sum()
                };
                consider(key * key / length, Leaving::Key(place));
            }
        }
        for (score, class, instant) in self.worst_peaks() {
            if best.is_some_and(|best| score <= best.0) {
                break;
            }
            let row = self.basis.kernel.combine(&self.row_entries(class, instant));
            let length = 1.0 + row.iter().map(|value| value * value).sum::<f64>();
            self.lengths[class][instant] = length;
            let excess = self.loads.excess(class, instant);
            let score = excess * excess / length;
            if best.is_none_or(|best| score > best.0) {
                best = Some((score, Leaving::Capacity(class, instant)));
            }
        }
        best.map(|(_, leaving)| leaving)
    }

    /// The greatest violations of capacities in relation to the lengths last seen, greatest first. Those may be of long
    /// ago, so they count for less than they would today.
    fn worst_peaks(&self) -> Vec<(f64, usize, usize)> {
        let peaks = self.loads.peaks.iter().zip(&self.lengths).enumerate();
        let scores = peaks.flat_map(|(class, (peaks, lengths))| {
            let score = |peak: &Peak| peak.excess * peak.excess / lengths[peak.instant].sqrt();
            peaks.iter().map(move |peak| (score(peak), class, peak.instant))
        });
        let mut scores: Vec<(f64, usize, usize)> = scores.collect();
        let worst_first = |one: &(f64, usize, usize), other: &(f64, usize, usize)| {
            other.0.total_cmp(&one.0).then((one.1, one.2).cmp(&(other.1, other.2)))
        };
        if scores.len() > MOST_LOOKS {
            scores.select_nth_unstable_by(MOST_LOOKS, worst_first);
            scores.truncate(MOST_LOOKS);
        }
        scores.sort_unstable_by(worst_first);
        scores
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
