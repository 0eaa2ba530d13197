//! Which addresses of Neutron's networks may be registered.
//!
//! Invariant: only an address that Neutron neither uses itself nor gives out: it lies in a subnet of the network and
//! outside of what the subnet allocates from.

use std::net::IpAddr;

use async_trait::async_trait;
use plugin_api::{FloatingIpInventory, InventoryError};

use super::OpenStackFloatingIps;

#[async_trait]
impl FloatingIpInventory for OpenStackFloatingIps {
    async fn locate(&self, network_id: &str, address: IpAddr) -> Result<String, InventoryError> {
        let subnets = self.network.subnets(network_id).await.map_err(|error| {
            if error.is_not_found() {
                InventoryError::Invalid(format!("Failed to find network {network_id}"))
            } else {
                InventoryError::Unavailable(error.to_string())
            }
        })?;
        let subnet = subnets.into_iter().find(|subnet| subnet.contains(address));
        let subnet = subnet.ok_or_else(|| {
            InventoryError::NotFound(format!("Valid subnet for the floating IP {address} is not found."))
        })?;
        if subnet.uses(address) {
            return Err(InventoryError::Invalid(format!(
                "The floating IP {address} is used in allocation_pools or gateway_ip in subnet {} .",
                subnet.id
            )));
        }
        Ok(subnet.id)
    }
}
