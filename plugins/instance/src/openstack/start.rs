//! Giving a reservation its places.
//!
//! Invariant: access to the flavor comes last, so that nobody boots before there are places on every host; and no
//! host is touched that another reservation has for itself or that is not in the freepool.

use cloud::Aggregate;
use plugin_api::{AssignedHost, AssignedInstances, Assignment, Created, PluginError};
use pools::{Pools, unavailable};

use super::OpenStackInstances;
use super::objects::{AFFINITY_ID, class_of, extra_specs_of, flavor_of, policy_of};
use crate::instances_of;

impl OpenStackInstances {
    pub(super) async fn start_reservation(&self, assignment: &Assignment) -> Result<Created, PluginError> {
        let instances = instances_of(assignment)?;
        let reservation = assignment.reservation_id.as_str();
        let pools = self.pools(reservation).await?;
        pools.freepool()?;

        let group = self
            .ensure_group(assignment, policy_of(instances), pools.own.as_ref())
            .await?;
        self.start_flavor(reservation, instances, group.as_deref()).await?;
        let own = self.start_aggregate(assignment, &pools, group.as_deref()).await?;
        let class = class_of(reservation);
        self.placement.ensure_class(&class).await.map_err(unavailable)?;
        self.steps.reached("start:class_created");

        // One host that has to wait must not keep the others waiting.
        let mut waiting = Vec::new();
        for host in &assignment.hosts {
            let places = instances.places.get(&host.id).copied().unwrap_or(0);
            if places == 0 {
                continue;
            }
            if let Some(reason) = self.start_host(host, places, &own, &pools, &class).await? {
                waiting.push(reason);
            }
        }
        if !waiting.is_empty() {
            return Err(PluginError::Waiting(waiting.join("; ")));
        }

        match self
            .flavors
            .add_flavor_access(reservation, &assignment.project_id)
            .await
        {
            Ok(()) => self.steps.reached("start:access_given"),
            // It has grown, or was started before.
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(unavailable(error)),
        }
        Ok(Created {
            aggregate_id: Some(own.id),
            server_group_id: group,
        })
    }

    async fn start_flavor(
        &self,
        reservation: &str,
        instances: &AssignedInstances,
        group: Option<&str>,
    ) -> Result<(), PluginError> {
        let flavor = flavor_of(reservation, instances);
        let wanted = extra_specs_of(reservation, instances, group);
        let mut found = self.flavors.find_flavor(reservation).await.map_err(unavailable)?;
        let mut specs = match &found {
            Some(_) => self.flavors.extra_specs(reservation).await.map_err(unavailable)?,
            None => wanted.clone(),
        };
        // A flavor cannot be changed: one that was left by a start in vain, before the reservation was changed, goes.
        let outdated = found.as_ref().is_some_and(|found| *found != flavor)
            || specs
                .get(AFFINITY_ID)
                .is_some_and(|id| Some(id) != wanted.get(AFFINITY_ID));
        if outdated {
            let servers = self.compute.servers_of_flavor(reservation).await.map_err(unavailable)?;
            if !servers.is_empty() {
                return Err(PluginError::Waiting(format!(
                    "flavor {reservation} is not of the reserved size and {} servers were made of it",
                    servers.len()
                )));
            }
            let deleted = self.flavors.delete_flavor(reservation).await;
            self.removed(deleted, "start:flavor_deleted")?;
            found = None;
        }
        if found.is_none() {
            self.create_flavor(&flavor).await?;
            self.steps.reached("start:flavor_created");
            specs.clear();
        }
        if wanted.iter().any(|(key, value)| specs.get(key) != Some(value)) {
            self.flavors
                .set_extra_specs(reservation, &wanted)
                .await
                .map_err(unavailable)?;
            self.steps.reached("start:specs_set");
        }
        Ok(())
    }

    async fn start_aggregate(
        &self,
        assignment: &Assignment,
        pools: &Pools,
        group: Option<&str>,
    ) -> Result<Aggregate, PluginError> {
        let own = if let Some(own) = &pools.own {
            own.clone()
        } else {
            let created = self.create_own(&assignment.reservation_id).await?;
            self.steps.reached("start:aggregate_created");
            created
        };
        let wanted = self.metadata_of(assignment, group);
        if Self::metadata_differs(&own, &wanted) {
            self.compute.set_metadata(&own, &wanted).await.map_err(unavailable)?;
            self.steps.reached("start:metadata_set");
        }
        Ok(own)
    }

    /// Answers why the host has to wait, if it has to.
    async fn start_host(
        &self,
        host: &AssignedHost,
        places: u32,
        own: &Aggregate,
        pools: &Pools,
        class: &str,
    ) -> Result<Option<String>, PluginError> {
        let (name, service_host) = (&host.hypervisor_hostname, host.service_name.as_str());
        if let Some(other) = pools.host_holder(service_host) {
            return Ok(Some(format!("host {name} still belongs to reservation {}", other.name)));
        }
        if !own.contains(service_host) {
            let freepool = pools.freepool()?;
            if !freepool.contains(service_host) {
                return Ok(Some(format!("Host {name} not in freepool '{}'", freepool.name)));
            }
            match self.compute.add_host(own, service_host).await {
                Ok(()) => self.steps.reached("start:host_added"),
                Err(error) if error.is_not_found() => return Ok(Some(format!("Host '{name}' not found!"))),
                Err(error) => return Err(unavailable(error)),
            }
        }
        let Some(provider) = self.provider_of(host, "start:provider_created").await? else {
            return Ok(Some(format!("No such resource provider {name}")));
        };
        self.placement
            .set_inventory(&provider, class, places)
            .await
            .map_err(unavailable)?;
        self.steps.reached("start:inventory_set");
        Ok(None)
    }
}
