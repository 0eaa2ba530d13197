//! What every demand does at given prices.
//!
//! Invariant: the load returned is that of all demands in their cheapest classes, as far as those are large
//! enough.

use super::charges::Charges;
use crate::batch::formulation::float;
use crate::batch::subgradient::Response;
use crate::batch::timeline::Timeline;

/// Every demand in its cheapest classes: the loads, and what all pay.
pub(crate) fn respond(timeline: &Timeline, charges: &Charges, sums: &[Vec<f64>]) -> Response {
    let mut load = vec![vec![0.0; timeline.instants.len() + 1]; timeline.room.len()];
    let mut paid = 0.0;
    for demand in 0..timeline.needs.len() {
        let (split, pays) = timeline.cheapest(demand, sums, |class| float(charges.one(demand, class)));
        timeline.add_changes(&mut load, demand, &split);
        paid += pays;
    }
    Timeline::accumulate(&mut load);
    (load, paid)
}
