//! Floating IPs as `/v1` shows them.

use serde::{Deserialize, Serialize};

use crate::date::{PlanTime, RecordTime};

/// Body of answers about one floating IP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloatingIpBody {
    /// The floating IP.
    pub floatingip: FloatingIp<RecordTime>,
}

/// Body of the answer to a registration. Upstream writes record times like plan times there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredFloatingIpBody {
    /// The floating IP.
    pub floatingip: FloatingIp<PlanTime>,
}

/// Body of the listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloatingIpsBody {
    /// The floating IPs.
    pub floatingips: Vec<FloatingIp<RecordTime>>,
}

/// A floating IP, its times as `Time` writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloatingIp<Time> {
    /// UUID with dashes.
    pub id: String,
    /// The external network.
    pub floating_network_id: String,
    /// The subnet it lies in.
    pub subnet_id: String,
    /// IPv4 or IPv6.
    pub floating_ip_address: String,
    /// Whether it takes new work.
    pub reservable: bool,
    /// When it was registered.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Option<Time>,
}
