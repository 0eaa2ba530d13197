//! Which part of a request no host satisfies, and what there is instead.
//!
//! Invariant: names and values come from properties that the caller may see; one out of reach is told as one that no host
//! has, which is how it was counted.

use std::collections::{BTreeMap, BTreeSet};

use solver::decision::Conflict;
use solver::model::{Host, Request, RequestedReservation, Resource};
use solver::planner::Planner;
use solver::predicate::Predicate;

use crate::properties::{DISK_GB, HYPERVISOR, MEMORY_MB, VCPU};
use crate::properties::{NAMES_OF_HOSTS, is_derived, said_as_written};
use crate::reach::Reach;

/// Most conditions of a reservation that are looked at one by one.
const MOST_CONDITIONS: usize = 20;
/// Most values or conditions that are listed.
const MOST_LISTED: usize = 8;
/// How alike two names are that may be one misspelt, from 0 to 1 (Jaro-Winkler).
const ALIKE: f64 = 0.79;

/// What is wrong with the first reservation of a conflict that too few hosts suit at any time, in one sentence; `None` if
/// the conflict is of another kind, or every part is satisfied often enough.
pub(super) fn hint(conflict: &Conflict, request: &Request, planner: &Planner, reach: &Reach<'_>) -> Option<String> {
    if conflict.reason != "no_matching_hosts" {
        return None;
    }
    let mut asked = request.reservations.iter();
    let asked = asked.find(|asked| conflict.reservations.contains(&asked.id))?;
    if matches!(asked.resource, Resource::Units(_)) {
        return None;
    }
    let hosts = match reservable(planner) {
        Ok(hosts) => hosts,
        Err(none) => return Some(none),
    };
    unmet(&asked.predicate, &hosts, reach, |hosts| too_large(asked, hosts))
}

/// Why no host meets these conditions, in one sentence; `None` if some do.
pub(super) fn hint_of_conditions(predicate: &Predicate, planner: &Planner, reach: &Reach<'_>) -> Option<String> {
    let hosts = match reservable(planner) {
        Ok(hosts) => hosts,
        Err(none) => return Some(none),
    };
    unmet(predicate, &hosts, reach, |_| None)
}

/// The hosts that can be reserved, or that there are none.
fn reservable(planner: &Planner) -> Result<Vec<&Host>, String> {
    let hosts: Vec<&Host> = planner.hosts().filter(|host| host.reservable).collect();
    if hosts.is_empty() {
        return Err("there are no hosts that can be reserved".to_owned());
    }
    Ok(hosts)
}

/// Which conditions no host meets, else what `otherwise` says, else how many hosts meet each.
fn unmet(
    predicate: &Predicate,
    hosts: &[&Host],
    reach: &Reach<'_>,
    otherwise: impl FnOnce(&[&Host]) -> Option<String>,
) -> Option<String> {
    let conditions = parts(predicate);
    if conditions.len() > MOST_CONDITIONS {
        return None;
    }
    let counted: Vec<(&Predicate, usize)> = conditions
        .into_iter()
        .map(|condition| (condition, hosts.iter().filter(|host| host.matches(condition)).count()))
        .collect();
    let impossible: Vec<String> = counted
        .iter()
        .filter(|(_, count)| *count == 0)
        .take(MOST_LISTED)
        .map(|(condition, _)| unsatisfied(condition, hosts, reach))
        .collect();
    if !impossible.is_empty() {
        return Some(said_as_written(&impossible.join("; ")));
    }
    otherwise(hosts).or_else(|| {
        let some = counted.iter().filter(|(_, count)| *count < hosts.len());
        let some: Vec<String> = some
            .take(MOST_LISTED)
            .map(|(condition, count)| format!("{} by {count}", condition.in_words()))
            .collect();
        (some.len() > 1).then(|| {
            let of = hosts.len();
            said_as_written(&format!(
                "of {of} hosts each condition is met by some, but not all by the same: {}",
                some.join(", ")
            ))
        })
    })
}

/// The conditions all of which a host has to meet.
fn parts(predicate: &Predicate) -> Vec<&Predicate> {
    match predicate {
        Predicate::All(conditions) => conditions.iter().flat_map(parts).collect(),
        Predicate::Any(_) | Predicate::Compare { .. } | Predicate::Lacks(_) => vec![predicate],
    }
}

/// Why no host meets a condition.
fn unsatisfied(condition: &Predicate, hosts: &[&Host], reach: &Reach<'_>) -> String {
    let words = condition.in_words();
    let Predicate::Compare { property, value, .. } = condition else {
        return format!("no host has {words}");
    };
    let values: BTreeSet<&str> = hosts.iter().filter_map(|host| host.lookup(property)).collect();
    if values.is_empty() {
        let names: BTreeSet<&str> = hosts
            .iter()
            .flat_map(|host| host.properties.keys())
            .map(String::as_str)
            .filter(|name| !is_derived(name) && !reach.hides_capability(name))
            .filter(|name| reach.sees_hosts() || !NAMES_OF_HOSTS.contains(name))
            .collect();
        let instead = match nearest(&said_as_written(property), &names) {
            Some(name) => format!("; did you mean '{name}'?"),
            None => String::new(),
        };
        return format!("no host has a property '{property}'{instead}");
    }
    if NAMES_OF_HOSTS.contains(&property.as_str()) && !reach.sees_hosts() {
        return format!("no host has {words}");
    }
    let instead = match nearest(value, &values) {
        Some(near) => format!("did you mean '{near}'?"),
        None if values.len() <= MOST_LISTED => {
            let listed: Vec<&str> = values.into_iter().collect();
            format!("there are {}", listed.join(", "))
        }
        None => format!("there are {} other values", values.len()),
    };
    format!("no host has {words}; {instead}")
}

/// The name or value that was meant, if one is alike whatever the case of its letters.
fn nearest<'a>(written: &str, known: &BTreeSet<&'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    let alike = |known: &&'a str| strsim::jaro_winkler(&written, &known.to_lowercase());
    let best = known.iter().max_by(|one, other| alike(one).total_cmp(&alike(other)))?;
    (alike(best) >= ALIKE).then_some(*best)
}

/// Amounts of one instance that no host has.
fn too_large(asked: &RequestedReservation, hosts: &[&Host]) -> Option<String> {
    let Resource::Instances(instances) = &asked.resource else {
        return None;
    };
    let mut largest: BTreeMap<&str, u64> = BTreeMap::new();
    for host in hosts.iter().filter(|host| host.matches(&asked.predicate)) {
        for (class, amount) in &host.capacity {
            let known = largest.entry(class).or_default();
            *known = (*known).max(*amount);
        }
    }
    // The columns of the hypervisor and the resource classes count the same; the one of which there is less is in the way.
    let mut too_much: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (class, amount) in &instances.resources {
        let most = largest.get(class.as_str()).copied().unwrap_or(0);
        if *amount > most {
            let known = too_much.entry(column_of(class)).or_insert((*amount, most));
            known.1 = known.1.min(most);
        }
    }
    let too_much: Vec<String> = too_much
        .into_iter()
        .map(|(class, (amount, most))| {
            format!("one instance takes {amount} {class}, and no matching host has more than {most}")
        })
        .collect();
    (!too_much.is_empty()).then(|| too_much.join("; "))
}

/// The hypervisor's column that counts what a resource class counts; the class where there is none.
fn column_of(class: &str) -> &str {
    let place = [VCPU, MEMORY_MB, DISK_GB].iter().position(|known| *known == class);
    place.map_or(class, |place| HYPERVISOR[place])
}
