//! Addresses that are Berth's own inventory, for networks without a cloud around them.

use std::net::IpAddr;

use async_trait::async_trait;
use plugin_action::{Receivers, Standalone};
use plugin_api::{FloatingIpInventory, InventoryError};

use crate::{RESOURCE_TYPE, floating_ips_of};

/// Reservations of floating IPs without a cloud.
pub fn standalone(receivers: Receivers) -> Standalone {
    Standalone::new(
        RESOURCE_TYPE,
        |assignment| floating_ips_of(assignment).map(drop),
        receivers,
    )
}

/// Any address of any network: nobody else knows them.
#[derive(Debug, Clone, Copy)]
pub struct AnyAddress;

#[async_trait]
impl FloatingIpInventory for AnyAddress {
    async fn locate(&self, _network_id: &str, _address: IpAddr) -> Result<String, InventoryError> {
        Ok(String::new())
    }
}
