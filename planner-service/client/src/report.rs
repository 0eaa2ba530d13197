//! What a lease is and why it waits, for people.
//!
//! Invariant: Berth's own report is shown when the service has one; a service without it (upstream's)
//! is shown from `/v1` alone, with nothing made up.

use std::collections::BTreeMap;

use api_types::report::{LeaseReport, ReportedEvent, ReportedHost};
use serde_json::{Value, json};

use crate::answer::{list, member};
use crate::api::{Api, ApiError, segment};
use crate::error::ClientError;
use crate::moment::time_for_people;
use crate::output::{Cell, Output, cell_of, text_of, with_places};
use crate::reservation::noun;
use crate::timeline_chart::day_and_time;

/// The names of a lease's hosts, as a member beside those of `/v1`.
pub(crate) const HOSTS: &str = "hosts";

/// Everything known about a lease.
struct View {
    /// As `/v1` shows it.
    lease: Value,
    /// The report as it was answered, and read.
    report: Option<(Value, LeaseReport)>,
    /// Names of hosts by id, for services whose report does not say them; empty for those who may not list hosts.
    host_names: BTreeMap<String, String>,
}

impl View {
    async fn fetch(id: &str, api: &Api) -> Result<Self, ClientError> {
        let lease = member(api.get(&format!("/v1/leases/{}", segment(id)), &[]).await?, "lease")?;
        Self::of(lease, api).await
    }

    /// What is known of a lease beside what `/v1` shows.
    async fn of(lease: Value, api: &Api) -> Result<Self, ClientError> {
        let id = text_of(&lease, "id");
        let report: Option<(Value, LeaseReport)> =
            match api.get(&format!("/capacity/v1/leases/{}", segment(&id)), &[]).await {
                Ok(answer) => {
                    let report =
                        serde_json::from_value(answer.clone()).map_err(|_| ClientError::Answer("lease report"))?;
                    Some((answer, report))
                }
                Err(ApiError::Refused { status: 404, .. }) => None,
                Err(error) => return Err(error.into()),
            };
        let is_named = |(_, report): &(Value, LeaseReport)| {
            let mut hosts = report.reservations.iter().flat_map(|reservation| &reservation.hosts);
            hosts.all(|host| host.name.is_some())
        };
        if report.as_ref().is_some_and(is_named) {
            return Ok(Self {
                lease,
                report,
                host_names: BTreeMap::new(),
            });
        }
        let host_names = match api.get("/v1/os-hosts", &[]).await {
            Ok(answer) => list(answer, "hosts")?
                .iter()
                .map(|host| (text_of(host, "id"), text_of(host, "hypervisor_hostname")))
                .collect(),
            Err(ApiError::Refused { status: 403, .. }) => BTreeMap::new(),
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            lease,
            report,
            host_names,
        })
    }

    fn host_name<'a>(&'a self, host: &'a ReportedHost) -> &'a str {
        let known = host.name.as_ref().or_else(|| self.host_names.get(&host.host_id));
        known.unwrap_or(&host.host_id)
    }

    /// The hosts that it has, by name; one that serves several reservations stands there for each.
    fn hosts(&self) -> Vec<HeldHost<'_>> {
        let reservations = self.report.iter().flat_map(|(_, report)| &report.reservations);
        let hosts = reservations.flat_map(|reservation| &reservation.hosts);
        let mut hosts: Vec<HeldHost<'_>> = hosts
            .map(|host| HeldHost {
                name: self.host_name(host),
                tentative: host.tentative,
                places: host.places.into(),
            })
            .collect();
        hosts.sort_by_key(|host| host.name);
        hosts
    }
}

/// A host of a lease.
struct HeldHost<'a> {
    name: &'a str,
    /// Whether it may still be exchanged.
    tentative: bool,
    /// Instances of one reservation that have their place there; 1 of a host held whole.
    places: u64,
}

/// Prints one member of a lease, or its [`HOSTS`].
pub(crate) async fn show_field(id: &str, field: &str, api: &Api, output: &mut Output<'_>) -> Result<(), ClientError> {
    if field != HOSTS {
        let lease = member(api.get(&format!("/v1/leases/{}", segment(id)), &[]).await?, "lease")?;
        return output.member(lease.get(field).unwrap_or(&Value::Null));
    }
    let view = View::fetch(id, api).await?;
    let hosts: Vec<Value> = view.hosts().into_iter().map(|host| json!(host.name)).collect();
    output.member(&Value::Array(hosts))
}

