//! Options of the form KEY=VALUE.
//!
//! Invariant: a key that would be ignored, or that is given twice, is refused, since the request would be another one
//! than was meant.

use std::fmt;
use std::str::FromStr;

use api_types::reservation::{
    FLAVOR_TYPE, FLOATING_IP_TYPE, HOST_TYPE, INSTANCE_TYPE, OF_COUNTABLES, OF_FLAVORS, OF_FLOATING_IPS, OF_HOSTS,
    OF_INSTANCES,
};
use serde_json::{Map, Value, json};

use crate::error::ClientError;

/// Likeness from which on a name is taken for a misspelt one, from 0 to 1.
const LIKE: f64 = 0.7;

/// Members whose values are whole numbers.
const NUMBERS: [&str; 6] = ["min", "max", "amount", "vcpus", "memory_mb", "disk_gb"];

/// Members whose value may be empty: it means that there is no condition.
const CONDITIONS: [&str; 2] = ["hypervisor_properties", "resource_properties"];

/// The name that was meant, if one is alike.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    let like = |name: &str| strsim::jaro_winkler(&given, &name.to_lowercase());
    let nearest = known
        .into_iter()
        .max_by(|left, right| like(left).total_cmp(&like(right)))?;
    (like(nearest) >= LIKE).then_some(nearest)
}

/// `; did you mean 'x'?` or nothing.
pub(crate) fn question(nearest: Option<&str>) -> String {
    nearest
        .map(|name| format!("; did you mean '{name}'?"))
        .unwrap_or_default()
}

/// What may have been meant, and what there is.
pub(crate) fn suggestion(given: &str, allowed: &[&str]) -> String {
    let question = question(nearest(given, allowed.iter().copied()));
    let there_are = if question.is_empty() {
        "; there are"
    } else {
        " There are"
    };
    format!("{question}{there_are} {}", allowed.join(", "))
}

/// A property of a host as it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for Property {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok(Self {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("write NAME=VALUE, e.g. gpu=True; both are needed".to_owned()),
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.name, self.value)
    }
}

/// The properties as members of a body.
///
/// # Errors
/// [`ClientError::Usage`] if one is given twice.
pub(crate) fn distinct(properties: &[Property]) -> Result<Map<String, Value>, ClientError> {
    let mut members = Map::new();
    for Property { name, value } in properties {
        if members.insert(name.clone(), json!(value)).is_some() {
            return Err(ClientError::Usage(format!("--property {name}: it is given twice")));
        }
    }
    Ok(members)
}

/// Resource types that every service knows; others are named by its operator.
const TYPES: [&str; 4] = [HOST_TYPE, INSTANCE_TYPE, FLAVOR_TYPE, FLOATING_IP_TYPE];

/// The members of a reservation, by its resource type.
pub(crate) fn members_of(kind: &str) -> &'static [&'static str] {
    match kind {
        HOST_TYPE => OF_HOSTS,
        INSTANCE_TYPE => OF_INSTANCES,
        FLAVOR_TYPE => OF_FLAVORS,
        FLOATING_IP_TYPE => OF_FLOATING_IPS,
        _ => OF_COUNTABLES,
    }
}

/// Reads a whole reservation, `k=v,k=v`; a comma belongs to the value unless a key and `=` follow it.
///
/// `kind` is the resource type it has if it does not say one.
///
/// # Errors
/// [`ClientError::Usage`] that names the key, and what there is.
pub(crate) fn reservation(text: &str, kind: &str) -> Result<Map<String, Value>, ClientError> {
    let wrong = |what: String| ClientError::Usage(format!("--reservation {text}: {what}"));
    let mut members = Map::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some((key, after)) = rest.split_once('=').filter(|(key, _)| is_key(key)) else {
            return Err(wrong(format!("'{rest}' is not KEY=VALUE")));
        };
        let end = after
            .match_indices(',')
            .map(|(at, _)| at)
            .filter(|&at| after[..at].matches('"').count() % 2 == 0)
            .find(|&at| after[at + 1..].split_once('=').is_some_and(|(key, _)| is_key(key)));
        let (value, next) = end.map_or((after, ""), |end| (&after[..end], &after[end + 1..]));
        let value = read(key, value).map_err(|rule| wrong(format!("{key}={value}: {rule}")))?;
        if members.insert(key.to_owned(), value).is_some() {
            return Err(wrong(format!("{key} is given twice")));
        }
        rest = next;
    }
    if members.is_empty() {
        return Err(wrong(
            "nothing is given; write KEY=VALUE,..., e.g. min=1,max=2".to_owned(),
        ));
    }
    let kind = members.get("resource_type").and_then(Value::as_str).unwrap_or(kind);
    let known = members_of(kind);
    match members
        .keys()
        .find(|key| *key != "id" && !known.contains(&key.as_str()))
    {
        Some(_) if !TYPES.contains(&kind) && nearest(kind, TYPES).is_some() => Err(wrong(format!(
            "'{kind}' is no resource type with this{}",
            suggestion(kind, &TYPES)
        ))),
        Some(unknown) => Err(wrong(format!(
            "{kind} has no '{unknown}'{}",
            suggestion(unknown, known)
        ))),
        None => Ok(members),
    }
}

