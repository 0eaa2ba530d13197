//! The resource type `virtual:instance`: places for instances of one size, on hosts shared with others.
//!
//! Invariant: every method may be cut off between any two calls to the outside and be called again; it then ends
//! where an undisturbed call would have ended.

pub mod openstack;

use plugin_action::{Receivers, Standalone};
use plugin_api::{AssignedInstances, Assignment, PluginError};

pub use openstack::OpenStackInstances;
pub use pools::Names;

/// The resource type both plugins serve.
pub const RESOURCE_TYPE: &str = "virtual:instance";

/// Reservations of instances without a cloud, for this resource type.
pub fn standalone(resource_type: &'static str, receivers: Receivers) -> Standalone {
    Standalone::new(
        resource_type,
        |assignment| instances_of(assignment).map(drop),
        receivers,
    )
}

fn instances_of(assignment: &Assignment) -> Result<&AssignedInstances, PluginError> {
    assignment.instances.as_ref().ok_or_else(|| {
        let reservation = &assignment.reservation_id;
        PluginError::Rejected(format!("reservation {reservation} says no size of its instances"))
    })
}

#[cfg(test)]
mod tests;
