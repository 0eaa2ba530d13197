//! Auditing a running reservation.
//!
//! Invariant: repairs only what cannot hurt anybody: no server is deleted, and no host is taken
//! from another reservation or while servers run on it. Whatever disagreed is reported.

use cloud::{Aggregate, CloudError};
use plugin_api::{AssignedHost, Assignment, Finding, PluginError};
use pools::{Pools, unavailable};

use super::OpenStackHosts;

impl OpenStackHosts {
    pub(super) async fn reconcile_reservation(&self, assignment: &Assignment) -> Result<Vec<Finding>, PluginError> {
        let mut findings = Vec::new();
        let pools = self.pools(&assignment.reservation_id).await.map_err(unavailable)?;
        let own = if let Some(own) = &pools.own {
            own.clone()
        } else {
            let created = self.create_own(assignment).await?;
            let detail = format!(
                "the aggregate of reservation {} was gone and was made again",
                created.name
            );
            findings.push(Finding::new("aggregate_missing", "", detail, true));
            created
        };
        self.reconcile_aggregate(&own, assignment, &mut findings).await?;
        for host in &assignment.hosts {
            self.reconcile_host(host, &own, &pools, assignment, &mut findings)
                .await?;
        }
        for extra in own
            .hosts
            .iter()
            .filter(|member| assignment.hosts.iter().all(|host| host.service_name != **member))
        {
            self.reconcile_extra(extra, &own, &pools, &mut findings).await?;
        }
        Ok(findings)
    }

    async fn reconcile_aggregate(
        &self,
        own: &Aggregate,
        assignment: &Assignment,
        findings: &mut Vec<Finding>,
    ) -> Result<(), PluginError> {
        let zone = self.zone_of(&own.name);
        if own.availability_zone.as_deref() != Some(zone.as_str()) {
            let found = own.availability_zone.as_deref().unwrap_or("none").to_owned();
            let repaired = match self.compute.set_availability_zone(own, &zone).await {
                Ok(()) => true,
                Err(CloudError::Conflict(_) | CloudError::Refused(_)) => false,
                Err(error) => return Err(unavailable(error)),
            };
            let detail = format!(
                "the availability zone of aggregate {} was {found} instead of {zone}",
                own.name
            );
            findings.push(Finding::new("zone_differs", "", detail, repaired));
        }
        if self.metadata_differs(own, assignment) {
            let fresh = own.metadata.is_empty();
            self.compute
                .set_metadata(own, &self.metadata_of(assignment))
                .await
                .map_err(unavailable)?;
            // A new aggregate has none; that is no second thing to report.
            if !(fresh && findings.iter().any(|found| found.kind == "aggregate_missing")) {
                let detail = format!("the metadata of aggregate {} did not name its owner", own.name);
                findings.push(Finding::new("metadata_differs", "", detail, true));
            }
        }
        Ok(())
    }

    async fn reconcile_host(
        &self,
        host: &AssignedHost,
        own: &Aggregate,
        pools: &Pools,
        assignment: &Assignment,
        findings: &mut Vec<Finding>,
    ) -> Result<(), PluginError> {
        let name = host.hypervisor_hostname.as_str();
        let service_host = host.service_name.as_str();
        let known = self.compute.search_hypervisors(name).await.map_err(unavailable)?;
        if known.iter().all(|hypervisor| hypervisor.hostname != name) {
            let detail = format!("host {name} of reservation {} does not exist any more", own.name);
            findings.push(Finding::new("host_gone", name, detail, false));
            return Ok(());
        }
        if let Some(other) = pools.holder(service_host) {
            let detail = format!(
                "host {name} of reservation {} is in the aggregate of {}",
                own.name, other.name
            );
            findings.push(Finding::new("host_elsewhere", name, detail, false));
            return Ok(());
        }
        let in_freepool = pools
            .freepool_if_any()
            .is_some_and(|freepool| freepool.contains(service_host));
        if !own.contains(service_host) || in_freepool {
            let moved = self
                .move_host(
                    service_host,
                    pools.freepool_if_any(),
                    own,
                    ("reconcile:host_added", "reconcile:host_out_of_freepool"),
                )
                .await;
            let (repaired, why) = match moved {
                Ok(()) => (true, String::new()),
                Err(error @ (CloudError::Conflict(_) | CloudError::Refused(_))) => (false, format!(": {error}")),
                Err(error) => return Err(unavailable(error)),
            };
            let detail = if own.contains(service_host) {
                format!("host {name} of reservation {} was in the freepool too{why}", own.name)
            } else {
                format!(
                    "host {name} was missing from the aggregate of reservation {}{why}",
                    own.name
                )
            };
            findings.push(Finding::new("host_missing", name, detail, repaired));
        }
        for server in self.compute.servers_on(service_host).await.map_err(unavailable)? {
            let shared = own.metadata.get(&server.project_id) == Some(&self.config.project_id_key);
            if server.project_id != assignment.project_id && !shared {
                let detail = format!(
                    "server {} ({}) of project {} runs on host {name}, which reservation {} of project {} holds",
                    server.id, server.name, server.project_id, own.name, assignment.project_id
                );
                findings.push(Finding::new("foreign_server", name, detail, false));
            }
        }
        Ok(())
    }

    async fn reconcile_extra(
        &self,
        extra: &str,
        own: &Aggregate,
        pools: &Pools,
        findings: &mut Vec<Finding>,
    ) -> Result<(), PluginError> {
        let servers = self.compute.servers_on(extra).await.map_err(unavailable)?;
        if !servers.is_empty() {
            let detail = format!(
                "host {extra} is in the aggregate of reservation {}, which does not hold it, and has {} servers",
                own.name,
                servers.len()
            );
            findings.push(Finding::new("host_extra", extra, detail, false));
            return Ok(());
        }
        let steps = ("reconcile:extra_in_freepool", "reconcile:extra_removed");
        if pools.host_holder(extra).is_some() {
            CloudError::missing_is_fine(self.compute.remove_host(own, extra).await).map_err(unavailable)?;
        } else {
            match self.move_host(extra, Some(own), pools.freepool()?, steps).await {
                Ok(()) => {}
                Err(error) if error.is_not_found() => {
                    CloudError::missing_is_fine(self.compute.remove_host(own, extra).await).map_err(unavailable)?;
                }
                Err(error) => return Err(unavailable(error)),
            }
        }
        let detail = format!(
            "host {extra} was in the aggregate of reservation {}, which does not hold it",
            own.name
        );
        findings.push(Finding::new("host_extra", extra, detail, true));
        Ok(())
    }
}