/// Prints a lease that has just been booked or changed. That is done whatever becomes of the questions that follow, so
/// that none of them makes the command fail.
pub(crate) async fn show_done(lease: Value, api: &Api, output: &mut Output<'_>) -> Result<(), ClientError> {
    let view = View::of(lease.clone(), api).await.unwrap_or_else(|_| View {
        lease,
        report: None,
        host_names: BTreeMap::new(),
    });
    print(&view, output)
}

/// Prints everything about a lease.
pub(crate) async fn show(id: &str, api: &Api, output: &mut Output<'_>) -> Result<(), ClientError> {
    print(&View::fetch(id, api).await?, output)
}

fn print(view: &View, output: &mut Output<'_>) -> Result<(), ClientError> {
    if output.json {
        return match &view.report {
            Some((answer, _)) => output.value(answer),
            None => output.value(&json!({"lease": view.lease})),
        };
    }
    let lease = &view.lease;
    let mut rows = vec![
        ("name", cell_of(lease, "name")),
        ("id", cell_of(lease, "id")),
        ("status", output.status(&text_of(lease, "status"))),
        (
            "start",
            Cell::new(format!("{} UTC", time_for_people(&text_of(lease, "start_date")))),
        ),
        (
            "end",
            Cell::new(format!("{} UTC", time_for_people(&text_of(lease, "end_date")))),
        ),
        ("project", cell_of(lease, "project_id")),
        ("user", cell_of(lease, "user_id")),
    ];
    if let Some(before_end) = before_end(lease) {
        rows.insert(5, ("before end", Cell::new(format!("{before_end} UTC"))));
    }
    if lease.get("degraded") == Some(&Value::Bool(true)) {
        rows.push(("degraded", Cell::new("yes: a host was lost or replaced")));
    }
    for reservation in lease
        .get("reservations")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        rows.push(("reservation", Cell::new(describe(reservation))));
    }
    output.object(rows)?;
    show_hosts(view, output)?;
    show_units(view, output)?;
    show_events(view, output)?;
    show_findings(view, output)
}

/// When something is done before the end.
fn before_end(lease: &Value) -> Option<String> {
    let events = lease.get("events")?.as_array()?;
    let event = events
        .iter()
        .find(|event| text_of(event, "event_type") == "before_end_lease")?;
    Some(time_for_people(&text_of(event, "time")))
}

fn show_hosts(view: &View, output: &mut Output<'_>) -> Result<(), ClientError> {
    let hosts = view.hosts();
    if hosts.is_empty() {
        return Ok(());
    }
    output.heading("Hosts")?;
    let named = |tentative: bool| {
        let hosts = hosts.iter().filter(|host| host.tentative == tentative);
        hosts
            .map(|host| with_places(host.name, host.places))
            .collect::<Vec<_>>()
    };
    let (fixed, tentative) = (named(false), named(true));
    let mut rows = Vec::new();
    if !fixed.is_empty() {
        rows.push(("fixed", Cell::new(fixed.join(" "))));
    }
    if !tentative.is_empty() {
        rows.push(("tentative", Cell::new(tentative.join(" "))));
    }
    output.object(rows)?;
    if !tentative.is_empty() {
        output.line("Tentative: until the lease starts, other suitable hosts may take their place.")?;
    }
    Ok(())
}

fn show_units(view: &View, output: &mut Output<'_>) -> Result<(), ClientError> {
    let reservations = view.report.iter().flat_map(|(_, report)| &report.reservations);
    let mut rows = Vec::new();
    for reservation in reservations.filter(|reservation| !reservation.units.is_empty()) {
        let names: Vec<&str> = reservation.units.iter().map(|unit| unit.name.as_str()).collect();
        let tentative = if reservation.units.iter().any(|unit| unit.tentative) {
            " (tentative)"
        } else {
            ""
        };
        rows.push((
            reservation.resource_type.as_str(),
            Cell::new(format!("{}{tentative}", names.join(" "))),
        ));
    }
    if rows.is_empty() {
        return Ok(());
    }
    output.heading("Units")?;
    output.object(rows)
}

fn show_events(view: &View, output: &mut Output<'_>) -> Result<(), ClientError> {
    output.heading("Events")?;
    let rows = match &view.report {
        Some((_, report)) => {
            let mut events: Vec<&ReportedEvent> = report.events.iter().collect();
            events.sort_by_key(|event| (event.time.0, order(&event.event_type)));
            events.into_iter().map(|event| event_row(event, output)).collect()
        }
        None => view
            .lease
            .get("events")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|event| {
                vec![
                    cell_of(event, "event_type"),
                    Cell::new(time_for_people(&text_of(event, "time"))),
                    output.status(&text_of(event, "status")),
                ]
            })
            .collect(),
    };
    output.table(
        &["EVENT", "DUE (UTC)", "STATUS", "FAILED", "WHY IT WAITS"],
        rows,
        "No events.",
    )
}

