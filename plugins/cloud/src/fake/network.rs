//! Networks and floating IPs.
//!
//! Invariant: an address of a network is at most one floating IP.

use async_trait::async_trait;

use super::{Answer, FakeCloud, State};
use crate::{CloudError, Network, NewAddress, ProjectAddress, Subnet};

impl State {
    fn address(&mut self, id: &str) -> Result<&mut ProjectAddress, Answer> {
        let found = self.addresses.iter_mut().find(|address| address.id == id);
        found.ok_or(Answer(404, "Floating IP could not be found."))
    }
}

#[async_trait]
impl Network for FakeCloud {
    async fn subnets(&self, network_id: &str) -> Result<Vec<Subnet>, CloudError> {
        self.call("neutron", format!("show network {network_id}"), |state| {
            let found = state.networks.get(network_id).cloned();
            found.ok_or(Answer(404, "Network could not be found."))
        })
    }

    async fn find_address(&self, network_id: &str, address: &str) -> Result<Option<ProjectAddress>, CloudError> {
        self.call("neutron", format!("find floating IP {address}"), |state| {
            let mut known = state.addresses.iter();
            Ok(known
                .find(|known| known.network_id == network_id && known.address == address)
                .cloned())
        })
    }

    async fn create_address(&self, new: &NewAddress<'_>) -> Result<ProjectAddress, CloudError> {
        self.call("neutron", format!("create floating IP {}", new.address), |state| {
            let subnets = state.networks.get(new.network_id);
            let subnets = subnets.ok_or(Answer(404, "Network could not be found."))?;
            if !subnets.iter().any(|subnet| subnet.id == new.subnet_id) {
                return Err(Answer(404, "Subnet could not be found."));
            }
            let is_taken = |known: &ProjectAddress| known.network_id == new.network_id && known.address == new.address;
            if state.addresses.iter().any(is_taken) {
                return Err(Answer(409, "IP address already allocated."));
            }
            let made = ProjectAddress {
                id: format!("address-{}", state.new_id()),
                address: new.address.to_owned(),
                network_id: new.network_id.to_owned(),
                project_id: new.project_id.to_owned(),
                port_id: None,
                tags: Vec::new(),
            };
            state.addresses.push(made.clone());
            Ok(made)
        })
    }

    async fn set_address_tags(&self, id: &str, tags: &[String]) -> Result<(), CloudError> {
        self.call("neutron", format!("tag floating IP {id}"), |state| {
            tags.clone_into(&mut state.address(id)?.tags);
            Ok(())
        })
    }

    async fn detach_address(&self, id: &str) -> Result<(), CloudError> {
        self.call("neutron", format!("detach floating IP {id}"), |state| {
            state.address(id)?.port_id = None;
            Ok(())
        })
    }

    async fn delete_address(&self, id: &str) -> Result<(), CloudError> {
        self.call("neutron", format!("delete floating IP {id}"), |state| {
            state.address(id)?;
            state.addresses.retain(|address| address.id != id);
            Ok(())
        })
    }
}

/// What happens behind everyone's back. None of this counts as a call.
impl FakeCloud {
    /// Makes an external network with these subnets.
    pub fn add_network(&self, id: &str, subnets: Vec<Subnet>) {
        self.lock().networks.insert(id.to_owned(), subnets);
    }

    /// Floating IPs that exist.
    pub fn addresses(&self) -> Vec<ProjectAddress> {
        self.lock().addresses.clone()
    }

    /// Makes a floating IP of somebody.
    pub fn add_address(&self, address: ProjectAddress) {
        self.lock().addresses.push(address);
    }

    /// Attaches every floating IP of a project to a port.
    pub fn attach_addresses(&self, project_id: &str, port_id: &str) {
        let mut state = self.lock();
        let own = state
            .addresses
            .iter_mut()
            .filter(|address| address.project_id == project_id);
        for address in own {
            address.port_id = Some(port_id.to_owned());
        }
    }

    /// Removes the floating IPs of an address.
    pub fn drop_address(&self, address: &str) {
        self.lock().addresses.retain(|known| known.address != address);
    }
}
