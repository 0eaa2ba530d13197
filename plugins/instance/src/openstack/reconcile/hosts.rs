//! Auditing the hosts of a reservation and their places.
//!
//! Invariant: a host the reservation does not use keeps nothing of it, unless servers hold it.

use cloud::{Aggregate, CloudError};
use plugin_api::{AssignedHost, PluginError};
use pools::{provider_name, unavailable};

use super::{Audit, OpenStackInstances};

/// What became of an attempt to repair: done, or why not.
fn repaired(result: Result<(), CloudError>) -> Result<(bool, String), PluginError> {
    match result {
        Ok(()) => Ok((true, String::new())),
        Err(error @ (CloudError::Conflict(_) | CloudError::Refused(_))) => Ok((false, format!(": {error}"))),
        Err(error) => Err(unavailable(error)),
    }
}

impl OpenStackInstances {
    pub(super) async fn audit_hosts(&self, audit: &mut Audit<'_>, own: &Aggregate) -> Result<(), PluginError> {
        let assignment = audit.assignment;
        for host in &assignment.hosts {
            let places = audit.instances.places.get(&host.id).copied().unwrap_or(0);
            if places > 0 && self.audit_member(audit, host, own).await? {
                self.audit_places(audit, host, places).await?;
            }
        }
        let used = |service_host: &str| assignment.hosts.iter().any(|host| host.service_name == service_host);
        for extra in own.hosts.iter().filter(|member| !used(member)) {
            self.return_to_freepool(extra, &audit.pools, "reconcile:extra_in_freepool")
                .await?;
            let removed = self.compute.remove_host(own, extra).await;
            self.removed(removed, "reconcile:extra_removed")?;
            let detail = format!(
                "host {extra} was in the aggregate of reservation {}, which does not use it",
                own.name
            );
            audit.report("host_extra", extra, detail, true);
        }
        self.audit_extra_places(audit).await
    }

    /// Answers whether the host can serve the reservation.
    async fn audit_member(
        &self,
        audit: &mut Audit<'_>,
        host: &AssignedHost,
        own: &Aggregate,
    ) -> Result<bool, PluginError> {
        let (name, service_host) = (host.hypervisor_hostname.as_str(), host.service_name.as_str());
        let known = self.compute.search_hypervisors(name).await.map_err(unavailable)?;
        if known.iter().all(|hypervisor| hypervisor.hostname != name) {
            let detail = format!("host {name} of reservation {} does not exist any more", own.name);
            audit.report("host_gone", name, detail, false);
            return Ok(false);
        }
        if let Some(other) = audit.pools.host_holder(service_host) {
            let detail = format!(
                "host {name} of reservation {} is in the aggregate of {}, which reserves it whole",
                own.name, other.name
            );
            audit.report("host_elsewhere", name, detail, false);
            return Ok(false);
        }
        let freepool = audit.pools.freepool_if_any().cloned();
        if let Some(freepool) = freepool.filter(|freepool| !freepool.contains(service_host)) {
            let (done, why) = repaired(self.compute.add_host(&freepool, service_host).await)?;
            if done {
                self.steps.reached("reconcile:host_in_freepool");
            }
            let detail = format!(
                "host {name} of reservation {} was not in the freepool, so that ordinary servers could come to it{why}",
                own.name
            );
            audit.report("freepool_missing", name, detail, done);
        }
        if !own.contains(service_host) {
            let (done, why) = repaired(self.compute.add_host(own, service_host).await)?;
            if done {
                self.steps.reached("reconcile:host_added");
            }
            let detail = format!(
                "host {name} was missing from the aggregate of reservation {}{why}",
                own.name
            );
            audit.report("host_missing", name, detail, done);
        }
        Ok(true)
    }

    async fn audit_places(&self, audit: &mut Audit<'_>, host: &AssignedHost, places: u32) -> Result<(), PluginError> {
        let name = host.hypervisor_hostname.as_str();
        let Some(provider) = self.provider_of(host, "reconcile:provider_created").await? else {
            let detail = format!("host {name} has no resource provider, so that it has no places");
            audit.report("provider_missing", name, detail, false);
            return Ok(());
        };
        let classes = self.placement.inventories(&provider).await.map_err(unavailable)?;
        let found = classes.get(&audit.class).map_or(0, |inventory| inventory.total);
        if found == i64::from(places) {
            return Ok(());
        }
        self.placement.ensure_class(&audit.class).await.map_err(unavailable)?;
        self.steps.reached("reconcile:class_created");
        self.placement
            .set_inventory(&provider, &audit.class, places)
            .await
            .map_err(unavailable)?;
        self.steps.reached("reconcile:inventory_set");
        let detail = format!(
            "host {name} had {found} places instead of {places} for reservation {}",
            audit.reservation()
        );
        audit.report("places_differ", name, detail, true);
        Ok(())
    }

    async fn audit_extra_places(&self, audit: &mut Audit<'_>) -> Result<(), PluginError> {
        let assignment = audit.assignment;
        let used = |provider: &str| {
            let mut hosts = assignment.hosts.iter();
            hosts.any(|host| provider_name(&host.hypervisor_hostname) == provider)
        };
        let found = self.placement.providers_with(&audit.class).await.map_err(unavailable)?;
        for provider in found.iter().filter(|provider| !used(&provider.name)) {
            let deleted = self.placement.delete_inventory(provider, &audit.class).await;
            let (done, why) = repaired(CloudError::missing_is_fine(deleted))?;
            if done {
                self.steps.reached("reconcile:inventory_deleted");
            }
            let host = provider.name.strip_prefix(&provider_name("")).unwrap_or(&provider.name);
            let detail = format!(
                "host {host} had places for reservation {}, which does not use it{why}",
                audit.reservation()
            );
            audit.report("places_extra", host, detail, done);
        }
        Ok(())
    }
}
