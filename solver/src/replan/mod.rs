//! Full re-plan: all pending host reservations from nothing, where they cost least.
//!
//! What has started or is pinned stays, and so do instances. A host costs its class's scarcity price for
//! every second it is occupied; the price of a class is one more than the number of live expressions its
//! hosts satisfy, so hosts that few can use are used first.
//!
//! Invariant: the plan respects every capacity, counted in whole numbers and then host by host; the bound is
//! proved in whole numbers from prices (Lagrangean relaxation, see `batch::prices`), or the plan is optimal
//! in an integer program that leaves out only columns these prices exclude.
//!
//! Two designs, for comparison ([`Design`]):
//!
//! * `Simplex`: `relaxation` solves the linear relaxation by a dual simplex method that knows the structure;
//!   `whole` makes whole numbers of it, by rounding or by branch and bound (`tree`).
//! * `Flow`: the timeline-flow program F2 of the design in one piece, on the solver.

mod charges;
mod flow;
mod place;
mod relaxation;
mod tree;
mod whole;

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::timeline::Split;
use crate::batch::timeline::Timeline;
use crate::classes::Classes;
use crate::deadline::Deadline;
use crate::model::{HostId, Request, ReservationId, Resource, Seconds};
use crate::planner::{ModelSolver, Planner, StateError};
use crate::scene::{ClassNumber, HostNumber, Scene};
use crate::verify;
use charges::Charges;

/// How the least cost is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Design {
    /// A simplex method made for the relaxation.
    #[default]
    Simplex,
    /// The whole timeline-flow program.
    Flow,
}

/// A plan of all pending host reservations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replan {
    /// Hosts of every pending host reservation, sorted.
    pub holds: BTreeMap<ReservationId, Vec<HostId>>,
    /// Scarcity prices times seconds of all hosts held.
    pub cost: u64,
    /// No plan costs less.
    pub bound: u64,
    /// Whether the plan costs least.
    pub proved: bool,
}

/// Plans all pending host reservations anew at `now`. `None` if the deadline ended before a plan was found.
///
/// # Errors
/// The state contradicts itself.
pub fn replan(
    planner: &Planner,
    now: Seconds,
    design: Design,
    deadline: &Deadline,
    solver: &dyn ModelSolver,
) -> Result<Option<Replan>, StateError> {
    let settled = with_instances_pinned(planner, now)?;
    let seen = settled.as_ref().unwrap_or(planner);
    let scene = Scene::new(seen, &[], &nothing(), now);
    let classes = Classes::new(&scene);
    let timeline = Timeline::new(&scene, &classes);
    let charges = Charges::new(&scene, &classes, &timeline);
    let found = match design {
        Design::Simplex => whole::solve(&timeline, &charges, solver, deadline),
        Design::Flow => flow::solve(&timeline, &charges, solver, deadline),
    };
    let Some(found) = found.filter(|found| charges::respects(&timeline, &found.splits)) else {
        return Ok(None);
    };
    let Some(placed) = place::hosts(&scene, &classes, &found.splits) else {
        return Ok(None);
    };
    let sets: Vec<BTreeSet<HostNumber>> = placed.iter().map(|hosts| hosts.iter().copied().collect()).collect();
    if !verify::holds(&scene, &sets) {
        return Ok(None);
    }
    let cost = charges.of(&found.splits);
    let bound = if found.optimal { cost } else { found.bound.min(cost) };
    Ok(Some(Replan {
        holds: named(&scene, &placed),
        cost: charges.in_seconds(cost),
        bound: charges.in_seconds(bound),
        proved: bound == cost,
    }))
}

/// What all pending host reservations hold, as counts per class: what a book of counts would keep.
pub struct Counted<'a> {
    scene: Scene<'a>,
    classes: Classes,
    splits: Vec<Split>,
}

impl<'a> Counted<'a> {
    /// The counts of a planner's reservations at `now`.
    pub fn new(planner: &'a Planner, now: Seconds) -> Self {
        let scene = Scene::new(planner, &[], &nothing(), now);
        let classes = Classes::new(&scene);
        let split = |holds: &Vec<HostNumber>| -> Split {
            let mut counts: BTreeMap<ClassNumber, u32> = BTreeMap::new();
            for &host in holds {
                *counts.entry(classes.fine_of[host]).or_default() += 1;
            }
            counts.into_iter().collect()
        };
        let splits = scene.demands.iter().map(|demand| split(&demand.holds)).collect();
        Self { scene, classes, splits }
    }

    /// Hosts for the counts, each reservation's own where they are free when it starts; `None` if there are
    /// not enough, which a sound state excludes.
    pub fn decode(&self) -> Option<BTreeMap<ReservationId, Vec<HostId>>> {
        let placed = place::hosts(&self.scene, &self.classes, &self.splits)?;
        Some(named(&self.scene, &placed))
    }
}

/// A request that asks for nothing.
fn nothing() -> Request {
    Request {
        id: "".into(),
        replaces: None,
        reservations: Vec::new(),
    }
}

fn named(scene: &Scene<'_>, placed: &[Vec<HostNumber>]) -> BTreeMap<ReservationId, Vec<HostId>> {
    let named = scene.demands.iter().zip(placed).map(|(demand, hosts)| {
        let hosts = hosts.iter().map(|&host| scene.hosts[host].id.clone());
        (demand.reservation.clone(), hosts.collect())
    });
    named.collect()
}

/// The state in which pending instances may not move; `None` if there are none.
fn with_instances_pinned(planner: &Planner, now: Seconds) -> Result<Option<Planner>, StateError> {
    if !planner.may_move_instances(now) {
        return Ok(None);
    }
    let mut settled = planner.clone();
    for lease in planner.leases() {
        let mut lease = lease.clone();
        let mut pinned = false;
        for held in &mut lease.reservations {
            if matches!(held.resource, Resource::Instances(_)) {
                held.pinned = true;
                pinned = true;
            }
        }
        if pinned {
            settled.put_lease(lease)?;
        }
    }
    Ok(Some(settled))
}
