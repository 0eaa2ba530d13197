//! Resource types, and which members an entry of `reservations` has by its type.

/// The resource type of whole hosts.
pub const HOST_TYPE: &str = "physical:host";
/// The resource type of places for instances.
pub const INSTANCE_TYPE: &str = "virtual:instance";
/// The resource type of places for instances of a flavor.
pub const FLAVOR_TYPE: &str = "flavor:instance";
/// The resource type of floating IPs.
pub const FLOATING_IP_TYPE: &str = "virtual:floatingip";

/// Of `physical:host`.
pub const OF_HOSTS: &[&str] = &[
    "resource_type",
    "min",
    "max",
    "hypervisor_properties",
    "resource_properties",
    "before_end",
];
/// Of `virtual:instance`.
pub const OF_INSTANCES: &[&str] = &[
    "resource_type",
    "vcpus",
    "memory_mb",
    "disk_gb",
    "amount",
    "affinity",
    "resource_properties",
];
/// Of `flavor:instance`.
pub const OF_FLAVORS: &[&str] = &["resource_type", "flavor_id", "amount", "affinity"];
/// Of `virtual:floatingip`.
pub const OF_FLOATING_IPS: &[&str] = &["resource_type", "network_id", "amount", "required_floatingips"];
/// Of a resource type that an operator has named.
pub const OF_COUNTABLES: &[&str] = &["resource_type", "amount"];
