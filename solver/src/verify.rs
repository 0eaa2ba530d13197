//! Counts an assignment once more, host by host, before it becomes an answer.
//!
//! Invariant: nothing here relies on classes, programs or the order of the decode.

use std::collections::BTreeSet;

use crate::decode::Changed;
use crate::model::Interval;
use crate::scene::{Demand, HostNumber, Scene};

/// Whether these hosts give every demand what it needs, break no rule and overlap nowhere.
pub(crate) fn holds(scene: &Scene<'_>, chosen: &[BTreeSet<HostNumber>]) -> bool {
    let sizes = scene
        .demands
        .iter()
        .zip(chosen)
        .all(|(demand, hosts)| is_served(scene, demand, hosts));
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
    sizes && taken.into_iter().all(are_disjoint)
}

/// As [`holds`], when only these demands do not keep what they hold: looks at the hosts they come to.
pub(crate) fn changes(scene: &Scene<'_>, changed: &Changed) -> bool {
    let served = changed
        .iter()
        .all(|(&number, hosts)| is_served(scene, &scene.demands[number], hosts));
    let requested = scene
        .requested()
        .all(|number| changed.contains_key(&number) || scene.demands[number].least == 0);
    let mut touched: Vec<Option<usize>> = vec![None; scene.hosts.len()];
    let mut taken: Vec<Vec<Interval>> = Vec::new();
    for &host in changed.values().flatten() {
        if touched[host].is_none() {
            touched[host] = Some(taken.len());
            taken.push(scene.fixed[host].iter().map(|fixed| fixed.interval).collect());
        }
    }
    for (number, demand) in scene.demands.iter().enumerate() {
        let mut note = |host: HostNumber| {
            if let Some(place) = touched[host] {
                taken[place].push(demand.occupation);
            }
        };
        match changed.get(&number) {
            Some(hosts) => hosts.iter().copied().for_each(&mut note),
            None => demand.holds.iter().copied().for_each(&mut note),
        }
    }
    // Work that the request keeps may come to stand where pending demands are.
    let kept = scene.demands.iter().enumerate().all(|(number, demand)| {
        changed.contains_key(&number)
            || demand.holds.iter().all(|&host| {
                let fixed = &scene.fixed[host];
                fixed.iter().all(|fixed| !fixed.interval.overlaps(&demand.occupation))
            })
    });
    served && requested && kept && taken.into_iter().all(are_disjoint)
}

fn is_served(scene: &Scene<'_>, demand: &Demand<'_>, hosts: &BTreeSet<HostNumber>) -> bool {
    (demand.least as usize..=demand.most as usize).contains(&hosts.len())
        && hosts.iter().all(|&host| scene.permits(demand, host))
}

fn are_disjoint(mut intervals: Vec<Interval>) -> bool {
    intervals.sort_unstable();
    intervals.windows(2).all(|pair| !pair[0].overlaps(&pair[1]))
}