/// A value, as it is sent.
fn read(key: &str, value: &str) -> Result<Value, &'static str> {
    if value.is_empty() && !CONDITIONS.contains(&key) {
        return Err("a value is needed");
    }
    if NUMBERS.contains(&key) {
        return value
            .parse::<u32>()
            .map(Value::from)
            .map_err(|_| "a whole number is needed");
    }
    if key == "affinity" && !["true", "false", "none"].contains(&value.to_ascii_lowercase().as_str()) {
        return Err("True, False or None is needed");
    }
    if key == "required_floatingips" {
        return serde_json::from_str(value).map_err(|_| r#"a JSON list is needed, e.g. ["192.0.2.9"]"#);
    }
    Ok(json!(value))
}

/// The text that [`reservation`] reads as these members.
pub(crate) fn reservation_text(members: &Map<String, Value>) -> String {
    let one = |(key, value): (&String, &Value)| match value {
        Value::String(text) => format!("{key}={text}"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            format!("{key}={value}")
        }
    };
    members.iter().map(one).collect::<Vec<_>>().join(",")
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
        let members = reservation(text, HOST_TYPE).unwrap();
        assert_eq!(
            Value::Object(members.clone()),
            json!({"resource_type": "physical:host", "min": 1, "max": 2,
                "hypervisor_properties": r#"["and", [">=", "$vcpus", "2"], ["==", "$a", "x=1,y=2"]]"#,
                "resource_properties": ""})
        );
        assert_eq!(reservation_text(&members), text);
        let text = r#"resource_type=virtual:floatingip,network_id=n,amount=1,required_floatingips=["192.0.2.9"]"#;
        let members = reservation(text, HOST_TYPE).unwrap();
        assert_eq!(members["required_floatingips"], json!(["192.0.2.9"]));
        assert_eq!(reservation_text(&members), text);
    }

    #[test]
    fn c10_what_would_be_ignored_is_refused_with_the_nearest_name() {
        for (text, expected) in [
            (
                "minimum=3",
                "physical:host has no 'minimum'; did you mean 'min'? There are resource_type, min, max,",
            ),
            ("min=1,maks=2", "did you mean 'max'?"),
            (
                "resource_type=virtual:instance,amount=2,afinity=False",
                "did you mean 'affinity'?",
            ),
            ("resource_type=virtual:instance,min=2", "virtual:instance has no 'min'"),
            (
                "resource_type=flavor:instance,flavour_id=3",
                "did you mean 'flavor_id'?",
            ),
            (
                "resource_type=virtual:floatingip,network=n",
                "did you mean 'network_id'?",
            ),
            (
                "resource_type=licence:cad,units=2",
                "licence:cad has no 'units'; there are resource_type, amount",
            ),
            (
                "resource_type=physical:hosts,min=2",
                "'physical:hosts' is no resource type with this; did you mean 'physical:host'?",
            ),
            ("min=1,min=2", "min is given twice"),
            ("min=", "min=: a value is needed"),
            ("min=two", "min=two: a whole number is needed"),
            ("min=-1", "a whole number is needed"),
            ("resource_type=", "a value is needed"),
            ("resource_type=virtual:instance,affinity=maybe", "True, False or None"),
            ("", "nothing is given"),
            ("min", "'min' is not KEY=VALUE"),
            ("=3", "'=3' is not KEY=VALUE"),
            ("min=1,", "min=1,: a whole number"),
        ] {
            let error = reservation(text, HOST_TYPE).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{text}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        for wrong in ["gpu", "=a100", "gpu=", ""] {
            assert!(wrong.parse::<Property>().is_err(), "{wrong}");
        }
        let twice: Vec<Property> = ["gpu=a", "gpu=b"].iter().map(|text| text.parse().unwrap()).collect();
        assert!(
            distinct(&twice)
                .unwrap_err()
                .to_string()
                .contains("gpu: it is given twice")
        );
        // Names of properties are free.
        assert_eq!(
            distinct(&["gqu=True".parse().unwrap()]).unwrap(),
            Map::from_iter([("gqu".to_owned(), json!("True"))])
        );
    }
}
