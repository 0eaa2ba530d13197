//! Acceptances: every promise kept, every rule obeyed, every change listed.

use std::collections::BTreeSet;

use solver_format::DecisionEntry;
use solver_format::model::{HostId, Request, RequestedReservation, Reservation, Resource};

use super::Findings;
use super::book::{Book, Place, less};
use super::held::{added, new_work, plural, read, together};
use super::moves;

/// Checks an acceptance and makes it part of the book; gives the counted moves.
pub(super) fn check(book: &mut Book, request: &Request, decision: &DecisionEntry, findings: &mut Findings) -> u64 {
    let Some(moves) = &decision.moves else { return 0 };
    let Some(given) = given(book, request, decision, findings) else {
        return 0;
    };
    let predicates = moves::predicates(book, [request]);
    let mut touched = BTreeSet::new();
    let rule = moves::Rule::Pending { request };
    let moved = moves::carry_out(book, &rule, moves, &mut touched, findings);
    let counted = moves::counted(book, &predicates, &moved);
    grant(book, request, given, &mut touched);
    clashes(book, &touched, findings);
    counted
}

/// Reports what clashes on the places that changed.
pub(super) fn clashes(book: &Book, touched: &BTreeSet<Place>, findings: &mut Findings) {
    for clash in book.clashes(touched) {
        findings.add(&format!("holds: `{}`", clash.place), clash.reason);
    }
}

/// What each requested reservation is given, if the request can be granted at all.
pub(super) type Given<'a> = Vec<(&'a RequestedReservation, Vec<HostId>)>;

/// Reads and checks what an acceptance gives, other work aside.
pub(super) fn given<'a>(
    book: &Book,
    request: &'a Request,
    decision: &DecisionEntry,
    findings: &mut Findings,
) -> Option<Given<'a>> {
    let holds = decision.holds.as_ref()?;
    findings.require(!book.starts_in_the_past(request), "verdict", || {
        "the request starts before the clock".to_owned()
    });
    if book.lacks_replaced(request) {
        let lease = request.replaces.as_deref().unwrap_or_default();
        findings.add(
            "verdict",
            format!("the lease `{lease}` to replace does not exist or has ended"),
        );
        return None;
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
        let total: u64 = units.values().map(|&count| u64::from(count)).sum();
        let (min, max) = (u64::from(asked.min), u64::from(asked.max));
        findings.require((min..=max).contains(&total), &member, || {
            format!("{total} {}, {min} to {max} are asked for", plural(&asked.resource))
        });
        // One host more than asked for is read on, so that it is told what else is wrong with it.
        let Some(hosts) = read(book, &asked.resource, &member, units, max.saturating_add(1), findings) else {
            continue;
        };
        together(&asked.resource, &hosts, true, &member, findings);
        kept(book, request, asked, &hosts, &member, findings);
        for host in added(book.kept(request, asked), &hosts) {
            let member = format!("{member}.{host}");
            new_work(
                book,
                &asked.resource,
                &host,
                &asked.predicate,
                book.ahead(asked.window),
                &member,
                findings,
            );
        }
        given.push((asked, hosts));
    }
    Some(given)
}

/// A fixed reservation that is re-decided keeps what it holds, and its start once it has started.
fn kept(
    book: &Book,
    request: &Request,
    asked: &RequestedReservation,
    hosts: &[HostId],
    member: &str,
    findings: &mut Findings,
) {
    let Some(old) = book.fixed_before(request, asked) else {
        return;
    };
    findings.require(less(&old.holds, hosts).is_empty(), member, || {
        format!(
            "a reservation that is fixed gave up a host; it keeps its {}",
            plural(&old.resource)
        )
    });
    let same_start = old.window.start > book.now || old.window.start == asked.window.start;
    findings.require(same_start, member, || {
        "a reservation that has started changed its start".to_owned()
    });
    for host in &old.holds {
        let blocked = newly_blocked(book, host, old, asked);
        findings.require(!blocked, &format!("{member}.{host}"), || {
            "out of service in the added time".to_owned()
        });
    }
}

/// Puts the lease into the book in place of the one it replaces. What has started and is not named stays.
pub(super) fn grant(book: &mut Book, request: &Request, given: Given<'_>, touched: &mut BTreeSet<Place>) {
    let before = book.replaced(request);
    let asks_for = |old: &Reservation| request.reservations.iter().any(|asked| asked.id == old.id);
    let unnamed = before
        .iter()
        .filter(|old| old.window.start <= book.now && !asks_for(old));
    let mut reservations: Vec<Reservation> = unnamed.cloned().collect();
    for (asked, holds) in given {
        touched.extend(holds.iter().map(|name| Place::of(&asked.resource, name)));
        reservations.push(Reservation {
            id: asked.id.clone(),
            resource: asked.resource.clone(),
            window: asked.window,
            cleaning: asked.cleaning,
            min: asked.min,
            max: asked.max,
            predicate: asked.predicate.clone(),
            holds,
            pinned: before.iter().any(|old| old.id == asked.id && old.pinned),
        });
    }
    book.put(request.replaces.as_ref().unwrap_or(&request.id).clone(), reservations);
}

/// Whether a block meets the part of the new window that was not in the old one.
pub(super) fn newly_blocked(book: &Book, host: &HostId, old: &Reservation, asked: &RequestedReservation) -> bool {
    if matches!(old.resource, Resource::Units(_)) {
        return false;
    }
    let blocks = book.hosts.get(host).map_or(&[][..], |host| &host.blocks);
    blocks.iter().any(|block| {
        let (start, end) = (block.start.max(asked.window.start), block.end.min(asked.window.end));
        start < end && (start < old.window.start || old.window.end < end)
    })
}
