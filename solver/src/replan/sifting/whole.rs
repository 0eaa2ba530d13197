//! From the optimum of the relaxation to whole numbers.
//!
//! Invariant: splits handed out are whole and complete; a dive leaves the bounds as they were.

use super::{MOST_DIVES, Part, Sifting, TOLERANCE, float};
use crate::batch::clock::Clock;
use crate::batch::exact::whole_values;
use crate::batch::model::Split;
use crate::batch::subgradient::sums;
use crate::classes::ClassNumber;
use crate::program::Status;
use crate::scene::DemandNumber;

/// Prices and what every demand pays for a host at the optimum of the relaxation.
pub(super) struct Optimum {
    sums: Vec<Vec<f64>>,
    paid: Vec<f64>,
}

impl Sifting<'_> {
    /// The splits of the present point, `None` if it is not whole or hosts are lacking.
    pub(super) fn splits(&self) -> Option<Vec<Split>> {
        if self.columns == 0 {
            return self.parts.iter().map(|part| Self::split(part, &[])).collect();
        }
        let values = whole_values(self.engine.values())?;
        self.parts.iter().map(|part| Self::split(part, &values)).collect()
    }

    pub(super) fn split(part: &Part, values: &[u32]) -> Option<Split> {
        match part {
            Part::Outside(split) => Some(split.clone()),
            Part::Inside { columns, lacking, .. } => {
                let counts = columns.iter().map(|&(class, column)| (class, values[column]));
                let mut split: Split = counts.filter(|&(_, count)| count > 0).collect();
                split.sort_unstable();
                (values[*lacking] == 0).then_some(split)
            }
        }
    }

    /// What everything costs at the optimum of the relaxation.
    pub(super) fn optimum(&self) -> Optimum {
        let sums: Vec<Vec<f64>> = self.dual_prices().iter().map(|prices| sums(prices)).collect();
        let duals = self.engine.duals();
        let paid = |(demand, part): (usize, &Part)| match part {
            Part::Inside { row, .. } => duals.get(*row).copied().unwrap_or(0.0),
            Part::Outside(split) => {
                let own = split.iter().map(|&(class, _)| self.price(demand, class, &sums));
                own.fold(f64::INFINITY, f64::min)
            }
        };
        let paid = self.parts.iter().enumerate().map(paid).collect();
        Optimum { sums, paid }
    }

    /// Rounds up what is nearly whole, one solve after another; the bounds are as before afterwards.
    pub(super) fn dive(&mut self, reach: f64, clock: &mut Clock<'_>) -> Option<Vec<Split>> {
        let mut raised: Vec<(usize, f64)> = Vec::new();
        let mut found = None;
        if !self.repair(clock) {
            return None;
        }
        for _ in 0..MOST_DIVES {
            let up = self.nearly_whole(reach);
            for &(column, least, most) in &up {
                self.engine.set_bounds(column, (least, most));
                raised.push((column, most));
            }
            if up.is_empty() || !self.repair(clock) || !self.lacking().is_empty() {
                break;
            }
            found = self.splits();
            if found.is_some() {
                break;
            }
        }
        for (column, most) in raised {
            self.engine.set_bounds(column, (0.0, most));
        }
        found
    }

    /// Columns to round up, with the bounds that do it: those that lack little, at least one.
    pub(super) fn nearly_whole(&self, reach: f64) -> Vec<(usize, f64, f64)> {
        let values = self.engine.values();
        let mut fractional: Vec<(f64, usize, f64, f64)> = Vec::new();
        for (demand, part) in self.parts.iter().enumerate() {
            let Part::Inside { columns, .. } = part else { continue };
            for &(class, column) in columns {
                let value = values.get(column).copied().unwrap_or(0.0);
                let up = value.ceil();
                if (value - value.round()).abs() > TOLERANCE {
                    let most = self.timeline.most(demand, class).min(self.timeline.needs[demand].least);
                    fractional.push((up - value, column, up, f64::from(most)));
                }
            }
        }
        fractional.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let near = fractional.iter().take_while(|lacks| lacks.0 < reach).count().max(1);
        fractional
            .into_iter()
            .take(near)
            .map(|(_, column, up, most)| (column, up, most))
            .collect()
    }

    /// Solves until no room is exceeded, with the columns there are; `false` if that is not possible in time.
    pub(super) fn repair(&mut self, clock: &mut Clock<'_>) -> bool {
        loop {
            if self.engine.solve(clock.left()) != Status::Optimal {
                return false;
            }
            let exceeded = self.exceeded();
            if exceeded.is_empty() {
                return true;
            }
            self.limit(&exceeded);
        }
    }

    /// The cheapest whole splits: with every column that a plan cheaper by the gap could use, which are
    /// those dearer by no more than the gap, and no other. Without a gap all columns take part.
    pub(super) fn close(&mut self, optimum: &Optimum, gap: Option<i128>, clock: &mut Clock<'_>) -> Option<Vec<Split>> {
        let gap = gap.map_or(f64::INFINITY, |gap| float(i64::try_from(gap).unwrap_or(i64::MAX)) + 1.0);
        let dear = |this: &Self, demand: DemandNumber, class: ClassNumber| {
            this.price(demand, class, &optimum.sums) > optimum.paid[demand] + gap
        };
        let mut wanted = Vec::new();
        let mut shut = Vec::new();
        for (demand, part) in self.parts.iter().enumerate() {
            let mut classes = self.missing(demand);
            classes.retain(|&class| !dear(self, demand, class));
            // A demand outside has no column of the class it is in.
            let useful = if let Part::Outside(_) = part {
                classes.len() > 1
            } else {
                !classes.is_empty()
            };
            if useful {
                wanted.push((demand, classes));
            }
            if let Part::Inside { columns, .. } = part {
                let dear = columns.iter().filter(|&&(class, _)| dear(self, demand, class));
                shut.extend(dear.map(|&(_, column)| column));
            }
        }
        for column in shut {
            self.engine.set_bounds(column, (0.0, 0.0));
        }
        self.join(wanted);
        self.engine.set_integer(true);
        if self.repair(clock) { self.splits() } else { None }
    }
}
