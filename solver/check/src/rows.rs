//! Certificates over several instants (Farkas' lemma, with the reservations' own multipliers chosen best).
//!
//! A row counts at its instant either hosts, of which each carries at most one host reservation or
//! instances, or a resource class in multiples of a divisor: what an instance takes is divided and rounded
//! down, and all instances of a host together never have more than the host, divided and rounded down.
//! A reservation that stays where it is uses the rows it stands in. One that needs `n` uses, whatever hosts
//! it is given, at least what the cheapest `n` cost beside what stays, when a host costs the sum of the
//! rows that list it and whose instant lies in what the reservation occupies. If all need more than all
//! rows have, each counted with its weight, no assignment exists.
//!
//! A row of hosts may count the instances of one reservation that stand on different hosts, too: a host carries at most
//! one host reservation or one of them. What stays takes it if it is whole, one of them, or leaves no room for one.
//!
//! If all reservations listed are of units of one pool, the rows are of its units; else of hosts, and units
//! count nothing.

use std::collections::{BTreeMap, BTreeSet};

use solver_format::model::{
    HostId, Interval, PoolId, Request, RequestedReservation, Reservation, ReservationId, Resource,
};
use solver_format::predicate::Predicate;
use solver_format::{ConflictEntry, RowEntry};

use super::Findings;
use super::book::{Book, times};
use super::load::{Capacity, Load, Share, room};
use super::occupied::{Staying, Wanted};
use super::scene::{is_single, is_together};

/// Rows by host.
pub(super) type ByHost<'a> = BTreeMap<&'a HostId, Vec<&'a RowEntry>>;

/// Checks such a certificate.
pub(super) fn check<'a>(
    book: &'a Book,
    request: &'a Request,
    conflict: &'a ConflictEntry,
    rows: &'a [RowEntry],
    findings: &mut Findings,
) {
    let pool = pool(book, request, conflict);
    let units = pool.and_then(|pool| book.pools.get(pool));
    let place = |name: &'a HostId| -> Option<Option<&'a Capacity>> {
        match pool {
            None => book.hosts.get(name).map(|host| Some(&host.capacity)),
            Some(_) => units.is_some_and(|units| units.contains(name)).then_some(None),
        }
    };
    let mut by_host: ByHost<'_> = BTreeMap::new();
    let mut exist: u128 = 0;
    for (number, row) in rows.iter().enumerate() {
        let member = format!("conflict.certificate[{number}]");
        findings.require(row.weight > 0, &format!("{member}.weight"), || {
            "must be at least 1".to_owned()
        });
        let counts = row.resource.is_some() == row.divisor.is_some() && row.divisor != Some(0);
        findings.require(counts, &format!("{member}.divisor"), || {
            "belongs to a resource class, and must be at least 1".to_owned()
        });
        let apart = row.apart.is_none() || row.resource.is_none() && apart(book, request, row).is_some();
        findings.require(apart, &format!("{member}.apart"), || {
            "must be a reservation of instances on different hosts, and no resource class".to_owned()
        });
        let hosts: BTreeSet<&HostId> = row.hosts.iter().collect();
        let known = hosts.iter().all(|host| place(host).is_some());
        findings.require(
            known && hosts.len() == row.hosts.len(),
            &format!("{member}.hosts"),
            || "a host is unknown or stands twice".to_owned(),
        );
        for (name, capacity) in hosts.iter().filter_map(|name| Some((*name, place(name)?))) {
            exist = exist.saturating_add(u128::from(row.weight) * whole(row, capacity));
            by_host.entry(name).or_default().push(row);
        }
    }
    let listed: BTreeSet<&HostId> = conflict.hosts_matching.iter().collect();
    findings.require(by_host.keys().eq(&listed), "conflict.hosts_matching", || {
        "are not the hosts of the rows".to_owned()
    });
    let instants = || rows.iter().map(|row| row.at);
    let span = instants()
        .min()
        .zip(instants().max().map(|last| last.saturating_add(1)));
    findings.require(span == Some((conflict.from, conflict.until)), "conflict", || {
        "the time is not that of the rows".to_owned()
    });
    let mut staying = pool.map_or_else(Staying::on_hosts, Staying::on_units);
    let mut placed: Vec<Placed<'_>> = Vec::new();
    for id in &conflict.reservations {
        if let Some(asked) = request.reservations.iter().find(|asked| asked.id == *id) {
            let kept = book.kept(request, asked);
            staying.keep(book, asked, kept);
            placed.push(Placed::asked(book, asked, kept));
            continue;
        }
        match book.find(id).filter(|held| !book.frees(request, held)) {
            None => findings.add(
                &format!("conflict.reservations.{id}"),
                "is unknown, or free for this request",
            ),
            Some(held) if book.is_fixed(held) => staying.add(held),
            Some(held) => placed.push(Placed::held(held)),
        }
    }
    let mut needed: u128 = 0;
    for (&name, rows) in &by_host {
        let capacity = place(name).flatten();
        for row in rows {
            let taken = match apart(book, request, row) {
                Some(resource) => taken_apart(row, capacity, staying.on(name), resource),
                None => taken(row, capacity, staying.on(name)),
            };
            needed = needed.saturating_add(u128::from(row.weight).saturating_mul(taken));
        }
    }
    let rows = Rows {
        book,
        by_host,
        staying,
        units,
    };
    for placed in &placed {
        needed = needed.saturating_add(rows.least(placed));
    }
    findings.require(u128::from(conflict.exist) == exist, "conflict.exist", || {
        format!("{} is stated, {exist} is counted", conflict.exist)
    });
    // For what has no place at all there is no count: then one more is needed than exists.
    let stated = u64::try_from(needed).ok().filter(|&needed| needed < u64::MAX);
    let stated = stated.unwrap_or(conflict.exist.saturating_add(1));
    findings.require(conflict.needed == stated, "conflict.needed", || {
        format!("{} is stated, {stated} is counted", conflict.needed)
    });
    findings.require(conflict.needed > conflict.exist, "conflict", || {
        "there is no shortage".to_owned()
    });
}

