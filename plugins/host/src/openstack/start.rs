//! Giving a reservation its hosts.
//!
//! Invariant: a host joins the reservation's aggregate only when nobody else's server is on it and
//! no other reservation holds it. Servers are deleted only on a host that is in the freepool, where
//! they run on sufferance.

use plugin_api::{Assignment, PluginError};
use pools::unavailable;

use super::OpenStackHosts;

impl OpenStackHosts {
    pub(super) async fn start_reservation(&self, assignment: &Assignment) -> Result<(), PluginError> {
        let pools = self.pools(&assignment.reservation_id).await.map_err(unavailable)?;
        let freepool = pools.freepool()?;
        let own = if let Some(own) = &pools.own {
            own.clone()
        } else {
            let created = self.create_own(assignment).await?;
            self.steps.reached("start:aggregate_created");
            created
        };
        if own.availability_zone.as_deref() != Some(self.zone_of(&own.name).as_str()) {
            self.compute
                .set_availability_zone(&own, &self.zone_of(&own.name))
                .await
                .map_err(unavailable)?;
        }
        if self.metadata_differs(&own, assignment) {
            self.compute
                .set_metadata(&own, &self.metadata_of(assignment))
                .await
                .map_err(unavailable)?;
            self.steps.reached("start:metadata_set");
        }

        // One host that has to wait must not keep the others waiting.
        let mut waiting = Vec::new();
        for host in &assignment.hosts {
            let service_host = host.service_name.as_str();
            if let Some(other) = pools.holder(service_host) {
                waiting.push(format!(
                    "host {} still belongs to reservation {}",
                    host.hypervisor_hostname, other.name
                ));
                continue;
            }
            let joined = own.contains(service_host);
            if !joined {
                let left = if freepool.contains(service_host) {
                    self.clear_host(service_host, "start:server_deleted").await?
                } else {
                    self.compute.servers_on(service_host).await.map_err(unavailable)?.len()
                };
                if left > 0 && freepool.contains(service_host) {
                    waiting.push(format!(
                        "{left} servers on host {} are still being deleted",
                        host.hypervisor_hostname
                    ));
                    continue;
                }
                if left > 0 {
                    waiting.push(format!(
                        "Host {} not in freepool '{}' and has {left} servers on it",
                        host.hypervisor_hostname, freepool.name
                    ));
                    continue;
                }
            }
            let moved = self
                .move_host(
                    service_host,
                    Some(freepool),
                    &own,
                    ("start:host_added", "start:host_out_of_freepool"),
                )
                .await;
            match moved {
                Ok(()) => {}
                Err(error) if error.is_not_found() => {
                    waiting.push(format!("Host '{}' not found!", host.hypervisor_hostname));
                }
                Err(error) => return Err(unavailable(error)),
            }
        }
        if waiting.is_empty() {
            Ok(())
        } else {
            Err(PluginError::Waiting(waiting.join("; ")))
        }
    }
}
