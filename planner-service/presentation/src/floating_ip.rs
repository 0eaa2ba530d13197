//! Floating IPs: domain to wire.

use api_types::floating_ip as wire;
use planner_core::domain::{FloatingIp, Timestamp};

/// A floating IP as clients see it, its times written by `time`.
pub fn write<Time>(address: &FloatingIp, time: impl Fn(Timestamp) -> Time) -> wire::FloatingIp<Time> {
    wire::FloatingIp {
        id: address.id.clone(),
        floating_network_id: address.floating_network_id.clone(),
        subnet_id: address.subnet_id.clone(),
        floating_ip_address: address.floating_ip_address.clone(),
        reservable: address.reservable,
        created_at: time(address.created_at),
        updated_at: address.updated_at.map(time),
    }
}
