//! Why not: an instant at which more hosts are needed than exist.
//!
//! Invariant: every `capacity` conflict can be recounted from the problem alone. At each second of its
//! interval, the listed reservations that may move or are asked for can use no host outside the list,
//! the fixed ones stand on hosts of the list, and together they need more hosts than it has.

pub(crate) mod hall;
pub(crate) mod minimal;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::ford_fulkerson;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use crate::classes::{ClassNumber, Classes};
use crate::decision::Conflict;
use crate::model::{HostId, Interval, Request, ReservationId, Resource, Seconds};
use crate::planner::Planner;
use crate::request::Ask;
use crate::scene::{DemandNumber, HostNumber, Scene};
use crate::wording;

/// Busiest instants of a requested reservation that are looked at before anything is solved. A flow costs
/// milliseconds, and the first nearly always tells.
const LIKELY_INSTANTS: usize = 1;
/// Instants of a long proof that are tried for a shorter one.
const MOST_INSTANTS: usize = 256;

/// Looks for a shortage where it is likeliest: at the starts of the requested reservations and at the
/// instants at which most of the hosts that suit one are in use.
pub(crate) fn at_likely(scene: &Scene<'_>, classes: &Classes) -> Option<Conflict> {
    let mut instants: BTreeSet<Seconds> = BTreeSet::new();
    for number in scene.requested() {
        instants.insert(scene.demands[number].occupation.start);
        instants.extend(busiest(scene, classes, number));
    }
    instants.into_iter().find_map(|at| shortage(scene, classes, at))
}

/// The instants during a demand at which most hosts that suit it are in use, by anything.
fn busiest(scene: &Scene<'_>, classes: &Classes, number: DemandNumber) -> Vec<Seconds> {
    let during = scene.demands[number].occupation;
    let suits: Vec<bool> = (0..classes.fine.len())
        .map(|class| classes.suitable(scene, number, class))
        .collect();
    let suits = |host: HostNumber| suits[classes.fine_of[host]];
    let mut changes: BTreeMap<Seconds, i64> = BTreeMap::new();
    let mut count = |interval: Interval, hosts: i64| {
        if hosts > 0 && interval.overlaps(&during) {
            *changes.entry(interval.start.max(during.start)).or_default() += hosts;
            *changes.entry(interval.end).or_default() -= hosts;
        }
    };
    for (_, fixed) in scene.fixed.iter().enumerate().filter(|&(host, _)| suits(host)) {
        for fixed in fixed {
            count(fixed.interval, 1);
        }
    }
    for demand in &scene.demands {
        count(
            demand.occupation,
            demand.holds.iter().map(|&host| i64::from(suits(host))).sum(),
        );
    }
    let mut load = 0;
    let mut loads: Vec<(Reverse<i64>, Seconds)> = Vec::new();
    for (&at, change) in changes.range(..during.end) {
        load += change;
        if *change > 0 {
            loads.push((Reverse(load), at));
        }
    }
    loads.sort_unstable();
    loads.into_iter().take(LIKELY_INSTANTS).map(|(_, at)| at).collect()
}

/// Looks for a shortage at the given instants.
pub(crate) fn at(scene: &Scene<'_>, classes: &Classes, instants: &[Seconds]) -> Option<Conflict> {
    instants
        .iter()
        .take(MOST_INSTANTS)
        .find_map(|&at| shortage(scene, classes, at))
}

