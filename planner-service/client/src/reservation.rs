//! What to reserve, from the command line to the body of a request.
//!
//! Invariant: a reservation is sent complete, with the defaults the API's other clients send; the virtual CPUs of an instance
//! have none.

use std::str::FromStr;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::condition::parse_condition;
use crate::error::ClientError;

/// The resource type of whole hosts.
const HOST_TYPE: &str = "physical:host";
/// The resource type of places for instances.
const INSTANCE_TYPE: &str = "virtual:instance";
/// The resource type of places for instances of a flavor.
const FLAVOR_TYPE: &str = "flavor:instance";

/// A number of hosts, or a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HostCount {
    /// Fewest.
    pub(crate) min: u32,
    /// Most.
    pub(crate) max: u32,
}

impl FromStr for HostCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| text.trim().parse::<u32>().ok().filter(|number| *number > 0);
        match (number(min), number(max)) {
            (Some(min), Some(max)) if min <= max => Ok(Self { min, max }),
            _ => Err("write a number of hosts, as 2, or the fewest and the most, as 2-4".to_owned()),
        }
    }
}

/// Options that describe what is reserved.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ReservationArguments {
    /// How many whole hosts: 2, or 2-4 for at least two and at most four
    #[arg(long, value_name = "N[-M]", help_heading = "What to reserve")]
    pub(crate) hosts: Option<HostCount>,
    /// How many places for instances on hosts that others may share
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..),
        conflicts_with = "hosts",
        help_heading = "What to reserve"
    )]
    pub(crate) instances: Option<u32>,
    /// Flavor of the instances, by its id, in place of sizes
    #[arg(
        long,
        value_name = "ID",
        conflicts_with_all = ["hosts", "vcpus", "memory_mb", "disk_gb", "affinity", "condition", "resource_properties"],
        help_heading = "What to reserve"
    )]
    pub(crate) flavor: Option<String>,
    /// Virtual CPUs of an instance
    #[arg(long, value_name = "N", conflicts_with = "hosts", help_heading = "What to reserve")]
    pub(crate) vcpus: Option<u32>,
    /// Memory of an instance, in MiB
    #[arg(long, value_name = "MIB", conflicts_with = "hosts", help_heading = "What to reserve")]
    pub(crate) memory_mb: Option<u32>,
    /// Disk of an instance, in GiB
    #[arg(long, value_name = "GIB", conflicts_with = "hosts", help_heading = "What to reserve")]
    pub(crate) disk_gb: Option<u32>,
    /// Whether all instances go on the same host, or each on a different one
    #[arg(
        long,
        value_name = "RULE",
        value_parser = ["same", "different", "none"],
        conflicts_with = "hosts",
        help_heading = "What to reserve"
    )]
    pub(crate) affinity: Option<String>,
    /// Which hosts, e.g. 'gpu=True and vcpus>=8'; and, or, parentheses, = != >= <= > <
    #[arg(long = "where", value_name = "CONDITION", help_heading = "What to reserve")]
    pub(crate) condition: Option<String>,
    /// Condition on hosts in the API's own form
    #[arg(
        long,
        help = r#"Condition on hosts in the API's own form, e.g. '[">=", "$vcpus", "8"]'"#,
        value_name = "JSON",
        help_heading = "What to reserve"
    )]
    pub(crate) hypervisor_properties: Option<String>,
    /// Condition on properties in the API's own form
    #[arg(
        long,
        help = r#"Condition on properties in the API's own form, e.g. '["==", "$gpu", "True"]'"#,
        value_name = "JSON",
        conflicts_with = "condition",
        help_heading = "What to reserve"
    )]
    pub(crate) resource_properties: Option<String>,
    /// What to do before the end: default or snapshot
    #[arg(long, value_name = "ACTION", value_parser = ["default", "snapshot"], help_heading = "What to reserve")]
    pub(crate) before_end_action: Option<String>,
    /// A whole reservation, repeatable: `min=1,max=2,resource_properties=JSON`
    #[arg(long, value_name = "KEY=VALUE,...", help_heading = "What to reserve")]
    pub(crate) reservation: Vec<String>,
}

