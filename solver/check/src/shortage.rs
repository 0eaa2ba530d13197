//! Shortages: what is needed of some hosts or units, and how much of them there is.
//!
//! Three counts. Hosts: each host reservation needs its hosts, instances at least the hosts they cannot do
//! without. Units of a pool: each reservation needs its units. A resource class, when the conflict names
//! one: instances need their amounts, a host reservation all of its hosts.

use std::collections::BTreeSet;

use solver_format::ConflictEntry;
use solver_format::model::{Host, HostId, Interval, Request, RequestedReservation, Resource};

use super::Findings;
use super::book::{Book, less, times};
use super::load::room;

/// Most pairs of a listed reservation and a host for which it is looked whether all are needed.
const MOST_PAIRS: usize = 2_000_000;

/// Too little suits one reservation, whatever else stands on it.
pub(super) fn at_any_time(
    book: &Book,
    request: &Request,
    conflict: &ConflictEntry,
    hosts: &BTreeSet<&HostId>,
    findings: &mut Findings,
) {
    let listed = |asked: &&RequestedReservation| {
        conflict.reservations == [asked.id.clone()]
            && book.ahead(asked.window) == Interval::new(conflict.from, conflict.until)
    };
    let short = |asked: &RequestedReservation| {
        let kept = book.kept(request, asked);
        let kept_places = kept.iter().collect::<BTreeSet<_>>();
        let (all, fitting, exist): (BTreeSet<&HostId>, BTreeSet<&HostId>, u64) = match &asked.resource {
            Resource::Host => {
                let suitable = book.suitable(asked).map(|host| &host.id);
                let all: BTreeSet<&HostId> = suitable.chain(kept).collect();
                (all.clone(), all.clone(), all.len() as u64)
            }
            Resource::Units(units) => {
                let pool: BTreeSet<&HostId> = book.pools.get(&units.pool).into_iter().flatten().collect();
                (pool.clone(), pool.clone(), pool.len() as u64)
            }
            Resource::Instances(instances) => {
                let fits = |host: &Host| {
                    let most = if instances.affinity == Some(false) {
                        1
                    } else {
                        asked.min
                    };
                    room(Some(&host.capacity), &[], asked.window, &asked.resource, most)
                };
                let suitable: Vec<&Host> = book.suitable(asked).collect();
                let counts = suitable
                    .iter()
                    .map(|host| u64::from(fits(host)).max(u64::from(times(kept, &host.id))));
                let gone = kept
                    .iter()
                    .filter(|host| !suitable.iter().any(|other| other.id == **host));
                let gone = gone.count() as u64;
                let exist = if instances.affinity == Some(true) {
                    counts.max().unwrap_or(0).max(gone)
                } else {
                    counts.sum::<u64>() + gone
                };
                let all: BTreeSet<&HostId> = suitable.iter().map(|host| &host.id).chain(kept).collect();
                let fitting = suitable.iter().filter(|host| fits(host) > 0).map(|host| &host.id);
                (all, fitting.chain(kept_places).collect(), exist)
            }
        };
        let counted = conflict.exist == exist && conflict.needed == u64::from(asked.min);
        fitting.is_subset(hosts)
            && hosts.is_subset(&all)
            && (counted || required_in_pool(book, asked, kept) == Some((conflict.exist, conflict.needed)))
            && conflict.exist < conflict.needed
    };
    findings.require(
        request.reservations.iter().filter(listed).any(short),
        "conflict",
        || "the count of matching hosts during the time of the reservation is not as stated, or enough".to_owned(),
    );
}

/// How many of the units that a reservation requires, beyond those it keeps, the pool has, and how many
/// they are.
fn required_in_pool(book: &Book, asked: &RequestedReservation, kept: &[HostId]) -> Option<(u64, u64)> {
    let Resource::Units(units) = &asked.resource else {
        return None;
    };
    let pool = book.pools.get(&units.pool);
    let required: Vec<&HostId> = units.required.iter().filter(|unit| times(kept, unit) == 0).collect();
    let exist = required
        .iter()
        .filter(|unit| pool.is_some_and(|pool| pool.contains(**unit)))
        .count();
    Some((exist as u64, required.len() as u64))
}

/// What one reservation of a conflict needs.
struct Need<'a> {
    reservation: &'a HostId,
    resource: &'a Resource,
    /// Belongs to what is refused.
    own: bool,
    /// What it keeps, wherever that is.
    fixed: Vec<HostId>,
    /// How many more it needs.
    more: u64,
    /// Where these may be; empty if there are none.
    options: BTreeSet<&'a HostId>,
}

