//! Which values the book takes: the same on every engine.
//!
//! Invariant: what passes here is stored unchanged by SQLite, PostgreSQL and MariaDB; what does not is
//! refused before the database sees it. PostgreSQL has no NUL in texts, MariaDB no long packets and no
//! periods after the year 9999, SQLite no limits at all.

use migrations::{ID_LENGTH, LEASE_NAME_LENGTH, NAME_LENGTH, WORD_LENGTH};
use planner_core::domain::{Allocation, FloatingIp, Host, Lease, Notification, Property, ReservationSpec};
use planner_core::ports::StoreError;

/// Longest text without a limit of its own, in bytes.
pub(crate) const LONG_TEXT: usize = 4 * 1024 * 1024;

/// First second of the year 10,000.
const END_OF_DATES: i64 = 253_402_300_800;

fn refused(what: String) -> StoreError {
    StoreError::Corrupt { what }
}

fn no_nul(field: &str, text: &str) -> Result<(), StoreError> {
    if text.contains('\0') {
        Err(refused(format!("no NUL character, but {field} has one")))
    } else {
        Ok(())
    }
}

fn bounded(field: &str, text: &str, limit: usize) -> Result<(), StoreError> {
    no_nul(field, text)?;
    // Counting is needed only where bytes do not settle it.
    if text.len() > limit {
        let length = text.chars().count();
        if length > limit {
            return Err(refused(format!("only {limit} characters of {field}, not {length}")));
        }
    }
    Ok(())
}

/// An id of any object.
pub(crate) fn id(field: &str, text: &str) -> Result<(), StoreError> {
    bounded(field, text, ID_LENGTH)
}

/// A name of any object but a lease.
pub(crate) fn name(field: &str, text: &str) -> Result<(), StoreError> {
    bounded(field, text, NAME_LENGTH)
}

/// A long text.
pub(crate) fn long_text(field: &str, text: &str) -> Result<(), StoreError> {
    no_nul(field, text)?;
    if text.len() > LONG_TEXT {
        return Err(refused(format!(
            "only {LONG_TEXT} bytes of {field}, not {}",
            text.len()
        )));
    }
    Ok(())
}

/// A lease with everything in it.
pub(crate) fn lease(lease: &Lease) -> Result<(), StoreError> {
    id("a lease's id", &lease.id)?;
    bounded("a lease's name", &lease.name, LEASE_NAME_LENGTH)?;
    name("a lease's user", &lease.user_id)?;
    name("a lease's project", &lease.project_id)?;
    lease
        .trust_id
        .as_deref()
        .map_or(Ok(()), |trust| id("a lease's trust", trust))?;
    for reservation in &lease.reservations {
        id("a reservation's id", &reservation.id)?;
        id("a reservation's resource id", &reservation.resource_id)?;
        match &reservation.spec {
            ReservationSpec::Host(spec) => {
                long_text("a reservation's hypervisor properties", &spec.hypervisor_properties)?;
                long_text("a reservation's resource properties", &spec.resource_properties)?;
                bounded("a reservation's before_end", &spec.before_end, WORD_LENGTH)?;
            }
            ReservationSpec::Instance(spec) => {
                long_text("a reservation's resource properties", &spec.resource_properties)?;
                let group = spec.objects.server_group_id.as_deref();
                group.map_or(Ok(()), |group| id("a server group's id", group))?;
            }
            ReservationSpec::Countable(spec) => bounded("a resource type", &spec.resource_type, WORD_LENGTH)?,
            // Its flavor is looked at when it is written as text.
            ReservationSpec::Flavor(_) => {}
            ReservationSpec::FloatingIp(spec) => {
                name("a reservation's network", &spec.network_id)?;
                let mut required = spec.required_floatingips.iter();
                required.try_for_each(|address| id("a required address", address))?;
            }
        }
        reservation.allocations.iter().try_for_each(allocation)?;
    }
    for event in &lease.events {
        id("an event's id", &event.id)?;
        event
            .waiting
            .as_deref()
            .map_or(Ok(()), |reason| long_text("an event's reason to wait", reason))?;
    }
    Ok(())
}

fn allocation(allocation: &Allocation) -> Result<(), StoreError> {
    id("a host's id", &allocation.host_id)?;
    let Allocation {
        start, occupied_until, ..
    } = *allocation;
    if 0 <= start && start < occupied_until && occupied_until < END_OF_DATES {
        return Ok(());
    }
    Err(refused(format!(
        "only allocations that begin before they end, from 1970 to 9999, not {start}..{occupied_until}"
    )))
}

/// A host with its capabilities.
pub(crate) fn host(host: &Host) -> Result<(), StoreError> {
    id("a host's id", &host.id)?;
    long_text("a host's CPU information", &host.cpu_info)?;
    long_text("a host's hypervisor type", &host.hypervisor_type)?;
    name("a host's name", &host.hypervisor_hostname)?;
    name("a host's service name", &host.service_name)?;
    name("a host's availability zone", &host.availability_zone)?;
    id("a host's trust", &host.trust_id)?;
    host.capabilities.iter().try_for_each(|(capability, value)| {
        name("a capability's name", capability)?;
        long_text("a capability's value", value)
    })?;
    let mut provided = host.provision.inventories.keys().chain(&host.provision.traits);
    provided.try_for_each(|provided| name("a host's resource class or trait", provided))
}

/// A notification. Its payload holds texts whose lengths have been checked.
pub(crate) fn notification(notification: &Notification) -> Result<(), StoreError> {
    id("a notification's id", &notification.id)?;
    id("a notification's outlet", &notification.outlet)?;
    name("a notification's project", &notification.project_id)?;
    name("a notification's user", &notification.user_id)?;
    no_nul("a notification's payload", &notification.payload)
}

/// A property.
pub(crate) fn property(property: &Property) -> Result<(), StoreError> {
    id("a property's id", &property.id)?;
    name("a property's name", &property.name)
}

/// A floating IP.
pub(crate) fn floating_ip(address: &FloatingIp) -> Result<(), StoreError> {
    id("a floating IP's id", &address.id)?;
    name("a floating IP's network", &address.floating_network_id)?;
    name("a floating IP's subnet", &address.subnet_id)?;
    id("a floating IP's address", &address.floating_ip_address)
}
