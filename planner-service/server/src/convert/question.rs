//! Questions about capacity as they arrive. Whatever is wrong names the member, its value and what is
//! allowed; members and parameters that are not known are wrong, because a misspelt one would change the
//! answer without a word.

use api_types::capacity::{AddedHosts, HostChanges, WhatIfLease, WhatIfRequest};
use api_types::date::ZonedTime;
use api_types::reservation::{OF_COUNTABLES, OF_FLAVORS, OF_FLOATING_IPS, OF_HOSTS, OF_INSTANCES};
use planner_core::domain::{FlavorReservation, FloatingIpReservation, HostReservation, InstanceReservation, Timestamp};
use planner_core::question::{AvailabilityQuestion, HostChange, MOST_HOSTS, MOST_STEPS, WhatIfQuestion};
use planner_core::service::ReservationDraft;
use plugin_api::echo::shortened;
use serde_json::{Map, Value};

use super::expression::expression;
use super::lease_draft::MAX_RESERVATIONS;
use super::{capability, reservation};
use crate::body::Object;
use crate::error::ApiError;

/// Seconds a range lasts if no end is given: seven days.
const DEFAULT_RANGE: i64 = 7 * 86_400;

/// The parameters of `GET /capacity/v1/availability`.
const PARAMETERS: [&str; 6] = [
    "start",
    "end",
    "hypervisor_properties",
    "resource_properties",
    "limit",
    "marker",
];

/// A question about availability, and the start that was asked for before any marker.
pub(crate) struct AvailabilityParameters {
    pub(crate) question: AvailabilityQuestion,
    pub(crate) start: Timestamp,
}

/// Reads the query of `GET /capacity/v1/availability`.
pub(crate) fn availability(query: Option<&str>, now: Timestamp) -> Result<AvailabilityParameters, ApiError> {
    let mut given: Map<String, Value> = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if !PARAMETERS.contains(&name.as_ref()) {
            return Err(ApiError::invalid(format!(
                "{}: there is no such parameter; allowed are {}",
                shortened(&name),
                PARAMETERS.join(", ")
            )));
        }
        if given
            .insert(name.clone().into_owned(), Value::from(value.into_owned()))
            .is_some()
        {
            return Err(ApiError::invalid(format!("{name}: must be given once")));
        }
    }
    let text = |name: &str| given.get(name).and_then(Value::as_str);
    let time = |name: &str| text(name).map(|text| moment(name, text)).transpose();
    let this_minute = now - now.rem_euclid(60);
    let start = time("start")?.unwrap_or(this_minute);
    if start < this_minute {
        return Err(ApiError::invalid(format!(
            "start: {} has passed; it must not lie before the present minute",
            text("start").unwrap_or_default()
        )));
    }
    let end = time("end")?.unwrap_or_else(|| start.saturating_add(DEFAULT_RANGE));
    let from = time("marker")?.unwrap_or(start);
    if from < start || (from >= end && from > start) {
        return Err(ApiError::invalid(
            "marker: must lie between start and end; use the next_marker of an answer",
        ));
    }
    let expression =
        |name: &str| -> Result<String, ApiError> { expression(&given, name).map(Option::unwrap_or_default) };
    let question = AvailabilityQuestion {
        hypervisor_properties: expression("hypervisor_properties")?,
        resource_properties: expression("resource_properties")?,
        start: from,
        end,
        most_steps: text("limit").map_or(Ok(MOST_STEPS), limit)?,
    };
    Ok(AvailabilityParameters { question, start })
}

fn limit(text: &str) -> Result<usize, ApiError> {
    let limit = text.parse().ok().filter(|limit| (1..=MOST_STEPS).contains(limit));
    limit.ok_or_else(|| {
        ApiError::invalid(format!(
            "limit: '{}' is not allowed; it must be a whole number from 1 to {MOST_STEPS}",
            shortened(text)
        ))
    })
}

fn moment(name: &str, text: &str) -> Result<Timestamp, ApiError> {
    ZonedTime::parse(text).map(|time| time.0).map_err(|_| {
        ApiError::invalid(format!(
            "{name}: '{}' is not allowed; write a time with its zone as in RFC 3339, e.g. 2030-01-01T10:00:00Z \
             (a + in a query is written %2B)",
            shortened(text)
        ))
    })
}

