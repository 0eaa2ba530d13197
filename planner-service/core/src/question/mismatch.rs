//! Which part of a request no host satisfies, and what there is instead.
//!
//! Invariant: names and values come from properties that the caller may see; one out of reach is told as one that no host
//! has, which is how it was counted.

use std::collections::{BTreeMap, BTreeSet};

use solver::decision::Conflict;
use solver::model::{Host, Request, RequestedReservation, Resource};
use solver::planner::Planner;
use solver::predicate::{Operator, Predicate};

use crate::amounts;
use crate::properties::{
    DISK_GB, HYPERVISOR, MEMORY_MB, NAMES_OF_HOSTS, VCPU, is_derived, resource_class, said_as_written, trait_name,
};
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
            .map(|(condition, count)| format!("{} by {count}", words(condition)))
            .collect();
        (some.len() > 1).then(|| {
            let of = hosts.len();
            let some = some.join(", ");
            said_as_written(&match hosts.iter().filter(|host| host.matches(predicate)).count() {
                0 => format!("of {of} hosts each condition is met by some, but not all by the same: {some}"),
                1 => format!("of {of} hosts 1 meets all conditions, and each alone is met by more: {some}"),
                all => format!("of {of} hosts {all} meet all conditions, and each alone is met by more: {some}"),
            })
        })
    })
}

/// Conditions of a reservation that no host meets because a name or a value is misspelt, each with the one that is meant.
pub(super) fn corrected(
    asked: &RequestedReservation,
    planner: &Planner,
    reach: &Reach<'_>,
) -> Vec<(Predicate, Predicate)> {
    let hosts: Vec<&Host> = planner.hosts().filter(|host| host.reservable).collect();
    let conditions = parts(&asked.predicate).into_iter().take(MOST_CONDITIONS);
    let impossible = conditions.filter(|condition| !hosts.iter().any(|host| host.matches(condition)));
    impossible
        .filter_map(|condition| Some((condition.clone(), meant(condition, &hosts, reach)?)))
        .collect()
}

/// The reservation's conditions with another one in the place of one of them.
pub(super) fn with(predicate: &Predicate, condition: &Predicate, other: &Predicate) -> Predicate {
    let conditions = parts(predicate).into_iter();
    let chosen = |part| if part == condition { other } else { part };
    Predicate::All(conditions.map(chosen).cloned().collect())
}

/// The condition that is meant by one that no host meets.
fn meant(condition: &Predicate, hosts: &[&Host], reach: &Reach<'_>) -> Option<Predicate> {
    let Predicate::Compare {
        operator,
        property,
        value,
    } = condition
    else {
        return None;
    };
    let values = values(property, hosts, reach)?;
    let (property, value) = if values.is_empty() {
        let name = meant_name(property, hosts, reach)?;
        (name, amounts::carried_over(value, &said_as_written(property), name)?)
    } else {
        let value = meant_value(*operator, value, &values)?;
        (property.as_str(), value.to_owned())
    };
    Some(Predicate::Compare {
        operator: *operator,
        property: property.to_owned(),
        value,
    })
}

/// The conditions all of which a host has to meet.
fn parts(predicate: &Predicate) -> Vec<&Predicate> {
    match predicate {
        Predicate::All(conditions) => conditions.iter().flat_map(parts).collect(),
        Predicate::Any(_) | Predicate::Compare { .. } | Predicate::Lacks(_) => vec![predicate],
    }
}

/// A condition as people read it; one that follows from a flavor in the words of Placement.
fn words(condition: &Predicate) -> String {
    match condition {
        Predicate::Compare { property, value, .. } => match (resource_class(property), trait_name(property)) {
            (Some(class), _) => format!("{value} {class} for one instance"),
            (None, Some(name)) => format!("the trait {name}"),
            (None, None) => condition.in_words(),
        },
        Predicate::Lacks(property) => match trait_name(property) {
            Some(name) => format!("no trait {name}"),
            None => condition.in_words(),
        },
        Predicate::All(_) | Predicate::Any(_) => condition.in_words(),
    }
}

/// Why no host meets a condition.
fn unsatisfied(condition: &Predicate, hosts: &[&Host], reach: &Reach<'_>) -> String {
    let no_host = format!("no host has {}", words(condition));
    match condition {
        Predicate::Lacks(property) => match trait_name(property) {
            Some(name) => format!("every host has the trait {name}"),
            None => format!("every host has {property}"),
        },
        Predicate::Compare {
            operator,
            property,
            value,
        } => {
            if let Some(class) = resource_class(property) {
                let most = hosts
                    .iter()
                    .filter_map(|host| host.lookup(property)?.parse::<u64>().ok())
                    .max();
                return match most {
                    None | Some(0) => format!("no host has {class}"),
                    Some(most) => format!("one instance takes {value} {class}, and no host gives one more than {most}"),
                };
            }
            if trait_name(property).is_some() {
                return no_host;
            }
            let Some(values) = values(property, hosts, reach) else {
                return no_host;
            };
            if values.is_empty() {
                let instead = meant_name(property, hosts, reach).map(|name| {
                    match meant(condition, hosts, reach) {
                        // Names may say units, and another unit is another number.
                        Some(Predicate::Compare { value: other, .. }) if other == *value => {
                            format!("; did you mean '{name}'?")
                        }
                        Some(other) => format!("; did you mean '{}'?", other.in_words()),
                        None => format!("; did you mean '{name}', whose unit is another?"),
                    }
                });
                return format!("no host has a property '{property}'{}", instead.unwrap_or_default());
            }
            match meant_value(*operator, value, &values) {
                Some(near) => format!("{no_host}; did you mean '{near}'?"),
                None => format!("{no_host}; {}", listed(&values)),
            }
        }
        Predicate::All(_) | Predicate::Any(_) => {
            let properties = condition.properties();
            let is_one = properties.len() == 1;
            let said = properties.into_iter().take(MOST_LISTED).filter_map(|property| {
                let values = values(property, hosts, reach)?;
                Some(match (values.is_empty(), is_one) {
                    (true, _) => format!("no host has a property '{property}'"),
                    (false, true) => listed(&values),
                    (false, false) => format!("of {property} {}", listed(&values)),
                })
            });
            std::iter::once(no_host).chain(said).collect::<Vec<_>>().join("; ")
        }
    }
}