/// The maximum flow from the demands active at an instant to the hosts free then; if it leaves a demand
/// unserved, the demands on the source's side of the minimum cut compete for too few hosts.
fn shortage(scene: &Scene<'_>, classes: &Classes, at: Seconds) -> Option<Conflict> {
    let active: Vec<DemandNumber> = (0..scene.demands.len())
        .filter(|&number| scene.demands[number].least > 0 && scene.demands[number].occupation.contains(at))
        .collect();
    let busy = |host: HostNumber| scene.fixed[host].iter().any(|fixed| fixed.interval.contains(at));
    let mut graph: DiGraph<(), u64> = DiGraph::new();
    let (source, sink) = (graph.add_node(()), graph.add_node(()));
    let class_nodes: Vec<NodeIndex> = classes
        .fine
        .iter()
        .map(|class| {
            let node = graph.add_node(());
            graph.add_edge(
                node,
                sink,
                class.hosts.iter().filter(|&&host| !busy(host)).count() as u64,
            );
            node
        })
        .collect();
    let mut wanted = 0;
    let mut demand_nodes: BTreeMap<NodeIndex, DemandNumber> = BTreeMap::new();
    for &number in &active {
        let least = u64::from(scene.demands[number].least);
        let node = graph.add_node(());
        graph.add_edge(source, node, least);
        for (class, &class_node) in class_nodes.iter().enumerate() {
            if classes.suitable(scene, number, class) {
                graph.add_edge(node, class_node, least);
            }
        }
        demand_nodes.insert(node, number);
        wanted += least;
    }
    let (flow, flows) = ford_fulkerson(&graph, source, sink);
    if flow >= wanted {
        return None;
    }
    let reached = reachable(&graph, source, &flows);
    let competing: Vec<DemandNumber> = demand_nodes
        .iter()
        .filter(|(node, _)| reached.contains(node))
        .map(|(_, &number)| number)
        .collect();
    let contested: BTreeSet<ClassNumber> = (0..classes.fine.len())
        .filter(|&class| competing.iter().any(|&number| classes.suitable(scene, number, class)))
        .collect();
    Some(conflict(scene, classes, at, &competing, &contested))
}

/// Nodes the source reaches over edges with spare capacity, forwards, or with flow, backwards.
fn reachable(graph: &DiGraph<(), u64>, source: NodeIndex, flows: &[u64]) -> BTreeSet<NodeIndex> {
    let mut reached = BTreeSet::from([source]);
    let mut open = vec![source];
    while let Some(node) = open.pop() {
        let onward = graph
            .edges_directed(node, petgraph::Outgoing)
            .filter(|edge| flows[edge.id().index()] < *edge.weight())
            .map(|edge| edge.target());
        let back = graph
            .edges_directed(node, petgraph::Incoming)
            .filter(|edge| flows[edge.id().index()] > 0)
            .map(|edge| edge.source());
        for next in onward.chain(back) {
            if reached.insert(next) {
                open.push(next);
            }
        }
    }
    reached
}

fn conflict(
    scene: &Scene<'_>,
    classes: &Classes,
    at: Seconds,
    competing: &[DemandNumber],
    contested: &BTreeSet<ClassNumber>,
) -> Conflict {
    let mut interval = Interval::new(Seconds::MIN, Seconds::MAX);
    let mut narrow = |other: Interval| {
        interval = Interval::new(interval.start.max(other.start), interval.end.min(other.end));
    };
    let mut reservations: BTreeSet<&ReservationId> = BTreeSet::new();
    let own: BTreeSet<&ReservationId> = scene
        .requested()
        .map(|number| scene.demands[number].reservation)
        .collect();
    let (mut needed, mut asked) = (0, 0);
    for &number in competing {
        let demand = &scene.demands[number];
        narrow(demand.occupation);
        reservations.insert(demand.reservation);
        needed += u64::from(demand.least);
        asked += if demand.requested { u64::from(demand.least) } else { 0 };
    }
    let mut hosts: Vec<HostNumber> = contested
        .iter()
        .flat_map(|&class| classes.fine[class].hosts.iter().copied())
        .collect();
    hosts.sort_unstable();
    for &host in &hosts {
        for fixed in scene.fixed[host].iter().filter(|fixed| fixed.interval.contains(at)) {
            narrow(fixed.interval);
            reservations.insert(fixed.reservation);
            needed += 1;
            asked += u64::from(own.contains(fixed.reservation));
        }
    }
    let exist = hosts.len() as u64;
    Conflict {
        reason: "capacity",
        from: interval.start,
        until: interval.end,
        needed,
        exist,
        hosts_matching: hosts.into_iter().map(|host| scene.hosts[host].id.clone()).collect(),
        reservations: reservations.into_iter().cloned().collect(),
        text: text(interval, needed, needed - asked, exist).into(),
    }
}

