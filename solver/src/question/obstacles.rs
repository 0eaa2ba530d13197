//! Which hosts have no room for a reservation as things stand, and why.
//!
//! Invariant: every host that matches the reservation is either free for it, for one instance at least, or has exactly one
//! obstacle. Promises that may still move count where they are: a host is free of them only if they find another.

use std::collections::BTreeMap;

use crate::hosts::{Carried, Occupation};
use crate::model::{HostId, Instances, Interval, Request, RequestedReservation, Resource, Seconds};
use crate::planner::Planner;
use crate::wording;

/// Why a host has no room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// It takes no new work.
    NotReservable,
    /// It is out of service for a time.
    OutOfService(Interval),
    /// A lease has it whole.
    Whole(Interval),
    /// Instances stand on it, and all of it is wanted.
    Instances(Interval),
    /// Only the cleaning after a lease that is over by then, which ends at this time.
    Cleaning {
        /// The lease ends.
        end: Seconds,
        /// The cleaning ends.
        until: Seconds,
    },
    /// Only the cleaning after the reservation itself: the next lease starts before its end.
    CleaningBefore {
        /// The next lease starts.
        start: Seconds,
    },
    /// Too little is left for as many instances as belong on one host.
    TooLittle {
        /// The resource class that runs out.
        resource: String,
        /// What one instance takes of it.
        each: u64,
        /// What is left of it at the fullest instant.
        left: u64,
        /// How many instances fit.
        fits: u64,
        /// Whether other instances take a part of it.
        shared: bool,
    },
}

/// What becomes of each host that matches a reservation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Obstacles {
    /// How many are free.
    pub free: u32,
    /// The others, by identifier.
    pub hosts: Vec<(HostId, Obstacle)>,
}

impl Obstacles {
    /// Looks at every host of the fleet that matches a reservation of the request. Of instances with affinity all have
    /// to fit on a host that is free; units have no hosts.
    pub fn of(planner: &Planner, request: &Request, asked: &RequestedReservation) -> Self {
        let mut found = Self::default();
        for carried in planner.hosts.values() {
            if !carried.host.matches(&asked.predicate) {
                continue;
            }
            match obstacle(planner, carried, request, asked) {
                Some(obstacle) => found.hosts.push((carried.host.id.clone(), obstacle)),
                None => found.free += 1,
            }
        }
        found
    }
}

fn obstacle(planner: &Planner, carried: &Carried, request: &Request, asked: &RequestedReservation) -> Option<Obstacle> {
    let host = &carried.host;
    if !host.reservable {
        return Some(Obstacle::NotReservable);
    }
    if let Some(block) = host.blocks.iter().find(|block| block.overlaps(&asked.window)) {
        return Some(Obstacle::OutOfService(*block));
    }
    let others = |taken: &&Occupation| request.replaces.as_ref() != Some(&taken.lease);
    match &asked.resource {
        Resource::Units(_) => None,
        Resource::Host => {
            let occupied = carried.in_use(asked.occupation()).filter(others);
            let mut obstacles: Vec<Obstacle> = occupied
                .map(|taken| of_occupation(planner, carried, asked, taken))
                .collect();
            // What only cleaning is in the way of is named so only if nothing else is.
            let first = obstacles
                .iter()
                .position(|obstacle| !obstacle.is_cleaning())
                .unwrap_or(0);
            (!obstacles.is_empty()).then(|| obstacles.swap_remove(first))
        }
        Resource::Instances(instances) => {
            let mut whole = carried.overlapping(asked.window).iter().filter(others);
            if let Some(taken) = whole.next() {
                return Some(of_occupation(planner, carried, asked, taken));
            }
            too_little(carried, asked, instances, &others)
        }
    }
}

/// The obstacle that something on a host is.
fn of_occupation(planner: &Planner, carried: &Carried, asked: &RequestedReservation, taken: &Occupation) -> Obstacle {
    let lease = planner.lease(&taken.lease);
    let mut reservations = lease.into_iter().flat_map(|lease| &lease.reservations);
    let held = reservations.find(|held| held.id == taken.reservation);
    let end = held.map_or(taken.interval.end, |held| held.window.end);
    if end <= asked.window.start {
        let until = taken.interval.end;
        return Obstacle::Cleaning { end, until };
    }
    if taken.interval.start >= asked.window.end {
        let start = taken.interval.start;
        return Obstacle::CleaningBefore { start };
    }
    let during = Interval::new(taken.interval.start, end);
    let is_share = |share: &crate::hosts::Share| share.taken.reservation == taken.reservation;
    if carried.shares.iter().any(is_share) {
        Obstacle::Instances(during)
    } else {
        Obstacle::Whole(during)
    }
}

