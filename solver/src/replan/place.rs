//! Hosts for counts, every class swept by start.
//!
//! Invariant: counts that respect the rooms always get hosts (the decode theorem, see `classes`). A demand
//! keeps hosts it has that are free; others are taken in the order in which they fell free, latest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::batch::timeline::Split;
use crate::classes::Classes;
use crate::model::Seconds;
use crate::scene::{ClassNumber, DemandNumber, HostNumber, Scene};

/// The hosts of every demand, sorted; `None` if the counts exceed a room.
pub(crate) fn hosts(scene: &Scene<'_>, classes: &Classes, splits: &[Split]) -> Option<Vec<Vec<HostNumber>>> {
    let mut of_class: Vec<Vec<(Seconds, DemandNumber, u32)>> = vec![Vec::new(); classes.fine.len()];
    for (demand, split) in splits.iter().enumerate() {
        for &(class, count) in split {
            of_class[class].push((scene.demands[demand].occupation.start, demand, count));
        }
    }
    let mut placed = vec![Vec::new(); splits.len()];
    let mut since = vec![None; scene.hosts.len()];
    for (class, mut demands) in of_class.into_iter().enumerate() {
        demands.sort_unstable();
        sweep(scene, classes, class, &demands, &mut since, &mut placed)?;
    }
    for hosts in &mut placed {
        hosts.sort_unstable();
    }
    Some(placed)
}

/// Places the demands of one class in order of start. `since` says of each host that is free since when.
fn sweep(
    scene: &Scene<'_>,
    classes: &Classes,
    class: ClassNumber,
    demands: &[(Seconds, DemandNumber, u32)],
    since: &mut [Option<Seconds>],
    placed: &mut [Vec<HostNumber>],
) -> Option<()> {
    // Hosts fall free in this order, so the latest is on top. An entry counts only while `since` agrees: a
    // host that was taken since may have fallen free again.
    let mut free: Vec<(Seconds, HostNumber)> = Vec::new();
    let own = classes.fine[class].hosts.iter();
    let mut busy: BinaryHeap<Reverse<(Seconds, HostNumber)>> =
        own.map(|&host| Reverse((classes.free_from[host], host))).collect();
    for &(start, demand, count) in demands {
        while let Some(&Reverse((until, host))) = busy.peek()
            && until <= start
        {
            busy.pop();
            free.push((until, host));
            since[host] = Some(until);
        }
        let wanted = &scene.demands[demand];
        let mut left = count;
        let mut take = |host: HostNumber| {
            busy.push(Reverse((wanted.occupation.end, host)));
            placed[demand].push(host);
        };
        for &host in &wanted.holds {
            if left > 0 && classes.fine_of[host] == class && since[host].take().is_some() {
                take(host);
                left -= 1;
            }
        }
        while left > 0 {
            let (until, host) = free.pop()?;
            if since[host] == Some(until) {
                since[host] = None;
                take(host);
                left -= 1;
            }
        }
    }
    Some(())
}
