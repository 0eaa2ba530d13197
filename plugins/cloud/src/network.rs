//! What Berth needs from Neutron.
//!
//! Invariant: a floating IP is known by network and address; Neutron has at most one of each.

use std::net::IpAddr;

use async_trait::async_trait;

use crate::CloudError;

/// A subnet of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// First address and length of the prefix.
    pub cidr: (IpAddr, u8),
    /// The gateway, if it has one.
    pub gateway: Option<IpAddr>,
    /// First and last addresses of what Neutron gives out by itself.
    pub allocation_pools: Vec<(IpAddr, IpAddr)>,
}

impl Subnet {
    /// Whether an address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (first, length) = self.cidr;
        let same = |one: u128, other: u128, bits: u32| {
            let free = bits.saturating_sub(u32::from(length));
            one.checked_shr(free).unwrap_or(0) == other.checked_shr(free).unwrap_or(0)
        };
        match (first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => same(first.to_bits().into(), address.to_bits().into(), 32),
            (IpAddr::V6(first), IpAddr::V6(address)) => same(first.to_bits(), address.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// Whether Neutron itself uses an address of it or may give it out.
    pub fn uses(&self, address: IpAddr) -> bool {
        let pooled = |&(first, last): &(IpAddr, IpAddr)| first <= address && address <= last;
        self.gateway == Some(address) || self.allocation_pools.iter().any(pooled)
    }
}

/// A floating IP of a project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProjectAddress {
    /// Neutron's id.
    pub id: String,
    /// The address.
    pub address: String,
    /// The external network.
    pub network_id: String,
    /// The project it belongs to.
    pub project_id: String,
    /// The port it is attached to.
    pub port_id: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
}

/// A floating IP that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAddress<'a> {
    /// The external network.
    pub network_id: &'a str,
    /// The subnet of it.
    pub subnet_id: &'a str,
    /// The address.
    pub address: &'a str,
    /// Whose it will be.
    pub project_id: &'a str,
}

/// The network service.
#[async_trait]
pub trait Network: Send + Sync {
    /// Subnets of a network in the network's order. [`CloudError::NotFound`] if there is no such network.
    async fn subnets(&self, network_id: &str) -> Result<Vec<Subnet>, CloudError>;

    /// The floating IP with this address in a network, if there is one.
    async fn find_address(&self, network_id: &str, address: &str) -> Result<Option<ProjectAddress>, CloudError>;

    /// Makes a floating IP. [`CloudError::Conflict`] if the address is in use.
    async fn create_address(&self, new: &NewAddress<'_>) -> Result<ProjectAddress, CloudError>;

    /// Replaces the tags of a floating IP.
    async fn set_address_tags(&self, id: &str, tags: &[String]) -> Result<(), CloudError>;

    /// Takes a floating IP from its port.
    async fn detach_address(&self, id: &str) -> Result<(), CloudError>;

    /// Deletes a floating IP.
    async fn delete_address(&self, id: &str) -> Result<(), CloudError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_lies_in_a_subnet_whose_prefix_it_has() {
        let subnet = |first: &str, length| Subnet {
            id: String::new(),
            cidr: (first.parse().unwrap(), length),
            gateway: None,
            allocation_pools: Vec::new(),
        };
        let holds = |first, length, address: &str| subnet(first, length).contains(address.parse().unwrap());
        assert!(holds("172.24.4.0", 24, "172.24.4.255"));
        assert!(!holds("172.24.4.0", 24, "172.24.5.0"));
        assert!(holds("172.24.4.128", 25, "172.24.4.128"));
        assert!(!holds("172.24.4.128", 25, "172.24.4.127"));
        assert!(holds("0.0.0.0", 0, "255.255.255.255"));
        assert!(holds("10.0.0.1", 32, "10.0.0.1") && !holds("10.0.0.1", 32, "10.0.0.0"));
        assert!(holds("2001:db8::", 64, "2001:db8::ffff") && !holds("2001:db8::", 64, "2001:db8:0:1::"));
        assert!(holds("::", 0, "2001:db8::1") && !holds("::", 0, "10.0.0.1"));
    }
}
