//! The property language of the REST API: expressions as text, hosts as named values.
//!
//! Both property fields of a host reservation may name columns and extra capabilities; a host is
//! suitable when it satisfies both.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugin_api::Inventory;
use serde_json::Value;
use solver::predicate::{self, Predicate};

use crate::domain::Host;

/// Longest expression accepted, in bytes.
pub const MAX_EXPRESSION: usize = 64 * 1024;

/// What the hypervisor has of virtual CPUs, memory (MiB) and disk (GiB), nothing over-committed: named as its columns.
/// Instances of a size of their own are counted against both these and the resource classes, instances of a flavor
/// against the classes alone, so that neither takes what the other was promised.
pub(crate) const HYPERVISOR: [&str; 3] = ["vcpus", "memory_mb", "local_gb"];
/// Resource class of virtual CPUs.
pub(crate) const VCPU: &str = "VCPU";
/// Resource class of memory, in MiB.
pub(crate) const MEMORY_MB: &str = "MEMORY_MB";
/// Resource class of disk, in GiB.
pub(crate) const DISK_GB: &str = "DISK_GB";

/// Prefix by which a name means an extra capability even where a column has the same name.
pub(crate) const CAPABILITY_SCOPE: &str = "capabilities:";
/// Prefix of a name that whoever wrote it may not see: no host has a property of such a name.
const UNSEEN_SCOPE: &str = "unseen:";
/// Columns that say which host it is.
pub(crate) const NAMES_OF_HOSTS: [&str; 3] = ["id", "hypervisor_hostname", "service_name"];
/// Columns that say what a host is like; no capability hides one of them.
pub(crate) const COLUMNS: [&str; 10] = [
    "vcpus",
    "cpu_info",
    "hypervisor_type",
    "hypervisor_version",
    "memory_mb",
    "local_gb",
    "status",
    "availability_zone",
    "zone",
    "reservable",
];
/// Prefix of the properties that say how much one instance may take.
const MAX_UNIT_SCOPE: &str = "max_unit:";
/// Prefix of the properties that say what a host is able to do.
const TRAIT_SCOPE: &str = "trait:";

