//! Refusals: their certificates recounted, and what can be searched again searched again.

use std::collections::BTreeSet;

use solver_format::ConflictEntry;
use solver_format::model::{HostId, Interval, Request, RequestedReservation, ReservationId, Resource};

use super::accepted::newly_blocked;
use super::book::{Book, times};
use super::scene::{Movable, Scene};
use super::search::{Found, search};
use super::{Findings, occupied, rows, shortage};

/// Most pairs of something to place and a place to look at in a scene with everything that may move.
pub(super) const SMALL: usize = 50_000;

/// Most pairs of a requested reservation and a place to look at beside everything as it stands.
const LARGEST: usize = 2_000_000;

/// Checks why a request is refused.
pub(super) fn reason(book: &Book, request: &Request, conflict: &ConflictEntry, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for id in &conflict.reservations {
        findings.require(seen.insert(id), &format!("conflict.reservations.{id}"), || {
            "stands twice".to_owned()
        });
    }
    let mut hosts = BTreeSet::new();
    for host in &conflict.hosts_matching {
        let known = book.hosts.contains_key(host) || book.pools.values().any(|units| units.contains(host));
        findings.require(known && hosts.insert(host), "conflict.hosts_matching", || {
            format!("`{host}` is unknown or stands twice")
        });
    }
    if let Some(certificate) = &conflict.certificate {
        rows::check(book, request, conflict, certificate, findings);
        return;
    }
    match conflict.reason.as_str() {
        "no_matching_hosts" => shortage::at_any_time(book, request, conflict, &hosts, findings),
        "occupied" => occupied::check(book, request, conflict, &hosts, findings),
        "capacity" | "resources" => shortage::at_an_instant(book, Some(request), conflict, &hosts, findings),
        "started" => {
            let contradicted = |asked: &&RequestedReservation| contradicts_start(book, request, asked);
            let mut contradicted = request.reservations.iter().filter(contradicted).peekable();
            findings.require(contradicted.peek().is_some(), "conflict.reason", || {
                "nothing that has started is contradicted".to_owned()
            });
            let as_stated = |asked| states_start(book, request, asked, conflict, &hosts);
            findings.require(contradicted.any(as_stated), "conflict", || {
                "what has started is not as stated".to_owned()
            });
        }
        "malformed" => {
            let malformed = book.lacks_replaced(request) || book.starts_in_the_past(request);
            findings.require(malformed, "conflict.reason", || "the request is well formed".to_owned());
        }
        "search" => by_search(book, request, conflict, findings),
        "rows" => findings.add("conflict.certificate", "missing"),
        other => findings.add("conflict.reason", format!("no reason is called `{other}`")),
    }
}

/// No assignment exists, even if nobody but those listed had asked for anything.
fn by_search(book: &Book, request: &Request, conflict: &ConflictEntry, findings: &mut Findings) {
    let known =
        |id: &ReservationId| book.find(id).is_some() || request.reservations.iter().any(|asked| asked.id == *id);
    for id in conflict.reservations.iter().filter(|id| !known(id)) {
        findings.add(&format!("conflict.reservations.{id}"), "is unknown");
    }
    let stated = |asked: &&RequestedReservation| conflict.reservations.contains(&asked.id);
    let asked = || request.reservations.iter().filter(stated);
    let start = asked().map(|asked| book.ahead(asked.window).start).min();
    let end = asked().map(|asked| asked.window.end).max();
    let cleaned = asked().map(|asked| asked.occupation().end).max();
    let in_time = start == Some(conflict.from) && [end, cleaned].contains(&Some(conflict.until));
    findings.require(in_time, "conflict", || {
        "the time is not that of what is asked for".to_owned()
    });
    let whole: u64 = asked().map(|asked| u64::from(asked.min)).sum();
    let beside_kept =
        |asked: &RequestedReservation| u64::from(asked.min).saturating_sub(book.kept(request, asked).len() as u64);
    let more: u64 = asked().map(beside_kept).sum();
    let exist = conflict.hosts_matching.len() as u64;
    findings.require(conflict.exist == exist, "conflict.exist", || {
        format!("{} is stated, {exist} are listed", conflict.exist)
    });
    findings.require([whole, more].contains(&conflict.needed), "conflict.needed", || {
        format!("{} is stated, {whole} are asked for", conflict.needed)
    });
    let mut listed = book.clone();
    for (lease, held) in &book.leases {
        if request.replaces.as_ref() != Some(lease) {
            let of_conflict = held.iter().filter(|held| conflict.reservations.contains(&held.id));
            listed.put(lease.clone(), of_conflict.cloned().collect());
        }
    }
    let among_listed = grantable(&listed, request, &|held| !book.is_fixed(held), SMALL);
    if among_listed == Found::No {
        return;
    }
    findings.require(among_listed != Found::Yes, "conflict.reservations", || {
        "if there were only these, the request could be granted".to_owned()
    });
    match searched(book, request) {
        Found::Yes => findings.add("conflict.reason", "an assignment exists that keeps every promise"),
        Found::No => {}
        Found::Unknown => findings.believe("conflict.reason", "there is too much to try all of it again"),
    }
}