fn text(interval: Interval, needed: u64, earlier: u64, exist: u64) -> String {
    let (from, until) = (wording::instant(interval.start), wording::instant(interval.end));
    let (hosts, are) = if needed == 1 { ("host", "is") } else { ("hosts", "are") };
    if earlier == 0 {
        return format!(
            "at {from} (until {until}), {needed} {hosts} matching your request {are} needed by it, {exist} exist"
        );
    }
    format!(
        "at {from} (until {until}), {needed} {hosts} matching your request {are} needed by it and by earlier promises \
         ({earlier}), {exist} exist"
    )
}

/// A host the request keeps that other fixed work, or the request itself, needs at the same time.
pub(crate) fn kept_twice(planner: &Planner, asks: &[Ask<'_>], request: &Request, now: Seconds) -> Option<Conflict> {
    let is_whole = |ask: &Ask<'_>| ask.asked.resource == Resource::Host;
    for (position, ask) in asks.iter().enumerate().filter(|(_, ask)| is_whole(ask)) {
        let occupation = ask.asked.occupation();
        for host in ask.kept {
            let others = planner.hosts.get(host).map(|carried| carried.in_use(occupation));
            let fixed = others
                .into_iter()
                .flatten()
                .filter(|taken| !Ask::frees(request, taken, now) && taken.is_fixed(now, planner.freeze))
                .map(|taken| (&taken.reservation, taken.interval));
            let own = asks[..position]
                .iter()
                .filter(|other| is_whole(other) && other.kept.binary_search(host).is_ok())
                .map(|other| (&other.asked.id, other.asked.occupation()));
            if let Some((other, interval)) = fixed.chain(own).find(|(_, interval)| interval.overlaps(&occupation)) {
                let shared = Interval::new(interval.start.max(occupation.start), interval.end.min(occupation.end));
                let mut reservations = vec![ask.asked.id.clone(), other.clone()];
                reservations.sort();
                return Some(Conflict {
                    reason: "capacity",
                    from: shared.start,
                    until: shared.end,
                    needed: 2,
                    exist: 1,
                    hosts_matching: vec![host.clone()],
                    reservations,
                    text: format!(
                        "at {} (until {}), a host your reservation keeps is needed by it and by an earlier promise \
                         that cannot move",
                        wording::instant(shared.start),
                        wording::instant(shared.end)
                    )
                    .into(),
                });
            }
        }
    }
    None
}

/// What is said when every alternative was tried and no single instant shows why none works.
pub(crate) fn by_search(scene: &Scene<'_>) -> Conflict {
    let requested: Vec<DemandNumber> = scene.requested().collect();
    let from = requested
        .iter()
        .map(|&number| scene.demands[number].window.start)
        .min()
        .unwrap_or(0);
    let until = requested
        .iter()
        .map(|&number| scene.demands[number].occupation.end)
        .max()
        .unwrap_or(0);
    let span = Interval::new(from, until);
    let hosts: Vec<HostId> = (0..scene.hosts.len())
        .filter(|&host| {
            requested
                .iter()
                .any(|&number| scene.permits(&scene.demands[number], host))
        })
        .map(|host| scene.hosts[host].id.clone())
        .collect();
    let mut reservations: Vec<ReservationId> = scene
        .demands
        .iter()
        .filter(|demand| demand.requested || demand.occupation.overlaps(&span))
        .map(|demand| demand.reservation.clone())
        .collect();
    reservations.sort();
    Conflict {
        reason: "search",
        from,
        until,
        needed: requested
            .iter()
            .map(|&number| u64::from(scene.demands[number].least))
            .sum(),
        exist: hosts.len() as u64,
        hosts_matching: hosts,
        reservations,
        text: format!(
            "between {} and {} no choice of hosts serves your request and keeps every earlier promise; all were tried",
            wording::instant(from),
            wording::instant(until)
        )
        .into(),
    }
}
