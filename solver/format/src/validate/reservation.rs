//! A reservation on its own: which members it has depends on its type.

use std::collections::HashSet;

use super::{Checked, Fleet, MAX_AMOUNT, fail, interval, resources, unique};
use crate::DocumentError;
use crate::problem::{Kind, ReservationEntry};

/// Checks the members of a reservation; gives the most hosts, instances or units it may hold.
pub(super) fn shape(path: &str, part: &ReservationEntry, fleet: &Fleet<'_>) -> Result<u32, DocumentError> {
    interval(path, (".start", ".end"), part.start, part.end)?;
    members(path, part)?;
    match part.kind {
        Kind::Host => {
            let min = amount(path, "min", part.min, "how many hosts are needed")?;
            let max = amount(path, "max", part.max, "how many hosts are wanted")?;
            if min > max {
                fail(format!("{path}.min"), format!("{min} is more than max, {max}"))?;
            }
            Ok(max)
        }
        Kind::Instance => {
            let asked = amount(path, "amount", part.amount, "how many instances are needed")?;
            let taken = part.resources.as_ref().filter(|taken| !taken.is_empty());
            let Some(taken) = taken else {
                return Err(DocumentError::member(
                    format!("{path}.resources"),
                    "missing; what one instance takes, by resource class",
                ));
            };
            resources(&format!("{path}.resources"), taken)?;
            if taken.values().all(|&taken| taken == 0) {
                fail(
                    format!("{path}.resources"),
                    "an instance must take at least 1 of some resource class",
                )?;
            }
            Ok(asked)
        }
        Kind::Units => {
            let asked = amount(path, "amount", part.amount, "how many units are needed")?;
            let Some(pool) = &part.pool else {
                return Err(DocumentError::member(
                    format!("{path}.pool"),
                    "missing; the pool the units are of",
                ));
            };
            let Some(units) = fleet.pools.get(pool.as_str()) else {
                return Err(DocumentError::member(
                    format!("{path}.pool"),
                    format!("no such pool: `{pool}`"),
                ));
            };
            required(path, part, units, asked)?;
            Ok(asked)
        }
    }
}

/// Members that reservations of other types have.
fn members(path: &str, part: &ReservationEntry) -> Checked {
    let present = [
        ("min", part.min.is_some(), &[Kind::Host][..]),
        ("max", part.max.is_some(), &[Kind::Host]),
        ("where", part.condition.is_some(), &[Kind::Host, Kind::Instance]),
        ("amount", part.amount.is_some(), &[Kind::Instance, Kind::Units]),
        ("resources", part.resources.is_some(), &[Kind::Instance]),
        ("affinity", part.affinity.is_some(), &[Kind::Instance]),
        ("pool", part.pool.is_some(), &[Kind::Units]),
        ("required", part.required.is_some(), &[Kind::Units]),
    ];
    let foreign = present
        .iter()
        .find(|(_, present, kinds)| *present && !kinds.contains(&part.kind));
    let Some((member, _, _)) = foreign else { return Ok(()) };
    let (name, has) = match part.kind {
        Kind::Host => ("host", "`min`, `max` and `where`"),
        Kind::Instance => ("instance", "`amount`, `resources`, `affinity` and `where`"),
        Kind::Units => ("units", "`pool`, `amount` and `required`"),
    };
    fail(
        format!("{path}.{member}"),
        format!("a reservation of type `{name}` has no such member; it has {has}"),
    )
}

fn amount(path: &str, member: &str, value: Option<u32>, meaning: &str) -> Result<u32, DocumentError> {
    let reason = match value {
        None => format!("missing; {meaning}"),
        Some(value) if (1..=MAX_AMOUNT).contains(&value) => return Ok(value),
        Some(value) => format!("{value} is out of range, allowed are 1 to {MAX_AMOUNT}"),
    };
    Err(DocumentError::member(format!("{path}.{member}"), reason))
}

/// Units a reservation must be given: of its pool, each once, no more than it asks for.
fn required(path: &str, part: &ReservationEntry, units: &HashSet<&str>, asked: u32) -> Checked {
    let required = part.required.as_deref().unwrap_or_default();
    let mut seen = HashSet::new();
    for (position, unit) in required.iter().enumerate() {
        let path = format!("{path}.required[{position}]");
        unique(&path, unit.as_str(), &mut seen)?;
        if !units.contains(unit.as_str()) {
            return fail(path, format!("no such unit in the pool: `{unit}`"));
        }
    }
    if required.len() > asked as usize {
        return fail(
            format!("{path}.required"),
            format!("{} units are required, {asked} are asked for", required.len()),
        );
    }
    Ok(())
}
