//! `berth timeline`: hosts and time drawn in the terminal.
//!
//! Invariant: what is drawn is what the allocation listing says, nothing is computed from wishes.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use clap::Args;
use serde_json::{Value, json};

use crate::ConnectionArguments;
use crate::api::{Api, list};
use crate::error::ClientError;
use crate::moment::{Moment, from_wire};
use crate::output::{Output, text_of};
use crate::timeline_chart::{Block, Chart, LeaseLabel, Row, Style, draw};

/// Shown when nothing is booked.
const EMPTY_SPAN: TimeDelta = TimeDelta::hours(24);

/// Without `--until` nothing later than this is shown, so that one lease next year hides nothing.
const LONGEST_DEFAULT_SPAN: TimeDelta = TimeDelta::days(14);

/// Which part of the timeline, and how wide.
#[derive(Debug, Args)]
pub struct TimelineArguments {
    /// First time shown: now, -1h, '2030-01-01 10:00' (UTC)
    #[arg(long, value_name = "TIME", default_value = "now", allow_hyphen_values = true)]
    pub from: Moment,
    /// Last time shown; +8h counts from --from; without it the end of what is booked
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// Columns to draw in; without it the terminal's
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=2000))]
    pub width: Option<u16>,
    /// Leave out hosts on which nothing is booked in this time
    #[arg(long)]
    pub busy: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it")]
    pub connection: ConnectionArguments,
}

/// A booking of a host, as listed.
struct Booking {
    lease_id: String,
    start: i64,
    end: i64,
    tentative: bool,
}

pub(crate) async fn run(
    arguments: &TimelineArguments,
    api: &Api,
    output: &mut Output<'_>,
    now: DateTime<Utc>,
) -> Result<(), ClientError> {
    let from = arguments.from.resolve(now, now)?;
    let hosts = list(api.get("/v1/os-hosts", &[]).await?, "hosts")?;
    let allocations = list(api.get("/v1/os-hosts/allocations", &[]).await?, "allocations")?;
    let leases = list(api.get("/v1/leases", &[]).await?, "leases")?;
    let leases: BTreeMap<String, &Value> = leases.iter().map(|lease| (text_of(lease, "id"), lease)).collect();

    let mut bookings: BTreeMap<String, Vec<Booking>> = BTreeMap::new();
    for allocation in &allocations {
        let of_host = bookings.entry(text_of(allocation, "resource_id")).or_default();
        for reservation in allocation
            .get("reservations")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            of_host.extend(booking(reservation, &leases));
        }
    }
    let latest = bookings.values().flatten().map(|booking| booking.end).max();
    let until = match arguments.until {
        Some(until) => until.resolve(now, from)?,
        None => default_end(from, latest),
    };
    if until <= from {
        return Err(ClientError::Usage("--until must be later than --from".to_owned()));
    }
    let (first, last) = (from.timestamp(), until.timestamp());
    for of_host in bookings.values_mut() {
        of_host.retain(|booking| booking.start < last && booking.end > first);
    }

    let mut hosts: Vec<(String, &Value)> = hosts
        .iter()
        .map(|host| (text_of(host, "hypervisor_hostname"), host))
        .collect();
    hosts.sort_by(|left, right| left.0.cmp(&right.0));
    if arguments.busy {
        hosts.retain(|(_, host)| {
            bookings
                .get(&text_of(host, "id"))
                .is_some_and(|of_host| !of_host.is_empty())
        });
    }
    if output.json {
        return output.value(&document(from, until, &hosts, &bookings, &leases));
    }
    if hosts.is_empty() {
        return output.line(if arguments.busy {
            "Nothing is booked in this time."
        } else {
            "No hosts are registered."
        });
    }
    let chart = chart((first, last, now.timestamp()), &hosts, &bookings, &leases);
    let width = arguments.width.unwrap_or_else(|| output.drawing_width());
    let style = Style {
        colour: output.colour,
        width: usize::from(width),
    };
    output.line(&format!(
        "{} .. {} UTC",
        from.format("%Y-%m-%d %H:%M"),
        until.format("%Y-%m-%d %H:%M")
    ))?;
    output.text(&draw(&chart, style))
}