/// A row's resource class and divisor.
fn counted(row: &RowEntry) -> Option<(&str, u128)> {
    Some((row.resource.as_deref()?, u128::from(row.divisor?.max(1))))
}

/// What a row counts of an empty host or unit, and of a host reservation on it.
pub(super) fn whole(row: &RowEntry, capacity: Option<&Capacity>) -> u128 {
    counted(row).map_or(1, |(class, divisor)| of(capacity, class) / divisor)
}

fn of(capacity: Option<&Capacity>, class: &str) -> u128 {
    u128::from(capacity.and_then(|capacity| capacity.get(class)).copied().unwrap_or(0))
}

/// What a row counts of a host that these loads leave nothing for.
pub(super) fn taken(row: &RowEntry, capacity: Option<&Capacity>, loads: &[Load<'_>]) -> u128 {
    let during = || loads.iter().filter(|load| load.interval.contains(row.at));
    let all = whole(row, capacity);
    let Some((class, divisor)) = counted(row) else {
        return if during().next().is_some() { all } else { 0 };
    };
    let mut sum: u128 = 0;
    for load in during() {
        match load.share {
            Share::Whole => return all,
            Share::Instances(instances, count) => {
                let each = instances.resources.get(class).copied().unwrap_or(0);
                sum += u128::from(each) * u128::from(count);
            }
        }
    }
    all - of(capacity, class).saturating_sub(sum) / divisor
}

/// The instances on different hosts that a row counts, if it does.
fn apart<'a>(book: &'a Book, request: &'a Request, row: &RowEntry) -> Option<&'a Resource> {
    let id = row.apart.as_ref()?;
    let asked = request.reservations.iter().find(|asked| asked.id == *id);
    let resource = asked.map(|asked| &asked.resource);
    let resource = resource.or_else(|| book.find(id).map(|held| &held.resource));
    resource.filter(|resource| matches!(resource, Resource::Instances(_)) && is_single(resource))
}

/// What a row that counts instances of this resource, too, counts of a host that these loads leave nothing for.
fn taken_apart(row: &RowEntry, capacity: Option<&Capacity>, loads: &[Load<'_>], resource: &Resource) -> u128 {
    let during: Vec<&Load<'_>> = loads.iter().filter(|load| load.interval.contains(row.at)).collect();
    let at = Interval::new(row.at, row.at.saturating_add(1));
    let is_there = during.iter().any(|load| row.apart.as_ref() == Some(load.reservation));
    // A host that no instance fits on even if it is empty may serve a host reservation.
    u128::from(!during.is_empty() && (is_there || room(capacity, loads, at, resource, 1) == 0))
}

/// What `count` of a reservation on one host use of a row.
fn used(row: &RowEntry, capacity: Option<&Capacity>, placed: &Placed<'_>, count: u32) -> u128 {
    match (placed.wanted.resource, counted(row)) {
        (Resource::Host | Resource::Units(_), _) => whole(row, capacity),
        (Resource::Instances(instances), Some((class, divisor))) => {
            let each = instances.resources.get(class).copied().unwrap_or(0);
            u128::from(each) * u128::from(count) / divisor
        }
        // Instances could share whatever host they use, if they may.
        (Resource::Instances(_), None) if row.apart.as_ref() == Some(placed.reservation) => count.into(),
        (Resource::Instances(_), None) => 0,
    }
}

/// A reservation that is to be placed.
pub(super) struct Placed<'a> {
    pub(super) reservation: &'a ReservationId,
    pub(super) wanted: Wanted<'a>,
    pub(super) predicate: &'a Predicate,
    pub(super) window: Interval,
    /// What it has and may keep, whether it suits or not.
    pub(super) holds: &'a [HostId],
}

impl<'a> Placed<'a> {
    /// What is asked for beyond what it keeps.
    pub(super) fn asked(book: &Book, asked: &'a RequestedReservation, kept: &'a [HostId]) -> Self {
        let wanted = Wanted {
            resource: &asked.resource,
            occupation: book.ahead(asked.occupation()),
            more: asked.min.saturating_sub(u32::try_from(kept.len()).unwrap_or(u32::MAX)),
            kept,
        };
        Self {
            reservation: &asked.id,
            wanted,
            predicate: &asked.predicate,
            window: book.ahead(asked.window),
            holds: &[],
        }
    }

    /// A promise that may be put elsewhere.
    pub(super) fn held(held: &'a Reservation) -> Self {
        let wanted = Wanted {
            resource: &held.resource,
            occupation: held.occupation(),
            more: u32::try_from(held.holds.len()).unwrap_or(u32::MAX),
            kept: &[],
        };
        Self {
            reservation: &held.id,
            wanted,
            predicate: &held.predicate,
            window: held.window,
            holds: &held.holds,
        }
    }
}

/// Rows and what stays on their hosts.
pub(super) struct Rows<'a> {
    pub(super) book: &'a Book,
    pub(super) by_host: ByHost<'a>,
    pub(super) staying: Staying<'a>,
    /// The units of the pool, if the rows are of units.
    pub(super) units: Option<&'a BTreeSet<HostId>>,
}

