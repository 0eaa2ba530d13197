//! Moves: exactly the differences, of promises that may move, to where they may stand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use solver_format::MoveEntry;
use solver_format::model::{Host, HostId, Request, Reservation, Resource};
use solver_format::predicate::Predicate;

use super::Findings;
use super::book::{Book, Place, is_blocked, less, times};
use super::held::{new_work, read, together};

/// The expressions that tell hosts apart.
pub(super) type Predicates = BTreeSet<Arc<Predicate>>;

/// Those of what is alive and of what is asked for.
pub(super) fn predicates<'a>(book: &Book, requests: impl IntoIterator<Item = &'a Request>) -> Predicates {
    let on_hosts = |resource: &Resource| !matches!(resource, Resource::Units(_));
    let alive = book.alive().filter(|held| on_hosts(&held.resource));
    let asked = requests.into_iter().flat_map(|request| &request.reservations);
    let asked = asked.filter(|asked| on_hosts(&asked.resource));
    alive
        .map(|held| held.predicate.clone())
        .chain(asked.map(|asked| asked.predicate.clone()))
        .collect()
}

/// What may move.
pub(super) enum Rule<'a> {
    /// What is pending and not of the lease the request replaces, in full.
    Pending {
        /// The request.
        request: &'a Request,
    },
    /// What is pending, in full, beside requests that are decided together.
    PendingOfAll {
        /// The accepted ones.
        requests: &'a [&'a Request],
    },
    /// Besides what is pending, everything on hosts that are out of order; it may be lost.
    Heal,
}

/// A move that was made.
pub(super) struct Moved {
    resource: Resource,
    left: Vec<HostId>,
    taken: Vec<HostId>,
}

/// Checks the moves and makes them.
pub(super) fn carry_out(
    book: &mut Book,
    rule: &Rule<'_>,
    moves: &[MoveEntry],
    touched: &mut BTreeSet<Place>,
    findings: &mut Findings,
) -> Vec<Moved> {
    let mut moved = Vec::new();
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
        let most = held.holds.len() as u64;
        let (from, to) = (format!("{member}.from"), format!("{member}.to"));
        let (Some(left), Some(taken)) = (
            read(book, &held.resource, &from, &change.from, most, findings),
            read(book, &held.resource, &to, &change.to, most, findings),
        ) else {
            continue;
        };
        may_move(book, rule, &held, &left, &member, findings);
        let kept = matches!(rule, Rule::Heal) && taken.len() < left.len();
        findings.require(left.len() == taken.len() || kept, &member, || {
            "the promise changes its size".to_owned()
        });
        findings.require(!left.is_empty(), &member, || "nothing changes".to_owned());
        for host in less(&left, &held.holds) {
            findings.add(&from, format!("`{host}` was not held"));
        }
        let own = less(&held.holds, &left);
        for host in taken.iter().collect::<BTreeSet<_>>() {
            let before = times(&held.holds, host) > 0 && !is_instances(&held.resource);
            let again = before || times(&left, host) > 0;
            findings.require(!again, &to, || format!("`{host}` was held before"));
            let window = book.ahead(held.window);
            let place = format!("{to}.{host}");
            new_work(book, &held.resource, host, &held.predicate, window, &place, findings);
        }
        let mut after = own;
        after.extend(taken.iter().cloned());
        after.sort();
        let full = after.len() >= held.max as usize;
        together(&held.resource, &after, full, &member, findings);
        touched.extend(taken.iter().map(|name| Place::of(&held.resource, name)));
        book.rehost(&held.id, after);
        moved.push(Moved {
            resource: held.resource,
            left,
            taken,
        });
    }
    moved
}

/// How many moves count when classes are those of the predicates.
pub(super) fn counted(book: &Book, predicates: &Predicates, moved: &[Moved]) -> u64 {
    let each = moved.iter().map(|moved| leaving(book, predicates, moved));
    each.fold(0, u64::saturating_add)
}

const fn is_instances(resource: &Resource) -> bool {
    matches!(resource, Resource::Instances(_))
}

fn may_move(book: &Book, rule: &Rule<'_>, held: &Reservation, left: &[HostId], member: &str, findings: &mut Findings) {
    let replaced = |request: &Request| {
        let owner = book.owner(&held.id);
        owner.is_some_and(|owner| request.replaces.as_ref() == Some(owner))
    };
    let (free, own) = match rule {
        Rule::Pending { request } => (!book.is_fixed(held), replaced(request)),
        Rule::PendingOfAll { requests } => (!book.is_fixed(held), requests.iter().any(|request| replaced(request))),
        Rule::Heal => {
            let forced = left.iter().all(|host| is_out_of_order(book, held, host));
            let over = held.window.end <= book.now;
            (!over && (forced || !book.is_fixed(held)), false)
        }
    };
    findings.require(free, member, || "the reservation may not move".to_owned());
    findings.require(!own, member, || {
        "the reservation is of the lease the request replaces".to_owned()
    });
}

/// Whether a host takes no work, or is out of service in what is still to come of a reservation's window.
pub(super) fn is_out_of_order(book: &Book, held: &Reservation, host: &HostId) -> bool {
    if matches!(held.resource, Resource::Units(_)) {
        return false;
    }
    let window = book.ahead(held.window);
    let out = |host: &Host| !host.reservable || is_blocked(host, window);
    book.hosts.get(host).is_some_and(out)
}

/// Hosts left for a host of another class: exchanges inside a class cancel out, and what is lost altogether
/// is no move. The units of a pool are one class.
fn leaving(book: &Book, predicates: &Predicates, moved: &Moved) -> u64 {
    if matches!(moved.resource, Resource::Units(_)) {
        return 0;
    }
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
    for (hosts, change) in [(&moved.left, -1), (&moved.taken, 1)] {
        for host in hosts.iter().filter_map(|host| book.hosts.get(host)) {
            *balance.entry(class(host)).or_default() += change;
        }
    }
    let arrived = balance.values().map(|&surplus| u64::try_from(surplus).unwrap_or(0));
    arrived.sum()
}
