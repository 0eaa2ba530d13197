//! What becomes of earlier promises if the fleet changes, or if a request is accepted, as far as the caller may read it.

use std::collections::BTreeSet;

use solver::model::HostId;
use solver::planner::Planner;
use solver::question::{Consequence, Necessity};

use super::visibility::Eyes;
use super::{Asking, ConflictReport};
use crate::service::ServiceError;

/// Promises that change hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    /// Reservations that would get hosts of another class.
    pub reservations: u32,
    /// Hosts of another class they would get.
    pub hosts: u32,
    /// Of these reservations, those that have to.
    pub must: u32,
    /// Every change of a reservation that the caller may read, exchanges inside a class included.
    pub visible: Vec<MovedReservation>,
}

/// A reservation that changes hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedReservation {
    /// Its lease.
    pub lease_id: String,
    /// The reservation.
    pub reservation_id: String,
    /// Hosts it gives up, if the caller may read hosts.
    pub from: Vec<String>,
    /// Hosts it takes instead, if the caller may read hosts.
    pub to: Vec<String>,
    /// How many of them are of another class.
    pub counted: u32,
    /// Whether it has to.
    pub necessity: Necessity,
}

/// A promise that cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostReservation {
    /// Its lease.
    pub lease_id: String,
    /// The reservation.
    pub reservation_id: String,
    /// Hosts it lacks.
    pub missing: u32,
    /// Why.
    pub conflict: ConflictReport,
}

/// What becomes of earlier promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostsAnswer {
    /// Reservations that stand on hosts that are gone or down.
    pub displaced: u32,
    /// What changes, displaced or making room.
    pub moves: Moves,
    /// Reservations that cannot be kept; as few as possible.
    pub lost: u32,
    /// Those of them that the caller may read.
    pub visible_lost: Vec<LostReservation>,
    /// Whether no fewer could be lost.
    pub proved: bool,
}

/// What becomes of earlier promises, and what that leaves.
pub(super) fn consequences(
    asking: &Asking,
    planner: &Planner,
    affected: &BTreeSet<HostId>,
    eyes: &Eyes<'_>,
) -> Result<(HostsAnswer, Planner), ServiceError> {
    let found = asking
        .of(planner, |question| question.consequences(affected))
        .map_err(|error| {
            tracing::error!(%error, "the consequences of a changed fleet contradict the book");
            ServiceError::Unavailable("the question could not be answered".to_owned())
        })?;
    let displaced = |moved: &&Consequence| moved.displaced;
    let lost = |(lease, unkept): &(HostId, solver::heal::Unkept)| {
        eyes.sees_lease(lease).then(|| LostReservation {
            lease_id: lease.to_string(),
            reservation_id: unkept.reservation.to_string(),
            missing: unkept.missing,
            conflict: ConflictReport::new(&unkept.conflict, None, eyes),
        })
    };
    let answer = HostsAnswer {
        displaced: count(found.moves.iter().filter(displaced).count()),
        moves: moves(&found.moves, eyes),
        lost: count(found.unkept.len()),
        visible_lost: found.unkept.iter().filter_map(lost).collect(),
        proved: found.proved,
    };
    Ok((answer, found.after))
}

pub(super) fn moves(consequences: &[Consequence], eyes: &Eyes<'_>) -> Moves {
    let mut moves = Moves::default();
    for moved in consequences {
        if moved.change.counted > 0 {
            moves.reservations += 1;
            moves.hosts += moved.change.counted;
            moves.must += u32::from(moved.necessity == Necessity::Must);
        }
        if eyes.sees_lease(&moved.lease) {
            let names = |hosts: &[HostId]| {
                let seen = hosts.iter().filter(|_| eyes.sees_hosts);
                seen.map(ToString::to_string).collect()
            };
            moves.visible.push(MovedReservation {
                lease_id: moved.lease.to_string(),
                reservation_id: moved.change.reservation.to_string(),
                from: names(&moved.change.from),
                to: names(&moved.change.to),
                counted: moved.change.counted,
                necessity: moved.necessity,
            });
        }
    }
    moves
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
