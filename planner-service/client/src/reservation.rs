//! What to reserve, from the command line to the body of a request.
//!
//! Invariant: a reservation is sent complete, with the defaults the API's other clients send; the virtual CPUs of an instance
//! have none.

use std::fmt;
use std::str::FromStr;

use api_types::capacity::Offer;
use api_types::reservation::{FLAVOR_TYPE, FLOATING_IP_TYPE, HOST_TYPE, INSTANCE_TYPE};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::condition::{parse_condition, written};
use crate::error::ClientError;
use crate::key_values;
use crate::output::text_of;
use crate::request::option;
use crate::size::{gibibytes, mebibytes};

/// The plain options, and the member of a reservation that each sets.
const OPTIONS: [(&str, &str); 11] = [
    ("--hosts", "min"),
    ("--instances", "amount"),
    ("--flavor", "flavor_id"),
    ("--vcpus", "vcpus"),
    ("--memory-mb", "memory_mb"),
    ("--disk-gb", "disk_gb"),
    ("--affinity", "affinity"),
    ("--where", "resource_properties"),
    ("--hypervisor-properties", "hypervisor_properties"),
    ("--resource-properties", "resource_properties"),
    ("--before-end-action", "before_end"),
];

/// Members that a reservation keeps as it was made.
const FIXED: [&str; 2] = ["flavor_id", "before_end"];

/// A number of hosts, or a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HostCount {
    /// Fewest.
    pub(crate) min: u32,
    /// Most.
    pub(crate) max: u32,
}

