//! Registering, changing and removing hosts, and the properties they bring.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plugin_api::echo::shortened;
use plugin_api::{HostFacts, Provision};

use super::{is_held, second_check};
use crate::book::Book;
use crate::book::job::Draft;
use crate::domain::{Host, Property, Timestamp};
use crate::ports::{Change, Identifiers};
use crate::properties;
use crate::service::ServiceError;

/// Longest capability name, in characters.
pub(crate) const MAX_CAPABILITY_NAME: usize = 64;

/// Refuses a reference that is already registered, before anything outside is touched. A name that is the id of another host
/// would stand for two.
pub(crate) fn check_new(book: &Book, reference: &str) -> Result<(), ServiceError> {
    if book.host_by_name(reference).is_some() {
        return Err(already_registered(reference));
    }
    match book.host(reference) {
        Some(other) => Err(ServiceError::Conflict(format!(
            "Host '{reference}' cannot be registered by this name: it is the id of host '{}'",
            other.hypervisor_hostname
        ))),
        None => Ok(()),
    }
}

fn already_registered(reference: &str) -> ServiceError {
    ServiceError::Conflict(format!("Host '{reference}' is already registered"))
}

/// Enters hosts that the inventory has prepared: all of them, or none.
pub(crate) fn register(
    draft: &mut Draft,
    facts: &[HostFacts],
    trust_id: Option<&str>,
    identifiers: &dyn Identifiers,
) -> Result<Vec<Arc<Host>>, ServiceError> {
    let mut next_id = next_id(draft.book());
    let new: BTreeSet<&str> = facts.iter().map(|facts| facts.hypervisor_hostname.as_str()).collect();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut hosts = Vec::new();
    for facts in facts {
        // A number that is the name of another host would stand for two.
        let is_free = |id: &u64| !is_name_of_another(&id.to_string(), facts, &new, draft.book());
        next_id = (next_id..=u64::MAX).find(is_free).unwrap_or(next_id);
        let host = registered(facts, next_id, trust_id, draft.now());
        next_id = next_id.saturating_add(1);
        for name in [&host.id, &host.hypervisor_hostname] {
            check_new(draft.book(), name)?;
        }
        let names = BTreeSet::from([host.id.clone(), host.hypervisor_hostname.clone()]);
        if let Some(twice) = names.iter().find(|name| taken.contains(*name)) {
            return Err(already_registered(twice));
        }
        taken.extend(names);
        hosts.push(Arc::new(host));
    }
    write(draft, &hosts, identifiers)?;
    Ok(hosts)
}

/// Whether a host of the book, or another one that is registered with this one, has this name.
fn is_name_of_another(name: &str, facts: &HostFacts, new: &BTreeSet<&str>, book: &Book) -> bool {
    book.host_by_name(name).is_some() || (new.contains(name) && facts.hypervisor_hostname != name)
}

fn registered(facts: &HostFacts, next_id: u64, trust_id: Option<&str>, now: Timestamp) -> Host {
    Host {
        id: if facts.id.is_empty() {
            next_id.to_string()
        } else {
            facts.id.clone()
        },
        vcpus: facts.vcpus,
        cpu_info: facts.cpu_info.clone(),
        hypervisor_type: facts.hypervisor_type.clone(),
        hypervisor_version: facts.hypervisor_version,
        hypervisor_hostname: facts.hypervisor_hostname.clone(),
        service_name: facts.service_name.clone(),
        memory_mb: facts.memory_mb,
        local_gb: facts.local_gb,
        availability_zone: facts.availability_zone.clone(),
        trust_id: trust_id.unwrap_or_default().to_owned(),
        reservable: true,
        created_at: now,
        updated_at: None,
        capabilities: facts.capabilities.clone(),
        provision: facts.provision.clone(),
    }
}

/// The number after the greatest number that is a host's id.
fn next_id(book: &Book) -> u64 {
    let greatest = book
        .hosts()
        .filter_map(|host| host.id.parse::<u64>().ok())
        .max()
        .unwrap_or(0);
    greatest.saturating_add(1)
}

