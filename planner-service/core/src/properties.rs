//! The property language of the REST API: expressions as text, hosts as named values.
//!
//! Both property fields of a host reservation may name columns and extra capabilities; a host is
//! suitable when it satisfies both.

use std::collections::BTreeMap;
use std::sync::Arc;

use solver::predicate::{self, Predicate};

use crate::demand::{DISK_GB, MEMORY_MB, VCPU};
use crate::domain::Host;

/// Longest expression accepted, in bytes.
pub const MAX_EXPRESSION: usize = 64 * 1024;

/// Prefix by which a name means an extra capability even where a column has the same name.
const CAPABILITY_SCOPE: &str = "capabilities:";

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
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
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
            other @ (Predicate::Any(_) | Predicate::Compare { .. }) => parts.push(other),
        }
    }
    Ok(Predicate::All(parts))
}

/// The host as the planner sees it.
///
/// Besides columns and capabilities it has the names users bring from Nova's schedulers:
/// `capabilities:NAME` (the capability, whatever columns exist), `region`, `zone`, `cpu_cores`,
/// `free_ram_mb`, `free_disk_gb` (a reserved host is wholly free). SQL's NULL is the text `null`.
pub fn planner_host(host: &Host, region: &str) -> solver::model::Host {
    let mut properties: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &host.capabilities {
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
        ("trust_id", host.trust_id.clone()),
        ("reservable", if host.reservable { "1" } else { "0" }.to_owned()),
    ];
    for (name, value) in columns {
        properties.insert(name.to_owned(), value);
    }
    let amount = |value: i64| u64::try_from(value).unwrap_or(0);
    solver::model::Host {
        id: Arc::from(host.id.as_str()),
        properties,
        zone: Some(host.availability_zone.clone()).filter(|zone| !zone.is_empty()),
        rack: host.capabilities.get("rack").cloned(),
        capacity: BTreeMap::from([
            (VCPU.to_owned(), amount(host.vcpus)),
            (MEMORY_MB.to_owned(), amount(host.memory_mb)),
            (DISK_GB.to_owned(), amount(host.local_gb)),
        ]),
        blocks: Vec::new(),
        reservable: host.reservable,
    }
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
