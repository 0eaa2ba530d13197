//! Refusals: their certificates recounted, and what can be searched again searched again.

use std::collections::BTreeSet;

use solver_format::ConflictEntry;
use solver_format::model::{HostId, Request, RequestedReservation, Resource};

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
            let contradicted = |asked| contradicts_start(book, request, asked);
            findings.require(request.reservations.iter().any(contradicted), "conflict.reason", || {
                "nothing that has started is contradicted".to_owned()
            });
        }
        "malformed" => {
            let malformed = book.lacks_replaced(request) || book.starts_in_the_past(request);
            findings.require(malformed, "conflict.reason", || "the request is well formed".to_owned());
        }
        "search" => match searched(book, request) {
            Found::Yes => findings.add("conflict.reason", "an assignment exists that keeps every promise"),
            Found::No => {}
            Found::Unknown => findings.believe("conflict.reason", "there is too much to try all of it again"),
        },
        "rows" => findings.add("conflict.certificate", "missing"),
        other => findings.add("conflict.reason", format!("no reason is called `{other}`")),
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
