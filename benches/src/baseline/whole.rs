//! The whole re-plan as one integer program: every pending lease placed anew at least cost, running ones fixed.
//!
//! Per host it is what one writes down first: a binary variable for every reservation and host. Per class the same problem has a
//! count for every reservation and class of hosts, which a decode turns into hosts (running leases begin before everything
//! pending, so the counts suffice). Both minimise what Berth's own re-plan minimises, so all three have equal optima: a host
//! costs, for every second it is occupied, one more than the number of live expressions it satisfies.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use solver::model::{Host, HostId, Interval, Reservation, Seconds};
use solver::predicate::Predicate;
use solver::program::{Column, Program};

use crate::fleet::Filled;

/// What has a variable for each reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Every host.
    Host,
    /// Every class of like hosts.
    Class,
}

/// The program and how large it is.
pub struct Outlined {
    /// The program.
    pub program: Program,
    /// Pending reservations in it.
    pub reservations: usize,
    /// Seconds of the program's unit of time: its cost times this is in prices times seconds.
    pub unit: Seconds,
}

/// Like hosts, or one host.
struct Group<'a> {
    host: &'a Host,
    size: u32,
    /// What running leases hold of it.
    running: Vec<(Interval, u32)>,
}

/// Writes the re-plan of a fleet down.
pub fn outline(filled: &Filled, grain: Grain) -> Outlined {
    let mut group_of: BTreeMap<HostId, usize> = BTreeMap::new();
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut classes = BTreeMap::new();
    for host in &filled.hosts {
        let members = (&host.properties, &host.zone, &host.rack);
        let known = match grain {
            Grain::Host => None,
            Grain::Class => classes.get(&members).copied(),
        };
        let number = known.unwrap_or(groups.len());
        if known.is_none() {
            classes.insert(members, number);
            groups.push(Group {
                host,
                size: 0,
                running: Vec::new(),
            });
        }
        groups[number].size += 1;
        group_of.insert(host.id.clone(), number);
    }
    let mut pending: Vec<&Reservation> = Vec::new();
    for held in filled.leases.iter().flat_map(|lease| &lease.reservations) {
        if held.is_fixed(filled.now, 0) {
            for host in &held.holds {
                if let Some(&number) = group_of.get(host) {
                    groups[number].running.push((held.occupation(), 1));
                }
            }
        } else {
            pending.push(held);
        }
    }
    let unit = pending
        .iter()
        .map(|held| held.occupation().seconds())
        .fold(0, greatest_common_divisor)
        .max(1);
    let live = filled.leases.iter().flat_map(|lease| &lease.reservations);
    let live: HashSet<&Arc<Predicate>> = live
        .filter(|held| held.window.end > filled.now)
        .map(|held| &held.predicate)
        .collect();
    let price = |host: &Host| {
        let admitting = live.iter().filter(|predicate| host.matches(predicate)).count();
        i64::try_from(1 + admitting).unwrap_or(i64::MAX)
    };
    let prices: Vec<i64> = groups.iter().map(|group| price(group.host)).collect();
    let mut program = Program::default();
    let mut uses: Vec<Vec<(Interval, usize)>> = groups.iter().map(|_| Vec::new()).collect();
    for held in &pending {
        let mut entries = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            if group.host.matches(&held.predicate) {
                let count = u32::try_from(held.holds.len()).unwrap_or(u32::MAX).min(group.size);
                program.columns.push(Column {
                    cost: prices[number] * (held.occupation().seconds() / unit),
                    most: count,
                });
                let column = program.columns.len() - 1;
                entries.push((column, 1));
                uses[number].push((held.occupation(), column));
            }
        }
        let count = i64::try_from(held.holds.len()).unwrap_or(i64::MAX);
        program.row(Some(count), Some(count), entries);
    }
    for (group, uses) in groups.iter().zip(&uses) {
        let starts = cliques(
            uses.iter()
                .map(|(window, _)| *window)
                .chain(group.running.iter().map(|(window, _)| *window)),
        );
        for at in starts {
            let here = uses.iter().filter(|(window, _)| window.contains(at));
            let entries: Vec<(usize, i64)> = here.map(|&(_, column)| (column, 1)).collect();
            let running = group.running.iter().filter(|(window, _)| window.contains(at));
            let room = i64::from(group.size) - running.map(|(_, count)| i64::from(*count)).sum::<i64>();
            if !entries.is_empty() {
                program.row(None, Some(room), entries);
            }
        }
    }
    Outlined {
        program,
        reservations: pending.len(),
        unit,
    }
}

const fn greatest_common_divisor(mut one: Seconds, mut other: Seconds) -> Seconds {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// Starts that are followed by an end before the next start: every other instant has no more in use.
fn cliques(windows: impl Iterator<Item = Interval>) -> Vec<Seconds> {
    let mut events: Vec<(Seconds, bool)> = windows
        .flat_map(|window| [(window.start, true), (window.end, false)])
        .collect();
    // Ends before starts at the same instant: intervals are half-open.
    events.sort_unstable();
    events.dedup();
    let mut found = Vec::new();
    for pair in events.windows(2) {
        if let [(at, true), (_, false)] = pair {
            found.push(*at);
        }
    }
    found
}
