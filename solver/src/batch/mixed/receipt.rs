//! What shows the bound of a batch with instances or units, as plans write it.
//!
//! Invariant: units of pools are left out, so what is written may prove less than the relaxation did.

use std::collections::BTreeMap;

use super::super::proof::{Refuted, Settling};
use super::super::receipt::{self, Receipt};
use super::stores::Stores;
use super::world::World;
use crate::decision::Counted;

/// The receipt of these sums of prices.
pub(super) fn of_stores(
    world: &World,
    stores: &Stores,
    sums: &[Vec<i128>],
    settling: &Settling<'_, '_>,
    refuted: &[Refuted],
) -> Option<Receipt> {
    let mut charged: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for ((spots, resource), sums) in stores.of.iter().zip(sums) {
        if spots.iter().any(|&spot| spot >= world.hosts) {
            continue;
        }
        let counted = resource.map(|number| Counted {
            resource: world.resources[number].clone(),
            divisor: 1,
        });
        for (pair, &at) in sums.windows(2).zip(&stores.instants) {
            let price = receipt::price(pair[1] - pair[0], stores.unit)?;
            if price > 0 {
                let hosts = spots.iter().map(|&spot| world.names[spot].clone());
                charged.entry((at, counted.clone(), price)).or_default().extend(hosts);
            }
        }
    }
    receipt::receipt(charged, settling, refuted)
}
