//! What the types cannot say about a problem: ranges, uniqueness, references and what is held twice.
//!
//! Invariant: a problem that passes is bounded in what it makes the planner build, not only in its bytes:
//! a short document may not ask for a million instances a million times.

mod held;
mod reservation;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};

use super::problem::{HostEntry, LeaseEntry, PROBLEM_FORMAT, PoolEntry, Problem, RequestEntry, ReservationEntry};
use super::{
    DocumentError, MAX_AMOUNT, MAX_ENTRIES, MAX_RESERVATIONS, MAX_RESOURCE, MAX_SECONDS, MAX_VALUE, Members, read,
};
use crate::model::{LeaseId, ReservationId, Seconds};

type Checked = Result<(), DocumentError>;

fn fail(path: impl Into<String>, reason: impl Into<String>) -> Checked {
    Err(DocumentError::member(path, reason))
}

impl Problem {
    /// Reads and validates a problem.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let problem: Self = read(text)?;
        validate(&problem)?;
        Ok(problem)
    }
}

/// Checks a whole problem.
fn validate(problem: &Problem) -> Checked {
    if problem.format != PROBLEM_FORMAT {
        return fail(
            "format",
            format!("`{}` is not supported, expected `{PROBLEM_FORMAT}`", problem.format),
        );
    }
    time("now", problem.now)?;
    span("cleaning", problem.cleaning)?;
    span("freeze", problem.freeze)?;
    for (member, entries) in [
        ("hosts", problem.hosts.len()),
        ("pools", problem.pools.len()),
        ("leases", problem.leases.len()),
        ("requests", problem.requests.len()),
    ] {
        at_most(member, entries, MAX_ENTRIES, "entries")?;
    }
    let mut fleet = Fleet::default();
    for (number, entry) in problem.hosts.iter().enumerate() {
        host(&format!("hosts[{number}]"), entry, &mut fleet.hosts)?;
    }
    for (number, entry) in problem.pools.iter().enumerate() {
        pool(&format!("pools[{number}]"), entry, &mut fleet)?;
    }
    let mut names = Names::default();
    for (number, entry) in problem.leases.iter().enumerate() {
        lease(&format!("leases[{number}]"), entry, &fleet, &mut names)?;
    }
    held::fits(problem)?;
    let mut requests = HashSet::new();
    for (number, entry) in problem.requests.iter().enumerate() {
        let path = format!("requests[{number}]");
        unique(&format!("{path}.id"), &entry.id, &mut requests)?;
        request(&path, entry, &fleet, &mut names)?;
    }
    Ok(())
}

/// What can be held.
#[derive(Default)]
struct Fleet<'a> {
    hosts: HashSet<&'a str>,
    /// Units by pool.
    pools: HashMap<&'a str, HashSet<&'a str>>,
}

/// Which lease or request a reservation's identifier belongs to.
#[derive(Default)]
struct Names {
    leases: BTreeSet<LeaseId>,
    owners: HashMap<ReservationId, LeaseId>,
}

fn time(path: &str, at: Seconds) -> Checked {
    if (-MAX_SECONDS..=MAX_SECONDS).contains(&at) {
        return Ok(());
    }
    fail(
        path,
        format!("{at} is out of range, times lie between -{MAX_SECONDS} and {MAX_SECONDS}"),
    )
}

fn span(path: &str, seconds: Seconds) -> Checked {
    if (0..=MAX_SECONDS).contains(&seconds) {
        return Ok(());
    }
    fail(
        path,
        format!("{seconds} is out of range, allowed are 0 to {MAX_SECONDS} seconds"),
    )
}

fn unique<'a>(path: &str, id: &'a str, seen: &mut HashSet<&'a str>) -> Checked {
    if id.is_empty() {
        return fail(path, "an identifier must not be empty");
    }
    if seen.insert(id) {
        return Ok(());
    }
    fail(path, format!("`{id}` stands twice"))
}

fn interval(path: &str, members: (&str, &str), start: Seconds, end: Seconds) -> Checked {
    time(&format!("{path}{}", members.0), start)?;
    time(&format!("{path}{}", members.1), end)?;
    if start < end {
        return Ok(());
    }
    fail(
        format!("{path}{}", members.1),
        format!("the end {end} must be after the start {start}"),
    )
}

fn at_most(path: &str, count: usize, most: usize, what: &str) -> Checked {
    if count <= most {
        return Ok(());
    }
    fail(path, format!("{count} {what}, at most {most} are allowed"))
}

