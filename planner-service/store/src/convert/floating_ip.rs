//! Floating IPs and their rows.

use planner_core::domain::FloatingIp;

use crate::entity::floating_ip;

/// The row of a floating IP.
pub(crate) fn floating_ip_row(address: &FloatingIp) -> floating_ip::Model {
    floating_ip::Model {
        id: address.id.clone(),
        floating_network_id: address.floating_network_id.clone(),
        subnet_id: address.subnet_id.clone(),
        floating_ip_address: address.floating_ip_address.clone(),
        reservable: address.reservable,
        created_at: address.created_at,
        updated_at: address.updated_at,
    }
}

/// A floating IP from its row.
pub(crate) fn floating_ip_from_row(row: floating_ip::Model) -> FloatingIp {
    FloatingIp {
        id: row.id,
        floating_network_id: row.floating_network_id,
        subnet_id: row.subnet_id,
        floating_ip_address: row.floating_ip_address,
        reservable: row.reservable,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
