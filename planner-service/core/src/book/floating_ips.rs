//! The floating IPs of a book, by id and by address.
//!
//! Invariant: between two batches of changes the planner's pool of a network holds exactly its reservable addresses.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;
use solver::model::{HostId, Pool, PoolWords};

use super::Book;
use crate::domain::FloatingIp;

/// Addresses that can be reserved.
#[derive(Clone, Default)]
pub(super) struct FloatingIps {
    by_id: OrdMap<String, Arc<FloatingIp>>,
    /// Ids by network and address.
    ids: OrdMap<(String, String), String>,
    /// Networks whose pools the planner has yet to be told.
    changed: BTreeSet<String>,
}

impl FloatingIps {
    pub(super) fn put(&mut self, address: &Arc<FloatingIp>) {
        self.remove(&address.id);
        self.changed.insert(address.floating_network_id.clone());
        self.ids.insert(place(address), address.id.clone());
        self.by_id.insert(address.id.clone(), Arc::clone(address));
    }

    pub(super) fn remove(&mut self, id: &str) {
        if let Some(old) = self.by_id.remove(id) {
            let place = place(&old);
            // Another one may have taken the address in the same batch.
            if self.ids.get(&place).is_some_and(|holder| holder == id) {
                self.ids.remove(&place);
            }
            self.changed.insert(old.floating_network_id.clone());
        }
    }
}

fn place(address: &FloatingIp) -> (String, String) {
    (address.floating_network_id.clone(), address.floating_ip_address.clone())
}

impl Book {
    /// Tells the planner which units the changed networks have now.
    pub(super) fn rebuild_pools(&mut self) {
        for network_id in std::mem::take(&mut self.floating_ips.changed) {
            let first = (network_id.clone(), String::new());
            let mut units: Vec<HostId> = self
                .floating_ips
                .ids
                .range(first..)
                .take_while(|((network, _), _)| *network == network_id)
                .filter_map(|(_, id)| self.floating_ips.by_id.get(id))
                .filter(|address| address.reservable)
                .map(|address| Arc::from(address.id.as_str()))
                .collect();
            units.sort();
            self.planner.put_pool(Pool {
                words: Some(PoolWords {
                    one: "address".into(),
                    more: "addresses".into(),
                    pool: format!("network {network_id}").into(),
                }),
                id: Arc::from(network_id),
                units,
            });
        }
    }

    /// A floating IP.
    pub fn floating_ip(&self, id: &str) -> Option<&Arc<FloatingIp>> {
        self.floating_ips.by_id.get(id)
    }

    /// The floating IP with this address in a network.
    pub fn floating_ip_at(&self, network_id: &str, address: &str) -> Option<&Arc<FloatingIp>> {
        let place = (network_id.to_owned(), address.to_owned());
        self.floating_ips.ids.get(&place).and_then(|id| self.floating_ip(id))
    }

    /// All floating IPs by id.
    pub fn floating_ips(&self) -> impl Iterator<Item = &Arc<FloatingIp>> {
        self.floating_ips.by_id.values()
    }
}
