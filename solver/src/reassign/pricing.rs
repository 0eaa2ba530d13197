//! Which columns enter the program: those that its prices, or the weights of its contradiction, ask for.
//!
//! Invariant: when none enters, every column that is left out would cost no less than its hosts are worth at these
//! prices, but for [`PRICED`]; so the program's bound is the whole problem's.

use crate::model::Interval;
use crate::reassign::growing::{Growing, Origin, Source, Target, float};
use crate::scope::CellNumber;

/// Columns that enter together.
const MOST_ENTERING: usize = 128;
/// What a column must be better by to enter: more than engines add to costs so that they differ. What is lost by that is
/// at most this much for each host that moves.
const PRICED: f64 = 4e-6;

impl Growing<'_, '_> {
    /// Adds the columns of held sources that would cost less than these prices of the rows say they relieve, the
    /// best of all; `false` if there are none. Without costs the prices are the weights of a
    /// contradiction, and what enters may resolve it.
    pub(super) fn enter(&mut self, prices: &[f64], costs: bool) -> bool {
        if self.complete {
            return false;
        }
        let least_cost = match (costs, self.scope.is_even()) {
            (false, _) => 0.0,
            (true, true) => float(self.goals.move_cost),
            (true, false) => float(self.goals.leave_cost),
        };
        let mut totals: Vec<Vec<f64>> = Vec::with_capacity(self.by_cell.len());
        for rows in &self.by_cell {
            let mut total = 0.0;
            let mut totals_here = vec![0.0];
            for &(_, row) in &rows.instants {
                total += prices.get(row).copied().unwrap_or(0.0);
                totals_here.push(total);
            }
            totals.push(totals_here);
        }
        let price = |growing: &Self, cell: CellNumber, during: Interval| {
            let Some(rows) = growing.by_cell.get(cell) else {
                return 0.0;
            };
            let first = rows.instants.partition_point(|&(at, _)| at < during.start);
            let after = rows.instants.partition_point(|&(at, _)| at < during.end);
            totals[cell][after] - totals[cell][first]
        };
        let mut best: Vec<(f64, usize, i64, Target)> = Vec::new();
        for source in 0..self.sources.len() {
            let Source {
                occupation,
                origin: Origin::Held(from),
                row,
                ..
            } = self.sources[source]
            else {
                continue;
            };
            let own = row.map_or(0.0, |row| prices.get(row).copied().unwrap_or(0.0));
            let relief = own - price(self, from, occupation);
            if relief <= least_cost + PRICED {
                continue;
            }
            let reduced = |growing: &Self, cost: i64, target: &Target| {
                let cost = if costs { float(cost) } else { 0.0 };
                match target {
                    Target::Cell(cell) => cost - relief - price(growing, *cell, occupation),
                    Target::Shared(_) | Target::Missing => cost - relief,
                }
            };
            let missing = self.missing(source).into_iter();
            let priced = missing.map(|(cost, target)| (reduced(self, cost, &target), source, cost, target));
            best.extend(priced.filter(|column| column.0 < -PRICED));
        }
        best.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let found = !best.is_empty();
        for (_, source, cost, target) in best.into_iter().take(MOST_ENTERING) {
            self.give(source, cost, target);
        }
        found
    }

    /// The price of the capacities in a contradiction: less than nothing, as for every limit from above.
    pub(super) fn signed(&self, ray: &[f64]) -> Vec<f64> {
        let total: f64 = self
            .capacities()
            .map(|(.., row)| ray.get(row).copied().unwrap_or(0.0))
            .sum();
        let greatest = ray.iter().fold(0.0_f64, |greatest, weight| greatest.max(weight.abs()));
        let unit = if greatest > 0.0 { greatest } else { 1.0 };
        ray.iter().map(|weight| -weight * total.signum() / unit).collect()
    }
}