/// Reads the body of `POST /capacity/v1/what-if`.
pub(crate) fn what_if(
    body: Object,
    now: Timestamp,
    offered: &[&str],
) -> Result<WhatIfQuestion<ReservationDraft>, ApiError> {
    let request: WhatIfRequest = serde_path_to_error::deserialize(Value::Object(body)).map_err(|error| {
        let place = match error.path().to_string().as_str() {
            "." => String::new(),
            path => format!("{}: ", shortened(path)),
        };
        // The value comes first and may be long; what is allowed comes last.
        let text = error.into_inner().to_string();
        let rule = [", expected ", " is an invalid date"]
            .into_iter()
            .find_map(|rule| text.rfind(rule));
        let (value, rule) = text.split_at(rule.unwrap_or(text.len()));
        ApiError::invalid(format!("{place}{}{rule}", shortened(value)))
    })?;
    let mut question = WhatIfQuestion::default();
    if let Some(lease) = request.lease {
        question.window = Some(window(&lease, now)?);
        question.latest_start = lease.latest_start.map(|time| time.0);
        question.reservations = reservations(lease.reservations, offered)?;
    }
    if let Some(hosts) = request.hosts {
        question.hosts = changes(hosts)?;
    }
    Ok(question)
}

fn window(lease: &WhatIfLease, now: Timestamp) -> Result<(Timestamp, Timestamp), ApiError> {
    let start = lease.start.map_or(now - now.rem_euclid(60), |start| start.0);
    for (name, time) in [("start", start), ("end", lease.end.0)] {
        if time.rem_euclid(60) != 0 {
            return Err(ApiError::invalid(format!(
                "lease.{name}: {} is not allowed; leases start and end on whole minutes",
                ZonedTime(time)
            )));
        }
    }
    Ok((start, lease.end.0))
}

fn reservations(entries: Vec<Object>, offered: &[&str]) -> Result<Vec<ReservationDraft>, ApiError> {
    if entries.len() > MAX_RESERVATIONS {
        return Err(ApiError::invalid(format!(
            "lease.reservations: {} entries are given, at most {MAX_RESERVATIONS} are allowed",
            entries.len()
        )));
    }
    entries
        .into_iter()
        .enumerate()
        .map(|(place, entry)| specification(place, entry, offered))
        .collect()
}

/// An entry with the defaults this API has and `POST /v1/leases` has not.
fn specification(place: usize, mut entry: Object, offered: &[&str]) -> Result<ReservationDraft, ApiError> {
    let members = match entry.get("resource_type") {
        None => OF_HOSTS,
        Some(Value::String(kind)) => match kind.as_str() {
            HostReservation::RESOURCE_TYPE => OF_HOSTS,
            FlavorReservation::RESOURCE_TYPE => OF_FLAVORS,
            InstanceReservation::RESOURCE_TYPE => OF_INSTANCES,
            FloatingIpReservation::RESOURCE_TYPE => OF_FLOATING_IPS,
            kind if offered.contains(&kind) => OF_COUNTABLES,
            _ => &[],
        },
        Some(_) => &[],
    };
    // Of a type that there is not no member is wrong.
    let unknown = entry
        .keys()
        .find(|name| !members.is_empty() && !members.contains(&name.as_str()));
    if let Some(unknown) = unknown {
        return Err(ApiError::invalid(format!(
            "lease.reservations[{place}].{}: there is no such member; allowed are {}",
            shortened(unknown),
            members.join(", ")
        )));
    }
    let min = entry.get("min").cloned();
    let mut default = |name: &str, value: Option<Value>| {
        if let (false, Some(value)) = (entry.contains_key(name), value) {
            entry.insert(name.to_owned(), value);
        }
    };
    if members.contains(&"affinity") {
        default("affinity", Some(Value::Null));
    }
    if members.contains(&"resource_properties") {
        default("resource_properties", Some("".into()));
    }
    if members.contains(&"max") {
        default("resource_type", Some("physical:host".into()));
        default("max", min);
        default("hypervisor_properties", Some("".into()));
    }
    reservation::draft(&entry, offered)
        .map_err(|error| ApiError::invalid(format!("lease.reservations[{place}]: {error}")))
}

fn changes(hosts: HostChanges) -> Result<Vec<HostChange>, ApiError> {
    let most = usize::try_from(MOST_HOSTS).unwrap_or(usize::MAX);
    if hosts.add.len() + hosts.remove.len() + hosts.down.len() > most {
        return Err(ApiError::invalid(format!(
            "hosts: at most {MOST_HOSTS} entries are allowed in one question"
        )));
    }
    let mut changes = hosts.add.into_iter().map(added).collect::<Result<Vec<_>, _>>()?;
    changes.extend(hosts.remove.into_iter().map(|host| HostChange::Remove { host }));
    changes.extend(hosts.down.into_iter().map(|down| HostChange::Down {
        host: down.host,
        start: down.start.map(|time| time.0),
        end: down.end.map(|time| time.0),
    }));
    Ok(changes)
}

fn added(hosts: AddedHosts) -> Result<HostChange, ApiError> {
    let named = hosts
        .properties
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    capability::check_keys(&named.collect())?;
    for (name, value) in &hosts.properties {
        capability::text(name, &Value::from(value.as_str()))?;
    }
    Ok(HostChange::Add {
        count: hosts.count,
        like: hosts.like,
        capabilities: hosts.properties,
    })
}
