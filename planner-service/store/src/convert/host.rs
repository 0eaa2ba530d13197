//! Hosts and properties and their rows.

use std::collections::{BTreeMap, HashMap};

use planner_core::domain::{Host, Property};
use plugin_api::{Inventory, Provision};

use crate::entity::{host, host_capability, host_inventory, host_trait, property};

/// The row of a host.
pub(crate) fn host_row(host: &Host) -> host::Model {
    host::Model {
        id: host.id.clone(),
        vcpus: host.vcpus,
        cpu_info: host.cpu_info.clone(),
        hypervisor_type: host.hypervisor_type.clone(),
        hypervisor_version: host.hypervisor_version,
        hypervisor_hostname: host.hypervisor_hostname.clone(),
        service_name: host.service_name.clone(),
        memory_mb: host.memory_mb,
        local_gb: host.local_gb,
        availability_zone: host.availability_zone.clone(),
        trust_id: host.trust_id.clone(),
        reservable: host.reservable,
        created_at: host.created_at,
        updated_at: host.updated_at,
    }
}

/// The rows of a host's capabilities.
pub(crate) fn capability_rows(host: &Host) -> impl Iterator<Item = host_capability::Model> + '_ {
    host.capabilities.iter().map(|(name, value)| host_capability::Model {
        host_id: host.id.clone(),
        name: name.clone(),
        value: value.clone(),
    })
}

/// The rows of what a host can give.
pub(crate) fn inventory_rows(host: &Host) -> impl Iterator<Item = host_inventory::Model> + '_ {
    let inventories = host.provision.inventories.iter();
    inventories.map(|(class, inventory)| host_inventory::Model {
        host_id: host.id.clone(),
        resource_class: class.clone(),
        capacity: i64::try_from(inventory.capacity).unwrap_or(i64::MAX),
        max_unit: i64::try_from(inventory.max_unit).unwrap_or(i64::MAX),
    })
}

/// The rows of what a host is able to do.
pub(crate) fn trait_rows(host: &Host) -> impl Iterator<Item = host_trait::Model> + '_ {
    host.provision.traits.iter().map(|name| host_trait::Model {
        host_id: host.id.clone(),
        name: name.clone(),
    })
}

/// The rows of some hosts, in any order.
#[derive(Debug, Default)]
pub(crate) struct HostRows {
    pub(crate) hosts: Vec<host::Model>,
    pub(crate) capabilities: Vec<host_capability::Model>,
    pub(crate) inventories: Vec<host_inventory::Model>,
    pub(crate) traits: Vec<host_trait::Model>,
}

/// Hosts from their rows.
pub(crate) fn hosts_from_rows(rows: HostRows) -> Vec<Host> {
    let mut by_host: HashMap<String, BTreeMap<String, String>> = HashMap::new();
    for row in rows.capabilities {
        by_host.entry(row.host_id).or_default().insert(row.name, row.value);
    }
    let mut provisions: HashMap<String, Provision> = HashMap::new();
    for row in rows.inventories {
        let inventory = Inventory {
            capacity: u64::try_from(row.capacity).unwrap_or(0),
            max_unit: u64::try_from(row.max_unit).unwrap_or(0),
        };
        let provision = provisions.entry(row.host_id).or_default();
        provision.inventories.insert(row.resource_class, inventory);
    }
    for row in rows.traits {
        provisions.entry(row.host_id).or_default().traits.insert(row.name);
    }
    rows.hosts
        .into_iter()
        .map(|row| Host {
            capabilities: by_host.remove(&row.id).unwrap_or_default(),
            provision: provisions.remove(&row.id).unwrap_or_default(),
            id: row.id,
            vcpus: row.vcpus,
            cpu_info: row.cpu_info,
            hypervisor_type: row.hypervisor_type,
            hypervisor_version: row.hypervisor_version,
            hypervisor_hostname: row.hypervisor_hostname,
            service_name: row.service_name,
            memory_mb: row.memory_mb,
            local_gb: row.local_gb,
            availability_zone: row.availability_zone,
            trust_id: row.trust_id,
            reservable: row.reservable,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
        .collect()
}

/// The row of a property.
pub(crate) fn property_row(property: &Property) -> property::Model {
    property::Model {
        id: property.id.clone(),
        name: property.name.clone(),
        private: property.private,
        created_at: property.created_at,
        updated_at: property.updated_at,
    }
}

/// A property from its row.
pub(crate) fn property_from_row(row: property::Model) -> Property {
    Property {
        id: row.id,
        name: row.name,
        private: row.private,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
