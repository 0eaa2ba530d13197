//! Taking a reservation's hosts back.
//!
//! Invariant: only hosts that are in the reservation's own aggregate are touched, and the aggregate
//! goes last, so that as long as there is something left to do there is a trace of it.

use std::collections::BTreeMap;

use cloud::CloudError;
use plugin_api::{Assignment, PluginError};
use pools::unavailable;

use super::OpenStackHosts;

impl OpenStackHosts {
    pub(super) async fn end_reservation(&self, assignment: &Assignment) -> Result<(), PluginError> {
        let pools = self.pools(&assignment.reservation_id).await.map_err(unavailable)?;
        let Some(own) = &pools.own else { return Ok(()) };

        if own.metadata.contains_key(&self.config.names.blazar_owner) {
            // Without an owner the scheduler sends no new server to hosts that are being cleared.
            let nobody = BTreeMap::from([(self.config.names.blazar_owner.clone(), None)]);
            CloudError::missing_is_fine(self.compute.set_metadata(own, &nobody).await).map_err(unavailable)?;
            self.steps.reached("end:owner_removed");
        }

        let mut left = 0;
        let mut busy = Vec::new();
        for host in &own.hosts {
            if pools.holder(host).is_some() {
                continue;
            }
            let on_host = self.clear_host(host, "end:server_deleted").await?;
            if on_host > 0 {
                left += on_host;
                busy.push(host.as_str());
            }
        }
        if left > 0 {
            return Err(PluginError::Waiting(format!(
                "{left} servers are still being deleted on {}",
                busy.join(", ")
            )));
        }

        for host in &own.hosts {
            if pools.host_holder(host).is_some() {
                CloudError::missing_is_fine(self.compute.remove_host(own, host).await).map_err(unavailable)?;
                continue;
            }
            let freepool = pools.freepool()?;
            let moved = self
                .move_host(host, Some(own), freepool, ("end:host_in_freepool", "end:host_removed"))
                .await;
            match moved {
                Ok(()) => {}
                Err(error) if error.is_not_found() => {
                    tracing::warn!(host, reservation = own.name, "the host does not exist any more");
                    CloudError::missing_is_fine(self.compute.remove_host(own, host).await).map_err(unavailable)?;
                }
                Err(error) => return Err(unavailable(error)),
            }
        }
        // Between two zones a host leaves before it enters: a run that was cut off there is finished here.
        for host in &assignment.hosts {
            let name = host.service_name.as_str();
            let freepool = pools.freepool_if_any();
            let homeless = !own.contains(name)
                && pools.host_holder(name).is_none()
                && freepool.is_some_and(|pool| pool.availability_zone.is_some() && !pool.contains(name));
            if homeless && let Some(freepool) = freepool {
                CloudError::missing_is_fine(self.compute.add_host(freepool, name).await).map_err(unavailable)?;
                self.steps.reached("end:host_in_freepool");
            }
        }
        CloudError::missing_is_fine(self.compute.delete_aggregate(own).await).map_err(unavailable)?;
        self.steps.reached("end:aggregate_deleted");
        Ok(())
    }
}
