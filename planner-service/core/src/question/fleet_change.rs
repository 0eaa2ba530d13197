//! Changes of the fleet in thought, from an operator's terms to the planner's.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugin_api::Provision;
use plugin_api::echo::shortened;
use solver::model::{HostId, Interval};
use solver::question::FleetChange;

use crate::admission::minute;
use crate::book::Book;
use crate::domain::{Host, Timestamp};
use crate::properties;
use crate::service::ServiceError;

/// Most hosts that may be added, and most changes of hosts in one question.
pub const MOST_HOSTS: u32 = 10_000;

/// Most bytes that the names and values of the properties of added hosts may have in sum: each host has its own.
pub const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// A change of the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostChange {
    /// More hosts.
    Add {
        /// How many.
        count: u32,
        /// Id or hypervisor host name of one they are like.
        like: Option<String>,
        /// Capabilities they have besides, or instead of those of that host.
        capabilities: BTreeMap<String, String>,
    },
    /// A host is gone from now on.
    Remove {
        /// Id or hypervisor host name.
        host: String,
    },
    /// A host is down for a time.
    Down {
        /// Id or hypervisor host name.
        host: String,
        /// First second; `None`: now.
        start: Option<Timestamp>,
        /// First second after; `None`: for ever.
        end: Option<Timestamp>,
    },
}

/// The changes in the planner's terms.
pub(super) fn changes(asked: &[HostChange], book: &Book, now: Timestamp) -> Result<Vec<FleetChange>, ServiceError> {
    let mut changes = Vec::new();
    let (mut added, mut bytes) = (0_u32, 0_u64);
    for change in asked {
        match change {
            HostChange::Add {
                count,
                like,
                capabilities,
            } => {
                let first = added;
                added = added.saturating_add(*count);
                if *count == 0 || added > MOST_HOSTS {
                    return Err(ServiceError::Invalid(format!(
                        "hosts.add.count: must be from 1 to {MOST_HOSTS} in all"
                    )));
                }
                let pattern = pattern(book, like.as_deref(), capabilities)?;
                let texts = pattern
                    .capabilities
                    .iter()
                    .map(|(name, value)| name.len() + value.len());
                let each = u64::try_from(texts.sum::<usize>()).unwrap_or(u64::MAX);
                bytes = u64::from(*count).saturating_mul(each).saturating_add(bytes);
                if bytes > MOST_BYTES {
                    return Err(ServiceError::Invalid(format!(
                        "hosts.add: {count} hosts with {each} bytes of properties each are too much; the properties of all \
                         added hosts may have {MOST_BYTES} bytes in sum"
                    )));
                }
                changes.extend((first..added).map(|number| FleetChange::Add(named(&pattern, number, book))));
            }
            HostChange::Remove { host } => changes.push(FleetChange::Remove(id(book, "remove", host)?)),
            HostChange::Down { host, start, end } => {
                let start = start.map_or(now, minute);
                let end = end.map_or(Timestamp::MAX, |end| minute(end.saturating_add(59)));
                if end <= start || end <= now {
                    let host = shortened(host);
                    return Err(ServiceError::Invalid(format!(
                        "hosts.down: host {host} must be down until later than it begins, and later than now"
                    )));
                }
                let during = Interval::new(start, end);
                let host = id(book, "down", host)?;
                changes.push(FleetChange::Down { host, during });
            }
        }
    }
    Ok(changes)
}

/// The host an operator means: by id, or by hypervisor host name.
fn found<'a>(book: &'a Book, member: &str, name: &str) -> Result<&'a Arc<Host>, ServiceError> {
    book.host(name).or_else(|| book.host_by_name(name)).ok_or_else(|| {
        let name = shortened(name);
        ServiceError::Invalid(format!("hosts.{member}: no host has the id or name '{name}'"))
    })
}

fn id(book: &Book, member: &str, name: &str) -> Result<HostId, ServiceError> {
    found(book, member, name).map(|host| HostId::from(host.id.as_str()))
}

/// What the added hosts are like.
fn pattern(book: &Book, like: Option<&str>, capabilities: &BTreeMap<String, String>) -> Result<Host, ServiceError> {
    let mut pattern = match like {
        Some(name) => Host::clone(found(book, "add.like", name)?),
        None => Host {
            id: String::new(),
            vcpus: 0,
            cpu_info: String::new(),
            hypervisor_type: String::new(),
            hypervisor_version: 0,
            hypervisor_hostname: String::new(),
            service_name: String::new(),
            memory_mb: 0,
            local_gb: 0,
            availability_zone: String::new(),
            trust_id: String::new(),
            reservable: true,
            created_at: 0,
            updated_at: None,
            capabilities: BTreeMap::new(),
            provision: Provision::default(),
        },
    };
    pattern.reservable = true;
    pattern
        .capabilities
        .extend(capabilities.iter().map(|(name, value)| (name.clone(), value.clone())));
    Ok(pattern)
}

/// One of the added hosts, under names that no host of the book has.
fn named(pattern: &Host, number: u32, book: &Book) -> solver::model::Host {
    let mut host = pattern.clone();
    let mut name = format!("added-{number}");
    while book.host(&name).is_some() || book.host_by_name(&name).is_some() {
        name.push('\'');
    }
    host.id.clone_from(&name);
    host.service_name.clone_from(&name);
    host.hypervisor_hostname = name;
    properties::planner_host(&host, book.region())
}
