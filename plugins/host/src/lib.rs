//! The resource type `physical:host`: whole hosts, of an OpenStack cloud or of Berth's own inventory.
//!
//! Invariant: every method may be cut off between any two calls to the outside and be called again;
//! it then ends where an undisturbed call would have ended.

pub mod openstack;
pub mod standalone;

pub use openstack::{OpenStackHosts, OpenStackHostsConfig};
pub use pools::Names;
pub use standalone::StandaloneHosts;

/// The resource type both plugins serve.
pub const RESOURCE_TYPE: &str = "physical:host";
