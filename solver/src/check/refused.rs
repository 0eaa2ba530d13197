//! Refusals: their certificates recounted, and what is offered instead held against what cannot move.

use std::collections::BTreeSet;

use super::accepted::newly_blocked;
use super::book::Book;
use super::{Findings, in_the_past};
use crate::document::{ConflictEntry, DecisionEntry, OfferEntry};
use crate::model::{HostId, Interval, Request, RequestedReservation};
use crate::predicate::Predicate;

/// Checks a refusal.
pub(super) fn check(book: &Book, request: &Request, decision: &DecisionEntry, findings: &mut Findings) {
    let Some(conflict) = &decision.conflict else { return };
    let mut hosts = BTreeSet::new();
    for host in &conflict.hosts_matching {
        let sound = book.hosts.contains_key(host) && hosts.insert(host);
        findings.require(sound, "conflict.hosts_matching", || {
            format!("`{host}` is unknown or stands twice")
        });
    }
    match conflict.reason.as_str() {
        "no_matching_hosts" => no_matching_hosts(book, request, conflict, &hosts, findings),
        "capacity" => capacity(book, request, conflict, &hosts, findings),
        "started" => {
            let holds = request
                .reservations
                .iter()
                .any(|asked| contradicts_start(book, request, asked));
            findings.require(holds, "conflict.reason", || {
                "nothing that has started is contradicted".to_owned()
            });
        }
        "malformed" => {
            let unknown = request
                .replaces
                .as_ref()
                .is_some_and(|lease| !book.leases.contains_key(lease));
            findings.require(
                unknown || in_the_past(book, request, book.now),
                "conflict.reason",
                || "the request is well formed".to_owned(),
            );
        }
        // Only solving again could confirm it.
        "search" => {}
        other => findings.add("conflict.reason", format!("no reason is called `{other}`")),
    }
    for (number, offer) in decision.offers.iter().enumerate() {
        self::offer(book, request, offer, &format!("offers[{number}]"), findings);
    }
}

/// Too few hosts suit one reservation, whatever else stands on them.
fn no_matching_hosts(
    book: &Book,
    request: &Request,
    conflict: &ConflictEntry,
    hosts: &BTreeSet<&HostId>,
    findings: &mut Findings,
) {
    let short = request
        .reservations
        .iter()
        .filter(|asked| conflict.reservations.contains(&asked.id))
        .any(|asked| {
            let suitable = book
                .hosts
                .values()
                .filter(|host| host.suits(&asked.predicate, asked.window));
            let all: BTreeSet<&HostId> = suitable.map(|host| &host.id).chain(book.kept(request, asked)).collect();
            all == *hosts
                && conflict.exist == all.len() as u64
                && conflict.needed == u64::from(asked.min)
                && conflict.exist < conflict.needed
        });
    findings.require(short, "conflict", || {
        "the count of matching hosts is not as stated, or enough".to_owned()
    });
}

/// At each second of the interval the listed reservations need more of the listed hosts than there are.
fn capacity(
    book: &Book,
    request: &Request,
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
    let covers = |occupation: Interval| occupation.start <= interval.start && interval.end <= occupation.end;
    let inside = |holds: &[HostId]| holds.iter().filter(|host| hosts.contains(host)).count() as u64;
    let confined = |predicate: &Predicate, window: Interval, besides: &[HostId]| {
        let mut suitable = book.hosts.values().filter(|host| host.suits(predicate, window));
        suitable.all(|host| hosts.contains(&host.id) || besides.contains(&host.id))
    };
    let mut needed = 0;
    let mut seen = BTreeSet::new();
    for id in &conflict.reservations {
        let member = format!("conflict.reservations.{id}");
        findings.require(seen.insert(id), &member, || "stands twice".to_owned());
        if let Some(asked) = request.reservations.iter().find(|asked| asked.id == *id) {
            findings.require(covers(asked.occupation()), &member, || {
                "is not active all the time".to_owned()
            });
            let kept = book.kept(request, asked);
            needed += inside(kept);
            if confined(&asked.predicate, asked.window, kept) {
                needed += u64::from(asked.min).saturating_sub(kept.len() as u64);
            }
            continue;
        }
        let Some(held) = book.find(id).filter(|held| !book.frees(request, held)) else {
            findings.add(&member, "is unknown, or free for this request");
            continue;
        };
        findings.require(covers(held.occupation()), &member, || {
            "is not active all the time".to_owned()
        });
        if book.is_fixed(held) {
            needed += inside(&held.holds);
        } else {
            let own = held.holds.iter().all(|host| hosts.contains(host));
            let confined = own && confined(&held.predicate, held.window, &[]);
            findings.require(confined, &member, || "may use other hosts".to_owned());
            needed += held.holds.len() as u64;
        }
    }
    findings.require(conflict.exist == hosts.len() as u64, "conflict.exist", || {
        format!("{} is stated, {} hosts are listed", conflict.exist, hosts.len())
    });
    findings.require(conflict.needed <= needed, "conflict.needed", || {
        format!("{} is stated, {needed} is counted", conflict.needed)
    });
    findings.require(conflict.needed > conflict.exist, "conflict", || {
        "there is no shortage".to_owned()
    });
}

