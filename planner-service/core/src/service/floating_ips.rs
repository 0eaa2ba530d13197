//! What can be asked of floating IPs: addresses the inventory finds in order become addresses of the book, and leave it
//! again.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Listing, Service, ServiceError, inventory_error};
use crate::admission::floating_ips;
use crate::authority::{Caller, rules};
use crate::domain::FloatingIp;

impl Service {
    /// All floating IPs, by address.
    ///
    /// # Errors
    /// When the rule forbids it.
    pub async fn floating_ips(&self, caller: &Caller) -> Result<Listing<Arc<FloatingIp>>, ServiceError> {
        self.enforce_own(rules::FLOATING_IPS_GET, caller)?;
        let book = self.book.fresh().await;
        Ok(Box::new(move || {
            let mut found: Vec<Arc<FloatingIp>> = book.floating_ips().cloned().collect();
            found.sort_by_cached_key(|entry| {
                let address: Option<IpAddr> = entry.floating_ip_address.parse().ok();
                (address, entry.id.clone())
            });
            Box::new(found.into_iter())
        }))
    }

    /// One floating IP.
    ///
    /// # Errors
    /// When it does not exist or the rule forbids it.
    pub async fn floating_ip(&self, caller: &Caller, id: &str) -> Result<Arc<FloatingIp>, ServiceError> {
        self.enforce_own(rules::FLOATING_IPS_GET, caller)?;
        floating_ips::found(&*self.book.fresh().await, id)
    }

    /// Whether the caller may register floating IPs at all; asked before the body is looked at.
    ///
    /// # Errors
    /// When the rule forbids it.
    pub fn may_register_floating_ip(&self, caller: &Caller) -> Result<(), ServiceError> {
        self.enforce_own(rules::FLOATING_IPS_POST, caller)
    }

    /// Registers an address of a network.
    ///
    /// # Errors
    /// When it is registered already, the inventory refuses it, or the rule forbids it.
    pub async fn register_floating_ip(
        &self,
        caller: &Caller,
        network_id: &str,
        address: IpAddr,
    ) -> Result<Arc<FloatingIp>, ServiceError> {
        self.may_register_floating_ip(caller)?;
        let text = address.to_string();
        floating_ips::check_new(&*self.book.fresh().await, network_id, &text)?;
        let located = self.floating_ip_inventory.locate(network_id, address).await;
        let subnet_id = located.map_err(inventory_error)?;
        let (identifiers, network_id) = (Arc::clone(&self.identifiers), network_id.to_owned());
        self.submit(caller, move |draft| {
            floating_ips::register(draft, &network_id, &subnet_id, &text, identifiers.as_ref())
        })
        .await
    }

    /// Deregisters a floating IP that no reservation holds.
    ///
    /// # Errors
    /// When it does not exist, something holds it, or the rule forbids it.
    pub async fn delete_floating_ip(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        self.enforce_own(rules::FLOATING_IPS_DELETE, caller)?;
        let id = id.to_owned();
        self.submit(caller, move |draft| floating_ips::remove(draft, &id)).await
    }
}
