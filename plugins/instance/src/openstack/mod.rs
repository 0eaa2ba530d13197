//! Places for instances in an OpenStack cloud: a flavor of their own, and on each host so many of a resource class
//! of their own as there are places.
//!
//! Invariant: the hosts stay in the freepool, so that ordinary servers do not come to them, and the project can use
//! the flavor only while everything that limits it is there.

mod end;
mod objects;
mod prepare;
mod reconcile;
mod start;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use cloud::{CloudError, Compute, Flavors, Placement, ServerGroups};
use plugin_api::{Assignment, Created, Finding, PluginError, ResourcePlugin, StepObserver};
use pools::{Names, Pools, unavailable};

use crate::RESOURCE_TYPE;

/// Reservations of instances through Nova and Placement.
pub struct OpenStackInstances {
    resource_type: &'static str,
    compute: Arc<dyn Compute>,
    flavors: Arc<dyn Flavors>,
    server_groups: Arc<dyn ServerGroups>,
    placement: Arc<dyn Placement>,
    names: Names,
    steps: Arc<dyn StepObserver>,
}

impl OpenStackInstances {
    /// Every step, in the order in which the life of a reservation reaches them.
    pub const STEPS: &'static [&'static str] = &[
        "group:created",
        "start:flavor_deleted",
        "start:flavor_created",
        "start:specs_set",
        "start:aggregate_created",
        "start:metadata_set",
        "start:class_created",
        "start:host_added",
        "start:provider_created",
        "start:inventory_set",
        "start:access_given",
        "reconcile:flavor_created",
        "reconcile:specs_set",
        "reconcile:aggregate_created",
        "reconcile:metadata_set",
        "reconcile:host_added",
        "reconcile:host_in_freepool",
        "reconcile:provider_created",
        "reconcile:class_created",
        "reconcile:inventory_set",
        "reconcile:extra_in_freepool",
        "reconcile:extra_removed",
        "reconcile:inventory_deleted",
        "reconcile:access_given",
        "end:access_removed",
        "end:server_deleted",
        "end:inventory_deleted",
        "end:class_deleted",
        "group:deleted",
        "end:host_in_freepool",
        "end:host_removed",
        "end:aggregate_deleted",
        "end:flavor_deleted",
    ];

    /// A plugin on the services of one cloud.
    pub fn new<Cloud>(cloud: Arc<Cloud>, names: Names, steps: Arc<dyn StepObserver>) -> Self
    where
        Cloud: Compute + Flavors + ServerGroups + Placement + 'static,
    {
        Self {
            resource_type: RESOURCE_TYPE,
            compute: cloud.clone(),
            flavors: cloud.clone(),
            server_groups: cloud.clone(),
            placement: cloud,
            names,
            steps,
        }
    }

    /// The same for another resource type whose reservations are of instances.
    #[must_use]
    pub const fn serving(mut self, resource_type: &'static str) -> Self {
        self.resource_type = resource_type;
        self
    }

    async fn pools(&self, reservation_id: &str) -> Result<Pools, PluginError> {
        Pools::read(&*self.compute, reservation_id, &self.names)
            .await
            .map_err(unavailable)
    }

    /// Reports the step of a removal that had something to remove; it is fine if it had not.
    fn removed(&self, result: Result<(), CloudError>, step: &'static str) -> Result<(), PluginError> {
        match result {
            Ok(()) => {
                self.steps.reached(step);
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }
}

#[async_trait]
impl ResourcePlugin for OpenStackInstances {
    fn resource_type(&self) -> &str {
        self.resource_type
    }

    async fn prepare(&self, assignment: &Assignment) -> Result<Created, PluginError> {
        self.prepare_reservation(assignment).await
    }

    async fn discard(&self, assignment: &Assignment) -> Result<(), PluginError> {
        self.delete_groups(assignment, None).await
    }

    async fn start(&self, assignment: &Assignment) -> Result<Created, PluginError> {
        self.start_reservation(assignment).await
    }

    async fn before_end(&self, _assignment: &Assignment) -> Result<(), PluginError> {
        Ok(())
    }

    async fn end(&self, assignment: &Assignment) -> Result<(), PluginError> {
        self.end_reservation(assignment).await
    }

    async fn reconcile(&self, assignment: &Assignment) -> Result<Vec<Finding>, PluginError> {
        self.reconcile_reservation(assignment).await
    }
}
