//! Counts an assignment once more, host by host, before it becomes an answer.
//!
//! Invariant: nothing here relies on classes, programs or the order of the decode.

use std::collections::BTreeSet;

use crate::model::Interval;
use crate::scene::{HostNumber, Scene};

/// Whether these hosts give every demand what it needs, break no rule and overlap nowhere.
pub(crate) fn holds(scene: &Scene<'_>, chosen: &[BTreeSet<HostNumber>]) -> bool {
    let sizes = scene.demands.iter().zip(chosen).all(|(demand, hosts)| {
        (demand.least as usize..=demand.most as usize).contains(&hosts.len())
            && hosts.iter().all(|&host| scene.permits(demand, host))
    });
    let mut taken: Vec<Vec<Interval>> = scene
        .fixed
        .iter()
        .map(|fixed| fixed.iter().map(|fixed| fixed.interval).collect())
        .collect();
    for (demand, hosts) in scene.demands.iter().zip(chosen) {
        for &host in hosts {
            taken[host].push(demand.occupation);
        }
    }
    let disjoint = |mut intervals: Vec<Interval>| {
        intervals.sort_unstable();
        intervals.windows(2).all(|pair| !pair[0].overlaps(&pair[1]))
    };
    sizes && taken.into_iter().all(disjoint)
}
