//! Why not: too few hosts at one instant, where what is short is needed whole.
//!
//! The whole hosts of the world make a scene of their own, in which one reservation of instances on different hosts may
//! take part: each of them needs a host that no other member has. All other instances are left out, so what is short
//! without them is short beside them.
//!
//! Invariant: the members are minimal, whichever count led here; see `certificate::instant`.

use super::world::{Counts, Demand, Kind, Takes, World};
use crate::certificate;
use crate::deadline::Deadline;
use crate::decision::Conflict;
use crate::hosts::HostNumber;
use crate::model::{ReservationId, Seconds};
use crate::scene::{self, Fixed, Scene};

/// The conflict at an instant; `apart`: the reservation whose instances are counted in hosts.
pub(super) fn at_instant(
    world: &World<'_>,
    at: Seconds,
    apart: Option<&Demand<'_>>,
    deadline: &Deadline,
) -> Option<Conflict> {
    let apart = apart.map(|demand| demand.reservation);
    certificate::at_instant(&scene(world, apart), at, apart, deadline)
}

fn scene<'a>(world: &World<'a>, apart: Option<&ReservationId>) -> Scene<'a> {
    let counts = |demand: &Demand<'_>| demand.kind == Kind::Whole || apart == Some(demand.reservation);
    let numbers = |counts: &Counts| -> Vec<HostNumber> { counts.keys().copied().collect() };
    let demands = world.demands.iter().filter(|demand| counts(demand));
    let fixed = world.places.iter().map(|place| {
        let whole = place
            .fixed
            .iter()
            .filter(|fixed| fixed.takes == Takes::Whole || apart == Some(fixed.reservation));
        let whole = whole.map(|fixed| Fixed {
            reservation: fixed.reservation,
            interval: fixed.interval,
        });
        whole.collect::<Vec<_>>()
    });
    Scene {
        hosts: world.places.iter().map(|place| place.host).collect(),
        richness: world.places.iter().map(|place| place.richness).collect(),
        fixed: fixed.collect(),
        demands: demands
            .map(|demand| scene::Demand {
                reservation: demand.reservation,
                window: demand.window,
                occupation: demand.occupation,
                predicate: demand.predicate,
                least: demand.least,
                most: demand.most,
                holds: numbers(&demand.holds),
                likes: numbers(&demand.likes),
                requested: demand.requested,
            })
            .collect(),
        predicates: Vec::new(),
        coarse_of: world.class_of.clone(),
        truth: world.truth.clone(),
    }
}
