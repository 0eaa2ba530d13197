//! Certificates over several instants (Farkas' lemma, with the reservations' own multipliers chosen best).
//!
//! Every row says that each of its hosts carries at most one host reservation at its instant. A reservation
//! that stays where it is uses the rows it stands in. One that needs `n` hosts uses, whatever hosts it is
//! given, at least `n` times the least sum of weights that one of its hosts can have: those of the rows that
//! list the host and whose instant lies in what the reservation occupies. If all need more than all rows
//! have, each counted with its weight, no assignment exists.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use super::book::{Book, times};
use crate::document::{ConflictEntry, RowEntry};
use crate::model::{HostId, Interval, Request, Resource, Seconds};
use crate::predicate::Predicate;

/// Rows by host: instant and weight.
type ByHost<'a> = BTreeMap<&'a HostId, Vec<(Seconds, u64)>>;

/// Checks such a certificate.
pub(super) fn check(
    book: &Book,
    request: &Request,
    conflict: &ConflictEntry,
    rows: &[RowEntry],
    findings: &mut Findings,
) {
    let mut by_host: ByHost<'_> = BTreeMap::new();
    let mut exist: u128 = 0;
    for (number, row) in rows.iter().enumerate() {
        let member = format!("conflict.certificate[{number}]");
        findings.require(row.weight > 0, &format!("{member}.weight"), || {
            "must be at least 1".to_owned()
        });
        let hosts: BTreeSet<&HostId> = row.hosts.iter().collect();
        let known = hosts.iter().all(|host| book.hosts.contains_key(*host));
        findings.require(
            known && hosts.len() == row.hosts.len(),
            &format!("{member}.hosts"),
            || "a host is unknown or stands twice".to_owned(),
        );
        exist += u128::from(row.weight) * hosts.len() as u128;
        for host in hosts {
            by_host.entry(host).or_default().push((row.at, row.weight));
        }
    }
    let mut needed: u128 = 0;
    // Instances may share a host: it is in use once.
    let mut in_use: BTreeSet<(&HostId, Seconds)> = BTreeSet::new();
    let mut stays = |holds: &[HostId], occupation: Interval| {
        for (host, rows) in holds.iter().filter_map(|host| by_host.get_key_value(host)) {
            let during = rows.iter().filter(|(at, _)| occupation.contains(*at));
            in_use.extend(during.map(|(at, _)| (*host, *at)));
        }
    };
    for id in &conflict.reservations {
        if let Some(asked) = request.reservations.iter().find(|asked| asked.id == *id) {
            let kept = book.kept(request, asked);
            if !matches!(asked.resource, Resource::Units(_)) {
                stays(kept, asked.occupation());
            }
            let more = u128::from(asked.min).saturating_sub(kept.len() as u128);
            if asked.resource == Resource::Host {
                let least = least(
                    book,
                    &by_host,
                    &asked.predicate,
                    asked.window,
                    asked.occupation(),
                    &[],
                    kept,
                );
                needed = needed.saturating_add(more.saturating_mul(least));
            }
            continue;
        }
        match book.find(id).filter(|held| !book.frees(request, held)) {
            None => findings.add(
                &format!("conflict.reservations.{id}"),
                "is unknown, or free for this request",
            ),
            Some(held) if matches!(held.resource, Resource::Units(_)) => {}
            Some(held) if book.is_fixed(held) => stays(&held.holds, held.occupation()),
            Some(held) if held.resource == Resource::Host => {
                let (window, occupation) = (held.window, held.occupation());
                let least = least(book, &by_host, &held.predicate, window, occupation, &held.holds, &[]);
                needed = needed.saturating_add(least.saturating_mul(held.holds.len() as u128));
            }
            // Instances that may move could share whatever host they use.
            Some(_) => {}
        }
    }
    for (host, at) in in_use {
        let rows = by_host.get(host).into_iter().flatten();
        let here = rows
            .filter(|(row, _)| *row == at)
            .map(|&(_, weight)| u128::from(weight));
        needed = needed.saturating_add(here.sum());
    }
    findings.require(u128::from(conflict.exist) == exist, "conflict.exist", || {
        format!("{} is stated, {exist} is counted", conflict.exist)
    });
    findings.require(u128::from(conflict.needed) <= needed, "conflict.needed", || {
        format!("{} is stated, {needed} is counted", conflict.needed)
    });
    findings.require(conflict.needed > conflict.exist, "conflict", || {
        "there is no shortage".to_owned()
    });
}

/// The least weight that a host of a reservation can have; the greatest number if it can have no host.
fn least(
    book: &Book,
    rows: &ByHost<'_>,
    predicate: &Predicate,
    window: Interval,
    occupation: Interval,
    stays: &[HostId],
    kept: &[HostId],
) -> u128 {
    let suits = book.hosts.values().filter(|host| host.suits(predicate, window));
    let weight = |host: &HostId| -> u128 {
        let rows = rows.get(host).into_iter().flatten();
        let during = rows.filter(|(at, _)| occupation.contains(*at));
        during.map(|&(_, weight)| u128::from(weight)).sum()
    };
    let suits = suits.map(|host| &host.id).filter(|host| times(kept, host) == 0);
    suits.chain(stays).map(weight).min().unwrap_or(u128::from(u64::MAX))
}
