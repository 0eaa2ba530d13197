//! The resource type `flavor:instance`: places for instances of a flavor that the cloud has, on hosts shared with others.
//!
//! Invariant: a reservation is of the flavor as it was when it was booked, whatever becomes of that flavor. Its life
//! in the cloud is that of a reservation of instances of a size of their own.

mod openstack;
mod standalone;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use cloud::{Compute, Flavors, Placement, ServerGroups};
use instance_plugin::{Names, OpenStackInstances};
use plugin_action::{Receivers, Standalone};
use plugin_api::StepObserver;

pub use openstack::OpenStackFlavors;
pub use standalone::{ListedFlavors, UnreadableFlavors};

/// The resource type.
pub const RESOURCE_TYPE: &str = "flavor:instance";

/// Reservations of instances of a flavor through Nova and Placement.
pub fn openstack<Cloud>(cloud: Arc<Cloud>, names: Names, steps: Arc<dyn StepObserver>) -> OpenStackInstances
where
    Cloud: Compute + Flavors + ServerGroups + Placement + 'static,
{
    OpenStackInstances::new(cloud, names, steps).serving(RESOURCE_TYPE)
}

/// The same without a cloud.
pub fn standalone(receivers: Receivers) -> Standalone {
    instance_plugin::standalone(RESOURCE_TYPE, receivers)
}
