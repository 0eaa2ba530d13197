//! Counts an assignment once more, host by host and instant by instant, before it becomes an answer.
//!
//! Invariant: nothing here relies on groups, programs, measures or the order in which hosts were found.

use std::collections::BTreeSet;

use super::standing::Standing;
use super::world::{Counts, Kind, World};
use crate::hosts::HostNumber;

/// Whether these hosts give every demand what it needs, break no rule and are nowhere overbooked.
pub(super) fn holds(world: &World<'_>, counts: &[Counts]) -> bool {
    let mut standing: Vec<Standing<'_>> = world.places.iter().map(Standing::fixed).collect();
    for (number, (demand, counts)) in world.demands.iter().zip(counts).enumerate() {
        let total: u32 = counts.values().sum();
        let permitted = counts
            .iter()
            .all(|(host, &count)| world.suits(demand, *host) || count <= demand.holds.get(host).copied().unwrap_or(0));
        let mut all = demand.kept.clone();
        for (&host, &count) in counts {
            *all.entry(host).or_default() += count;
        }
        let once = all.values().all(|&count| count == 1);
        let rule = match &demand.kind {
            Kind::Whole
            | Kind::Instances {
                affinity: Some(false), ..
            } => once,
            Kind::Instances {
                affinity: Some(true), ..
            } => all.len() <= 1,
            Kind::Instances { affinity: None, .. } => true,
        };
        let is_new = demand.requested || *counts != demand.holds;
        if is_new && (!(demand.least..=demand.most).contains(&total) || !permitted || !rule) {
            return false;
        }
        for (&host, &count) in counts {
            standing[host].put(number, demand, count);
        }
    }
    let mut touched: BTreeSet<HostNumber> = BTreeSet::new();
    for (demand, counts) in world.demands.iter().zip(counts) {
        let before = |host: &HostNumber| demand.holds.get(host).copied().unwrap_or(0);
        let arrived = counts.iter().filter(|(host, count)| **count > before(host));
        touched.extend(arrived.map(|(host, _)| host).chain(demand.kept.keys()));
    }
    touched.into_iter().all(|host| standing[host].is_sound())
}