fn booking(reservation: &Value, leases: &BTreeMap<String, &Value>) -> Option<Booking> {
    let time = |name: &str| reservation.get(name).and_then(Value::as_str).and_then(from_wire);
    let lease_id = text_of(reservation, "lease_id");
    // Other services do not say it; there a lease that has not started is the nearest to it.
    let pending = || {
        leases
            .get(&lease_id)
            .is_some_and(|lease| text_of(lease, "status") == "PENDING")
    };
    let tentative = reservation
        .get("tentative")
        .and_then(Value::as_bool)
        .unwrap_or_else(pending);
    Some(Booking {
        start: time("start_date")?.timestamp(),
        end: time("end_date")?.timestamp(),
        tentative,
        lease_id,
    })
}

/// The end of what is booked, on a whole hour, within reason.
fn default_end(from: DateTime<Utc>, latest: Option<i64>) -> DateTime<Utc> {
    let latest = latest
        .and_then(|latest| DateTime::from_timestamp(latest, 0))
        .filter(|latest| *latest > from);
    let Some(latest) = latest else { return from + EMPTY_SPAN };
    let hour = TimeDelta::hours(1);
    let whole_hour = (latest + hour - TimeDelta::seconds(1))
        .duration_trunc(hour)
        .unwrap_or(latest);
    whole_hour.min(from + LONGEST_DEFAULT_SPAN)
}

fn chart(
    (from, until, now): (i64, i64, i64),
    hosts: &[(String, &Value)],
    bookings: &BTreeMap<String, Vec<Booking>>,
    leases: &BTreeMap<String, &Value>,
) -> Chart {
    let mut windows: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for booking in bookings.values().flatten() {
        windows.insert(&booking.lease_id, (booking.start, booking.end));
    }
    let mut order: Vec<(&str, (i64, i64))> = windows.into_iter().collect();
    let name = |id: &str| {
        leases
            .get(id)
            .map_or_else(|| id.to_owned(), |lease| text_of(lease, "name"))
    };
    order.sort_by_key(|(id, window)| (window.0, window.1, name(id)));
    let index: BTreeMap<&str, usize> = order.iter().enumerate().map(|(index, (id, _))| (*id, index)).collect();
    let rows = hosts
        .iter()
        .map(|(label, host)| Row {
            label: label.clone(),
            out_of_service: host.get("reservable") == Some(&Value::Bool(false)),
            blocks: bookings
                .get(&text_of(host, "id"))
                .into_iter()
                .flatten()
                .filter_map(|booking| {
                    let lease = *index.get(booking.lease_id.as_str())?;
                    Some(Block {
                        lease,
                        start: booking.start,
                        end: booking.end,
                        tentative: booking.tentative,
                    })
                })
                .collect(),
        })
        .collect();
    let labels = order
        .iter()
        .map(|(id, (start, end))| LeaseLabel {
            name: name(id),
            status: leases
                .get(*id)
                .map(|lease| text_of(lease, "status"))
                .unwrap_or_default(),
            start: *start,
            end: *end,
        })
        .collect();
    Chart {
        from,
        until,
        now,
        rows,
        leases: labels,
    }
}

fn document(
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    hosts: &[(String, &Value)],
    bookings: &BTreeMap<String, Vec<Booking>>,
    leases: &BTreeMap<String, &Value>,
) -> Value {
    let time = |seconds: i64| DateTime::from_timestamp(seconds, 0).map(|time| time.to_rfc3339());
    let hosts: Vec<Value> = hosts
        .iter()
        .map(|(name, host)| {
            let id = text_of(host, "id");
            let blocks: Vec<Value> = bookings
                .get(&id)
                .into_iter()
                .flatten()
                .map(|booking| {
                    json!({
                        "lease_id": booking.lease_id,
                        "lease": leases.get(&booking.lease_id).map(|lease| text_of(lease, "name")),
                        "start": time(booking.start),
                        "end": time(booking.end),
                        "tentative": booking.tentative,
                    })
                })
                .collect();
            json!({"id": id, "name": name, "reservable": host.get("reservable"), "leases": blocks})
        })
        .collect();
    json!({"from": from.to_rfc3339(), "until": until.to_rfc3339(), "hosts": hosts})
}