/// Whether a reservation that keeps its hosts is asked to give some up, start otherwise, or run into a block.
fn contradicts_start(book: &Book, request: &Request, asked: &RequestedReservation) -> bool {
    let old = book
        .replaced(request)
        .iter()
        .find(|old| old.id == asked.id && book.is_fixed(old));
    old.is_some_and(|old| {
        old.holds.len() > asked.max as usize
            || (old.window.start <= book.now && old.window.start != asked.window.start)
            || old.holds.iter().any(|host| newly_blocked(book, host, old, asked))
    })
}

/// An offer changes what it says, and enough suitable hosts are free of work that cannot move.
fn offer(book: &Book, request: &Request, offer: &OfferEntry, member: &str, findings: &mut Findings) {
    let mut changed = request.clone();
    let position = |id: &Option<_>| match id {
        None if request.reservations.len() == 1 => Some(0),
        None => None,
        Some(id) => request.reservations.iter().position(|asked| asked.id == *id),
    };
    match offer {
        OfferEntry::Start { start } => {
            let first = request
                .reservations
                .iter()
                .map(|asked| asked.window.start)
                .min()
                .unwrap_or(*start);
            if !findings.require(*start >= book.now && *start != first, member, || {
                "is no other start".to_owned()
            }) {
                return;
            }
            for asked in &mut changed.reservations {
                asked.window.start = asked.window.start.saturating_add(start.saturating_sub(first));
                asked.window.end = asked.window.end.saturating_add(start.saturating_sub(first));
            }
        }
        OfferEntry::Amount { reservation, amount } => match position(reservation) {
            Some(position) if (1..request.reservations[position].min).contains(amount) => {
                changed.reservations[position].min = *amount;
            }
            _ => return findings.add(member, "is no smaller amount of one reservation"),
        },
        OfferEntry::Drop { reservation, condition } => {
            let rest = position(reservation)
                .and_then(|position| Some((position, without(&request.reservations[position].predicate, condition)?)));
            let Some((position, rest)) = rest else {
                return findings.add(member, "is no condition of the request");
            };
            changed.reservations[position].predicate = rest.into();
        }
    }
    for asked in &changed.reservations {
        let kept = book.kept(&changed, asked);
        let others = book
            .attainable(&changed, asked)
            .filter(|host| !kept.contains(host))
            .count();
        findings.require(others + kept.len() >= asked.min as usize, member, || {
            format!("too few hosts can be had for `{}`", asked.id)
        });
    }
}

/// The predicate without one of the conditions that must all hold.
fn without(predicate: &Predicate, condition: &serde_json::Value) -> Option<Predicate> {
    match predicate {
        Predicate::All(parts) => {
            let position = parts.iter().position(|part| part.to_json() == *condition)?;
            let mut rest = parts.clone();
            rest.remove(position);
            Some(Predicate::All(rest))
        }
        Predicate::Any(_) | Predicate::Compare { .. } => {
            (predicate.to_json() == *condition).then(|| Predicate::All(Vec::new()))
        }
    }
}