/// At each second of the interval the listed reservations need more of the listed hosts than there are.
/// Without a request it is about promises; then no promise may be listed that the shortage does not need.
pub(super) fn at_an_instant(
    book: &Book,
    request: Option<&Request>,
    conflict: &ConflictEntry,
    hosts: &BTreeSet<&HostId>,
    findings: &mut Findings,
) {
    let interval = Interval::new(conflict.from, conflict.until);
    if !findings.require(interval.start < interval.end, "conflict", || {
        "the interval is empty".to_owned()
    }) {
        return;
    }
    let needs = needs(book, request, conflict, interval, hosts, findings);
    let pools: BTreeSet<Option<&HostId>> = needs.iter().map(|need| pool(need.resource)).collect();
    findings.require(pools.len() <= 1, "conflict.reservations", || {
        "these do not compete for the same".to_owned()
    });
    let exist = match &conflict.resource {
        None => hosts.len() as u128,
        Some(class) => hosts.iter().map(|host| amount(book, host, class)).sum(),
    };
    let counted = count(book, &needs, hosts, conflict.resource.as_deref());
    findings.require(
        u128::from(conflict.exist) == exist,
        "conflict.exist",
        || match &conflict.resource {
            None => format!("{} is stated, {exist} hosts are listed", conflict.exist),
            Some(class) => format!("{} is stated, the hosts listed have {exist} {class}", conflict.exist),
        },
    );
    // What is beyond the range of the document is written as its greatest number. A promise may need more than what was
    // lost of it.
    let stated = u64::try_from(counted).unwrap_or(u64::MAX);
    let is_counted = conflict.needed == stated || request.is_none() && conflict.needed < stated;
    findings.require(is_counted, "conflict.needed", || {
        format!("{} is stated, {counted} is counted", conflict.needed)
    });
    findings.require(conflict.needed > conflict.exist, "conflict", || {
        "there is no shortage".to_owned()
    });
    let all_needed = conflict.resource.is_none();
    if all_needed && needs.len().saturating_mul(hosts.len()) <= MOST_PAIRS {
        superfluous(book, &needs, findings);
    }
}

fn pool(resource: &Resource) -> Option<&HostId> {
    match resource {
        Resource::Units(units) => Some(&units.pool),
        Resource::Host | Resource::Instances(_) => None,
    }
}

/// What the listed reservations need; says what of them cannot be counted.
fn needs<'a>(
    book: &'a Book,
    request: Option<&'a Request>,
    conflict: &ConflictEntry,
    interval: Interval,
    hosts: &BTreeSet<&HostId>,
    findings: &mut Findings,
) -> Vec<Need<'a>> {
    let covers = |occupation: Interval| occupation.start <= interval.start && interval.end <= occupation.end;
    let mut needs: Vec<Need<'a>> = Vec::new();
    for id in &conflict.reservations {
        let member = format!("conflict.reservations.{id}");
        let all_the_time = |occupation, findings: &mut Findings| {
            findings.require(covers(occupation), &member, || "is not active all the time".to_owned());
        };
        let asked = request.and_then(|request| {
            let asked = request.reservations.iter().find(|asked| asked.id == *id);
            asked.map(|asked| (request, asked))
        });
        if let Some((request, asked)) = asked {
            all_the_time(book.ahead(asked.occupation()), findings);
            let kept = book.kept(request, asked);
            needs.push(Need {
                reservation: &asked.id,
                resource: &asked.resource,
                own: true,
                fixed: kept.to_vec(),
                more: u64::from(asked.min).saturating_sub(kept.len() as u64),
                options: options(
                    book,
                    &asked.resource,
                    &asked.predicate,
                    book.ahead(asked.window),
                    &[],
                    kept,
                ),
            });
            continue;
        }
        let held = book.find(id);
        let held = held.filter(|held| !request.is_some_and(|request| book.frees(request, held)));
        let Some(held) = held else {
            findings.add(&member, "is unknown, or free for this request");
            continue;
        };
        all_the_time(held.occupation(), findings);
        let window = book.ahead(held.window);
        let healing = request.is_none();
        let in_order = |host: &HostId| !(healing && super::moves::is_out_of_order(book, held, host));
        let (fixed, moving): (Vec<HostId>, Vec<HostId>) = if held.window.end <= book.now {
            (held.holds.clone(), Vec::new())
        } else if book.is_fixed(held) {
            held.holds.iter().cloned().partition(in_order)
        } else {
            (Vec::new(), held.holds.clone())
        };
        let stays: Vec<HostId> = moving.iter().filter(|host| in_order(host)).cloned().collect();
        let mut need = Need {
            reservation: &held.id,
            resource: &held.resource,
            own: false,
            more: moving.len() as u64,
            options: if moving.is_empty() {
                BTreeSet::new()
            } else {
                options(book, &held.resource, &held.predicate, window, &stays, &fixed)
            },
            fixed,
        };
        let elsewhere = need.options.iter().any(|host| !hosts.contains(host));
        if elsewhere && !matches!(need.resource, Resource::Units(_)) {
            // Then only what it keeps counts, if that is on these hosts.
            let counts = need.fixed.iter().any(|host| hosts.contains(host));
            findings.require(counts, &member, || "may use other hosts".to_owned());
            (need.more, need.options) = (0, BTreeSet::new());
        }
        needs.push(need);
    }
    needs
}

