//! Neutron's networks and floating IPs over HTTP.

use std::net::IpAddr;

use async_trait::async_trait;
use http_client::Method;
use serde::Deserialize;
use serde_json::json;

use super::OpenStack;
use super::session::{Call, Service, segment};
use crate::{CloudError, Network, NewAddress, ProjectAddress, Subnet};

#[derive(Deserialize)]
struct OneNetwork {
    network: WireNetwork,
}

#[derive(Deserialize)]
struct WireNetwork {
    subnets: Vec<String>,
}

#[derive(Deserialize)]
struct OneSubnet {
    subnet: WireSubnet,
}

#[derive(Deserialize)]
struct WireSubnet {
    id: String,
    cidr: String,
    gateway_ip: Option<IpAddr>,
    #[serde(default)]
    allocation_pools: Vec<WirePool>,
}

#[derive(Deserialize)]
struct WirePool {
    start: IpAddr,
    end: IpAddr,
}

#[derive(Deserialize)]
struct Addresses {
    floatingips: Vec<WireAddress>,
}

#[derive(Deserialize)]
struct OneAddress {
    floatingip: WireAddress,
}

#[derive(Deserialize)]
struct WireAddress {
    id: String,
    floating_ip_address: String,
    floating_network_id: String,
    project_id: String,
    port_id: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

impl From<WireAddress> for ProjectAddress {
    fn from(wire: WireAddress) -> Self {
        Self {
            id: wire.id,
            address: wire.floating_ip_address,
            network_id: wire.floating_network_id,
            project_id: wire.project_id,
            port_id: wire.port_id,
            tags: wire.tags,
        }
    }
}

impl WireSubnet {
    fn read(self, call: &Call) -> Result<Subnet, CloudError> {
        let parts = self.cidr.split_once('/');
        let cidr = parts.and_then(|(first, length)| Some((first.parse().ok()?, length.parse().ok()?)));
        let cidr = cidr.ok_or_else(|| call.nonsense(None, format!("'{}' is not a CIDR", self.cidr)))?;
        Ok(Subnet {
            id: self.id,
            cidr,
            gateway: self.gateway_ip,
            allocation_pools: self
                .allocation_pools
                .iter()
                .map(|pool| (pool.start, pool.end))
                .collect(),
        })
    }
}

#[async_trait]
impl Network for OpenStack {
    async fn subnets(&self, network_id: &str) -> Result<Vec<Subnet>, CloudError> {
        let path = format!("networks/{}", segment(network_id));
        let call = Call::new(
            Service::Neutron,
            Method::GET,
            path,
            format!("show network {network_id}"),
        );
        let found: OneNetwork = self.session.send(&call).await?.read(&call)?;
        let mut subnets = Vec::new();
        for id in found.network.subnets {
            let path = format!("subnets/{}", segment(&id));
            let call = Call::new(Service::Neutron, Method::GET, path, format!("show subnet {id}"));
            let answer = self.session.send(&call).await;
            // Deleted since the network was read.
            if answer.as_ref().is_err_and(CloudError::is_not_found) {
                continue;
            }
            let subnet: OneSubnet = answer?.read(&call)?;
            subnets.push(subnet.subnet.read(&call)?);
        }
        Ok(subnets)
    }

    async fn find_address(&self, network_id: &str, address: &str) -> Result<Option<ProjectAddress>, CloudError> {
        let operation = format!("find floating IP {address}");
        let call = Call::new(Service::Neutron, Method::GET, "floatingips", operation)
            .query("floating_ip_address", address)
            .query("floating_network_id", network_id);
        let found: Addresses = self.session.send(&call).await?.read(&call)?;
        // A filter a service does not know is one it does not apply.
        let mut found = found.floatingips.into_iter().map(ProjectAddress::from);
        let is_same = |found: &ProjectAddress| match (found.address.parse::<IpAddr>(), address.parse::<IpAddr>()) {
            (Ok(found), Ok(address)) => found == address,
            _ => found.address == address,
        };
        Ok(found.find(|found| found.network_id == network_id && is_same(found)))
    }

    async fn create_address(&self, new: &NewAddress<'_>) -> Result<ProjectAddress, CloudError> {
        let operation = format!("create floating IP {}", new.address);
        let call = Call::new(Service::Neutron, Method::POST, "floatingips", operation).json(json!({"floatingip": {
            "floating_network_id": new.network_id,
            "subnet_id": new.subnet_id,
            "floating_ip_address": new.address,
            "project_id": new.project_id,
        }}));
        let made: OneAddress = self.session.send(&call).await?.read(&call)?;
        Ok(made.floatingip.into())
    }

    async fn set_address_tags(&self, id: &str, tags: &[String]) -> Result<(), CloudError> {
        let path = format!("floatingips/{}/tags", segment(id));
        let call = Call::new(Service::Neutron, Method::PUT, path, format!("tag floating IP {id}"));
        self.session.send(&call.json(json!({"tags": tags}))).await.map(drop)
    }

    async fn detach_address(&self, id: &str) -> Result<(), CloudError> {
        let path = format!("floatingips/{}", segment(id));
        let call = Call::new(Service::Neutron, Method::PUT, path, format!("detach floating IP {id}"));
        let body = json!({"floatingip": {"port_id": null}});
        self.session.send(&call.json(body)).await.map(drop)
    }

    async fn delete_address(&self, id: &str) -> Result<(), CloudError> {
        let path = format!("floatingips/{}", segment(id));
        let call = Call::new(
            Service::Neutron,
            Method::DELETE,
            path,
            format!("delete floating IP {id}"),
        );
        self.session.send(&call).await.map(drop)
    }
}
