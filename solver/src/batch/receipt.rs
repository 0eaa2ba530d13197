//! What shows that nothing is worth more than a bound, as the checker can count it again.
//!
//! Every host is charged a price at some instants, whole or by amounts of a resource class. No choice is worth more
//! than all rooms cost and what each lease makes beyond its payment (see `prices`). Choices that this leaves more than
//! the bound have requests in them that exclude each other, each set with its reason.
//!
//! Invariant: a receipt is written from what the bound was proved with; nothing is worked out here.

use std::collections::BTreeMap;

use super::model::Model;
use super::prices::{DENOMINATOR, Prices};
use super::proof::{Refuted, Settling};
use super::world::World;
use crate::classes::Classes;
use crate::decision::{CapacityRow, Conflict, Counted};
use crate::model::{HostId, Seconds};

/// Most names of hosts in all prices together: beyond, a receipt is longer than what it is for.
const MOST_NAMES: usize = 200_000;

/// What shows a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Prices are whole multiples of one unit of value divided by this.
    pub denominator: u64,
    /// Prices: what each host of a row is charged at its instant, or for each unit of a resource class.
    pub prices: Vec<CapacityRow>,
    /// Requests, by their places in the batch, that cannot be accepted together, and why: a refusal of all of them as
    /// one request.
    pub refuted: Vec<(Vec<usize>, Conflict)>,
}

/// Prices by instant, resource class and price, with the hosts that are charged it.
type Charged = BTreeMap<(Seconds, Option<Counted>, u64), Vec<HostId>>;

/// Of a batch of whole hosts.
pub(super) fn of_packing(
    world: &World<'_>,
    classes: &Classes,
    model: &Model,
    prices: &Prices,
    settling: &Settling<'_, '_>,
    refuted: &[Refuted],
) -> Option<Receipt> {
    let mut charged = Charged::new();
    for (class, fine) in classes.fine.iter().enumerate() {
        for (instant, &at) in model.timeline.instants.iter().enumerate() {
            let price = price(prices.at(class, instant), model.unit)?;
            if price > 0 {
                let hosts = fine.hosts.iter().map(|&host| world.scene.hosts[host].id.clone());
                charged.entry((at, None, price)).or_default().extend(hosts);
            }
        }
    }
    receipt(charged, settling, refuted)
}

/// A price in units of value times the denominator.
pub(super) fn price(price: i128, unit: u64) -> Option<u64> {
    u64::try_from(price.checked_mul(i128::from(unit))?).ok()
}

/// The receipt of these prices and reasons; `None` if it would be too long.
pub(super) fn receipt(charged: Charged, settling: &Settling<'_, '_>, refuted: &[Refuted]) -> Option<Receipt> {
    if charged.values().map(Vec::len).sum::<usize>() > MOST_NAMES {
        return None;
    }
    let prices = charged.into_iter().map(|((at, counted, weight), mut hosts)| {
        hosts.sort();
        CapacityRow {
            hosts,
            at,
            weight,
            counted,
            apart: None,
        }
    });
    let refuted = refuted.iter().map(|refuted| {
        let places = refuted
            .candidates
            .iter()
            .map(|&number| settling.candidates[number].place);
        (places.collect(), refuted.conflict.clone())
    });
    Some(Receipt {
        denominator: u64::try_from(DENOMINATOR).ok()?,
        prices: prices.collect(),
        refuted: refuted.collect(),
    })
}
