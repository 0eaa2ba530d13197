//! Taking a reservation's places back.
//!
//! Invariant: no server is left when the places go, and the flavor goes last, because Nova finds servers by a flavor
//! only as long as it is there. What is missing is fine everywhere: also the end of what never started succeeds.

use std::collections::BTreeMap;

use cloud::{Aggregate, CloudError, Server};
use plugin_api::{Assignment, PluginError};
use pools::{Pools, unavailable};

use super::OpenStackInstances;
use super::objects::class_of;

impl OpenStackInstances {
    pub(super) async fn end_reservation(&self, assignment: &Assignment) -> Result<(), PluginError> {
        let reservation = assignment.reservation_id.as_str();
        let pools = self.pools(reservation).await?;
        let taken = self
            .flavors
            .remove_flavor_access(reservation, &assignment.project_id)
            .await;
        self.removed(taken, "end:access_removed")?;

        self.end_servers(reservation, pools.own.as_ref()).await?;
        self.end_inventories(reservation).await?;
        self.delete_groups(assignment, None).await?;
        if let Some(own) = &pools.own {
            self.end_aggregate(own, &pools).await?;
        }
        let deleted = self.flavors.delete_flavor(reservation).await;
        self.removed(deleted, "end:flavor_deleted")
    }

    async fn end_servers(&self, reservation: &str, own: Option<&Aggregate>) -> Result<(), PluginError> {
        let servers = self.servers_of(reservation, own).await?;
        for server in servers.values() {
            tracing::info!(
                reservation,
                server = server.id,
                host = server.host,
                project = server.project_id,
                "deleting server"
            );
            CloudError::missing_is_fine(self.compute.delete_server(&server.id).await).map_err(unavailable)?;
            self.steps.reached("end:server_deleted");
        }
        if servers.is_empty() {
            return Ok(());
        }
        // Deletion takes no time on some clouds; asking once more spares a whole round of waiting.
        match self.servers_of(reservation, own).await?.len() {
            0 => Ok(()),
            left => Err(PluginError::Waiting(format!(
                "{left} servers of flavor {reservation} are still being deleted"
            ))),
        }
    }

    /// Servers made of the flavor, by id. Those of a flavor somebody has replaced are only found on their hosts.
    async fn servers_of(
        &self,
        reservation: &str,
        own: Option<&Aggregate>,
    ) -> Result<BTreeMap<String, Server>, PluginError> {
        let mut servers = self.compute.servers_of_flavor(reservation).await.map_err(unavailable)?;
        for host in own.into_iter().flat_map(|own| &own.hosts) {
            let on_host = self.compute.servers_on(host).await.map_err(unavailable)?;
            servers.extend(on_host.into_iter().filter(|server| server.flavor_id == reservation));
        }
        Ok(servers.into_iter().map(|server| (server.id.clone(), server)).collect())
    }

    async fn end_inventories(&self, reservation: &str) -> Result<(), PluginError> {
        let class = class_of(reservation);
        // A class nobody has inventory of goes at once, which spares asking for every host.
        match self.placement.delete_class(&class).await {
            Err(error) if error.is_conflict() => {}
            result => return self.removed(result, "end:class_deleted"),
        }
        // No server holds any of them by now, so that the search finds all, also on hosts the reservation has left.
        for provider in self.placement.providers_with(&class).await.map_err(unavailable)? {
            let deleted = self.placement.delete_inventory(&provider, &class).await;
            self.removed(deleted, "end:inventory_deleted")?;
        }
        let deleted = self.placement.delete_class(&class).await;
        self.removed(deleted, "end:class_deleted")
    }

    async fn end_aggregate(&self, own: &Aggregate, pools: &Pools) -> Result<(), PluginError> {
        for host in &own.hosts {
            self.return_to_freepool(host, pools, "end:host_in_freepool").await?;
            let removed = self.compute.remove_host(own, host).await;
            self.removed(removed, "end:host_removed")?;
        }
        let deleted = self.compute.delete_aggregate(own).await;
        self.removed(deleted, "end:aggregate_deleted")
    }

    /// Puts a host that is missing from the freepool back, unless a reservation has it for itself. Answers whether
    /// that was necessary.
    pub(super) async fn return_to_freepool(
        &self,
        service_host: &str,
        pools: &Pools,
        step: &'static str,
    ) -> Result<bool, PluginError> {
        let freepool = pools
            .freepool_if_any()
            .filter(|freepool| !freepool.contains(service_host) && pools.host_holder(service_host).is_none());
        let Some(freepool) = freepool else { return Ok(false) };
        match self.compute.add_host(freepool, service_host).await {
            Ok(()) => {
                self.steps.reached(step);
                Ok(true)
            }
            Err(error) if error.is_not_found() => {
                tracing::warn!(host = service_host, "the host does not exist any more");
                Ok(false)
            }
            Err(error) => Err(unavailable(error)),
        }
    }
}