/// Amounts by resource class; 0 is allowed, as a flavour without a disk has it.
fn resources(path: &str, amounts: &Members<u64>) -> Checked {
    for (class, &amount) in amounts.iter() {
        if class.is_empty() {
            return fail(path, "a resource class must not be empty");
        }
        if amount > MAX_RESOURCE {
            return fail(
                format!("{path}.{class}"),
                format!("{amount} is out of range, allowed are 0 to {MAX_RESOURCE}"),
            );
        }
    }
    Ok(())
}

fn host<'a>(path: &str, entry: &'a HostEntry, seen: &mut HashSet<&'a str>) -> Checked {
    unique(&format!("{path}.id"), &entry.id, seen)?;
    resources(&format!("{path}.capacity"), &entry.capacity)?;
    for (number, &[start, end]) in entry.blocks.iter().enumerate() {
        interval(&format!("{path}.blocks[{number}]"), ("[0]", "[1]"), start, end)?;
    }
    Ok(())
}

fn pool<'a>(path: &str, entry: &'a PoolEntry, fleet: &mut Fleet<'a>) -> Checked {
    if entry.id.is_empty() {
        return fail(format!("{path}.id"), "an identifier must not be empty");
    }
    at_most(&format!("{path}.units"), entry.units.len(), MAX_ENTRIES, "units")?;
    let mut units = HashSet::new();
    for (position, unit) in entry.units.iter().enumerate() {
        unique(&format!("{path}.units[{position}]"), unit.as_str(), &mut units)?;
    }
    if fleet.pools.insert(&entry.id, units).is_some() {
        return fail(format!("{path}.id"), format!("`{}` stands twice", entry.id));
    }
    Ok(())
}

fn lease(path: &str, entry: &LeaseEntry, fleet: &Fleet<'_>, names: &mut Names) -> Checked {
    if entry.id.is_empty() {
        return fail(format!("{path}.id"), "an identifier must not be empty");
    }
    if !names.leases.insert(entry.id.clone()) {
        return fail(format!("{path}.id"), format!("`{}` stands twice", entry.id));
    }
    let count = entry.reservations.len();
    at_most(&format!("{path}.reservations"), count, MAX_RESERVATIONS, "reservations")?;
    for (number, part) in entry.reservations.iter().enumerate() {
        let path = format!("{path}.reservations[{number}]");
        let most = reservation::shape(&path, part, fleet)?;
        owned(&path, part, &entry.id, None, names)?;
        held::allowed(&path, part, most, fleet)?;
    }
    Ok(())
}

fn request(path: &str, entry: &RequestEntry, fleet: &Fleet<'_>, names: &mut Names) -> Checked {
    if let Some(at) = entry.at {
        time(&format!("{path}.at"), at)?;
    }
    match &entry.replaces {
        Some(lease) if !names.leases.contains(lease) => {
            return fail(
                format!("{path}.replaces"),
                format!("no lease or earlier request `{lease}`"),
            );
        }
        None if !names.leases.insert(entry.id.clone()) => {
            return fail(format!("{path}.id"), format!("`{}` is a lease already", entry.id));
        }
        _ => {}
    }
    if entry.reservations.is_empty() {
        return fail(
            format!("{path}.reservations"),
            "a request needs at least one reservation",
        );
    }
    let count = entry.reservations.len();
    at_most(&format!("{path}.reservations"), count, MAX_RESERVATIONS, "reservations")?;
    if entry.value.is_some_and(|value| value > MAX_VALUE) {
        return fail(
            format!("{path}.value"),
            format!("out of range, allowed are 0 to {MAX_VALUE}"),
        );
    }
    let lease = entry.replaces.as_ref().unwrap_or(&entry.id);
    let mut here = HashSet::new();
    for (number, part) in entry.reservations.iter().enumerate() {
        let path = format!("{path}.reservations[{number}]");
        reservation::shape(&path, part, fleet)?;
        unique(&format!("{path}.id"), &part.id, &mut here)?;
        owned(&path, part, lease, entry.replaces.as_ref(), names)?;
        for (member, present) in [("holds", part.holds.is_some()), ("pinned", part.pinned.is_some())] {
            if present {
                return fail(format!("{path}.{member}"), "only reservations of leases have it");
            }
        }
    }
    Ok(())
}

/// An identifier belongs to one lease; only a request that replaces the lease may use it again.
fn owned(
    path: &str,
    part: &ReservationEntry,
    lease: &LeaseId,
    replaced: Option<&LeaseId>,
    names: &mut Names,
) -> Checked {
    if part.id.is_empty() {
        return fail(format!("{path}.id"), "an identifier must not be empty");
    }
    match names.owners.insert(part.id.clone(), lease.clone()) {
        Some(owner) if replaced != Some(&owner) => fail(
            format!("{path}.id"),
            format!("`{}` belongs to `{owner}` already", part.id),
        ),
        _ => Ok(()),
    }
}
