//! Acceptances: every promise kept, every rule obeyed, every change listed.

use std::collections::{BTreeMap, BTreeSet};

use super::book::Book;
use super::{Findings, in_the_past};
use crate::document::{DecisionEntry, HeldUnits, MoveEntry};
use crate::model::{Host, HostId, Request, RequestedReservation, Reservation};
use crate::predicate::Predicate;

/// Checks an acceptance and makes it part of the book; gives the counted moves.
pub(super) fn check(book: &mut Book, request: &Request, decision: &DecisionEntry, findings: &mut Findings) -> u64 {
    let (Some(holds), Some(moves)) = (&decision.holds, &decision.moves) else {
        return 0;
    };
    if in_the_past(book, request, book.now) {
        findings.add("verdict", "the request starts before the clock");
    }
    if let Some(lease) = request
        .replaces
        .as_ref()
        .filter(|lease| !book.leases.contains_key(*lease))
    {
        findings.add("verdict", format!("the lease `{lease}` to replace does not exist"));
        return 0;
    }
    for reservation in holds.keys() {
        let asked = request.reservations.iter().any(|asked| asked.id == *reservation);
        findings.require(asked, &format!("holds.{reservation}"), || {
            "was not asked for".to_owned()
        });
    }
    let mut given = Vec::new();
    for asked in &request.reservations {
        let member = format!("holds.{}", asked.id);
        let Some(units) = holds.get(&asked.id) else {
            findings.add(&member, "missing: a lease gets all of its reservations or none");
            continue;
        };
        if let Some(hosts) = hosts(book, &member, units, findings) {
            suitable(book, request, asked, &hosts, &member, findings);
            given.push((asked, hosts));
        }
    }
    let counted = rearrange(book, request, moves, findings);
    let touched: BTreeSet<HostId> = given
        .iter()
        .flat_map(|(_, hosts)| hosts)
        .chain(moves.iter().flat_map(|change| change.to.keys()))
        .cloned()
        .collect();
    let before = book.replaced(request);
    let unnamed = before
        .iter()
        .filter(|old| old.window.start <= book.now && !asks_for(request, old));
    let mut reservations: Vec<Reservation> = unnamed.cloned().collect();
    reservations.extend(given.into_iter().map(|(asked, holds)| Reservation {
        id: asked.id.clone(),
        resource: asked.resource.clone(),
        window: asked.window,
        cleaning: asked.cleaning,
        min: asked.min,
        max: asked.max,
        predicate: asked.predicate.clone(),
        holds,
        pinned: before.iter().any(|old| old.id == asked.id && old.pinned),
    }));
    book.put(request.replaces.as_ref().unwrap_or(&request.id).clone(), reservations);
    for overlap in book.overlaps(&touched) {
        findings.add(&format!("holds: host `{}`", overlap.place), overlap.reason);
    }
    counted
}

fn asks_for(request: &Request, old: &Reservation) -> bool {
    request.reservations.iter().any(|asked| asked.id == old.id)
}

/// The hosts of a `holds`, `from` or `to`: each known and held once.
fn hosts(book: &Book, member: &str, units: &HeldUnits, findings: &mut Findings) -> Option<Vec<HostId>> {
    let mut sound = true;
    for (host, &count) in units.iter() {
        let member = format!("{member}.{host}");
        sound &= findings.require(book.hosts.contains_key(host), &member, || "no such host".to_owned());
        sound &= findings.require(count == 1, &member, || format!("{count}; a host is held once, so 1"));
    }
    sound.then(|| units.keys().cloned().collect())
}

/// Amounts, what is kept, and whether what is new suits.
fn suitable(
    book: &Book,
    request: &Request,
    asked: &RequestedReservation,
    hosts: &[HostId],
    member: &str,
    findings: &mut Findings,
) {
    findings.require(
        (asked.min as usize..=asked.max as usize).contains(&hosts.len()),
        member,
        || format!("{} hosts, {} to {} are asked for", hosts.len(), asked.min, asked.max),
    );
    let kept = book.kept(request, asked);
    if let Some(old) = book
        .replaced(request)
        .iter()
        .find(|old| old.id == asked.id && book.is_fixed(old))
    {
        let all = kept.iter().all(|host| hosts.contains(host));
        findings.require(all, member, || "a reservation that is fixed gave up a host".to_owned());
        let same_start = old.window.start > book.now || old.window.start == asked.window.start;
        findings.require(same_start, member, || {
            "a reservation that has started changed its start".to_owned()
        });
        for host in kept {
            let blocked = newly_blocked(book, host, old, asked);
            findings.require(!blocked, &format!("{member}.{host}"), || {
                "out of service in the added time".to_owned()
            });
        }
    }
    for host in hosts.iter().filter(|host| !kept.contains(host)) {
        new_work(
            book,
            host,
            &asked.predicate,
            asked.window,
            &format!("{member}.{host}"),
            findings,
        );
    }
}

