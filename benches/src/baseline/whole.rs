//! The whole re-plan as one integer program: every pending lease placed anew at least cost, running ones fixed.
//!
//! Per host it is what one writes down first: a binary variable for every reservation and host. Per class the same problem has a
//! count for every reservation and class of hosts, which a decode turns into hosts (running leases begin before everything
//! pending, so the counts suffice). Both minimise the richness of the hosts used, per minute, and have equal optima.

use std::collections::BTreeMap;

use solver::model::{Host, HostId, Interval, Reservation, Seconds};
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
    let mut classes: BTreeMap<&BTreeMap<String, String>, usize> = BTreeMap::new();
    for host in &filled.hosts {
        let known = match grain {
            Grain::Host => None,
            Grain::Class => classes.get(&host.properties).copied(),
        };
        let number = known.unwrap_or(groups.len());
        if known.is_none() {
            classes.insert(&host.properties, number);
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
                    groups[number].running.push((held.window, 1));
                }
            }
        } else {
            pending.push(held);
        }
    }
    let mut program = Program::default();
    let mut uses: Vec<Vec<(Interval, usize)>> = groups.iter().map(|_| Vec::new()).collect();
    for held in &pending {
        let mut entries = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            if group.host.matches(&held.predicate) {
                let count = u32::try_from(held.holds.len()).unwrap_or(u32::MAX).min(group.size);
                program.columns.push(Column {
                    cost: cost(group.host, held.window),
                    most: count,
                });
                let column = program.columns.len() - 1;
                entries.push((column, 1));
                uses[number].push((held.window, column));
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
    }
}

/// Abilities and size of a host, for every hour begun.
fn cost(host: &Host, window: Interval) -> i64 {
    let abilities = i64::try_from(host.properties.len()).unwrap_or(0);
    let hours = (window.seconds() + 3_599) / 3_600;
    abilities * hours
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