/// Sets and removes capabilities, all or none, and notes what the host can give now, if that is known.
pub(crate) fn update(
    draft: &mut Draft,
    id: &str,
    values: &BTreeMap<String, Option<String>>,
    provision: Option<&Provision>,
    identifiers: &dyn Identifiers,
) -> Result<Arc<Host>, ServiceError> {
    let host = found(draft.book(), id)?;
    if let Some(name) = values.keys().find(|name| name.chars().count() > MAX_CAPABILITY_NAME) {
        return Err(ServiceError::Invalid(format!(
            "Extra capability key too long: '{name}' has more than {MAX_CAPABILITY_NAME} characters"
        )));
    }
    let changed: Vec<&String> = values
        .iter()
        .filter(|(name, value)| host.capabilities.get(*name) != value.as_ref())
        .map(|(name, _)| name)
        .collect();
    let used = names_in_use(draft.book(), id, draft.now());
    let refused: Vec<String> = changed
        .iter()
        .filter(|name| used.contains(name))
        .map(|name| format!("'{name}'"))
        .collect();
    if !refused.is_empty() {
        return Err(ServiceError::Conflict(format!(
            "Can't add extracapabilities [{}] to Host {id}. A reservation that holds this host asks for them.",
            refused.join(", ")
        )));
    }
    let mut next = (*host).clone();
    if let Some(provision) = provision {
        next.provision.clone_from(provision);
    }
    for (name, value) in values {
        match value {
            Some(value) => next.capabilities.insert(name.clone(), value.clone()),
            None => next.capabilities.remove(name),
        };
    }
    next.updated_at = Some(draft.now());
    let next = Arc::new(next);
    write(draft, std::slice::from_ref(&next), identifiers)?;
    Ok(next)
}

/// Names that reservations holding this host now or later ask for.
fn names_in_use(book: &Book, host_id: &str, now: Timestamp) -> Vec<String> {
    book.leases()
        .filter(|lease| lease.end > now)
        .flat_map(|lease| &lease.reservations)
        .filter(|reservation| {
            reservation
                .allocations
                .iter()
                .any(|allocation| allocation.host_id == host_id)
        })
        .flat_map(|reservation| {
            let expressions = reservation.spec.expressions();
            expressions.into_iter().flat_map(properties::names).collect::<Vec<_>>()
        })
        .collect()
}

/// Takes a host out of planning before it is removed from the outside world. Refused while anything holds it.
pub(crate) fn retire(draft: &mut Draft, id: &str) -> Result<Arc<Host>, ServiceError> {
    let host = free(draft.book(), id)?;
    set_reservable(draft, &host, false)?;
    Ok(host)
}

/// Puts a host back into planning after its removal failed.
pub(crate) fn restore(draft: &mut Draft, id: &str) -> Result<(), ServiceError> {
    let host = found(draft.book(), id)?;
    set_reservable(draft, &host, true)
}

fn set_reservable(draft: &mut Draft, host: &Arc<Host>, reservable: bool) -> Result<(), ServiceError> {
    let next = Host {
        reservable,
        updated_at: Some(draft.now()),
        ..(**host).clone()
    };
    draft
        .change(vec![Change::PutHost(Arc::new(next))])
        .map_err(second_check)
}

/// Forgets a host.
pub(crate) fn remove(draft: &mut Draft, id: &str) -> Result<(), ServiceError> {
    free(draft.book(), id)?;
    draft
        .change(vec![Change::DeleteHost(id.to_owned())])
        .map_err(second_check)
}

/// The host, if it exists.
pub(crate) fn found(book: &Book, id: &str) -> Result<Arc<Host>, ServiceError> {
    book.host(id).cloned().ok_or_else(|| ServiceError::NotFound {
        kind: "host_id",
        id: id.to_owned(),
    })
}

/// The host, if it exists and nothing holds it.
fn free(book: &Book, id: &str) -> Result<Arc<Host>, ServiceError> {
    let host = found(book, id).map_err(|_| ServiceError::Missing(format!("Host '{}' not found!", shortened(id))))?;
    if is_held(book, id) {
        return Err(ServiceError::Conflict(format!(
            "Can't delete host {id}. The host is reserved."
        )));
    }
    Ok(host)
}

/// Makes a property private or public.
pub(crate) fn set_private(draft: &mut Draft, name: &str, private: bool) -> Result<Arc<Property>, ServiceError> {
    let property = draft
        .book()
        .property(name)
        .cloned()
        .ok_or_else(|| ServiceError::NotFound {
            kind: "property_name",
            id: name.to_owned(),
        })?;
    let next = Arc::new(Property {
        private,
        updated_at: Some(draft.now()),
        ..(*property).clone()
    });
    draft
        .change(vec![Change::PutProperty(Arc::clone(&next))])
        .map_err(second_check)?;
    Ok(next)
}

/// Writes hosts and every property name they bring for the first time.
fn write(draft: &mut Draft, hosts: &[Arc<Host>], identifiers: &dyn Identifiers) -> Result<(), ServiceError> {
    let now = draft.now();
    let names: BTreeSet<&String> = hosts.iter().flat_map(|host| host.capabilities.keys()).collect();
    let mut changes: Vec<Change> = names
        .into_iter()
        .filter(|name| draft.book().property(name).is_none())
        .map(|name| {
            Change::PutProperty(Arc::new(Property {
                id: identifiers.next(),
                name: name.clone(),
                private: false,
                created_at: now,
                updated_at: None,
            }))
        })
        .collect();
    changes.extend(hosts.iter().map(Arc::clone).map(Change::PutHost));
    draft.change(changes).map_err(second_check)
}