/// The values that hosts have of a property; `None` if the caller may not know them.
fn values<'h>(property: &str, hosts: &[&'h Host], reach: &Reach<'_>) -> Option<BTreeSet<&'h str>> {
    let is_hidden = NAMES_OF_HOSTS.contains(&property) && !reach.sees_hosts();
    (!is_hidden).then(|| hosts.iter().filter_map(|host| host.lookup(property)).collect())
}

/// The values of a property as a part of a sentence.
fn listed(values: &BTreeSet<&str>) -> String {
    let all: Vec<&str> = values.iter().copied().collect();
    match all[..] {
        [""] => "the only value is empty".to_owned(),
        [only] => format!("the only value is {only}"),
        _ if all.len() <= MOST_LISTED => {
            let all = all
                .into_iter()
                .map(|value| if value.is_empty() { "an empty one" } else { value });
            format!("there are {}", all.collect::<Vec<_>>().join(", "))
        }
        _ => format!("there are {} other values", all.len()),
    }
}

/// The property that is meant by a name that no host has.
fn meant_name<'h>(written: &str, hosts: &[&'h Host], reach: &Reach<'_>) -> Option<&'h str> {
    let written = said_as_written(written);
    let names = hosts.iter().flat_map(|host| host.properties.keys()).map(String::as_str);
    let is_visible = |name: &str| {
        !is_derived(name) && !reach.hides_capability(name) && (reach.sees_hosts() || !NAMES_OF_HOSTS.contains(&name))
    };
    let names: BTreeSet<&str> = names.filter(|name| is_visible(name)).collect();
    // Whoever may not use a name is not told to use it.
    nearest(&written, &names).filter(|name| *name != written)
}

/// The value that is meant by one that no host has: one that says the same of true or false, or one that is alike.
fn meant_value<'h>(operator: Operator, written: &str, values: &BTreeSet<&'h str>) -> Option<&'h str> {
    if operator != Operator::Equal {
        return None;
    }
    let same = truth(written).and_then(|asked| values.iter().find(|value| truth(value) == Some(asked)));
    let same = same.or_else(|| {
        values
            .iter()
            .find(|value| amounts::is_as_much(written, value) == Some(true))
    });
    // As many of another unit is another amount, however alike it looks.
    let others = values.iter().copied();
    let others = others.filter(|value| amounts::is_as_much(written, value).is_none());
    same.copied().or_else(|| nearest(written, &others.collect()))
}

/// Whether a text says true or false.
fn truth(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::authority::Caller;
    use crate::book::{Book, Premises};
    use crate::testing::AllowAll;

    fn host(id: &str, properties: &[(&str, &str)]) -> Host {
        let properties = properties
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Host {
            id: id.into(),
            properties: properties.collect(),
            zone: None,
            rack: None,
            capacity: BTreeMap::new(),
            blocks: Vec::new(),
            reservable: true,
        }
    }

    #[test]
    fn b4_what_a_flavor_asks_for_is_told_in_the_words_of_placement() {
        let caller = Caller {
            user_id: "user".to_owned(),
            project_id: "project".to_owned(),
            roles: Vec::new(),
            is_admin: false,
            trust_id: None,
        };
        let book = Book::empty(Premises::default());
        let reach = Reach::of_bookings(&AllowAll, &caller, &book);
        let hosts = [
            host("a", &[("max_unit:VCPU", "4"), ("max_unit:DISK_GB", "0")]),
            host("b", &[("max_unit:VCPU", "8"), ("trait:HW_OLD", "required")]),
        ];
        let hosts: Vec<&Host> = hosts.iter().collect();
        let at_least = |property: &str, value: &str| Predicate::Compare {
            operator: Operator::AtLeast,
            property: property.to_owned(),
            value: value.to_owned(),
        };
        let required = |property: &str| Predicate::Compare {
            operator: Operator::Equal,
            property: property.to_owned(),
            value: "required".to_owned(),
        };
        for (condition, expected) in [
            (at_least("max_unit:VGPU", "1"), "no host has VGPU"),
            (at_least("max_unit:DISK_GB", "10"), "no host has DISK_GB"),
            (
                at_least("max_unit:VCPU", "9"),
                "one instance takes 9 VCPU, and no host gives one more than 8",
            ),
            (required("trait:HW_NEW"), "no host has the trait HW_NEW"),
            (
                Predicate::Lacks("trait:HW_OLD".to_owned()),
                "every host has the trait HW_OLD",
            ),
        ] {
            assert_eq!(unsatisfied(&condition, &hosts, &reach), expected);
        }
    }
}