impl ReservationArguments {
    /// Whether none of the options was given.
    pub(crate) const fn is_empty(&self) -> bool {
        self.hosts.is_none()
            && self.flavor.is_none()
            && !self.is_of_instances()
            && self.condition.is_none()
            && self.hypervisor_properties.is_none()
            && self.resource_properties.is_none()
            && self.before_end_action.is_none()
            && self.reservation.is_empty()
    }

    /// Whether one of the options that only instances have was given.
    const fn is_of_instances(&self) -> bool {
        self.instances.is_some()
            || self.vcpus.is_some()
            || self.memory_mb.is_some()
            || self.disk_gb.is_some()
            || self.affinity.is_some()
    }

    /// The members that the plain options set; empty if none was given.
    fn plain_members(&self) -> Result<Map<String, Value>, ClientError> {
        let mut members = Map::new();
        if let Some(HostCount { min, max }) = self.hosts {
            members.insert("min".to_owned(), json!(min));
            members.insert("max".to_owned(), json!(max));
        }
        let amounts = [
            ("amount", self.instances),
            ("vcpus", self.vcpus),
            ("memory_mb", self.memory_mb),
            ("disk_gb", self.disk_gb),
        ];
        for (name, amount) in amounts {
            members.extend(amount.map(|amount| (name.to_owned(), json!(amount))));
        }
        if let Some(rule) = &self.affinity {
            let affinity = match rule.as_str() {
                "same" => json!(true),
                "different" => json!(false),
                _ => Value::Null,
            };
            members.insert("affinity".to_owned(), affinity);
        }
        if let Some(condition) = &self.condition {
            members.insert(
                "resource_properties".to_owned(),
                json!(parse_condition(condition)?.to_string()),
            );
        }
        if let Some(text) = &self.resource_properties {
            members.insert("resource_properties".to_owned(), json!(text));
        }
        if let Some(text) = &self.hypervisor_properties {
            members.insert("hypervisor_properties".to_owned(), json!(text));
        }
        if let Some(action) = &self.before_end_action {
            members.insert("before_end".to_owned(), json!(action));
        }
        Ok(members)
    }

    /// The reservations of a new lease.
    ///
    /// # Errors
    /// [`ClientError::Usage`] if nothing is to be reserved or a reservation cannot be read.
    pub(crate) fn for_creation(&self) -> Result<Vec<Value>, ClientError> {
        let mut reservations = Vec::new();
        let mut plain = self.plain_members()?;
        if let Some(flavor) = &self.flavor {
            plain.insert("resource_type".to_owned(), json!(FLAVOR_TYPE));
            plain.insert("flavor_id".to_owned(), json!(flavor));
        } else if self.is_of_instances() {
            plain.insert("resource_type".to_owned(), json!(INSTANCE_TYPE));
        }
        if !plain.is_empty() {
            reservations.push(with_defaults(plain));
        }
        for text in &self.reservation {
            reservations.push(with_defaults(members(text)?));
        }
        if reservations.is_empty() {
            return Err(ClientError::Usage(
                "nothing to reserve: say how many hosts, e.g. --hosts 2, or instances, e.g. --instances 4 --vcpus 2 --memory-mb 4096, or --instances 4 --flavor ID".to_owned(),
            ));
        }
        Ok(reservations)
    }

    /// The changed reservations of a lease that exists.
    ///
    /// # Errors
    /// [`ClientError::Usage`] if it is not clear which reservation is meant.
    pub(crate) fn for_update(&self, lease: &Value) -> Result<Vec<Value>, ClientError> {
        let mut reservations = Vec::new();
        let mut plain = self.plain_members()?;
        if !plain.is_empty() {
            let existing = lease
                .get("reservations")
                .and_then(Value::as_array)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let [only] = existing else {
                return Err(ClientError::Usage(format!(
                    "the lease has {} reservations; say which one: --reservation id=ID,min=2,max=4",
                    existing.len()
                )));
            };
            plain.insert("id".to_owned(), only.get("id").cloned().unwrap_or_default());
            reservations.push(Value::Object(plain));
        }
        for text in &self.reservation {
            let members = members(text)?;
            if !members.contains_key("id") {
                return Err(ClientError::Usage(format!(
                    "--reservation {text}: say which one, id=ID"
                )));
            }
            reservations.push(Value::Object(members));
        }
        Ok(reservations)
    }
}

