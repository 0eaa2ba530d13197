//! Taking a hypervisor into the freepool and out of it.
//!
//! Invariant: nothing is changed before everything that can be refused has been checked, and a
//! registration that was cut off is completed by repeating it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cloud::{Aggregate, CloudError, Hypervisor, Provider, Server};
use plugin_api::{
    AssignedHost, HostFacts, HostInventory, HostMonitor, HostRegistration, HostState, Inventory, InventoryError,
    Provision,
};
use pools::provider_name;

use super::OpenStackHosts;

/// Longest allowed key of an extra capability.
const LONGEST_KEY: usize = 64;

/// Keys of a request that are not capabilities: the inventory knows their values better.
const DETAIL_KEYS: [&str; 11] = [
    "id",
    "name",
    "vcpus",
    "memory_mb",
    "local_gb",
    "cpu_info",
    "hypervisor_type",
    "hypervisor_version",
    "hypervisor_hostname",
    "service_name",
    "availability_zone",
];

fn unavailable(error: &CloudError) -> InventoryError {
    InventoryError::Unavailable(error.to_string())
}

fn not_found(reference: &str) -> InventoryError {
    InventoryError::NotFound(format!("Host '{reference}' not found!"))
}

/// What remains of a request's values when the columns of a host are taken out.
pub(crate) fn capabilities(values: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, InventoryError> {
    if values.keys().any(|key| key.chars().count() > LONGEST_KEY) {
        return Err(InventoryError::Invalid("Extra capability key too long".to_owned()));
    }
    Ok(values
        .iter()
        .filter(|(key, _)| !DETAIL_KEYS.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect())
}

fn refuse_servers(servers: &[Server], hostname: &str) -> Result<(), InventoryError> {
    if servers.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = servers
        .iter()
        .map(|server| format!("{} ({})", server.id, server.name))
        .collect();
    Err(InventoryError::Conflict(format!(
        "Servers [[{}]] found for host {hostname}",
        list.join(", ")
    )))
}

fn refuse_reserved(holder: Option<&Aggregate>, hostname: &str) -> Result<(), InventoryError> {
    match holder {
        Some(holder) => Err(InventoryError::Conflict(format!(
            "Host {hostname} is in the aggregate of reservation {}",
            holder.name
        ))),
        None => Ok(()),
    }
}

impl OpenStackHosts {
    async fn find_hypervisor(&self, reference: &str) -> Result<Hypervisor, InventoryError> {
        let by_id =
            !reference.is_empty() && (reference.bytes().all(|byte| byte.is_ascii_digit()) || is_uuid(reference));
        if by_id {
            match self.compute.hypervisor(reference).await {
                Ok(hypervisor) => return Ok(hypervisor),
                Err(CloudError::NotFound(_) | CloudError::Refused(_)) => {}
                Err(error) => return Err(unavailable(&error)),
            }
        }
        let found = self
            .compute
            .search_hypervisors(reference)
            .await
            .map_err(|error| unavailable(&error))?;
        // `compute-1` is also a part of `compute-10`: the full name is meant where there is one.
        let id = match found.iter().find(|hypervisor| hypervisor.hostname == reference) {
            Some(exact) => exact.id.as_str(),
            None => match found.as_slice() {
                [] => return Err(not_found(reference)),
                [only] => only.id.as_str(),
                _ => {
                    return Err(InventoryError::Conflict(format!(
                        "Multiple Hosts found for pattern '{reference}'"
                    )));
                }
            },
        };
        match self.compute.hypervisor(id).await {
            Ok(hypervisor) => Ok(hypervisor),
            Err(error) if error.is_not_found() => Err(not_found(reference)),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Sizes Nova does not tell any more are Placement's to tell.
    async fn complete_sizes(&self, hypervisor: &mut Hypervisor, provider: &Provider) -> Result<(), InventoryError> {
        if hypervisor.vcpus.is_some() && hypervisor.memory_mb.is_some() && hypervisor.local_gb.is_some() {
            return Ok(());
        }
        let inventories = self
            .placement
            .inventories(provider)
            .await
            .map_err(|error| unavailable(&error))?;
        let total = |class: &str| inventories.get(class).map(|inventory| inventory.total);
        hypervisor.vcpus = hypervisor.vcpus.or_else(|| total("VCPU"));
        hypervisor.memory_mb = hypervisor.memory_mb.or_else(|| total("MEMORY_MB"));
        // A host with its disks elsewhere has none in its inventory.
        hypervisor.local_gb = hypervisor.local_gb.or_else(|| total("DISK_GB")).or(Some(0));
        Ok(())
    }

    async fn enter(&self, registration: &HostRegistration) -> Result<HostFacts, InventoryError> {
        let capabilities = capabilities(&registration.values)?;
        let mut hypervisor = self.find_hypervisor(&registration.reference).await?;
        let hostname = hypervisor.hostname.clone();
        let service_host = hypervisor.service_host.clone();
        let servers = self
            .compute
            .servers_on(&service_host)
            .await
            .map_err(|error| unavailable(&error))?;
        refuse_servers(&servers, &hostname)?;
        let availability_zone = if self.config.az_aware {
            self.compute
                .availability_zone(&service_host)
                .await
                .map_err(|error| unavailable(&error))?
        } else {
            None
        };
        let pools = self.pools("").await.map_err(|error| unavailable(&error))?;
        // One that shares the host with others is no obstacle: it needs the host in the freepool.
        refuse_reserved(pools.host_holder(&service_host), &hostname)?;
        let Some(freepool) = pools.freepool_if_any() else {
            return Err(InventoryError::NotFound("No Freepool found".to_owned()));
        };
        let parent = self
            .placement
            .find_provider(&hostname)
            .await
            .map_err(|error| unavailable(&error))?
            .ok_or_else(|| InventoryError::NotFound(format!("No such resource provider {hostname}")))?;
        self.complete_sizes(&mut hypervisor, &parent).await?;
        let provision = self.provision_of(&parent).await?;
        let (Some(vcpus), Some(memory_mb), Some(local_gb)) =
            (hypervisor.vcpus, hypervisor.memory_mb, hypervisor.local_gb)
        else {
            return Err(InventoryError::Forbidden(format!("Invalid values for host {hostname}")));
        };

        match self.placement.create_provider(&provider_name(&hostname), &parent).await {
            Ok(_) => self.steps.reached("register:provider_created"),
            // Left by a registration that was cut off, or by upstream: it is what we want.
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(unavailable(&error)),
        }
        if !freepool.contains(&service_host) {
            match self.compute.add_host(freepool, &service_host).await {
                Ok(()) => self.steps.reached("register:host_in_freepool"),
                Err(error) if error.is_not_found() => return Err(not_found(&registration.reference)),
                Err(error @ CloudError::Conflict(_)) => return Err(InventoryError::Conflict(error.to_string())),
                Err(error) => return Err(unavailable(&error)),
            }
        }
        Ok(HostFacts {
            id: hypervisor.id,
            vcpus,
            cpu_info: hypervisor.cpu_info,
            hypervisor_type: hypervisor.kind,
            hypervisor_version: hypervisor.version,
            hypervisor_hostname: hostname,
            service_name: service_host,
            memory_mb,
            local_gb,
            availability_zone: availability_zone.unwrap_or_default(),
            capabilities,
            provision,
        })
    }

    /// What Placement says of a host.
    async fn provision_of(&self, provider: &Provider) -> Result<Provision, InventoryError> {
        let inventories = self.placement.inventories(provider).await;
        let inventories = inventories.map_err(|error| unavailable(&error))?;
        let traits = self.placement.traits(provider).await;
        Ok(Provision {
            inventories: inventories
                .into_iter()
                .map(|(class, found)| {
                    let cloud::Inventory {
                        total,
                        reserved,
                        allocation_ratio,
                        max_unit,
                    } = found;
                    (class, Inventory::counted(total, reserved, allocation_ratio, max_unit))
                })
                .collect(),
            traits: traits.map_err(|error| unavailable(&error))?,
        })
    }

    async fn leave(&self, host: &AssignedHost) -> Result<(), InventoryError> {
        let servers = self
            .compute
            .servers_on(&host.service_name)
            .await
            .map_err(|error| unavailable(&error))?;
        refuse_servers(&servers, &host.hypervisor_hostname)?;
        let pools = self.pools("").await.map_err(|error| unavailable(&error))?;
        refuse_reserved(pools.holder(&host.service_name), &host.hypervisor_hostname)?;
        if let Some(freepool) = pools
            .freepool_if_any()
            .filter(|freepool| freepool.contains(&host.service_name))
        {
            let removed = self.compute.remove_host(freepool, &host.service_name).await;
            CloudError::missing_is_fine(removed).map_err(|error| unavailable(&error))?;
            self.steps.reached("deregister:host_out_of_freepool");
        }
        let name = provider_name(&host.hypervisor_hostname);
        if let Some(provider) = self
            .placement
            .find_provider(&name)
            .await
            .map_err(|error| unavailable(&error))?
        {
            match CloudError::missing_is_fine(self.placement.delete_provider(&provider).await) {
                Ok(()) => self.steps.reached("deregister:provider_deleted"),
                Err(error @ CloudError::Conflict(_)) => return Err(InventoryError::Conflict(error.to_string())),
                Err(error) => return Err(unavailable(&error)),
            }
        }
        Ok(())
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(position, byte)| match position {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[async_trait]
impl HostInventory for OpenStackHosts {
    async fn register(&self, registration: &HostRegistration) -> Result<HostFacts, InventoryError> {
        self.enter(registration).await
    }

    async fn deregister(&self, host: &AssignedHost) -> Result<(), InventoryError> {
        self.leave(host).await
    }

    async fn provision(&self, host: &AssignedHost) -> Result<Provision, InventoryError> {
        let name = &host.hypervisor_hostname;
        let provider = self.placement.find_provider(name).await;
        let provider = provider.map_err(|error| unavailable(&error))?;
        let provider = provider.ok_or_else(|| InventoryError::NotFound(format!("No such resource provider {name}")))?;
        self.provision_of(&provider).await
    }
}

#[async_trait]
impl HostMonitor for OpenStackHosts {
    async fn states(&self) -> Result<Vec<HostState>, InventoryError> {
        let states = self
            .compute
            .hypervisor_states()
            .await
            .map_err(|error| unavailable(&error))?;
        let stated = states.into_iter().map(|state| HostState {
            id: state.id,
            is_up: state.is_up,
        });
        Ok(stated.collect())
    }
}
