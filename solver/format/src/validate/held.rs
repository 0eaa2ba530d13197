//! What leases hold: it exists, no reservation holds more than it may, and at every second everything
//! that is held fits.

use std::collections::BTreeMap;

use super::{Checked, Fleet, fail};
use crate::model::Seconds;
use crate::problem::{Kind, Problem, ReservationEntry};
use crate::{HeldUnits, MAX_HELD};

/// Whether a reservation of a lease may hold what it holds, looked at alone. It may hold less than it
/// asks for: a promise that could not be kept in full.
pub(super) fn allowed(path: &str, part: &ReservationEntry, most: u32, fleet: &Fleet<'_>) -> Checked {
    let Some(holds) = &part.holds else {
        return fail(
            format!("{path}.holds"),
            "missing; every reservation of a lease says what it holds",
        );
    };
    let (what, units) = match part.kind {
        Kind::Host => ("host", None),
        Kind::Instance => ("instance", None),
        Kind::Units => ("unit", part.pool.as_deref().and_then(|pool| fleet.pools.get(pool))),
    };
    let mut total: u64 = 0;
    for (name, &count) in holds.iter() {
        let path = format!("{path}.holds.{name}");
        let known = units.unwrap_or(&fleet.hosts).contains(&**name);
        if !known && units.is_some() {
            return fail(path, "no such unit in the pool");
        }
        if !known {
            return fail(path, "no such host");
        }
        if part.kind != Kind::Instance && count != 1 {
            return fail(path, format!("{count}; a {what} is held once, so 1"));
        }
        if count == 0 {
            return fail(path, "0; at least 1 is held, or the host is not named");
        }
        total += u64::from(count);
    }
    if total > u64::from(most) {
        return fail(
            format!("{path}.holds"),
            format!("{total} {what}s are held, at most {most} asked for"),
        );
    }
    if part.affinity == Some(true) && holds.len() > 1 {
        return fail(
            format!("{path}.holds"),
            format!("{} hosts; `affinity` true means one for all instances", holds.len()),
        );
    }
    if let Some((host, count)) = holds.iter().find(|(_, count)| **count > 1)
        && part.affinity == Some(false)
    {
        return fail(
            format!("{path}.holds.{host}"),
            format!("{count}; `affinity` false means one instance on each host"),
        );
    }
    required(path, part, holds, total == u64::from(most))
}

/// A reservation that holds all it asks for holds the units it requires.
fn required(path: &str, part: &ReservationEntry, holds: &HeldUnits, full: bool) -> Checked {
    let mut required = part.required.iter().flatten();
    match required.find(|unit| full && !holds.contains_key(unit.as_str())) {
        Some(unit) => fail(
            format!("{path}.holds"),
            format!("the required unit `{unit}` is not held"),
        ),
        None => Ok(()),
    }
}

/// Something on a host or a unit for a while.
struct Taken<'a> {
    start: Seconds,
    end: Seconds,
    count: u32,
    part: &'a ReservationEntry,
    /// Positions of its lease and in it.
    at: (usize, usize),
}

impl Taken<'_> {
    fn path(&self) -> String {
        format!("leases[{}].reservations[{}]", self.at.0, self.at.1)
    }

    fn is_instances(&self) -> bool {
        self.part.kind == Kind::Instance
    }
}

/// At each second from the clock on a host carries one host reservation, its cleaning included, or instances within its
/// capacity; a unit is held once.
pub(super) fn fits(problem: &Problem) -> Checked {
    let mut places: BTreeMap<(Option<&str>, &str), Vec<Taken<'_>>> = BTreeMap::new();
    let mut total: u64 = 0;
    for (number, lease) in problem.leases.iter().enumerate() {
        for (position, part) in lease.reservations.iter().enumerate() {
            let at = (number, position);
            for (name, &count) in part.holds.iter().flat_map(|holds| holds.iter()) {
                total += u64::from(count);
                let cleaning = if part.kind == Kind::Host { problem.cleaning } else { 0 };
                let (start, end) = (part.start.max(problem.now), part.end + cleaning);
                if end <= start {
                    continue;
                }
                places.entry((part.pool.as_deref(), name)).or_default().push(Taken {
                    start,
                    end,
                    count,
                    part,
                    at,
                });
            }
        }
    }
    if total > MAX_HELD {
        return fail(
            "leases",
            format!("{total} hosts, instances and units are held, at most {MAX_HELD} are allowed"),
        );
    }
    let capacities: BTreeMap<&str, _> = problem.hosts.iter().map(|host| (&*host.id, &host.capacity)).collect();
    for ((pool, name), mut taken) in places {
        taken.sort_by_key(|taken| (taken.start, taken.end, taken.at));
        alone(pool.is_some(), name, &taken)?;
        let mut instances = taken.iter().filter(|taken| taken.is_instances()).peekable();
        if let Some(capacity) = capacities.get(name)
            && instances.peek().is_some()
        {
            within(name, capacity, instances)?;
        }
    }
    Ok(())
}

/// Whether nothing stands beside a host reservation or a unit's holder. `taken` is sorted by start.
fn alone(is_unit: bool, name: &str, taken: &[Taken<'_>]) -> Checked {
    // What lasts longest so far, among instances and among all else.
    let mut longest: [Option<&Taken<'_>>; 2] = [None, None];
    for next in taken {
        let kind = usize::from(next.is_instances());
        let against = if next.is_instances() {
            &longest[..1]
        } else {
            &longest[..]
        };
        let before = against.iter().flatten().find(|before| next.start < before.end);
        if let Some(before) = before {
            let what = if is_unit { "unit" } else { "host" };
            return fail(
                format!("{}.holds.{name}", next.path()),
                format!("the {what} is held by `{}` until {} already", before.path(), before.end),
            );
        }
        if longest[kind].is_none_or(|before| before.end < next.end) {
            longest[kind] = Some(next);
        }
    }
    Ok(())
}

/// Whether instances fit a host's capacity at every second.
fn within<'a>(
    name: &str,
    capacity: &BTreeMap<std::sync::Arc<str>, u64>,
    instances: impl Iterator<Item = &'a Taken<'a>>,
) -> Checked {
    // What ends at a second is gone before what starts at it.
    let mut changes = Vec::new();
    for taken in instances {
        changes.push((taken.start, true, taken));
        changes.push((taken.end, false, taken));
    }
    changes.sort_by_key(|&(at, starts, taken)| (at, starts, taken.at));
    let mut used: BTreeMap<&str, u128> = BTreeMap::new();
    for (at, starts, taken) in changes {
        for (class, &amount) in taken.part.resources.iter().flat_map(|taken| taken.iter()) {
            let amount = u128::from(amount) * u128::from(taken.count);
            let sum = used.entry(class).or_default();
            *sum = if starts {
                *sum + amount
            } else {
                sum.saturating_sub(amount)
            };
            let most = capacity.get(class).copied().unwrap_or(0);
            if starts && *sum > u128::from(most) {
                return fail(
                    format!("{}.holds.{name}", taken.path()),
                    format!("{sum} {class} of the host are taken at {at}, it has {most}"),
                );
            }
        }
    }
    Ok(())
}