/// Reads an expression as the REST API carries it: `""` (every host) or a JSON list as text.
///
/// # Errors
/// Says in words what is wrong and what is allowed.
pub fn parse(text: &str) -> Result<Predicate, String> {
    if text.len() > MAX_EXPRESSION {
        return Err(format!("longer than {MAX_EXPRESSION} bytes"));
    }
    if text.is_empty() {
        return Ok(Predicate::All(Vec::new()));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    if value.is_null() {
        return Ok(Predicate::All(Vec::new()));
    }
    predicate::parse(&value).map_err(|error| error.to_string())
}

/// The condition that all of these expressions hold.
///
/// # Errors
/// As [`parse`].
pub fn requirement(expressions: &[&str]) -> Result<Predicate, String> {
    let mut parts = Vec::new();
    for text in expressions {
        match parse(text)? {
            Predicate::All(mut conditions) => parts.append(&mut conditions),
            other @ (Predicate::Any(_) | Predicate::Compare { .. } | Predicate::Lacks(_)) => parts.push(other),
        }
    }
    Ok(Predicate::All(parts))
}

/// The host as the planner sees it.
///
/// Besides columns and capabilities it has the names users bring from Nova's schedulers:
/// `capabilities:NAME` (the capability, whatever columns exist), `region`, `zone`, `cpu_cores`,
/// `free_ram_mb`, `free_disk_gb` (a reserved host is wholly free), and `trait:NAME`, which is `required` where the host
/// has the trait. SQL's NULL is the text `null`. The trust of whoever registered it is no property.
pub fn planner_host(host: &Host, region: &str) -> solver::model::Host {
    let mut properties: BTreeMap<String, String> = BTreeMap::new();
    let nameable = host.capabilities.iter();
    for (name, value) in nameable.filter(|(name, _)| !name.starts_with(UNSEEN_SCOPE)) {
        properties.insert(format!("{CAPABILITY_SCOPE}{name}"), value.clone());
        properties.insert(name.clone(), value.clone());
    }
    let columns = [
        ("region", region.to_owned()),
        ("zone", host.availability_zone.clone()),
        ("cpu_cores", host.vcpus.to_string()),
        ("free_ram_mb", host.memory_mb.to_string()),
        ("free_disk_gb", host.local_gb.to_string()),
    ];
    for (name, value) in columns {
        properties.entry(name.to_owned()).or_insert(value);
    }
    let columns = [
        ("id", host.id.clone()),
        ("vcpus", host.vcpus.to_string()),
        ("cpu_info", host.cpu_info.clone()),
        ("hypervisor_type", host.hypervisor_type.clone()),
        ("hypervisor_version", host.hypervisor_version.to_string()),
        ("hypervisor_hostname", host.hypervisor_hostname.clone()),
        ("service_name", host.service_name.clone()),
        ("memory_mb", host.memory_mb.to_string()),
        ("local_gb", host.local_gb.to_string()),
        ("status", "null".to_owned()),
        ("availability_zone", host.availability_zone.clone()),
        ("reservable", if host.reservable { "1" } else { "0" }.to_owned()),
    ];
    for (name, value) in columns {
        properties.insert(name.to_owned(), value);
    }
    let mut capacity = columns_of(host);
    for (class, inventory) in classes_of(host, &capacity) {
        properties.insert(max_unit(&class), inventory.max_unit.to_string());
        capacity.insert(class, inventory.capacity);
    }
    for name in &host.provision.traits {
        properties.insert(trait_property(name), "required".to_owned());
    }
    solver::model::Host {
        id: Arc::from(host.id.as_str()),
        properties,
        zone: Some(host.availability_zone.clone()).filter(|zone| !zone.is_empty()),
        rack: host.capabilities.get("rack").cloned(),
        capacity,
        blocks: Vec::new(),
        reservable: host.reservable,
    }
}

/// The property of hosts that says how much of a resource class one instance may take.
pub(crate) fn max_unit(class: &str) -> String {
    format!("{MAX_UNIT_SCOPE}{class}")
}

/// The property of hosts that have a trait. An operator may give it as a capability where there is no Placement.
pub(crate) fn trait_property(name: &str) -> String {
    format!("{TRAIT_SCOPE}{name}")
}

/// The resource class of which a property says how much one instance may take.
pub(crate) fn resource_class(property: &str) -> Option<&str> {
    property.strip_prefix(MAX_UNIT_SCOPE)
}

/// The trait that hosts with a property have.
pub(crate) fn trait_name(property: &str) -> Option<&str> {
    property.strip_prefix(TRAIT_SCOPE)
}

/// Whether a name is another way to say a property, or says what Placement knows of a host.
pub(crate) fn is_derived(name: &str) -> bool {
    [CAPABILITY_SCOPE, MAX_UNIT_SCOPE, TRAIT_SCOPE, UNSEEN_SCOPE]
        .iter()
        .any(|scope| name.starts_with(scope))
}

/// Whether a condition follows from a flavor and cannot be left out by whoever asks.
pub(crate) fn is_of_flavor(condition: &Predicate) -> bool {
    let mut names = condition.properties().into_iter();
    names.any(|name| resource_class(name).or_else(|| trait_name(name)).is_some())
}

/// What the hypervisor has.
fn columns_of(host: &Host) -> BTreeMap<String, u64> {
    let amounts = [host.vcpus, host.memory_mb, host.local_gb].map(|value| u64::try_from(value).unwrap_or(0));
    HYPERVISOR.map(str::to_owned).into_iter().zip(amounts).collect()
}

/// What instances may take, by resource class. Where Placement has said nothing of a host its columns tell; disks that
/// it does not know lie elsewhere, and only the column knows them.
fn classes_of(host: &Host, columns: &BTreeMap<String, u64>) -> BTreeMap<String, Inventory> {
    let classes = HYPERVISOR.into_iter().zip([VCPU, MEMORY_MB, DISK_GB]);
    let known = &host.provision.inventories;
    let told = classes.filter(|(_, class)| known.is_empty() || *class == DISK_GB);
    let mut inventories: BTreeMap<String, Inventory> = told
        .map(|(column, class)| {
            let amount = columns.get(column).copied().unwrap_or(0);
            let inventory = Inventory {
                capacity: amount,
                max_unit: amount,
            };
            (class.to_owned(), inventory)
        })
        .collect();
    inventories.extend(known.iter().map(|(class, inventory)| (class.clone(), *inventory)));
    inventories
}

/// A name that stands for `name` where it is out of its author's reach.
pub(crate) fn unseen(name: &str) -> String {
    format!("{UNSEEN_SCOPE}{name}")
}

/// An expression as its author wrote it.
pub fn as_written(expression: &str) -> String {
    if !expression.contains(UNSEEN_SCOPE) {
        return expression.to_owned();
    }
    renamed(expression, &|_, name| {
        name.strip_prefix(UNSEEN_SCOPE).map(str::to_owned)
    })
}

/// A sentence about conditions, names in it as their author wrote them.
pub(crate) fn said_as_written(sentence: &str) -> String {
    sentence.replace(UNSEEN_SCOPE, "")
}

/// The expression with other names for properties where `rename`, which is told the operator and the name, has one;
/// all else stays as it was written. So does what is no expression.
pub(crate) fn renamed(expression: &str, rename: &dyn Fn(&str, &str) -> Option<String>) -> String {
    let Ok(parsed) = serde_json::from_str::<Value>(expression) else {
        return expression.to_owned();
    };
    let mut strings = Vec::new();
    put_strings(&parsed, rename, &mut strings);
    if strings.iter().all(Option::is_none) {
        return expression.to_owned();
    }
    let (mut text, mut rest) = (String::new(), expression);
    for other in strings {
        let Some(start) = rest.find('"') else { break };
        let (before, string) = rest.split_at(start);
        let (string, after) = string.split_at(string_length(string));
        text.push_str(before);
        match other {
            Some(name) => text.push_str(&Value::from(name).to_string()),
            None => text.push_str(string),
        }
        rest = after;
    }
    text + rest
}

/// For every string of an expression, in the order in which they are written, what takes its place, if anything does.
/// The JSON parser has bounded the depth.
fn put_strings(part: &Value, rename: &dyn Fn(&str, &str) -> Option<String>, strings: &mut Vec<Option<String>>) {
    match part {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(_) => strings.push(None),
        Value::Object(members) => {
            for (_, value) in members {
                strings.push(None);
                put_strings(value, rename, strings);
            }
        }
        Value::Array(items) => {
            let first = strings.len();
            items.iter().for_each(|item| put_strings(item, rename, strings));
            if let [Value::String(operator), Value::String(property), ..] = items.as_slice()
                && let Some(name) = property.strip_prefix('$').and_then(|name| rename(operator, name))
                && let Some(place) = strings.get_mut(first + 1)
            {
                *place = Some(format!("${name}"));
            }
        }
    }
}

/// The length of the JSON string that a text begins with, its quotes included.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    let is_end = |byte: u8| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    };
    text.bytes().skip(1).position(is_end).map_or(text.len(), |end| end + 2)
}

