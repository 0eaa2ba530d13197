//! The resource type `virtual:floatingip`: addresses of an external network.
//!
//! Invariant: every method may be cut off between any two calls to the outside and be called again; it then ends
//! where an undisturbed call would have ended.

pub mod openstack;
pub mod standalone;

use plugin_api::{AssignedFloatingIps, Assignment, PluginError};

pub use openstack::OpenStackFloatingIps;
pub use standalone::{AnyAddress, standalone};

/// The resource type both plugins serve.
pub const RESOURCE_TYPE: &str = "virtual:floatingip";

fn floating_ips_of(assignment: &Assignment) -> Result<&AssignedFloatingIps, PluginError> {
    assignment.floating_ips.as_ref().ok_or_else(|| {
        let reservation = &assignment.reservation_id;
        PluginError::Rejected(format!("reservation {reservation} says no network of its addresses"))
    })
}
