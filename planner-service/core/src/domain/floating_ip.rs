//! Floating IPs: addresses of an external network that can be reserved.

use super::Timestamp;

/// A registered address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloatingIp {
    /// UUID with dashes.
    pub id: String,
    /// The external network.
    pub floating_network_id: String,
    /// The subnet it lies in, empty if there is no cloud that has subnets.
    pub subnet_id: String,
    /// IPv4 or IPv6, in its canonical form; unique in its network.
    pub floating_ip_address: String,
    /// `false`: no new work.
    pub reservable: bool,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Option<Timestamp>,
}