fn with_defaults(mut members: Map<String, Value>) -> Value {
    let kind = members
        .entry("resource_type")
        .or_insert_with(|| json!(HOST_TYPE))
        .clone();
    let min = members.get("min").cloned().unwrap_or(json!(1));
    let of_hosts = [
        ("min", json!(1)),
        ("max", min),
        ("hypervisor_properties", json!("")),
        ("resource_properties", json!("")),
    ];
    let of_instances = [
        ("amount", json!(1)),
        ("memory_mb", json!(0)),
        ("disk_gb", json!(0)),
        ("affinity", Value::Null),
        ("resource_properties", json!("")),
    ];
    let of_flavors = [("amount", json!(1)), ("affinity", Value::Null)];
    let defaults: &[(&str, Value)] = match kind.as_str() {
        Some(HOST_TYPE) => &of_hosts,
        Some(INSTANCE_TYPE) => &of_instances,
        Some(FLAVOR_TYPE) => &of_flavors,
        _ => &[],
    };
    for (name, default) in defaults {
        members.entry(*name).or_insert(default.clone());
    }
    Value::Object(members)
}

/// Reads `k=v,k=v`; a comma belongs to the value unless a key and `=` follow it.
fn members(text: &str) -> Result<Map<String, Value>, ClientError> {
    let mut members = Map::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some((key, after)) = rest.split_once('=').filter(|(key, _)| is_key(key)) else {
            return Err(ClientError::Usage(format!(
                "--reservation {text}: '{rest}' is not KEY=VALUE"
            )));
        };
        let end = after
            .match_indices(',')
            .map(|(at, _)| at)
            .filter(|&at| after[..at].matches('"').count() % 2 == 0)
            .find(|&at| after[at + 1..].split_once('=').is_some_and(|(key, _)| is_key(key)));
        let (value, next) = end.map_or((after, ""), |end| (&after[..end], &after[end + 1..]));
        let value = match value.parse::<i64>() {
            Ok(number) if key != "id" => json!(number),
            _ if value.starts_with('[') && key == "required_floatingips" => {
                serde_json::from_str(value).unwrap_or_else(|_| json!(value))
            }
            _ => json!(value),
        };
        members.insert(key.to_owned(), value);
        rest = next;
    }
    Ok(members)
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_reservation_is_read_as_the_blazar_client_reads_it() {
        let text = r#"resource_type=physical:host,min=1,max=2,hypervisor_properties=["and", [">=", "$vcpus", "2"], ["==", "$a", "x=1,y=2"]],resource_properties="#;
        assert_eq!(
            Value::Object(members(text).unwrap()),
            json!({"resource_type": "physical:host", "min": 1, "max": 2,
                "hypervisor_properties": r#"["and", [">=", "$vcpus", "2"], ["==", "$a", "x=1,y=2"]]"#,
                "resource_properties": ""})
        );
        assert!(members("min").is_err());
        assert!(members("=3").is_err());
    }

    #[test]
    fn plain_options_make_a_complete_reservation() {
        let arguments = ReservationArguments {
            hosts: Some("2-4".parse().unwrap()),
            condition: Some("gpu=True".to_owned()),
            ..ReservationArguments::default()
        };
        assert_eq!(
            arguments.for_creation().unwrap(),
            [
                json!({"min": 2, "max": 4, "resource_properties": r#"["==","$gpu","True"]"#,
                "resource_type": "physical:host", "hypervisor_properties": ""})
            ]
        );
        let instances = ReservationArguments {
            instances: Some(4),
            vcpus: Some(2),
            affinity: Some("different".to_owned()),
            ..ReservationArguments::default()
        };
        assert_eq!(
            instances.for_creation().unwrap(),
            [
                json!({"resource_type": "virtual:instance", "amount": 4, "vcpus": 2, "memory_mb": 0, "disk_gb": 0,
                "affinity": false, "resource_properties": ""})
            ]
        );
        for wrong in ["0", "4-2", "-1", "two", "1-", ""] {
            assert!(wrong.parse::<HostCount>().is_err(), "{wrong}");
        }
    }
}