/// Whether a request can be granted: beside everything as it stands, or with everything placed anew that may move.
pub(super) fn searched(book: &Book, request: &Request) -> Found {
    match grantable(book, request, &|_| false, LARGEST) {
        Found::Yes => Found::Yes,
        Found::No | Found::Unknown => grantable(book, request, &|held| !book.is_fixed(held), SMALL),
    }
}

/// Whether a request can be granted while what is movable is placed anew. Nobody else has decided: the
/// answer comes from the book alone, and is open when the question is too large.
pub(super) fn grantable(book: &Book, request: &Request, movable: Movable<'_>, largest: usize) -> Found {
    if book.lacks_replaced(request) || book.starts_in_the_past(request) {
        return Found::No;
    }
    if request
        .reservations
        .iter()
        .any(|asked| contradicts_start(book, request, asked))
    {
        return Found::No;
    }
    Scene::of_request(book, request, movable, largest).map_or(Found::Unknown, search)
}

/// Whether a reservation that keeps its hosts is asked to give some up, start otherwise, run into a block, or
/// become something for which it stands wrong.
fn contradicts_start(book: &Book, request: &Request, asked: &RequestedReservation) -> bool {
    book.fixed_before(request, asked).is_some_and(|old| {
        old.holds.len() > asked.max as usize
            || (old.window.start <= book.now && old.window.start != asked.window.start)
            || old.holds.iter().any(|host| newly_blocked(book, host, old, asked))
            || stands_wrong(&old.resource, asked, &old.holds)
    })
}

/// Whether a conflict states what a reservation keeps that has started, or one host of it and how long that is out of
/// service in the added time.
fn states_start(
    book: &Book,
    request: &Request,
    asked: &RequestedReservation,
    conflict: &ConflictEntry,
    hosts: &BTreeSet<&HostId>,
) -> bool {
    let Some(old) = book.fixed_before(request, asked) else {
        return false;
    };
    let kept: BTreeSet<&HostId> = old.holds.iter().collect();
    let during = Interval::new(conflict.from, conflict.until);
    let all_kept = *hosts == kept
        && [asked.window, book.ahead(asked.window)].contains(&during)
        && (conflict.needed, conflict.exist) == (old.holds.len() as u64, u64::from(asked.max));
    let is_blocked = |name: &&HostId| {
        let blocks = book.hosts.get(*name).map_or(&[][..], |host| &host.blocks);
        let within = |block: &Interval, window: Interval| {
            Interval::new(block.start.max(window.start), block.end.min(window.end)) == during
        };
        let as_stated = |block: &Interval| within(block, asked.window) || within(block, book.ahead(asked.window));
        newly_blocked(book, name, old, asked) && blocks.iter().any(as_stated)
    };
    let one_blocked = hosts.len() == 1
        && hosts.iter().all(|name| kept.contains(name) && is_blocked(name))
        && (conflict.needed, conflict.exist) == (1, 0);
    conflict.reservations == [asked.id.clone()] && (all_kept || one_blocked)
}

/// Whether what is kept of one resource cannot be part of another.
fn stands_wrong(old: &Resource, asked: &RequestedReservation, kept: &[HostId]) -> bool {
    match (old, &asked.resource) {
        (Resource::Host, Resource::Host) => false,
        (Resource::Instances(_), Resource::Instances(instances)) => match instances.affinity {
            None => false,
            Some(true) => kept.windows(2).any(|pair| pair[0] != pair[1]),
            Some(false) => kept.windows(2).any(|pair| pair[0] == pair[1]),
        },
        (Resource::Units(before), Resource::Units(units)) => {
            let more = units.required.iter().filter(|unit| times(kept, unit) == 0).count();
            before.pool != units.pool || kept.len() + more > asked.max as usize
        }
        _ => !kept.is_empty(),
    }
}
