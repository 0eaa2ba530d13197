//! Whole hosts of an OpenStack cloud, moved between the freepool and one aggregate per reservation.
//!
//! Invariant: at every moment a registered host is in the freepool or in exactly one reservation's
//! aggregate (during a move in both), so that the scheduler filter never offers it to ordinary
//! servers, and nothing is ever done to a host that another reservation holds.

mod aggregate;
mod before_end;
mod end;
mod inventory;
mod reconcile;
mod start;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use cloud::{Compute, Images, Placement};
use plugin_api::{Assignment, Created, Finding, PluginError, ResourcePlugin, StepObserver};
use pools::Names;

pub(crate) use inventory::capabilities;

use crate::RESOURCE_TYPE;

/// How reservations of hosts look in the cloud. The defaults are upstream's, which its scheduler filter expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenStackHostsConfig {
    /// What aggregates are called.
    pub names: Names,
    /// Metadata value that marks a project, given as key, as another user of a reservation.
    pub project_id_key: String,
    /// Snapshots are named by this and the server's name.
    pub image_prefix: String,
    /// Whether a host's availability zone is recorded when it is registered.
    pub az_aware: bool,
    /// What `default` means before the end: `snapshot`, or empty for nothing.
    pub before_end: String,
}

impl Default for OpenStackHostsConfig {
    fn default() -> Self {
        Self {
            names: Names::default(),
            project_id_key: "blazar:project".to_owned(),
            image_prefix: "reserved_".to_owned(),
            az_aware: true,
            before_end: String::new(),
        }
    }
}

/// Reservations of hosts through Nova, Placement and, for snapshots, Glance.
pub struct OpenStackHosts {
    compute: Arc<dyn Compute>,
    placement: Arc<dyn Placement>,
    images: Arc<dyn Images>,
    config: OpenStackHostsConfig,
    steps: Arc<dyn StepObserver>,
}

impl OpenStackHosts {
    /// Every step, in the order in which the life of a host and a reservation reaches them.
    pub const STEPS: &'static [&'static str] = &[
        "register:provider_created",
        "register:host_in_freepool",
        "start:aggregate_created",
        "start:metadata_set",
        "start:server_deleted",
        "start:host_added",
        "start:host_out_of_freepool",
        "reconcile:host_added",
        "reconcile:host_out_of_freepool",
        "reconcile:extra_in_freepool",
        "reconcile:extra_removed",
        "before_end:image_created",
        "before_end:image_owned",
        "end:owner_removed",
        "end:server_deleted",
        "end:host_in_freepool",
        "end:host_removed",
        "end:aggregate_deleted",
        "deregister:host_out_of_freepool",
        "deregister:provider_deleted",
    ];

    /// A plugin on these services.
    pub fn new(
        compute: Arc<dyn Compute>,
        placement: Arc<dyn Placement>,
        images: Arc<dyn Images>,
        config: OpenStackHostsConfig,
        steps: Arc<dyn StepObserver>,
    ) -> Self {
        Self {
            compute,
            placement,
            images,
            config,
            steps,
        }
    }
}

#[async_trait]
impl ResourcePlugin for OpenStackHosts {
    fn resource_type(&self) -> &str {
        RESOURCE_TYPE
    }

    async fn start(&self, assignment: &Assignment) -> Result<Created, PluginError> {
        self.start_reservation(assignment).await?;
        // Clients are not told the aggregate of reserved hosts.
        Ok(Created::default())
    }

    async fn before_end(&self, assignment: &Assignment) -> Result<(), PluginError> {
        self.act_before_end(assignment).await
    }

    async fn end(&self, assignment: &Assignment) -> Result<(), PluginError> {
        self.end_reservation(assignment).await
    }

    async fn reconcile(&self, assignment: &Assignment) -> Result<Vec<Finding>, PluginError> {
        self.reconcile_reservation(assignment).await
    }
}
