//! Floating IPs of Neutron: made for the project when its reservation starts, deleted when it ends.
//!
//! Invariant: an address that belongs to another project, and not to this reservation, is never touched.

mod inventory;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use cloud::{CloudError, Network, NewAddress, ProjectAddress};
use plugin_api::{AssignedFloatingIp, Assignment, Created, Finding, PluginError, ResourcePlugin, StepObserver};

use crate::{RESOURCE_TYPE, floating_ips_of};

/// A tag of every floating IP of a reservation.
const SERVICE_TAG: &str = "blazar";

/// Begins the tag that names the reservation.
const RESERVATION_TAG: &str = "reservation:";

/// Reservations of floating IPs through Neutron.
pub struct OpenStackFloatingIps {
    network: Arc<dyn Network>,
    steps: Arc<dyn StepObserver>,
}

/// Whose a floating IP is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// The reservation's, as its tag or its project says.
    Own,
    /// Of another reservation.
    OtherReservation,
    /// Of another project.
    OtherProject,
}

impl Holder {
    fn of(address: &ProjectAddress, assignment: &Assignment) -> Self {
        let reservations = || address.tags.iter().filter_map(|tag| tag.strip_prefix(RESERVATION_TAG));
        if reservations().any(|id| id == assignment.reservation_id) {
            Self::Own
        } else if reservations().next().is_some() {
            Self::OtherReservation
        } else if address.project_id == assignment.project_id {
            // Made, but not tagged before the process died; or its owner has removed the tags.
            Self::Own
        } else {
            Self::OtherProject
        }
    }
}

impl OpenStackFloatingIps {
    /// Every step, in the order in which the life of a reservation reaches them.
    pub const STEPS: &'static [&'static str] = &[
        "start:address_created",
        "start:address_tagged",
        "end:address_detached",
        "end:address_deleted",
    ];

    /// A plugin on the network service of a cloud.
    pub fn new(network: Arc<dyn Network>, steps: Arc<dyn StepObserver>) -> Self {
        Self { network, steps }
    }

    /// Makes sure that the project has an address; answers whether it was not there.
    async fn give(
        &self,
        assignment: &Assignment,
        network_id: &str,
        assigned: &AssignedFloatingIp,
    ) -> Result<bool, PluginError> {
        let found = self.network.find_address(network_id, &assigned.address).await;
        let found = found.map_err(unavailable)?;
        let is_missing = found.is_none();
        let address = if let Some(address) = found {
            address
        } else {
            let new = NewAddress {
                network_id,
                subnet_id: &assigned.subnet_id,
                address: &assigned.address,
                project_id: &assignment.project_id,
            };
            let made = self.network.create_address(&new).await.map_err(unavailable)?;
            self.steps.reached("start:address_created");
            made
        };
        let text = &assigned.address;
        match Holder::of(&address, assignment) {
            Holder::Own => {}
            Holder::OtherReservation => {
                let reason = format!("floating IP {text} still belongs to another reservation");
                return Err(PluginError::Waiting(reason));
            }
            Holder::OtherProject => {
                let reason = format!("floating IP {text} is in use by project {}", address.project_id);
                return Err(PluginError::Waiting(reason));
            }
        }
        let tags = [
            SERVICE_TAG.to_owned(),
            format!("{RESERVATION_TAG}{}", assignment.reservation_id),
        ];
        if !tags.iter().all(|tag| address.tags.contains(tag)) {
            let tagged = self.network.set_address_tags(&address.id, &tags).await;
            tagged.map_err(unavailable)?;
            self.steps.reached("start:address_tagged");
        }
        Ok(is_missing)
    }

    /// Takes an address back, if the project has it.
    async fn take(
        &self,
        assignment: &Assignment,
        network_id: &str,
        assigned: &AssignedFloatingIp,
    ) -> Result<(), PluginError> {
        let found = self.network.find_address(network_id, &assigned.address).await;
        let Some(address) = found.map_err(unavailable)? else {
            return Ok(());
        };
        if Holder::of(&address, assignment) != Holder::Own {
            return Ok(());
        }
        if address.port_id.is_some() {
            let detached = self.network.detach_address(&address.id).await;
            CloudError::missing_is_fine(detached).map_err(unavailable)?;
            self.steps.reached("end:address_detached");
        }
        let deleted = self.network.delete_address(&address.id).await;
        CloudError::missing_is_fine(deleted).map_err(unavailable)?;
        self.steps.reached("end:address_deleted");
        Ok(())
    }
}

fn unavailable(error: CloudError) -> PluginError {
    let failure = error.into_failure();
    PluginError::Unavailable {
        service: failure.service,
        operation: failure.operation,
        reason: failure.reason,
    }
}

#[async_trait]
impl ResourcePlugin for OpenStackFloatingIps {
    fn resource_type(&self) -> &str {
        RESOURCE_TYPE
    }

    async fn start(&self, assignment: &Assignment) -> Result<Created, PluginError> {
        let floating_ips = floating_ips_of(assignment)?;
        for assigned in &floating_ips.addresses {
            self.give(assignment, &floating_ips.network_id, assigned).await?;
        }
        Ok(Created::default())
    }

    async fn before_end(&self, _assignment: &Assignment) -> Result<(), PluginError> {
        Ok(())
    }

    async fn end(&self, assignment: &Assignment) -> Result<(), PluginError> {
        let floating_ips = floating_ips_of(assignment)?;
        for assigned in &floating_ips.addresses {
            self.take(assignment, &floating_ips.network_id, assigned).await?;
        }
        Ok(())
    }

    async fn reconcile(&self, assignment: &Assignment) -> Result<Vec<Finding>, PluginError> {
        let floating_ips = floating_ips_of(assignment)?;
        let mut findings = Vec::new();
        for assigned in &floating_ips.addresses {
            match self.give(assignment, &floating_ips.network_id, assigned).await {
                Ok(false) => {}
                Ok(true) => {
                    let detail = format!("floating IP {} was missing and has been made again", assigned.address);
                    findings.push(Finding::new("floating_ip_missing", "", detail, true));
                }
                Err(PluginError::Waiting(reason)) => {
                    findings.push(Finding::new("floating_ip_elsewhere", "", reason, false));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(findings)
    }
}
