//! Shortages of several instants together, as rows that anyone can add up.
//!
//! Invariant: a host stands in the rows of an instant once and counts there with the row's weight, unless
//! fixed work stands on it then. Whatever host a listed demand uses, it uses at least a certain weight of
//! rows, together more than all rows have. No host has to be left out because fixed work will stand on it:
//! such hosts get rows that their fixed work fills.

use std::collections::{BTreeMap, BTreeSet};

use super::contradiction::Contradiction;
use super::minimal::{Member, minimal};
use crate::classes::Classes;
use crate::decision::CapacityRow;
use crate::model::{Interval, ReservationId, Seconds};
use crate::scene::{ClassNumber, DemandNumber, HostNumber, Scene};

/// Rows that together are too small.
pub(super) struct Proof<'a> {
    /// What uses them.
    pub(super) members: Vec<Member<'a>>,
    /// The rows, by instant and first host.
    pub(super) rows: Vec<CapacityRow>,
    /// The hosts of all rows, sorted.
    pub(super) hosts: BTreeSet<HostNumber>,
    /// What the members use of them at least, weighted; one more than there is if one of them has no place at all.
    pub(super) needed: u64,
    /// What they have, weighted.
    pub(super) exist: u64,
    /// From the first row to the last.
    pub(super) span: Interval,
}

/// Weights by class and instant.
type Weights = BTreeMap<ClassNumber, BTreeMap<Seconds, u64>>;

fn used(rows: Option<&BTreeMap<Seconds, u64>>, during: Interval) -> u64 {
    rows.map_or(0, |rows| {
        rows.range(during.start..during.end).map(|(_, weight)| weight).sum()
    })
}

/// The proof that a contradiction between capacities of classes is.
pub(super) fn of_contradiction<'a>(
    scene: &Scene<'a>,
    classes: &Classes,
    contradiction: &Contradiction,
) -> Option<Proof<'a>> {
    let mut weights: Weights = BTreeMap::new();
    for row in &contradiction.rows {
        *weights.entry(row.class).or_default().entry(row.at).or_default() += u64::from(row.weight);
    }
    // What each demand uses at least, as long as it keeps to classes it can use throughout.
    let mut uses: BTreeMap<DemandNumber, u64> = BTreeMap::new();
    for (number, demand) in scene.demands.iter().enumerate().filter(|(_, demand)| demand.least > 0) {
        let eligible = (0..classes.fine.len()).filter(|&class| classes.eligible(scene, number, class));
        let least = eligible.map(|class| used(weights.get(&class), demand.occupation)).min();
        // Without any class, one unit is contradiction enough.
        let least = least.unwrap_or(1);
        if least > 0 {
            uses.insert(number, least);
        }
    }
    fill(scene, classes, &uses, &mut weights);
    let mut rows: BTreeMap<(Seconds, u64), Vec<HostNumber>> = BTreeMap::new();
    for (&class, weights) in &weights {
        for (&at, &weight) in weights {
            let hosts = rows.entry((at, weight)).or_default();
            hosts.extend(&classes.fine[class].hosts);
        }
    }
    proof(scene, classes, rows, &uses)
}

/// Gives hosts that fixed work to come keeps from a demand rows that the fixed work fills.
fn fill(scene: &Scene<'_>, classes: &Classes, uses: &BTreeMap<DemandNumber, u64>, weights: &mut Weights) {
    for (&number, &least) in uses {
        let demand = &scene.demands[number];
        for class in 0..classes.fine.len() {
            let fine = &classes.fine[class];
            if !fine.is_taken(demand.occupation) || !classes.suitable(scene, number, class) {
                continue;
            }
            let have = used(weights.get(&class), demand.occupation);
            // The calendar is the same on every host of the class.
            let taken = scene.fixed[fine.hosts[0]]
                .iter()
                .map(|fixed| fixed.interval)
                .filter(|taken| fine.is_taken(*taken) && taken.overlaps(&demand.occupation))
                .min();
            if let (Some(taken), Some(more @ 1..)) = (taken, least.checked_sub(have)) {
                let at = taken.start.max(demand.occupation.start);
                *weights.entry(class).or_default().entry(at).or_default() += more;
            }
        }
    }
}

/// The proof that too few hosts have no fixed work during one requested demand.
pub(super) fn of_fixed<'a>(scene: &Scene<'a>, classes: &Classes) -> Option<Proof<'a>> {
    scene.requested().find_map(|number| {
        let demand = &scene.demands[number];
        let mut free: u64 = 0;
        let mut rows: BTreeMap<(Seconds, u64), Vec<HostNumber>> = BTreeMap::new();
        let suitable = (0..classes.fine.len()).filter(|&class| classes.suitable(scene, number, class));
        for host in suitable.flat_map(|class| classes.fine[class].hosts.iter().copied()) {
            let taken = scene.fixed[host].iter().map(|fixed| fixed.interval);
            let taken = taken.filter(|taken| taken.overlaps(&demand.occupation)).min();
            free += u64::from(taken.is_none());
            let at = taken.map_or(demand.occupation.start, |taken| {
                taken.start.max(demand.occupation.start)
            });
            rows.entry((at, 1)).or_default().push(host);
        }
        if free >= u64::from(demand.least) {
            return None;
        }
        proof(scene, classes, rows, &BTreeMap::from([(number, 1)]))
    })
}

