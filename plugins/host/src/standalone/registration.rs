//! Reading a host from what an operator says about it.
//!
//! Invariant: a value that is not what its column means is refused with the column, the value and
//! what is allowed; nothing is guessed.

use std::collections::BTreeMap;

use plugin_api::echo::shortened;
use plugin_api::{HostFacts, HostRegistration, InventoryError, Provision};

use crate::openstack::capabilities;

/// Columns and names are kept in database columns of this size.
const LONGEST_TEXT: usize = 255;

fn invalid(column: &str, value: &str, allowed: &str) -> InventoryError {
    let value = shortened(value);
    InventoryError::Invalid(format!("Invalid value '{value}' for {column}: allowed is {allowed}"))
}

struct Columns<'a>(&'a BTreeMap<String, String>);

impl Columns<'_> {
    fn number(&self, column: &str, largest: i64) -> Result<i64, InventoryError> {
        let Some(value) = self.0.get(column) else { return Ok(0) };
        match value.parse::<i64>() {
            Ok(number) if (0..=largest).contains(&number) => Ok(number),
            _ => Err(invalid(column, value, &format!("an integer from 0 to {largest}"))),
        }
    }

    fn text(&self, column: &str, otherwise: &str) -> Result<String, InventoryError> {
        let value = self.0.get(column).map_or(otherwise, String::as_str);
        if value.chars().count() > LONGEST_TEXT {
            return Err(invalid(column, value, &format!("at most {LONGEST_TEXT} characters")));
        }
        Ok(value.to_owned())
    }

    fn name(&self, column: &str, otherwise: &str) -> Result<String, InventoryError> {
        let value = self.text(column, otherwise)?;
        if value.trim().is_empty() || value.chars().any(char::is_control) {
            return Err(invalid(column, &value, "a name of 1 to 255 printable characters"));
        }
        Ok(value)
    }

    /// The dashboard parses it, so only an object or nothing may come back.
    fn object(&self, column: &str) -> Result<String, InventoryError> {
        let Some(value) = self.0.get(column).filter(|value| !value.is_empty()) else {
            return Ok(String::new());
        };
        match serde_json::from_str::<serde_json::Value>(value) {
            Ok(serde_json::Value::Object(_)) => Ok(value.clone()),
            _ => Err(invalid(column, value, "a JSON object as text, or nothing")),
        }
    }
}

/// A host in Berth's own inventory.
pub(super) fn facts(registration: &HostRegistration) -> Result<HostFacts, InventoryError> {
    let columns = Columns(&registration.values);
    let reference = BTreeMap::from([("name".to_owned(), registration.reference.clone())]);
    let name = Columns(&reference).name("name", "")?;
    let hypervisor_hostname = columns.name("hypervisor_hostname", &name)?;
    let small = i64::from(i32::MAX);
    Ok(HostFacts {
        id: String::new(),
        vcpus: columns.number("vcpus", small)?,
        cpu_info: columns.object("cpu_info")?,
        hypervisor_type: columns.text("hypervisor_type", "")?,
        hypervisor_version: columns.number("hypervisor_version", small)?,
        service_name: columns.name("service_name", &hypervisor_hostname)?,
        hypervisor_hostname,
        memory_mb: columns.number("memory_mb", small)?,
        local_gb: columns.number("local_gb", small)?,
        availability_zone: columns.text("availability_zone", "")?,
        capabilities: capabilities(&registration.values)?,
        provision: Provision::default(),
    })
}