/// The resource class that is short on a host for one instance, or for all that belong on one.
fn too_little(
    carried: &Carried,
    asked: &RequestedReservation,
    instances: &Instances,
    others: &dyn Fn(&&Occupation) -> bool,
) -> Option<Obstacle> {
    let wanted = if instances.affinity == Some(true) { asked.min } else { 1 };
    let here: Vec<_> = carried
        .shares
        .iter()
        .filter(|share| share.taken.interval.overlaps(&asked.window) && others(&&share.taken))
        .collect();
    let starts = here.iter().map(|share| share.taken.interval.start);
    let instants: Vec<Seconds> = starts
        .chain([Seconds::MIN])
        .map(|at| at.max(asked.window.start))
        .collect();
    let used = |class: &str| {
        let at = |at: &Seconds| {
            let now = here.iter().filter(|share| share.taken.interval.contains(*at));
            let amounts = now.map(|share| {
                let each = share.instances.resources.get(class).copied().unwrap_or(0);
                each.saturating_mul(u64::from(share.count))
            });
            amounts.fold(0, u64::saturating_add)
        };
        instants.iter().map(at).max().unwrap_or(0)
    };
    let capacity: &BTreeMap<String, u64> = &carried.host.capacity;
    let least = instances
        .resources
        .iter()
        .filter_map(|(class, &each)| {
            let has = capacity.get(class).copied().unwrap_or(0);
            let left = has.saturating_sub(used(class));
            Some((left.checked_div(each)?, class, each, left, left < has))
        })
        .min_by_key(|(fits, ..)| *fits)?;
    let (fits, class, each, left, shared) = least;
    (fits < u64::from(wanted)).then(|| Obstacle::TooLittle {
        resource: class.clone(),
        each,
        left,
        fits,
        shared,
    })
}

impl Obstacle {
    /// What is said of a host after `is`, or of several after `are`.
    pub fn in_words(&self, asked: &RequestedReservation) -> String {
        let span = |during: &Interval| {
            let (start, end) = (wording::instant(during.start), wording::instant(during.end));
            format!("from {start} to {end}")
        };
        match self {
            Self::NotReservable => "not reservable".to_owned(),
            Self::OutOfService(during) => format!("out of service {}", span(during)),
            Self::Whole(during) => format!("taken whole by an earlier lease {}", span(during)),
            Self::Instances(during) => format!("shared by instances of an earlier lease {}", span(during)),
            Self::Cleaning { end, until } => format!(
                "free from {} on, after {} of cleaning",
                wording::instant(*until),
                wording::minutes(until.saturating_sub(*end))
            ),
            Self::CleaningBefore { start } => format!(
                "needed by the next lease from {} on, and the cleaning after yours takes {}",
                wording::instant(*start),
                wording::minutes(asked.cleaning)
            ),
            Self::TooLittle {
                resource,
                fits: fits @ 1..,
                shared,
                ..
            } => format!(
                "too {} for all of them, {resource} is there for {fits}",
                if *shared { "full" } else { "small" }
            ),
            Self::TooLittle {
                resource,
                each,
                left,
                shared: true,
                ..
            } => format!("too full: an instance takes {each} {resource}, {left} of it is left"),
            Self::TooLittle {
                resource, each, left, ..
            } => format!("too small: an instance takes {each} {resource}, it has {left}"),
        }
    }

    /// Whether nothing but cleaning is in the way.
    pub const fn is_cleaning(&self) -> bool {
        matches!(self, Self::Cleaning { .. } | Self::CleaningBefore { .. })
    }

    /// Whether it lasts as long as the fleet is as it is, whatever is promised.
    pub const fn is_of_fleet(&self) -> bool {
        matches!(
            self,
            Self::NotReservable | Self::OutOfService(_) | Self::TooLittle { shared: false, .. }
        )
    }
}
