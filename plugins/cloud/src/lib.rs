//! Ports to the services of a cloud, and their adapters.
//!
//! Invariant: nothing above this crate sees a wire format, a client library or a status code it would
//! have to interpret. Every call answers with our own types or with one [`CloudError`] that says which
//! service failed at what and why, also when the service hangs or answers something that is not its API.

mod compute;
mod error;
#[cfg(any(test, feature = "testing"))]
pub mod fake;
mod flavors;
mod identity;
mod images;
mod network;
pub mod openstack;
mod placement;
mod server_groups;

pub use compute::{Aggregate, Compute, Hypervisor, HypervisorName, HypervisorState, Server};
pub use error::{CloudError, Failure};
pub use flavors::{Flavor, Flavors};
pub use identity::{Identity, TokenInfo};
pub use images::{Image, Images};
pub use network::{Network, NewAddress, ProjectAddress, Subnet};
pub use placement::{Inventory, Placement, Provider};
pub use server_groups::{Policy, ServerGroup, ServerGroups};