/// The capability names an expression uses, scope prefix removed.
pub fn names(text: &str) -> Vec<String> {
    parse(text).map_or_else(
        |_| Vec::new(),
        |predicate| {
            predicate
                .properties()
                .into_iter()
                .map(|name| name.strip_prefix(CAPABILITY_SCOPE).unwrap_or(name).to_owned())
                .collect()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::{as_written, renamed, unseen};

    #[test]
    fn v17_an_expression_is_shown_as_it_was_written() {
        for (written, kept) in [
            (r#"["==","$a",  "1"]"#, r#"["==","$unseen:a",  "1"]"#),
            (r#" [ "lacks" , "$a" ] "#, r#" [ "lacks" , "$unseen:a" ] "#),
            (
                r#"["and", ["==", "$b", "$a"], ["or", ["<", "$a", 7], []]]"#,
                r#"["and", ["==", "$b", "$a"], ["or", ["<", "$unseen:a", 7], []]]"#,
            ),
            (r#"["==", "$b\\", "\"$a"]"#, r#"["==", "$b\\", "\"$a"]"#),
            ("no JSON $a", "no JSON $a"),
            (r#"{"$a": ["==", "$a", "1"]}"#, r#"{"$a": ["==", "$unseen:a", "1"]}"#),
            ("", ""),
        ] {
            let hidden = renamed(written, &|_, name| (name == "a").then(|| unseen(name)));
            assert_eq!(hidden, kept);
            assert_eq!(as_written(&hidden), written);
        }
    }
}