fn proof<'a>(
    scene: &Scene<'a>,
    classes: &Classes,
    mut rows: BTreeMap<(Seconds, u64), Vec<HostNumber>>,
    uses: &BTreeMap<DemandNumber, u64>,
) -> Option<Proof<'a>> {
    let own: BTreeSet<&ReservationId> = scene
        .requested()
        .map(|number| scene.demands[number].reservation)
        .collect();
    let mut fixed: BTreeMap<&'a ReservationId, u64> = BTreeMap::new();
    let (mut exist, mut hosts) = (0, BTreeSet::new());
    for hosts in rows.values_mut() {
        hosts.sort_unstable();
    }
    for (&(at, weight), row) in &rows {
        exist += weight * row.len() as u64;
        hosts.extend(row.iter().copied());
        for &host in row {
            let here = scene.fixed[host].iter().filter(|fixed| fixed.interval.contains(at));
            if let Some(first) = here.map(|fixed| fixed.reservation).min() {
                *fixed.entry(first).or_default() += weight;
            }
        }
    }
    let mut amounts = fixed;
    for (&number, &least) in uses {
        let demand = &scene.demands[number];
        *amounts.entry(demand.reservation).or_default() += u64::from(demand.least) * least;
    }
    let members: Vec<Member<'a>> = amounts
        .into_iter()
        .map(|(reservation, amount)| Member {
            reservation,
            amount,
            kind: None,
            own: own.contains(reservation),
        })
        .collect();
    let needed: u64 = members.iter().map(|member| member.amount).sum();
    let first = rows.keys().next()?.0;
    let last = rows.keys().next_back()?.0;
    if needed <= exist {
        return None;
    }
    let members = minimal(members, exist);
    let needed = recounted(scene, classes, &rows, &members).unwrap_or(exist + 1);
    let named = |hosts: Vec<HostNumber>| hosts.into_iter().map(|host| scene.hosts[host].id.clone()).collect();
    Some(Proof {
        members,
        rows: rows
            .into_iter()
            .map(|((at, weight), hosts)| CapacityRow {
                hosts: named(hosts),
                at,
                weight,
                counted: None,
                apart: None,
            })
            .collect(),
        hosts,
        needed,
        exist,
        span: Interval::new(first, last + 1),
    })
}

/// What the members use of the rows at least, each demand in the cheapest hosts that it may have beside the fixed work
/// among them; `None` if those are too few for one of them.
fn recounted(
    scene: &Scene<'_>,
    classes: &Classes,
    rows: &BTreeMap<(Seconds, u64), Vec<HostNumber>>,
    members: &[Member<'_>],
) -> Option<u64> {
    let listed: BTreeSet<&ReservationId> = members.iter().map(|member| member.reservation).collect();
    let stays = |host: HostNumber| {
        scene.fixed[host]
            .iter()
            .filter(|fixed| listed.contains(fixed.reservation))
    };
    let mut by_host: BTreeMap<HostNumber, Vec<(Seconds, u64)>> = BTreeMap::new();
    for (&row, hosts) in rows {
        for &host in hosts {
            by_host.entry(host).or_default().push(row);
        }
    }
    let mut needed: u64 = 0;
    for (&host, rows) in &by_host {
        let taken = rows
            .iter()
            .filter(|row| stays(host).any(|fixed| fixed.interval.contains(row.0)));
        needed = taken.fold(needed, |needed, row| needed.saturating_add(row.1));
    }
    let demands = scene.demands.iter().enumerate();
    for (number, demand) in demands.filter(|(_, demand)| demand.least > 0 && listed.contains(demand.reservation)) {
        let has_room = |&host: &HostNumber| {
            classes.suitable(scene, number, classes.fine_of[host])
                && !stays(host).any(|fixed| fixed.interval.overlaps(&demand.occupation))
        };
        let cost = |host: HostNumber| -> u64 {
            let rows = by_host.get(&host).into_iter().flatten();
            rows.filter(|row| demand.occupation.contains(row.0))
                .map(|row| row.1)
                .sum()
        };
        let mut costs: Vec<u64> = (0..scene.hosts.len()).filter(has_room).map(cost).collect();
        costs.sort_unstable();
        let cheapest = costs.get(..demand.least as usize)?;
        needed = cheapest
            .iter()
            .fold(needed, |needed, &cost| needed.saturating_add(cost));
    }
    Some(needed)
}