impl fmt::Display for HostCount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, max } = self;
        if min == max {
            write!(formatter, "{min}")
        } else {
            write!(formatter, "{min}-{max}")
        }
    }
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
    #[arg(
        long,
        value_name = "N[-M]",
        allow_negative_numbers = true,
        help_heading = "What to reserve"
    )]
    pub(crate) hosts: Option<HostCount>,
    /// How many places for instances on hosts that others may share
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
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
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        conflicts_with = "hosts",
        help_heading = "What to reserve"
    )]
    pub(crate) vcpus: Option<u32>,
    /// Memory of an instance, in MiB
    #[arg(
        long,
        value_name = "MIB",
        allow_negative_numbers = true,
        value_parser = mebibytes,
        conflicts_with = "hosts",
        help_heading = "What to reserve"
    )]
    pub(crate) memory_mb: Option<u32>,
    /// Disk of an instance, in GiB
    #[arg(
        long,
        value_name = "GIB",
        allow_negative_numbers = true,
        value_parser = gibibytes,
        conflicts_with = "hosts",
        help_heading = "What to reserve"
    )]
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
        let condition = self.condition.as_deref().map(parse_condition).transpose()?;
        let condition = condition.map(|condition| condition.to_string());
        let affinity = self.affinity.as_deref().map(|rule| match rule {
            "same" => json!(true),
            "different" => json!(false),
            _ => Value::Null,
        });
        let members = [
            ("min", self.hosts.map(|hosts| json!(hosts.min))),
            ("max", self.hosts.map(|hosts| json!(hosts.max))),
            ("amount", self.instances.map(Value::from)),
            ("flavor_id", self.flavor.clone().map(Value::from)),
            ("vcpus", self.vcpus.map(Value::from)),
            ("memory_mb", self.memory_mb.map(Value::from)),
            ("disk_gb", self.disk_gb.map(Value::from)),
            ("affinity", affinity),
            (
                "resource_properties",
                condition.or_else(|| self.resource_properties.clone()).map(Value::from),
            ),
            (
                "hypervisor_properties",
                self.hypervisor_properties.clone().map(Value::from),
            ),
            ("before_end", self.before_end_action.clone().map(Value::from)),
        ];
        let given = members.into_iter();
        Ok(given
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect())
    }

    /// The option that sets a member.
    fn option_of(&self, member: &str) -> &'static str {
        let mut options = OPTIONS.iter().filter(|(_, set)| *set == member);
        let found = options.find(|(option, _)| *option != "--where" || self.condition.is_some());
        found.map_or("--hosts", |(option, _)| option)
    }

    /// The resource type of the reservation that the plain options make.
    const fn plain_kind(&self) -> &'static str {
        if self.flavor.is_some() {
            FLAVOR_TYPE
        } else if self.is_of_instances() {
            INSTANCE_TYPE
        } else {
            HOST_TYPE
        }
    }

    /// Whether the plain options make a reservation, which is then the first one.
    fn has_plain(&self) -> bool {
        let whole = &self.reservation;
        !self.is_empty()
            && (whole.is_empty()
                || !Self {
                    reservation: Vec::new(),
                    ..self.clone()
                }
                .is_empty())
    }

    /// The resource type of the reservation at this place; `None` if there is none.
    pub(crate) fn kind(&self, place: u32) -> Option<String> {
        if self.has_plain() && place == 0 {
            return Some(self.plain_kind().to_owned());
        }
        let text = self.reservation.get(self.whole(place)?)?;
        let members = key_values::reservation(text, HOST_TYPE).ok()?;
        let kind = members.get("resource_type").and_then(Value::as_str);
        Some(kind.unwrap_or(HOST_TYPE).to_owned())
    }

    /// Which of the whole reservations stands at this place of the request.
    fn whole(&self, place: u32) -> Option<usize> {
        usize::try_from(place).ok()?.checked_sub(usize::from(self.has_plain()))
    }

    /// What the reservation at this place counts, as (one, many).
    pub(crate) fn noun(&self, place: u32) -> (&'static str, &'static str) {
        noun(self.kind(place).as_deref())
    }

    /// These changes of reservations with another amount for the one with this id. The plain options are its own if the
    /// lease has no other.
    pub(crate) fn with_amount(&self, id: &str, kind: &str, is_only: bool, amount: u32) -> Option<Self> {
        let mut changed = self.clone();
        let names: &[&str] = if kind == HOST_TYPE {
            &["min", "max"]
        } else {
            &["amount"]
        };
        let amounts = || names.iter().map(|name| ((*name).to_owned(), json!(amount)));
        for text in &mut changed.reservation {
            let mut members = key_values::reservation(text, kind).ok()?;
            if members.get("id").and_then(Value::as_str) == Some(id) {
                members.extend(amounts());
                *text = key_values::reservation_text(&members);
                return Some(changed);
            }
        }
        match kind {
            HOST_TYPE if is_only => {
                changed.hosts = Some(HostCount {
                    min: amount,
                    max: amount,
                });
            }
            INSTANCE_TYPE | FLAVOR_TYPE if is_only => changed.instances = Some(amount),
            _ => {
                let members = std::iter::once(("id".to_owned(), json!(id))).chain(amounts());
                changed
                    .reservation
                    .push(key_values::reservation_text(&members.collect()));
            }
        }
        Some(changed)
    }

    /// These reservations with the change of an offer; `None` if the options cannot say it.
    pub(crate) fn with(&self, offer: &Offer) -> Option<Self> {
        let mut changed = self.clone();
        match offer {
            Offer::Start { .. } | Offer::End { .. } => {}
            &Offer::Amount {
                reservation: place,
                amount,
                ..
            } => {
                let of_hosts = self.kind(place)? == HOST_TYPE;
                if self.has_plain() && place == 0 {
                    if of_hosts {
                        changed.hosts = Some(HostCount {
                            min: amount,
                            max: amount,
                        });
                    } else {
                        changed.instances = Some(amount);
                    }
                } else {
                    let text = changed.reservation.get_mut(self.whole(place)?)?;
                    let mut members = key_values::reservation(text, HOST_TYPE).ok()?;
                    let names: &[&str] = if of_hosts { &["min", "max"] } else { &["amount"] };
                    members.extend(names.iter().map(|name| ((*name).to_owned(), json!(amount))));
                    *text = key_values::reservation_text(&members);
                }
            }
            Offer::Drop {
                reservation, condition, ..
            } => changed.put_condition(*reservation, condition, None)?,
            Offer::Replace {
                reservation,
                condition,
                replacement,
                ..
            } => changed.put_condition(*reservation, condition, Some(replacement))?,
        }
        Some(changed)
    }

    /// These options with another condition, or none, in the place of one of theirs, in the form that was used; `None` if
    /// they have no such condition. Where none is left they say so, as an empty one.
    pub(crate) fn with_condition(&self, condition: &Value, other: Option<&Value>) -> Option<Self> {
        let mut changed = self.clone();
        let properties = match &self.condition {
            Some(text) => Some(parse_condition(text).ok()?.to_string()),
            None => self.resource_properties.clone(),
        };
        let Some(rest) = properties.and_then(|text| replaced(&text, condition, other)) else {
            let rest = replaced(self.hypervisor_properties.as_deref()?, condition, other)?;
            changed.hypervisor_properties = Some(rest);
            return Some(changed);
        };
        let left = self.condition.as_ref().and_then(|_| serde_json::from_str(&rest).ok());
        changed.condition = left.as_ref().and_then(written);
        changed.resource_properties = Some(rest).filter(|_| changed.condition.is_none());
        Some(changed)
    }

    /// These changes with another condition, or none, in the place of one of the reservation `held`: of one that the change
    /// asks for, else of one that the reservation has and keeps. `None` if it has neither. The plain options are its own if
    /// the lease has no other.
    pub(crate) fn with_condition_of(
        &self,
        held: &Value,
        is_only: bool,
        condition: &Value,
        other: Option<&Value>,
    ) -> Option<Self> {
        let names = ["resource_properties", "hypervisor_properties"];
        let (id, kind) = (text_of(held, "id"), text_of(held, "resource_type"));
        let rest_of = |name: &str, text: Option<&Value>| {
            let rest = replaced(text?.as_str()?, condition, other)?;
            Some((name.to_owned(), json!(rest)))
        };
        let mut changed = self.clone();
        for text in &mut changed.reservation {
            let mut members = key_values::reservation(text, &kind).ok()?;
            if members.get("id").and_then(Value::as_str) == Some(&id) {
                let rest = names
                    .iter()
                    .find_map(|name| rest_of(name, members.get(*name).or_else(|| held.get(*name))));
                members.extend([rest?]);
                *text = key_values::reservation_text(&members);
                return Some(changed);
            }
        }
        let takes_options = is_only && matches!(kind.as_str(), HOST_TYPE | INSTANCE_TYPE);
        if takes_options && let Some(changed) = self.with_condition(condition, other) {
            return Some(changed);
        }
        let asks = self.condition.is_some() || self.resource_properties.is_some();
        let kept = names.iter().filter(|name| match **name {
            _ if !takes_options => true,
            "resource_properties" => !asks,
            _ => self.hypervisor_properties.is_none(),
        });
        let (name, rest) = kept.into_iter().find_map(|name| rest_of(name, held.get(*name)))?;
        if !takes_options {
            let members = Map::from_iter([("id".to_owned(), json!(id)), (name, rest)]);
            changed.reservation.push(key_values::reservation_text(&members));
        } else if name == "resource_properties" {
            changed.resource_properties = rest.as_str().map(str::to_owned);
        } else {
            changed.hypervisor_properties = rest.as_str().map(str::to_owned);
        }
        Some(changed)
    }

    /// Puts another condition, or none, in the place of one of a new reservation; `None` if it does not have it.
    fn put_condition(&mut self, place: u32, condition: &str, other: Option<&str>) -> Option<()> {
        let condition: Value = serde_json::from_str(condition).ok()?;
        let other: Option<Value> = other.map(serde_json::from_str).transpose().ok()?;
        if self.has_plain() && place == 0 {
            *self = self.with_condition(&condition, other.as_ref())?;
            // No condition is what a new reservation has.
            for rest in [&mut self.resource_properties, &mut self.hypervisor_properties] {
                rest.take_if(|rest| rest.is_empty());
            }
            // The condition may have been all that was asked for; the reservation is still one of one host.
            if !self.has_plain() {
                self.hosts = Some(HostCount { min: 1, max: 1 });
            }
        } else {
            let whole = self.whole(place)?;
            let text = self.reservation.get_mut(whole)?;
            let mut members = key_values::reservation(text, HOST_TYPE).ok()?;
            let rest = ["resource_properties", "hypervisor_properties"]
                .into_iter()
                .find_map(|name| {
                    let rest = replaced(members.get(name)?.as_str()?, &condition, other.as_ref())?;
                    Some((name.to_owned(), json!(rest)))
                });
            members.extend([rest?]);
            *text = key_values::reservation_text(&members);
        }
        Some(())
    }

    /// The words of the command line that say this.
    pub(crate) fn words(&self, words: &mut Vec<String>) {
        option(words, "--hosts", self.hosts);
        option(words, "--instances", self.instances);
        option(words, "--flavor", self.flavor.as_ref());
        option(words, "--vcpus", self.vcpus);
        option(words, "--memory-mb", self.memory_mb);
        option(words, "--disk-gb", self.disk_gb);
        option(words, "--affinity", self.affinity.as_ref());
        option(words, "--where", self.condition.as_ref());
        option(words, "--hypervisor-properties", self.hypervisor_properties.as_ref());
        option(words, "--resource-properties", self.resource_properties.as_ref());
        option(words, "--before-end-action", self.before_end_action.as_ref());
        for text in &self.reservation {
            option(words, "--reservation", Some(text));
        }
    }

    /// The reservations of a new lease.
    ///
    /// # Errors
    /// [`ClientError::Usage`] if nothing is to be reserved or a reservation cannot be read.
    pub(crate) fn for_creation(&self) -> Result<Vec<Value>, ClientError> {
        let mut reservations = Vec::new();
        let mut plain = self.plain_members()?;
        let counts = ["min", "amount"];
        if let Some(member) = plain.keys().next().filter(|_| !self.reservation.is_empty())
            && !counts.iter().any(|count| plain.contains_key(*count))
        {
            return Err(ClientError::Usage(format!(
                "{}: it would make a reservation of its own beside --reservation; write it within --reservation, or say how \
                 many with --hosts or --instances",
                self.option_of(member)
            )));
        }
        if !plain.is_empty() {
            let kind = self.plain_kind();
            let known = key_values::members_of(kind);
            if let Some(member) = plain.keys().find(|member| !known.contains(&member.as_str())) {
                return Err(misfit(self.option_of(member), kind, &options_of(known)));
            }
            plain.insert("resource_type".to_owned(), json!(kind));
            reservations.push(with_defaults(plain));
        }
        for text in &self.reservation {
            let members = key_values::reservation(text, HOST_TYPE)?;
            if members.contains_key("id") {
                return Err(ClientError::Usage(format!(
                    "--reservation {text}: a new reservation gets its id from the service; leave id out"
                )));
            }
            reservations.push(with_defaults(members));
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
            let kind = text_of(only, "resource_type");
            let known: Vec<&str> = changeable(&kind).collect();
            let takes = match kind.as_str() {
                HOST_TYPE | INSTANCE_TYPE | FLAVOR_TYPE => options_of(&known),
                _ => String::new(),
            };
            if takes.is_empty() {
                let amount = format!("--reservation id={},amount=N", text_of(only, "id"));
                let member = plain.keys().next().map_or("", String::as_str);
                return Err(misfit(self.option_of(member), &kind, &amount));
            }
            if let Some(member) = plain.keys().find(|member| !known.contains(&member.as_str())) {
                return Err(misfit(self.option_of(member), &kind, &takes));
            }
            plain.insert("id".to_owned(), only.get("id").cloned().unwrap_or_default());
            reservations.push(Value::Object(plain));
        }
        for text in &self.reservation {
            let kind = kind_of(text, lease)?;
            let members = key_values::reservation(text, &kind)?;
            if let Some(fixed) = FIXED.iter().find(|name| members.contains_key(**name)) {
                let takes: Vec<&str> = changeable(&kind).collect();
                let takes = takes.join(", ");
                return Err(misfit(&format!("--reservation {text}: {fixed}"), &kind, &takes));
            }
            reservations.push(Value::Object(members));
        }
        Ok(reservations)
    }
}

