//! The resource type `virtual:instance`: places for instances of one size, on hosts shared with others.
//!
//! Invariant: every method may be cut off between any two calls to the outside and be called again; it then ends
//! where an undisturbed call would have ended.

pub mod openstack;
pub mod standalone;

use plugin_api::{AssignedInstances, Assignment, PluginError};

pub use openstack::{OpenStackInstances, OpenStackInstancesConfig};
pub use standalone::StandaloneInstances;

/// The resource type both plugins serve.
pub const RESOURCE_TYPE: &str = "virtual:instance";

fn instances_of(assignment: &Assignment) -> Result<&AssignedInstances, PluginError> {
    assignment.instances.as_ref().ok_or_else(|| {
        let reservation = &assignment.reservation_id;
        PluginError::Rejected(format!("reservation {reservation} says no size of its instances"))
    })
}
