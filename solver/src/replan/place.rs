//! Hosts for counts, every class swept by start.
//!
//! Invariant: counts that respect the rooms always get hosts (the decode theorem, see `classes`). A demand
//! keeps hosts it has that are free; others are taken in the order in which they fell free, latest first.

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::model::Split;
use crate::classes::{ClassNumber, Classes};
use crate::model::Seconds;
use crate::scene::{DemandNumber, HostNumber, Scene};

/// The hosts of every demand, `None` if the counts exceed a room.
pub(crate) fn hosts(scene: &Scene<'_>, classes: &Classes, splits: &[Split]) -> Option<Vec<BTreeSet<HostNumber>>> {
    let mut of_class: Vec<Vec<(Seconds, DemandNumber, u32)>> = vec![Vec::new(); classes.fine.len()];
    for (demand, split) in splits.iter().enumerate() {
        for &(class, count) in split {
            of_class[class].push((scene.demands[demand].occupation.start, demand, count));
        }
    }
    let mut placed = vec![BTreeSet::new(); splits.len()];
    for (class, mut demands) in of_class.into_iter().enumerate() {
        demands.sort_unstable();
        sweep(scene, classes, class, &demands, &mut placed)?;
    }
    Some(placed)
}

fn sweep(
    scene: &Scene<'_>,
    classes: &Classes,
    class: ClassNumber,
    demands: &[(Seconds, DemandNumber, u32)],
    placed: &mut [BTreeSet<HostNumber>],
) -> Option<()> {
    // Since when each free host is free, and when each busy one will be.
    let mut free: BTreeSet<(Seconds, HostNumber)> = BTreeSet::new();
    let mut since: BTreeMap<HostNumber, Seconds> = BTreeMap::new();
    let mut busy: BTreeSet<(Seconds, HostNumber)> = classes.fine[class]
        .hosts
        .iter()
        .map(|&host| (classes.free_from[host], host))
        .collect();
    for &(start, demand, count) in demands {
        while let Some(&(until, host)) = busy.first().filter(|&&(until, _)| until <= start) {
            busy.pop_first();
            free.insert((until, host));
            since.insert(host, until);
        }
        let wanted = &scene.demands[demand];
        let own = wanted
            .holds
            .iter()
            .filter_map(|&host| since.get(&host).map(|&since| (since, host)));
        let mut taken: Vec<(Seconds, HostNumber)> = own.take(count as usize).collect();
        let others = free
            .iter()
            .rev()
            .filter(|(_, host)| wanted.holds.binary_search(host).is_err());
        taken.extend(others.take(count as usize - taken.len()).copied());
        if taken.len() < count as usize {
            return None;
        }
        for free_host in taken {
            free.remove(&free_host);
            since.remove(&free_host.1);
            busy.insert((wanted.occupation.end, free_host.1));
            placed[demand].insert(free_host.1);
        }
    }
    Some(())
}