/// Events of the same time in the order in which they are carried out.
fn order(event_type: &str) -> usize {
    ["start_lease", "before_end_lease", "end_lease"]
        .iter()
        .position(|known| *known == event_type)
        .unwrap_or(3)
}

fn event_row(event: &ReportedEvent, output: &Output<'_>) -> Vec<Cell> {
    let why = match (&event.waiting, event.not_before) {
        (Some(reason), Some(time)) => format!("{reason} (next attempt {})", clock(time.0)),
        (Some(reason), None) => reason.clone(),
        (None, Some(time)) if event.status == "UNDONE" => format!("next attempt {}", clock(time.0)),
        (None, _) => String::new(),
    };
    let failed = if event.attempts == 0 {
        String::new()
    } else {
        event.attempts.to_string()
    };
    vec![
        Cell::new(&event.event_type),
        Cell::new(day_and_time(event.time.0)),
        output.status(&event.status),
        Cell::new(failed),
        Cell::new(why),
    ]
}

fn show_findings(view: &View, output: &mut Output<'_>) -> Result<(), ClientError> {
    let findings = view
        .report
        .as_ref()
        .map(|(_, report)| report.findings.as_slice())
        .unwrap_or_default();
    if findings.is_empty() {
        return Ok(());
    }
    output.heading("Disagreements between the plan and the cloud")?;
    let rows = findings
        .iter()
        .map(|finding| {
            let state = Cell::new(if finding.repaired { "repaired" } else { "open" });
            let state = if output.colour && !finding.repaired {
                state.bold()
            } else {
                state
            };
            vec![
                Cell::new(&finding.kind),
                Cell::new(&finding.host),
                state,
                Cell::new(&finding.detail),
            ]
        })
        .collect();
    output.table(&["KIND", "HOST", "STATE", "DETAIL"], rows, "None.")
}

/// A reservation in one line.
fn describe(reservation: &Value) -> String {
    let mut text = format!("{} of {}", size(reservation), text_of(reservation, "resource_type"));
    if reservation.get("vcpus").is_some() {
        let of = |name| text_of(reservation, name);
        let (vcpus, memory, disk) = (of("vcpus"), of("memory_mb"), of("disk_gb"));
        let one = if vcpus == "1" { "vCPU" } else { "vCPUs" };
        text = format!("{text}, each {vcpus} {one}, {memory} MiB, {disk} GiB");
        match reservation.get("affinity").and_then(Value::as_bool) {
            Some(true) => text.push_str(", all on one host"),
            Some(false) => text.push_str(", each on another host"),
            None => {}
        }
    }
    for name in ["hypervisor_properties", "resource_properties"] {
        let condition = text_of(reservation, name);
        // Of instances of a flavor it is the flavor.
        if let Ok(Value::Object(flavor)) = serde_json::from_str(&condition) {
            let flavor = Value::Object(flavor);
            text = format!(
                "{text}, flavor {} ({})",
                text_of(&flavor, "name"),
                text_of(&flavor, "id")
            );
            continue;
        }
        if !condition.is_empty() && condition != "[]" {
            text.push_str(" where ");
            text.push_str(&condition);
        }
    }
    for (name, words) in [
        ("missing_resources", "a lost host could not be replaced"),
        ("resources_changed", "a host was replaced"),
    ] {
        if reservation.get(name) == Some(&Value::Bool(true)) {
            text.push_str("; ");
            text.push_str(words);
        }
    }
    format!(
        "{text} ({}, {})",
        text_of(reservation, "status"),
        text_of(reservation, "id")
    )
}

/// How much every reservation of a lease asks for.
pub(crate) fn sizes(lease: &Value) -> String {
    let reservations = lease.get("reservations").and_then(Value::as_array);
    reservations
        .into_iter()
        .flatten()
        .map(size)
        .collect::<Vec<_>>()
        .join(" + ")
}

/// How much a reservation asks for, with what it counts: `2-4 hosts`.
fn size(reservation: &Value) -> String {
    let (min, max) = (text_of(reservation, "min"), text_of(reservation, "max"));
    let number = if min.is_empty() {
        text_of(reservation, "amount")
    } else if min == max {
        min
    } else {
        format!("{min}-{max}")
    };
    let (one, many) = noun(reservation.get("resource_type").and_then(Value::as_str));
    let noun = if number == "1" { one } else { many };
    format!("{number} {noun}")
}

/// Date and time to the second, for what happens within a minute.
fn clock(time: i64) -> String {
    chrono::DateTime::from_timestamp(time, 0)
        .map(|time| time.format("%H:%M:%S").to_string())
        .unwrap_or_default()
}