/// The members that can be changed of a reservation that exists.
fn changeable(kind: &str) -> impl Iterator<Item = &'static str> {
    let members = key_values::members_of(kind).iter().copied();
    members.filter(|name| *name != "resource_type" && !FIXED.contains(name))
}

/// The plain options that set these members.
fn options_of(members: &[&str]) -> String {
    let options = OPTIONS.iter().filter(|(_, member)| members.contains(member));
    let options: Vec<&str> = options.map(|(option, _)| *option).collect();
    options.join(", ")
}

/// An option that a reservation of this type does not have.
fn misfit(option: &str, kind: &str, takes: &str) -> ClientError {
    ClientError::Usage(format!(
        "{option}: this is a reservation of {kind}, which takes {takes}"
    ))
}

/// The resource type of the reservation of the lease that a text `id=ID,...` changes.
fn kind_of(text: &str, lease: &Value) -> Result<String, ClientError> {
    let id = text.split(',').find_map(|part| part.strip_prefix("id="));
    let Some(id) = id else {
        return Err(ClientError::Usage(format!(
            "--reservation {text}: say which one, id=ID"
        )));
    };
    let existing = lease.get("reservations").and_then(Value::as_array);
    let member = |reservation: &Value, name: &str| reservation.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut known = existing.into_iter().flatten();
    let found = known.find(|reservation| member(reservation, "id").as_deref() == Some(id));
    if let Some(reservation) = found {
        return Ok(member(reservation, "resource_type").unwrap_or_else(|| HOST_TYPE.to_owned()));
    }
    let ids = existing.into_iter().flatten();
    let ids: Vec<String> = ids.filter_map(|reservation| member(reservation, "id")).collect();
    Err(ClientError::Usage(format!(
        "--reservation {text}: the lease has no such reservation; it has {}",
        ids.join(", ")
    )))
}

