//! The aggregate of a reservation, and how hosts get into it and out of it.
//!
//! Invariant: a host that is moved is in one of the two aggregates at every moment where Nova allows it.

use std::collections::BTreeMap;

use cloud::{Aggregate, CloudError};
use plugin_api::{Assignment, PluginError};
use pools::{MARK, Pools, unavailable};

use super::OpenStackHosts;

impl OpenStackHosts {
    /// Reads the aggregates.
    pub(super) async fn pools(&self, reservation_id: &str) -> Result<Pools, CloudError> {
        Pools::read(&*self.compute, reservation_id, &self.config.names).await
    }

    /// The availability zone of a reservation.
    pub(super) fn zone_of(&self, reservation_id: &str) -> String {
        format!("{}{reservation_id}", self.config.names.az_prefix)
    }

    /// Metadata a reservation's aggregate must have.
    pub(super) fn metadata_of(&self, assignment: &Assignment) -> BTreeMap<String, Option<String>> {
        BTreeMap::from([
            (
                self.config.names.blazar_owner.clone(),
                Some(assignment.project_id.clone()),
            ),
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
