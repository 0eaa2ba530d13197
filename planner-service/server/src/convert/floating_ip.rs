//! Registrations of floating IPs and parameters of `virtual:floatingip` reservations, in upstream's order and words.
//!
//! Invariant: addresses leave here in their canonical form, so that two spellings of one are the same.

use std::net::IpAddr;

use planner_core::domain::FloatingIpReservation;
use planner_core::service::ReservationChange;
use plugin_api::echo::shortened;
use serde_json::Value;

use super::parameter::{int_like, malformed, printable, require};
use super::python;
use crate::body::Object;
use crate::error::ApiError;

/// Most addresses in a reservation: upstream's column is no wider.
const MOST: i64 = 2_147_483_647;

/// Longest id of a network, in characters.
const LONGEST_ID: usize = 255;

/// Most required addresses in a reservation.
const MOST_REQUIRED: usize = 1_000;

/// The body of `POST /v1/floatingips`: the network and the address.
pub(crate) fn registration(body: &Object) -> Result<(String, IpAddr), ApiError> {
    require(body, &["floating_network_id", "floating_ip_address"])?;
    let network_id = network(body, "floating_network_id")?.unwrap_or_default();
    let address = body.get("floating_ip_address").unwrap_or(&Value::Null);
    Ok((network_id, ip_address("floating_ip_address", address)?))
}

/// The entry of `reservations` as what it reserves.
pub(crate) fn read(entry: &Object) -> Result<FloatingIpReservation, ApiError> {
    require(entry, &["network_id", "amount"])?;
    let amount = entry.get("amount").and_then(int_like);
    let amount = amount
        .filter(|amount| (0..=MOST).contains(amount))
        .and_then(|amount| u32::try_from(amount).ok())
        .ok_or_else(|| malformed("amount", &format!("must be an integer from 0 to {MOST}")))?;
    let network_id = network(entry, "network_id")?.unwrap_or_default();
    let spec = FloatingIpReservation {
        network_id,
        amount,
        required_floatingips: required(entry)?.unwrap_or_default(),
    };
    spec.check_required().map_err(ApiError::invalid)?;
    Ok(spec)
}

/// Members of a change of a reservation that are about floating IPs alone.
pub(crate) fn changed(entry: &Object, change: ReservationChange) -> Result<ReservationChange, ApiError> {
    Ok(ReservationChange {
        network_id: network(entry, "network_id")?,
        required_floatingips: required(entry)?,
        ..change
    })
}

fn network(entry: &Object, name: &str) -> Result<Option<String>, ApiError> {
    let Some(value) = entry.get(name) else { return Ok(None) };
    let Value::String(id) = value else {
        return Err(malformed(
            name,
            &format!("must be a string, not {}", python::kind_of(value)),
        ));
    };
    if id.is_empty() || id.chars().count() > LONGEST_ID {
        return Err(malformed(name, &format!("must have from 1 to {LONGEST_ID} characters")));
    }
    printable(name, id)?;
    Ok(Some(id.clone()))
}

/// Required addresses, each once; absent: `None`.
fn required(entry: &Object) -> Result<Option<Vec<String>>, ApiError> {
    let entries = match entry.get("required_floatingips") {
        None => return Ok(None),
        Some(Value::Null) => return Ok(Some(Vec::new())),
        Some(Value::Array(entries)) => entries,
        Some(other) => {
            let rule = format!("must be a list, not {}", python::kind_of(other));
            return Err(malformed("required_floatingips", &rule));
        }
    };
    if entries.len() > MOST_REQUIRED {
        let rule = format!("must have at most {MOST_REQUIRED} entries");
        return Err(malformed("required_floatingips", &rule));
    }
    let mut addresses: Vec<String> = Vec::new();
    for entry in entries {
        let address = ip_address("required_floatingips", entry)?.to_string();
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(Some(addresses))
}

fn ip_address(name: &str, value: &Value) -> Result<IpAddr, ApiError> {
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| {
        let shown = shortened(&python::str(value));
        ApiError::invalid(format!(
            "IP address {shown} is invalid form. ({name} must be an IPv4 or IPv6 address)"
        ))
    })
}
