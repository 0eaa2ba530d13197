//! Turns counts per class into hosts, rewriting as little as possible.
//!
//! Invariant: the hosts given satisfy the counts exactly. First only the demands whose counts changed are
//! touched; if fragmentation forbids that, the whole class is swept by start, where the decode theorem
//! (see `classes`) says that hosts never run out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::classes::{ClassNumber, Classes};
use crate::model::Seconds;
use crate::reassign::Counts;
use crate::scene::{DemandNumber, HostNumber, Scene};

/// Hosts of every demand, `None` if the counts exceed a capacity.
pub(crate) fn decode(scene: &Scene<'_>, classes: &Classes, counts: &Counts) -> Option<Vec<BTreeSet<HostNumber>>> {
    let mut chosen: Vec<BTreeSet<HostNumber>> = scene
        .demands
        .iter()
        .map(|demand| demand.holds.iter().copied().collect())
        .collect();
    let mut changes: BTreeMap<ClassNumber, Change> = BTreeMap::new();
    for (&number, counts) in counts {
        let mut before: BTreeMap<ClassNumber, u32> = BTreeMap::new();
        for &host in &scene.demands[number].holds {
            *before.entry(classes.fine_of[host]).or_default() += 1;
        }
        let both: BTreeSet<ClassNumber> = before.keys().chain(counts.keys()).copied().collect();
        for class in both {
            let (old, new) = (
                before.get(&class).copied().unwrap_or(0),
                counts.get(&class).copied().unwrap_or(0),
            );
            let change = changes.entry(class).or_default();
            if new > old {
                change.growing.push((number, new - old));
            } else if old > new {
                change.shrinking.insert(number, old - new);
            }
        }
    }
    // Classes that lost time to what the request keeps need the sweep even if no count changed.
    for demand in &scene.demands {
        for &host in demand
            .holds
            .iter()
            .filter(|&&host| demand.occupation.start < classes.free_from[host])
        {
            changes.entry(classes.fine_of[host]).or_default().displaced = true;
        }
    }
    for (class, change) in changes {
        let untouched = change.growing.is_empty() && change.shrinking.is_empty() && !change.displaced;
        if untouched || (!change.displaced && locally(scene, classes, class, &change, &mut chosen)) {
            continue;
        }
        sweep(scene, classes, class, counts, &mut chosen)?;
    }
    Some(chosen)
}

/// What differs in one class.
#[derive(Default)]
struct Change {
    growing: Vec<(DemandNumber, u32)>,
    shrinking: BTreeMap<DemandNumber, u32>,
    /// A pending demand stands where fixed work stands now.
    displaced: bool,
}

/// Puts the growing demands on hosts that are free, or held by shrinking ones; `false`, and nothing is
/// changed, if that does not work out.
fn locally(
    scene: &Scene<'_>,
    classes: &Classes,
    class: ClassNumber,
    change: &Change,
    chosen: &mut [BTreeSet<HostNumber>],
) -> bool {
    let hosts = &classes.fine[class].hosts;
    let mut on_host: BTreeMap<HostNumber, BTreeSet<DemandNumber>> =
        hosts.iter().map(|&host| (host, BTreeSet::new())).collect();
    for (number, chosen) in chosen.iter().enumerate() {
        for host in chosen {
            if let Some(demands) = on_host.get_mut(host) {
                demands.insert(number);
            }
        }
    }
    let mut surplus = change.shrinking.clone();
    let mut given: Vec<(DemandNumber, HostNumber)> = Vec::new();
    let mut taken: Vec<(DemandNumber, HostNumber)> = Vec::new();
    let mut growing = change.growing.clone();
    growing.sort_by_key(|&(number, _)| (scene.demands[number].occupation.start, number));
    for (number, count) in growing {
        let demand = &scene.demands[number];
        for _ in 0..count {
            let best = hosts
                .iter()
                .filter(|host| classes.free_from[**host] <= demand.occupation.start)
                .filter_map(|&host| {
                    let others = &on_host[&host];
                    let in_the_way: Vec<DemandNumber> = others
                        .iter()
                        .copied()
                        .filter(|&other| scene.demands[other].occupation.overlaps(&demand.occupation))
                        .collect();
                    let removable = |other: &DemandNumber| surplus.get(other).is_some_and(|&left| left > 0);
                    let elsewhere = demand.likes.binary_search(&host).is_err();
                    let possible = !in_the_way.contains(&number) && in_the_way.iter().all(removable);
                    let idle_since = idle_since(scene, classes, others, host, demand.occupation.start);
                    possible.then_some((
                        (
                            in_the_way.len(),
                            elsewhere,
                            scene.richness[host],
                            Reverse(idle_since),
                            host,
                        ),
                        in_the_way,
                    ))
                })
                .min();
            let Some(((.., host), in_the_way)) = best else {
                return false;
            };
            let Some(others) = on_host.get_mut(&host) else {
                return false;
            };
            for other in in_the_way {
                others.remove(&other);
                taken.push((other, host));
                surplus.entry(other).and_modify(|left| *left -= 1);
            }
            others.insert(number);
            given.push((number, host));
        }
    }
    for (number, left) in surplus {
        // What nobody asked for is given up from the far end, richest host first.
        let mut own: Vec<HostNumber> = hosts
            .iter()
            .copied()
            .filter(|host| on_host[host].contains(&number))
            .collect();
        own.sort_by_key(|&host| Reverse((scene.richness[host], host)));
        taken.extend(own.into_iter().take(left as usize).map(|host| (number, host)));
    }
    for (number, host) in taken {
        chosen[number].remove(&host);
    }
    for (number, host) in given {
        chosen[number].insert(host);
    }
    true
}