/// What reservations of a resource type count, as (one, many).
pub(crate) fn noun(kind: Option<&str>) -> (&'static str, &'static str) {
    match kind {
        None | Some(HOST_TYPE) => ("host", "hosts"),
        Some(INSTANCE_TYPE | FLAVOR_TYPE) => ("instance", "instances"),
        Some(FLOATING_IP_TYPE) => ("floating IP", "floating IPs"),
        Some(_) => ("unit", "units"),
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

/// A property expression with another condition, or none, in the place of the first that is this one; empty if none is
/// left, `None` if it has no such condition.
fn replaced(expression: &str, condition: &Value, other: Option<&Value>) -> Option<String> {
    fn parts(expression: &Value) -> Vec<Value> {
        match expression.as_array().map(Vec::as_slice) {
            Some([first, rest @ ..]) if *first == json!("and") => rest.iter().flat_map(parts).collect(),
            Some(_) | None => vec![expression.clone()],
        }
    }
    // The service writes `==` where `=` was given.
    fn normal(expression: &Value) -> Value {
        let Some(items) = expression.as_array() else {
            return expression.clone();
        };
        let mut items: Vec<Value> = items.iter().map(normal).collect();
        if let Some(operator) = items.first_mut().filter(|first| **first == json!("=")) {
            *operator = json!("==");
        }
        Value::Array(items)
    }
    let mut parts = parts(&serde_json::from_str(expression).ok()?);
    let place = parts.iter().position(|part| normal(part) == normal(condition))?;
    parts.splice(place..=place, other.cloned());
    Some(match parts.len() {
        0 => String::new(),
        1 => parts.remove(0).to_string(),
        _ => {
            parts.insert(0, json!("and"));
            Value::Array(parts).to_string()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c10_options_beside_a_whole_reservation_say_how_many() {
        let beside = |plain: ReservationArguments| {
            let whole = vec!["min=2".to_owned()];
            let made = ReservationArguments {
                reservation: whole,
                ..plain
            }
            .for_creation();
            made.map(|made| made.len()).map_err(|error| error.to_string())
        };
        let none = ReservationArguments::default;
        for (plain, option) in [
            (
                ReservationArguments {
                    condition: Some("gpu=True".to_owned()),
                    ..none()
                },
                "--where: ",
            ),
            (
                ReservationArguments {
                    vcpus: Some(2),
                    ..none()
                },
                "--vcpus: ",
            ),
            (
                ReservationArguments {
                    affinity: Some("same".to_owned()),
                    ..none()
                },
                "--affinity: ",
            ),
            (
                ReservationArguments {
                    flavor: Some("f".to_owned()),
                    ..none()
                },
                "--flavor: ",
            ),
        ] {
            let refused = beside(plain).unwrap_err();
            assert!(refused.starts_with(option), "{refused}");
        }
        let hosts = Some(HostCount { min: 1, max: 1 });
        let condition = Some("gpu=True".to_owned());
        assert_eq!(
            beside(ReservationArguments {
                hosts,
                condition,
                ..none()
            }),
            Ok(2)
        );
        assert_eq!(
            beside(ReservationArguments {
                instances: Some(1),
                vcpus: Some(1),
                ..none()
            }),
            Ok(2)
        );
        assert_eq!(beside(none()), Ok(1));
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
