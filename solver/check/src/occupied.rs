//! Too few suit a reservation beside work that cannot move.
//!
//! Reservations listed that are fixed stand where they stand, and so does what the request keeps. Beside
//! them each suitable host takes so many of one that is requested, or pending: a whole host one or none, instances as many as fit at every second
//! (with affinity the most that one of them takes, or one each). What it keeps, it has.

use std::collections::{BTreeMap, BTreeSet};

use solver_format::ConflictEntry;
use solver_format::model::{Host, HostId, Interval, PoolId, Request, RequestedReservation, Reservation, Resource};

use super::Findings;
use super::book::{Book, times};
use super::load::{Load, room};
use super::scene::{is_single, is_together};

/// Work that stays, by host or unit.
pub(super) struct Staying<'a> {
    loads: BTreeMap<&'a HostId, Vec<Load<'a>>>,
    /// On the units of a pool, and not on hosts.
    pool: Option<&'a PoolId>,
}

impl<'a> Staying<'a> {
    pub(super) const fn on_hosts() -> Self {
        Self {
            loads: BTreeMap::new(),
            pool: None,
        }
    }

    pub(super) const fn on_units(pool: &'a PoolId) -> Self {
        Self {
            loads: BTreeMap::new(),
            pool: Some(pool),
        }
    }

    /// A held reservation stays.
    pub(super) fn add(&mut self, held: &'a Reservation) {
        self.put(&held.id, &held.resource, held.occupation(), &held.holds);
    }

    /// What a requested reservation keeps stays.
    pub(super) fn keep(&mut self, book: &Book, asked: &'a RequestedReservation, kept: &'a [HostId]) {
        self.put(&asked.id, &asked.resource, book.ahead(asked.occupation()), kept);
    }

    fn put(&mut self, reservation: &'a HostId, resource: &'a Resource, interval: Interval, holds: &'a [HostId]) {
        let pool = match resource {
            Resource::Units(units) => Some(&units.pool),
            Resource::Host | Resource::Instances(_) => None,
        };
        if pool != self.pool {
            return;
        }
        for same in holds.chunk_by(|one, other| one == other) {
            let count = u32::try_from(same.len()).unwrap_or(u32::MAX);
            self.loads.entry(&same[0]).or_default().push(Load {
                interval,
                share: super::load::Share::of(resource, count),
                reservation,
            });
        }
    }

    pub(super) fn on(&self, host: &HostId) -> &[Load<'a>] {
        self.loads.get(host).map_or(&[], Vec::as_slice)
    }
}

/// What a reservation may have of hosts: all of it beside what stays.
pub(super) struct Wanted<'a> {
    pub(super) resource: &'a Resource,
    pub(super) occupation: Interval,
    /// How many are to be placed.
    pub(super) more: u32,
    /// What it keeps besides.
    pub(super) kept: &'a [HostId],
}

impl Wanted<'_> {
    /// How many of it a host takes, of which the rules allow it `allowed`; with affinity all or none.
    pub(super) fn fitting(&self, book: &Book, host: &HostId, allowed: u32, staying: &Staying<'_>) -> u32 {
        let fits = self.carried(book, host, allowed, staying);
        if is_together(self.resource) && fits < self.more {
            0
        } else {
            fits
        }
    }

    /// How many of it a host takes, be they too few for an affinity.
    fn carried(&self, book: &Book, host: &HostId, allowed: u32, staying: &Staying<'_>) -> u32 {
        let allowed = allowed.min(self.more);
        let here = times(self.kept, host);
        let allowed = if is_single(self.resource) {
            allowed.min(1_u32.saturating_sub(here))
        } else {
            allowed
        };
        if allowed == 0 {
            return 0;
        }
        let capacity = book.hosts.get(host).map(|host| &host.capacity);
        if is_together(self.resource) && here == 0 && !self.kept.is_empty() {
            return 0;
        }
        room(capacity, staying.on(host), self.occupation, self.resource, allowed)
    }
}

/// Checks such a refusal.
pub(super) fn check(
    book: &Book,
    request: &Request,
    conflict: &ConflictEntry,
    hosts: &BTreeSet<&HostId>,
    findings: &mut Findings,
) {
    let listed = |asked: &&RequestedReservation| conflict.reservations.contains(&asked.id);
    let own: Vec<&RequestedReservation> = request.reservations.iter().filter(listed).collect();
    let mut staying = Staying::on_hosts();
    for id in &conflict.reservations {
        if let Some(asked) = own.iter().find(|asked| asked.id == *id) {
            staying.keep(book, asked, book.kept(request, asked));
            continue;
        }
        let held = book.find(id);
        let held = held.filter(|held| !book.frees(request, held));
        findings.require(held.is_some(), &format!("conflict.reservations.{id}"), || {
            "is unknown, or free for this request".to_owned()
        });
        if let Some(held) = held.filter(|held| book.is_fixed(held)) {
            staying.add(held);
        }
    }
    let on_hosts = |resource: &Resource| !matches!(resource, Resource::Units(_));
    let asked = own.iter().filter(|asked| on_hosts(&asked.resource)).map(|asked| {
        let kept = book.kept(request, asked);
        let wanted = Wanted {
            resource: &asked.resource,
            occupation: book.ahead(asked.occupation()),
            more: asked.min.saturating_sub(u32::try_from(kept.len()).unwrap_or(u32::MAX)),
            kept,
        };
        (wanted, &asked.predicate, book.ahead(asked.window), &[][..])
    });
    let held = conflict.reservations.iter().filter_map(|id| book.find(id));
    let moving = held.filter(|held| !book.is_fixed(held) && !book.frees(request, held) && on_hosts(&held.resource));
    let moving = moving.map(|held| {
        let wanted = Wanted {
            resource: &held.resource,
            occupation: held.occupation(),
            more: u32::try_from(held.holds.len()).unwrap_or(u32::MAX),
            kept: &[],
        };
        (wanted, &held.predicate, held.window, held.holds.as_slice())
    });
    let mut counts: Vec<(u64, u64)> = Vec::new();
    for (wanted, predicate, window, holds) in asked.chain(moving) {
        let allowed = |host: &Host| {
            if host.suits(predicate, window) {
                wanted.more
            } else {
                times(holds, &host.id)
            }
        };
        let takes = |host: &Host| u64::from(wanted.carried(book, &host.id, allowed(host), &staying));
        let may = |name: &&HostId| book.hosts.get(*name).is_some_and(|host| allowed(host) > 0);
        if !hosts.iter().all(|name| may(name) || times(wanted.kept, name) > 0) {
            continue;
        }
        let takes = book.hosts.values().map(takes);
        let takes = if is_together(wanted.resource) {
            takes.max().unwrap_or(0)
        } else {
            takes.sum()
        };
        let kept = wanted.kept.len() as u64;
        counts.push((u64::from(wanted.more) + kept, takes.saturating_add(kept)));
    }
    findings.require(counts.contains(&(conflict.needed, conflict.exist)), "conflict", || {
        format!(
            "{} of {} is stated, for what these hosts suit {counts:?} is counted",
            conflict.needed, conflict.exist
        )
    });
    findings.require(conflict.needed > conflict.exist, "conflict", || {
        "there is no shortage".to_owned()
    });
}
