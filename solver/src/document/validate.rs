//! What the types cannot say about a problem: ranges, uniqueness, references and what is held twice.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::problem::{HostEntry, Kind, LeaseEntry, PROBLEM_FORMAT, Problem, RequestEntry, ReservationEntry};
use super::{DocumentError, MAX_SECONDS};
use crate::model::{HostId, LeaseId, ReservationId, Seconds};

type Checked = Result<(), DocumentError>;

fn fail(path: impl Into<String>, reason: impl Into<String>) -> Checked {
    Err(DocumentError::member(path, reason))
}

/// Checks a whole problem.
pub(super) fn validate(problem: &Problem) -> Checked {
    if problem.format != PROBLEM_FORMAT {
        return fail(
            "format",
            format!("`{}` is not supported, expected `{PROBLEM_FORMAT}`", problem.format),
        );
    }
    time("now", problem.now)?;
    span("cleaning", problem.cleaning)?;
    span("freeze", problem.freeze)?;
    let mut hosts = HashSet::new();
    for (number, entry) in problem.hosts.iter().enumerate() {
        host(&format!("hosts[{number}]"), entry, &mut hosts)?;
    }
    let mut pools = HashSet::new();
    for (number, pool) in problem.pools.iter().enumerate() {
        unique(&format!("pools[{number}].id"), pool.id.as_str(), &mut pools)?;
        let mut units = HashSet::new();
        for (position, unit) in pool.units.iter().enumerate() {
            unique(&format!("pools[{number}].units[{position}]"), unit.as_str(), &mut units)?;
        }
    }
    let mut names = Names::default();
    for (number, entry) in problem.leases.iter().enumerate() {
        lease(&format!("leases[{number}]"), entry, &hosts, &mut names)?;
    }
    held_once(problem)?;
    let mut requests = HashSet::new();
    for (number, entry) in problem.requests.iter().enumerate() {
        let path = format!("requests[{number}]");
        unique(&format!("{path}.id"), &entry.id, &mut requests)?;
        request(&path, entry, &mut names)?;
    }
    Ok(())
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

fn host<'a>(path: &str, entry: &'a HostEntry, seen: &mut HashSet<&'a str>) -> Checked {
    unique(&format!("{path}.id"), &entry.id, seen)?;
    for (number, &[start, end]) in entry.blocks.iter().enumerate() {
        interval(&format!("{path}.blocks[{number}]"), ("[0]", "[1]"), start, end)?;
    }
    Ok(())
}

fn lease(path: &str, entry: &LeaseEntry, hosts: &HashSet<&str>, names: &mut Names) -> Checked {
    if entry.id.is_empty() {
        return fail(format!("{path}.id"), "an identifier must not be empty");
    }
    if !names.leases.insert(entry.id.clone()) {
        return fail(format!("{path}.id"), format!("`{}` stands twice", entry.id));
    }
    for (number, part) in entry.reservations.iter().enumerate() {
        let path = format!("{path}.reservations[{number}]");
        let (_, max) = reservation(&path, part)?;
        owned(&path, part, &entry.id, None, names)?;
        let Some(holds) = &part.holds else {
            return fail(
                format!("{path}.holds"),
                "missing; every reservation of a lease says what it holds",
            );
        };
        for (host, &count) in holds.iter() {
            if !hosts.contains(&**host) {
                return fail(format!("{path}.holds.{host}"), "no such host");
            }
            if count != 1 {
                return fail(
                    format!("{path}.holds.{host}"),
                    format!("{count}; a host is held once, so 1"),
                );
            }
        }
        if holds.len() > max as usize {
            return fail(
                format!("{path}.holds"),
                format!("{} hosts are held, at most {max} asked for", holds.len()),
            );
        }
    }
    Ok(())
}

fn request(path: &str, entry: &RequestEntry, names: &mut Names) -> Checked {
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
    let lease = entry.replaces.as_ref().unwrap_or(&entry.id);
    let mut here = HashSet::new();
    for (number, part) in entry.reservations.iter().enumerate() {
        let path = format!("{path}.reservations[{number}]");
        reservation(&path, part)?;
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

/// Checks a reservation on its own; gives its bounds.
fn reservation(path: &str, part: &ReservationEntry) -> Result<(u32, u32), DocumentError> {
    if part.kind != Kind::Host {
        fail(
            format!("{path}.type"),
            "only reservations of type `host` are supported yet",
        )?;
    }
    interval(path, (".start", ".end"), part.start, part.end)?;
    let foreign = [
        ("pool", part.pool.is_some()),
        ("amount", part.amount.is_some()),
        ("resources", part.resources.is_some()),
        ("affinity", part.affinity.is_some()),
        ("required", part.required.is_some()),
    ];
    if let Some((member, _)) = foreign.iter().find(|(_, present)| *present) {
        fail(
            format!("{path}.{member}"),
            "a reservation of type `host` has no such member",
        )?;
    }
    let bound = |member: &str, value: Option<u32>| match value {
        Some(0) => Err(DocumentError::member(format!("{path}.{member}"), "must be at least 1")),
        Some(value) => Ok(value),
        None => Err(DocumentError::member(
            format!("{path}.{member}"),
            "missing; how many hosts are needed",
        )),
    };
    let (min, max) = (bound("min", part.min)?, bound("max", part.max)?);
    if min > max {
        fail(format!("{path}.min"), format!("{min} is more than max, {max}"))?;
    }
    Ok((min, max))
}

/// No host may carry two reservations at one second, cleaning included.
fn held_once(problem: &Problem) -> Checked {
    let mut taken: BTreeMap<&HostId, Vec<(Seconds, Seconds, String)>> = BTreeMap::new();
    for (number, lease) in problem.leases.iter().enumerate() {
        for (position, part) in lease.reservations.iter().enumerate() {
            for host in part.holds.iter().flat_map(|holds| holds.keys()) {
                let path = format!("leases[{number}].reservations[{position}].holds.{host}");
                taken
                    .entry(host)
                    .or_default()
                    .push((part.start, part.end + problem.cleaning, path));
            }
        }
    }
    for (host, mut intervals) in taken {
        intervals.sort();
        for pair in intervals.windows(2) {
            let [(_, end, other), (start, _, path)] = pair else {
                continue;
            };
            if start < end {
                return fail(
                    path.clone(),
                    format!("host `{host}` is held by `{other}` until {end} already"),
                );
            }
        }
    }
    Ok(())
}
