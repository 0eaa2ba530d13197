//! What prices of the rows prove.
//!
//! Invariant: computed from the program alone; whatever the prices are, the bound holds.

use super::{CHECKED, Simplex};

impl Simplex {
    /// The least cost if the rows only had these prices: a lower bound whatever the prices are.
    pub(super) fn lagrangian(&self, prices: &[f64]) -> f64 {
        self.priced(prices, true)
    }

    fn priced(&self, prices: &[f64], costs: bool) -> f64 {
        let least = |price: f64, (least, most): (f64, f64)| {
            if price.abs() < 1e-12 {
                0.0
            } else if price > 0.0 {
                price * least
            } else {
                price * most
            }
        };
        let mut reduced: Vec<f64> = if costs {
            self.columns.iter().map(|column| column.cost).collect()
        } else {
            vec![0.0; self.columns.len()]
        };
        let mut total = 0.0;
        for (row, &price) in self.rows.iter().zip(prices) {
            // A price whose row has no bound on that side is arithmetic noise; without it the bound holds too.
            let bounded = if price > 0.0 { row.bounds.0 } else { row.bounds.1 };
            if price != 0.0 && bounded.is_finite() {
                total += least(price, row.bounds);
                for &(column, factor) in &row.entries {
                    reduced[column] -= price * factor;
                }
            }
        }
        let columns = self.columns.iter().zip(reduced);
        total
            + columns
                .map(|(column, reduced)| least(reduced, column.bounds))
                .sum::<f64>()
    }

    /// Whether the ray shows that no values exist: with no costs but these prices, all cost too much.
    pub(super) fn contradicts(&self) -> bool {
        [1.0, -1.0].into_iter().any(|sign| {
            let prices: Vec<f64> = self.ray.iter().map(|weight| weight * sign).collect();
            self.priced(&prices, false) > CHECKED
        })
    }
}
