//! Which aggregates are the freepool, this reservation's, and other reservations'.
//!
//! Invariant: an aggregate counts as a reservation's only if its availability zone or our mark says
//! so; the operator's own aggregates are never touched.

use std::collections::BTreeMap;

use cloud::{Aggregate, CloudError};
use plugin_api::{Assignment, PluginError};

use super::{OpenStackHosts, OpenStackHostsConfig, unavailable};

/// Metadata key of the aggregates Berth has made; its value is the reservation's id.
pub(super) const MARK: &str = "berth:reservation";

/// The aggregates of a cloud at one moment, seen by one reservation (or by none: an empty id).
pub(super) struct Pools {
    freepool: Option<Aggregate>,
    pub(super) own: Option<Aggregate>,
    others: Vec<Aggregate>,
}

impl Pools {
    fn sort(aggregates: Vec<Aggregate>, reservation_id: &str, config: &OpenStackHostsConfig) -> Self {
        let mut pools = Self {
            freepool: None,
            own: None,
            others: Vec::new(),
        };
        for aggregate in aggregates {
            let reserved = aggregate.metadata.contains_key(MARK)
                || aggregate
                    .availability_zone
                    .as_deref()
                    .is_some_and(|zone| zone.starts_with(&config.az_prefix));
            if aggregate.name == config.freepool {
                pools.freepool = Some(aggregate);
            } else if aggregate.name == reservation_id {
                pools.own = Some(aggregate);
            } else if reserved {
                pools.others.push(aggregate);
            }
        }
        pools
    }

    /// The freepool, which only the operator makes.
    pub(super) fn freepool(&self) -> Result<&Aggregate, PluginError> {
        self.freepool
            .as_ref()
            .ok_or_else(|| PluginError::Waiting("No Freepool found".to_owned()))
    }

    /// The freepool, if there is one.
    pub(super) fn freepool_if_any(&self) -> Option<&Aggregate> {
        self.freepool.as_ref()
    }

    /// The other reservation that holds a host.
    pub(super) fn other_holder(&self, service_host: &str) -> Option<&Aggregate> {
        self.others.iter().find(|aggregate| aggregate.contains(service_host))
    }
}

impl OpenStackHosts {
    /// Reads the aggregates.
    pub(super) async fn pools(&self, reservation_id: &str) -> Result<Pools, CloudError> {
        Ok(Pools::sort(
            self.compute.aggregates().await?,
            reservation_id,
            &self.config,
        ))
    }

    /// The availability zone of a reservation.
    pub(super) fn zone_of(&self, reservation_id: &str) -> String {
        format!("{}{reservation_id}", self.config.az_prefix)
    }

    /// Metadata a reservation's aggregate must have.
    pub(super) fn metadata_of(&self, assignment: &Assignment) -> BTreeMap<String, Option<String>> {
        BTreeMap::from([
            (self.config.blazar_owner.clone(), Some(assignment.project_id.clone())),
            (MARK.to_owned(), Some(assignment.reservation_id.clone())),
        ])
    }

    /// Creates the reservation's aggregate. If somebody was faster, takes theirs.
    pub(super) async fn create_own(&self, assignment: &Assignment) -> Result<Aggregate, PluginError> {
        let name = &assignment.reservation_id;
        match self.compute.create_aggregate(name, Some(&self.zone_of(name))).await {
            Ok(aggregate) => Ok(aggregate),
            Err(error) if error.is_conflict() => self
                .pools(name)
                .await
                .map_err(unavailable)?
                .own
                .ok_or_else(|| unavailable(error)),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Whether some of the metadata is missing or different.
    pub(super) fn metadata_differs(&self, aggregate: &Aggregate, assignment: &Assignment) -> bool {
        self.metadata_of(assignment)
            .iter()
            .any(|(key, value)| aggregate.metadata.get(key) != value.as_ref())
    }

    /// Moves a host into an aggregate out of another one. With no zone of its own the other one is
    /// left last, so that the host is never outside of all pools; Nova refuses that order between zones.
    /// Either may already be done.
    pub(super) async fn move_host(
        &self,
        service_host: &str,
        from: Option<&Aggregate>,
        to: &Aggregate,
        steps: (&'static str, &'static str),
    ) -> Result<(), CloudError> {
        let (entered, left) = steps;
        let from = from.filter(|from| from.contains(service_host));
        let zones_exclude = from.is_some_and(|from| from.availability_zone.is_some()) && to.availability_zone.is_some();
        if zones_exclude && let Some(from) = from {
            CloudError::missing_is_fine(self.compute.remove_host(from, service_host).await)?;
            self.steps.reached(left);
        }
        if !to.contains(service_host) {
            self.compute.add_host(to, service_host).await?;
            self.steps.reached(entered);
        }
        if !zones_exclude && let Some(from) = from {
            CloudError::missing_is_fine(self.compute.remove_host(from, service_host).await)?;
            self.steps.reached(left);
        }
        Ok(())
    }

    /// Deletes every server on a host; answers how many are still there.
    pub(super) async fn clear_host(&self, service_host: &str, step: &'static str) -> Result<usize, PluginError> {
        let servers = self.compute.servers_on(service_host).await.map_err(unavailable)?;
        for server in &servers {
            tracing::info!(
                host = service_host,
                server = server.id,
                project = server.project_id,
                "deleting server"
            );
            CloudError::missing_is_fine(self.compute.delete_server(&server.id).await).map_err(unavailable)?;
            self.steps.reached(step);
        }
        if servers.is_empty() {
            return Ok(0);
        }
        // Deletion takes no time on some clouds; asking once more spares a whole round of waiting.
        Ok(self.compute.servers_on(service_host).await.map_err(unavailable)?.len())
    }
}