impl Rows<'_> {
    /// What one host or unit costs a reservation that has `count` there.
    pub(super) fn cost(&self, placed: &Placed<'_>, name: &HostId, capacity: Option<&Capacity>, count: u32) -> u128 {
        let rows = self.by_host.get(name).into_iter().flatten();
        let during = rows.filter(|row| placed.wanted.occupation.contains(row.at));
        let cost = during.map(|row| u128::from(row.weight) * used(row, capacity, placed, count));
        cost.fold(0, u128::saturating_add)
    }

    /// What a reservation costs at least; the greatest number if there is no place.
    pub(super) fn least(&self, placed: &Placed<'_>) -> u128 {
        let more = placed.wanted.more;
        match (placed.wanted.resource, self.units) {
            (Resource::Units(units), Some(pool)) => {
                let cost = |unit: &HostId| self.cost(placed, unit, None, 1);
                let mut sum: u128 = 0;
                let required = units
                    .required
                    .iter()
                    .filter(|unit| times(placed.wanted.kept, unit) == 0);
                let required: Vec<&HostId> = required.take(more as usize).collect();
                for unit in &required {
                    sum = sum.saturating_add(cost(unit));
                }
                let rest = more - u32::try_from(required.len()).unwrap_or(more);
                let others = pool.iter().filter(|unit| !required.contains(unit));
                let fits = |unit: &&HostId| placed.wanted.fitting(self.book, unit, 1, &self.staying) > 0;
                sum.saturating_add(cheapest(
                    others.filter(fits).map(|unit| (cost(unit), 1)).collect(),
                    rest,
                ))
            }
            (Resource::Host | Resource::Instances(_), None) => {
                let together = is_together(placed.wanted.resource);
                let mut places: Vec<(u128, u32)> = Vec::new();
                for host in self.book.hosts.values() {
                    let allowed = if host.suits(placed.predicate, placed.window) {
                        more
                    } else {
                        times(placed.holds, &host.id)
                    };
                    let fitting = placed.wanted.fitting(self.book, &host.id, allowed, &self.staying);
                    if fitting > 0 {
                        let count = if together { more } else { 1 };
                        let cost = self.cost(placed, &host.id, Some(&host.capacity), count);
                        places.push((cost, if together { 1 } else { fitting }));
                    }
                }
                cheapest(places, if together { more.min(1) } else { more })
            }
            (Resource::Units(_), None) | (_, Some(_)) => 0,
        }
    }
}

/// The cost of so many in the cheapest places, each with how many it takes.
fn cheapest(mut places: Vec<(u128, u32)>, mut more: u32) -> u128 {
    places.sort_unstable();
    let mut sum: u128 = 0;
    for (cost, fitting) in places {
        let here = fitting.min(more);
        sum = sum.saturating_add(cost.saturating_mul(u128::from(here)));
        more -= here;
    }
    if more == 0 { sum } else { u128::MAX }
}

/// The pool that all listed reservations are units of, if they are.
fn pool<'a>(book: &'a Book, request: &'a Request, conflict: &ConflictEntry) -> Option<&'a PoolId> {
    let resource = |id: &ReservationId| {
        let asked = request.reservations.iter().find(|asked| asked.id == *id);
        asked
            .map(|asked| &asked.resource)
            .or_else(|| book.find(id).map(|held| &held.resource))
    };
    let pool = |resource: Option<&'a Resource>| match resource {
        Some(Resource::Units(units)) => Some(&units.pool),
        Some(Resource::Host | Resource::Instances(_)) | None => None,
    };
    let first = pool(resource(conflict.reservations.first()?))?;
    let same = |id: &ReservationId| pool(resource(id)) == Some(first);
    conflict.reservations.iter().all(same).then_some(first)
}