/// When the host fell idle before `start`.
fn idle_since(
    scene: &Scene<'_>,
    classes: &Classes,
    demands: &BTreeSet<DemandNumber>,
    host: HostNumber,
    start: Seconds,
) -> Seconds {
    let ends = demands.iter().map(|&number| scene.demands[number].occupation.end);
    ends.filter(|&end| end <= start)
        .max()
        .unwrap_or(classes.free_from[host])
}

/// Places every demand of a class anew by start, each on its own hosts where they are free.
fn sweep(
    scene: &Scene<'_>,
    classes: &Classes,
    class: ClassNumber,
    counts: &Counts,
    chosen: &mut [BTreeSet<HostNumber>],
) -> Option<()> {
    let hosts = &classes.fine[class].hosts;
    let held_here = |number: DemandNumber| -> Vec<HostNumber> {
        scene.demands[number]
            .holds
            .iter()
            .copied()
            .filter(|&host| classes.fine_of[host] == class)
            .collect()
    };
    let mut wanted: Vec<(Seconds, DemandNumber, usize)> = Vec::new();
    let mut later: BTreeMap<HostNumber, Vec<DemandNumber>> = BTreeMap::new();
    for (number, demand) in scene.demands.iter().enumerate() {
        let held = held_here(number);
        let count = match counts.get(&number) {
            Some(counts) => counts.get(&class).copied().unwrap_or(0) as usize,
            None => held.len(),
        };
        for &host in &held {
            chosen[number].remove(&host);
        }
        if count > 0 {
            wanted.push((demand.occupation.start, number, count));
            for host in held {
                later.entry(host).or_default().push(number);
            }
        }
    }
    wanted.sort_unstable();
    let mut free_from: BTreeMap<HostNumber, Seconds> =
        hosts.iter().map(|&host| (host, classes.free_from[host])).collect();
    for (start, number, count) in wanted {
        let demand = &scene.demands[number];
        let mut free: Vec<_> = free_from
            .iter()
            .filter(|&(_, &from)| from <= start)
            .map(|(&host, &from)| {
                let displaced = later.get(&host).map_or(0, |others| {
                    let others = others.iter().filter(|&&other| other != number);
                    others
                        .filter(|&&other| scene.demands[other].occupation.overlaps(&demand.occupation))
                        .count()
                });
                let elsewhere = demand.likes.binary_search(&host).is_err();
                (elsewhere, displaced, scene.richness[host], Reverse(from), host)
            })
            .collect();
        if free.len() < count {
            return None;
        }
        free.sort_unstable();
        for (.., host) in free.into_iter().take(count) {
            free_from.insert(host, demand.occupation.end);
            chosen[number].insert(host);
        }
    }
    Some(())
}