/// Whether a block meets the part of the new window that was not in the old one.
pub(super) fn newly_blocked(book: &Book, host: &HostId, old: &Reservation, asked: &RequestedReservation) -> bool {
    let blocks = book.hosts.get(host).map_or(&[][..], |host| &host.blocks);
    blocks.iter().any(|block| {
        let (start, end) = (block.start.max(asked.window.start), block.end.min(asked.window.end));
        start < end && (start < old.window.start || old.window.end < end)
    })
}

/// The rules for work that was not on a host before.
fn new_work(
    book: &Book,
    host: &HostId,
    predicate: &Predicate,
    window: crate::model::Interval,
    member: &str,
    findings: &mut Findings,
) {
    let Some(host) = book.hosts.get(host) else { return };
    findings.require(host.reservable, member, || "the host takes no new work".to_owned());
    findings.require(host.matches(predicate), member, || "the host does not match".to_owned());
    findings.require(host.in_service(window), member, || {
        "the host is out of service in the window".to_owned()
    });
}

/// Checks the moves and makes them; gives how many count.
fn rearrange(book: &mut Book, request: &Request, moves: &[MoveEntry], findings: &mut Findings) -> u64 {
    if moves.is_empty() {
        return 0;
    }
    // Classes are those before the decision.
    let alive = book.leases.values().flatten().filter(|held| held.window.end > book.now);
    let asked = request.reservations.iter().map(|asked| &asked.predicate);
    let predicates: BTreeSet<_> = alive.map(|held| &held.predicate).chain(asked).cloned().collect();
    let mut counted = 0;
    let mut seen = BTreeSet::new();
    for (number, change) in moves.iter().enumerate() {
        let member = format!("moves[{number}]");
        let Some(held) = book.find(&change.reservation).cloned() else {
            findings.add(&member, format!("no reservation `{}`", change.reservation));
            continue;
        };
        findings.require(seen.insert(&change.reservation), &member, || {
            "the reservation moves twice".to_owned()
        });
        findings.require(!book.is_fixed(&held), &member, || {
            "the reservation may not move".to_owned()
        });
        let own = book
            .owner(&held.id)
            .is_some_and(|owner| request.replaces.as_ref() == Some(owner));
        findings.require(!own, &member, || {
            "the reservation is of the lease the request replaces".to_owned()
        });
        let (from, to) = (format!("{member}.from"), format!("{member}.to"));
        let (Some(left), Some(taken)) = (
            hosts(book, &from, &change.from, findings),
            hosts(book, &to, &change.to, findings),
        ) else {
            continue;
        };
        findings.require(left.len() == taken.len(), &member, || {
            "the promise changes its size".to_owned()
        });
        findings.require(!left.is_empty(), &member, || "nothing changes".to_owned());
        for host in &left {
            findings.require(held.holds.contains(host), &from, || format!("`{host}` was not held"));
        }
        for host in &taken {
            findings.require(!held.holds.contains(host), &to, || format!("`{host}` was held before"));
            new_work(
                book,
                host,
                &held.predicate,
                held.window,
                &format!("{to}.{host}"),
                findings,
            );
        }
        counted += leaving(book, &predicates, &left, &taken);
        let stays = held.holds.iter().filter(|host| !left.contains(host)).chain(&taken);
        let after: BTreeSet<HostId> = stays.cloned().collect();
        book.rehost(&held.id, &after.into_iter().collect::<Vec<_>>());
    }
    counted
}

/// Hosts left for a host of another class: exchanges inside a class cancel out.
fn leaving(book: &Book, predicates: &BTreeSet<std::sync::Arc<Predicate>>, left: &[HostId], taken: &[HostId]) -> u64 {
    let class = |host: &Host| {
        let truth: Vec<bool> = predicates.iter().map(|predicate| host.matches(predicate)).collect();
        let blocks: Vec<_> = host.blocks.iter().map(|block| (block.start, block.end)).collect();
        (
            truth,
            host.zone.clone(),
            host.rack.clone(),
            blocks,
            host.reservable,
            host.capacity.clone(),
        )
    };
    let mut balance: BTreeMap<_, i64> = BTreeMap::new();
    for (hosts, change) in [(left, 1), (taken, -1)] {
        for host in hosts.iter().filter_map(|host| book.hosts.get(host)) {
            *balance.entry(class(host)).or_default() += change;
        }
    }
    balance
        .values()
        .map(|&surplus| u64::try_from(surplus).unwrap_or(0))
        .sum()
}
