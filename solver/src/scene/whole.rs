//! A scene of the whole fleet.

use std::collections::BTreeMap;

use super::expressions::{Distinct, coarse};
use super::{Demand, DemandNumber, Fixed, FixedWork, Scene, numbers};
use crate::hosts::HostNumber;
use crate::model::{Request, Resource, Seconds};
use crate::planner::Planner;
use crate::request::Ask;

/// What the scene makes of a reservation of the planner.
#[derive(Clone, Copy)]
enum Role {
    /// It is over, or the request frees it.
    Absent,
    Fixed,
    Pending(DemandNumber),
}

impl<'a> Scene<'a> {
    /// The scene of a request on a planner that knows its expressions (see [`Planner::knowing`]).
    pub(crate) fn new(planner: &'a Planner, asks: &'a [Ask<'a>], request: &Request, now: Seconds) -> Self {
        let mut predicates = Distinct::new(planner);
        let mut demands = Vec::new();
        let mut kept: BTreeMap<HostNumber, Vec<Fixed<'a>>> = BTreeMap::new();
        for ask in asks {
            let occupation = ask.asked.occupation();
            for host in numbers(planner, ask.kept) {
                kept.entry(host).or_default().push(Fixed {
                    reservation: &ask.asked.id,
                    interval: occupation,
                });
            }
            demands.push(Demand {
                reservation: &ask.asked.id,
                window: ask.asked.window,
                occupation,
                predicate: predicates.of(&ask.asked.predicate),
                least: ask.least,
                most: ask.most,
                holds: Vec::new(),
                likes: numbers(planner, ask.before),
                requested: true,
            });
        }
        let requested = demands.len();
        let mut roles = vec![Role::Absent; planner.reservation_numbers() as usize];
        for stored in planner.stored() {
            let replaced = request.replaces.as_ref() == Some(&stored.lease.id);
            for (held, part) in stored.lease.reservations.iter().zip(&stored.parts) {
                let occupation = held.occupation();
                if occupation.end <= now || matches!(held.resource, Resource::Units(_)) {
                    continue;
                }
                let predicate = if held.window.end > now {
                    predicates.number(part.predicate)
                } else {
                    0
                };
                if replaced && Ask::frees_reservation(request, held, now) {
                    continue;
                }
                if held.is_fixed(now, planner.freeze) {
                    roles[part.number as usize] = Role::Fixed;
                } else if let Ok(size @ 1..) = u32::try_from(held.holds.len()) {
                    roles[part.number as usize] = Role::Pending(demands.len());
                    demands.push(Demand {
                        reservation: &held.id,
                        window: held.window,
                        occupation,
                        predicate,
                        least: size,
                        most: size,
                        holds: Vec::with_capacity(held.holds.len()),
                        likes: Vec::new(),
                        requested: false,
                    });
                }
            }
        }
        let count = planner.hosts.len();
        let mut fixed = FixedWork::default();
        let mut hosts = Vec::with_capacity(count);
        let mut richness = Vec::with_capacity(count);
        for (number, carried) in planner.hosts.values().enumerate() {
            hosts.push(carried.host.as_ref());
            richness.push(carried.richness);
            fixed.begins.push(fixed.all.len());
            fixed.all.extend(kept.remove(&number).into_iter().flatten());
            let shares = carried.shares.iter().map(|share| &share.taken);
            for taken in carried.occupations.iter().chain(shares) {
                match roles[taken.number as usize] {
                    Role::Absent => {}
                    Role::Fixed => fixed.all.push(Fixed {
                        reservation: &taken.reservation,
                        interval: taken.interval,
                    }),
                    Role::Pending(demand) => demands[demand].holds.push(number),
                }
            }
        }
        fixed.begins.push(fixed.all.len());
        for demand in &mut demands[requested..] {
            demand.likes.clone_from(&demand.holds);
        }
        let (coarse_of, truth) = coarse(planner, &predicates.known);
        Self {
            hosts,
            richness,
            fixed,
            demands,
            predicates: predicates.list,
            coarse_of,
            truth,
        }
    }
}