/// Where a reservation may be, besides where it is already.
fn options<'a>(
    book: &'a Book,
    resource: &Resource,
    predicate: &solver_format::predicate::Predicate,
    window: Interval,
    stays: &[HostId],
    kept: &[HostId],
) -> BTreeSet<&'a HostId> {
    match resource {
        Resource::Host | Resource::Instances(_) => {
            let may = |host: &&Host| host.suits(predicate, window) || times(stays, &host.id) > 0;
            let more = |host: &&Host| *resource != Resource::Host || times(kept, &host.id) == 0;
            let hosts = book.hosts.values().filter(may).filter(more);
            hosts.map(|host| &host.id).collect()
        }
        Resource::Units(units) => {
            let pool = book.pools.get(&units.pool).into_iter().flatten();
            pool.filter(|unit| times(kept, unit) == 0).collect()
        }
    }
}

fn amount(book: &Book, host: &HostId, class: &str) -> u128 {
    let capacity = book.hosts.get(host).map(|host| &host.capacity);
    u128::from(capacity.and_then(|capacity| capacity.get(class)).copied().unwrap_or(0))
}

/// What the reservations need of the hosts, at the least.
fn count(book: &Book, needs: &[Need<'_>], hosts: &BTreeSet<&HostId>, class: Option<&str>) -> u128 {
    let inside = |hosts_held: &[HostId]| -> Vec<HostId> {
        hosts_held.iter().filter(|host| hosts.contains(host)).cloned().collect()
    };
    let mut sum: u128 = 0;
    // Hosts with instances: one host may serve several reservations.
    let mut shared: BTreeSet<HostId> = BTreeSet::new();
    let mut apart: u64 = 0;
    for need in needs {
        let fixed = inside(&need.fixed);
        let outside = need.options.iter().filter(|host| !hosts.contains(*host)).count() as u64;
        match (need.resource, class) {
            (Resource::Host, None) => {
                sum += fixed.len() as u128;
                sum += if outside == 0 { u128::from(need.more) } else { 0 };
            }
            (Resource::Units(units), _) => {
                let required = less(&units.required, &need.fixed);
                let required = required.iter().filter(|unit| hosts.contains(unit)).count() as u64;
                sum += fixed.len() as u128;
                sum += u128::from(need.more.saturating_sub(outside).max(required.min(need.more)));
            }
            (Resource::Instances(instances), None) => {
                let least = match instances.affinity {
                    // What it keeps stands on others of the hosts.
                    Some(false) => need.more + fixed.len() as u64,
                    Some(true) | None => need.more.min(1),
                };
                apart = apart.max(if outside == 0 { least } else { 0 });
                shared.extend(fixed);
            }
            (Resource::Host, Some(class)) => {
                sum += fixed.iter().map(|host| amount(book, host, class)).sum::<u128>();
                let mut amounts: Vec<u128> = need.options.iter().map(|host| amount(book, host, class)).collect();
                amounts.sort_unstable();
                let most = usize::try_from(need.more).unwrap_or(usize::MAX);
                sum += if outside == 0 {
                    amounts.iter().take(most).sum()
                } else {
                    0
                };
            }
            (Resource::Instances(instances), Some(class)) => {
                let each = u128::from(instances.resources.get(class).copied().unwrap_or(0));
                let count = fixed.len() as u128 + if outside == 0 { u128::from(need.more) } else { 0 };
                sum += each * count;
            }
        }
    }
    sum + (shared.len() as u128).max(u128::from(apart))
}

/// Whether a reservation is listed without which there is a shortage all the same, of the hosts that are
/// contested then.
fn superfluous(book: &Book, needs: &[Need<'_>], findings: &mut Findings) {
    for left_out in needs.iter().filter(|need| !need.own) {
        let others = || needs.iter().filter(|need| need.reservation != left_out.reservation);
        let hosts: BTreeSet<&HostId> = others().flat_map(|need| need.options.iter().copied()).collect();
        let rest: Vec<Need<'_>> = others()
            .map(|need| Need {
                reservation: need.reservation,
                resource: need.resource,
                own: need.own,
                fixed: need.fixed.clone(),
                more: need.more,
                options: need.options.clone(),
            })
            .collect();
        let short = count(book, &rest, &hosts, None) > hosts.len() as u128;
        let member = format!("conflict.reservations.{}", left_out.reservation);
        findings.require(!short, &member, || "there is a shortage without it too".to_owned());
    }
}
