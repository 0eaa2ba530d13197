//! `berth timeline`: hosts and time drawn in the terminal.
//!
//! Invariant: what is drawn is what the allocation listing says, nothing is computed from wishes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use clap::Args;
use serde_json::{Value, json};

use crate::ConnectionArguments;
use crate::answer::list;
use crate::api::Api;
use crate::error::ClientError;
use crate::hint::Kind;
use crate::moment::{Moment, from_wire};
use crate::output::{Output, Shown, counted, text_of};
use crate::request::quoted;
use crate::timeline_chart::{Block, Chart, LeaseLabel, Row, Style, day_and_time, draw};

/// Shown when nothing is booked.
const EMPTY_SPAN: TimeDelta = TimeDelta::hours(24);

/// Without `--until` what starts later than this after the first time shown does not widen the drawing.
const DEFAULT_STARTS: TimeDelta = TimeDelta::hours(24);

/// Without `--until` nothing later than this is shown, so that one long lease hides nothing.
const LONGEST_DEFAULT_SPAN: TimeDelta = TimeDelta::days(14);

/// Hosts drawn at a time without `--limit`.
const DEFAULT_LIMIT: usize = 50;

/// Which part of the timeline, and how wide.
#[derive(Debug, Args)]
pub struct TimelineArguments {
    /// First time shown: now, -1h, '2030-01-01 10:00' (UTC)
    #[arg(long, value_name = "TIME", default_value = "now", allow_hyphen_values = true)]
    pub from: Moment,
    /// Last time shown; +8h counts from --from; without it the end of what starts within a day
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<Moment>,
    /// Columns to draw in; without it the terminal's
    #[arg(long, value_name = "COLUMNS", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(40..=2000))]
    pub width: Option<u16>,
    /// Leave out hosts on which nothing is booked in this time
    #[arg(long)]
    pub busy: bool,
    /// Only these hosts, by id or name, repeatable; * stands for any characters
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<String>,
    /// Only these leases, by id or name, repeatable, and the hosts they have
    #[arg(long = "lease", value_name = "LEASE")]
    pub leases: Vec<String>,
    /// Only leases of this project, and the hosts they have
    #[arg(long, value_name = "ID")]
    pub project: Option<String>,
    /// Most hosts drawn at a time; without it 50, and with --json all
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Go on after this host, in the order of names
    #[arg(long, value_name = "HOST")]
    pub after: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it")]
    pub connection: ConnectionArguments,
}

impl TimelineArguments {
    /// Whether a lease is one of those to be shown.
    fn shows(&self, id: &str, lease: Option<&Value>) -> bool {
        let is = |name: &str, wanted: &str| lease.is_some_and(|lease| text_of(lease, name) == wanted);
        let named = self.leases.is_empty() || self.leases.iter().any(|wanted| wanted == id || is("name", wanted));
        named && self.project.as_ref().is_none_or(|project| is("project_id", project))
    }

    /// Whether only some leases are to be shown.
    const fn is_of_leases(&self) -> bool {
        !self.leases.is_empty() || self.project.is_some()
    }

    /// Whether a host is one of those to be shown.
    fn shows_host(&self, id: &str, name: &str) -> bool {
        let wanted = self.hosts.is_empty()
            || self
                .hosts
                .iter()
                .any(|wanted| wanted == id || matches_pattern(name, wanted));
        wanted && self.after.as_ref().is_none_or(|after| name > after.as_str())
    }
}

/// Whether a name matches a pattern in which `*` stands for any characters, also none.
fn matches_pattern(name: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return name == pattern;
    };
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

/// What leases are called that the caller may not read.
const OTHERS: &str = "other projects";

/// What a lease has of a host, as listed.
struct Booking {
    /// Of leases that the caller may not read, [`OTHERS`] and the time: what begins and ends together looks like one.
    lease_id: String,
    start: i64,
    end: i64,
    /// End of the cleaning that follows; without one the end.
    occupied_until: i64,
    tentative: bool,
    /// More than one where instances share the host.
    places: usize,
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
    for wanted in &arguments.leases {
        let is_meant = |lease: &Value| text_of(lease, "id") == *wanted || text_of(lease, "name") == *wanted;
        if !leases.iter().any(is_meant) {
            let known = leases.iter().filter_map(|lease| lease.get("name")?.as_str());
            return Err(ClientError::no_such(Kind::Lease, wanted, known));
        }
    }
    let leases: BTreeMap<String, &Value> = leases.iter().map(|lease| (text_of(lease, "id"), lease)).collect();

    let mut bookings: BTreeMap<String, Vec<Booking>> = BTreeMap::new();
    for allocation in &allocations {
        let reservations = allocation.get("reservations").and_then(Value::as_array);
        let shown = reservations
            .into_iter()
            .flatten()
            .filter_map(|entry| booking(entry, &leases));
        let shown = shown.filter(|found| arguments.shows(&found.lease_id, leases.get(&found.lease_id).copied()));
        bookings.insert(text_of(allocation, "resource_id"), merged(shown));
    }
    let registered = hosts.len();
    let mut hosts: Vec<(String, &Value)> = hosts
        .iter()
        .map(|host| (text_of(host, "hypervisor_hostname"), host))
        .filter(|(name, host)| arguments.shows_host(&text_of(host, "id"), name))
        .collect();
    hosts.sort_by(|left, right| left.0.cmp(&right.0));
    let drawn: BTreeSet<String> = hosts.iter().map(|(_, host)| text_of(host, "id")).collect();
    bookings.retain(|host, _| drawn.contains(host));

    let until = match arguments.until {
        Some(until) => until.resolve(now, from)?,
        None => default_end(from, bookings.values().flatten()),
    };
    if until <= from {
        return Err(ClientError::Usage("--until must be later than --from".to_owned()));
    }
    let (first, last) = (from.timestamp(), until.timestamp());
    let later = bookings.values().flatten().filter(|booking| booking.start >= last);
    let later: BTreeMap<&str, i64> = later.map(|booking| (booking.lease_id.as_str(), booking.end)).collect();
    let (later, latest_end) = (later.len(), later.values().max().copied());
    for of_host in bookings.values_mut() {
        of_host.retain(|booking| booking.start < last && booking.occupied_until > first);
    }
    if arguments.busy || arguments.is_of_leases() {
        let is_busy = |id: &str| bookings.get(id).is_some_and(|of_host| !of_host.is_empty());
        hosts.retain(|(_, host)| is_busy(&text_of(host, "id")));
    }
    let limit = arguments.limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(if output.json { usize::MAX } else { DEFAULT_LIMIT });
    let more = hosts.len().saturating_sub(limit);
    hosts.truncate(limit);
    let drawn: BTreeSet<String> = hosts.iter().map(|(_, host)| text_of(host, "id")).collect();
    bookings.retain(|host, _| drawn.contains(host));
    if output.json {
        return output.value(&document(from, until, &hosts, &bookings, &leases));
    }
    if hosts.is_empty() {
        output.line(if arguments.busy || arguments.is_of_leases() {
            "Nothing is booked in this time."
        } else if !arguments.hosts.is_empty() {
            "No such host is registered."
        } else if registered > 0 {
            "No host follows the one of --after."
        } else {
            "No hosts are registered."
        })?;
    } else {
        let chart = chart((first, last, now.timestamp()), &hosts, &bookings, &leases);
        let width = arguments.width.unwrap_or_else(|| output.drawing_width());
        let style = Style {
            colour: output.colour,
            blocks: output.blocks,
            width: usize::from(width),
        };
        output.line(&format!(
            "{} .. {} UTC",
            from.format("%Y-%m-%d %H:%M"),
            until.format("%Y-%m-%d %H:%M")
        ))?;
        output.drawing(&draw(&chart, style))?;
    }
    if let (true, Some((name, _))) = (more > 0, hosts.last()) {
        let hosts = counted(u64::try_from(more).unwrap_or(u64::MAX), "host follows", "hosts follow");
        let goes_on = quoted(name)
            .map(|name| format!("--after {name} goes on, "))
            .unwrap_or_default();
        output.line(&format!(
            "{hosts}: {goes_on}--limit draws more, --busy leaves out those on which nothing is booked."
        ))?;
    }
    if let Some(end) = latest_end {
        let leases = counted(u64::try_from(later).unwrap_or(u64::MAX), "lease starts", "leases start");
        output.line(&format!("{leases} later: --until '{}' shows all.", day_and_time(end)))?;
    }
    Ok(())
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
    let (start, end) = (time("start_date")?.timestamp(), time("end_date")?.timestamp());
    Some(Booking {
        start,
        end,
        occupied_until: time("occupied_until").map_or(end, |until| until.timestamp().max(end)),
        tentative,
        lease_id: if lease_id.is_empty() {
            format!("{OTHERS} {start} {end}")
        } else {
            lease_id
        },
        places: 1,
    })
}

/// Whether a booking's `lease_id` stands for leases that the caller may not read.
fn is_others(lease_id: &str) -> bool {
    lease_id.starts_with(OTHERS)
}

/// One booking for each lease; the service lists every place of an instance.
fn merged(bookings: impl Iterator<Item = Booking>) -> Vec<Booking> {
    let mut merged: BTreeMap<(i64, String, i64), Booking> = BTreeMap::new();
    for booking in bookings {
        let key = (booking.start, booking.lease_id.clone(), booking.end);
        merged
            .entry(key)
            .and_modify(|known| {
                known.places += 1;
                known.tentative &= booking.tentative;
            })
            .or_insert(booking);
    }
    merged.into_values().collect()
}

/// The end of what starts within a day, on a whole hour; of what comes next if nothing does. Within reason.
fn default_end<'a>(from: DateTime<Utc>, bookings: impl Iterator<Item = &'a Booking> + Clone) -> DateTime<Utc> {
    let to_come = bookings.filter(|booking| booking.occupied_until > from.timestamp());
    let furthest = from + LONGEST_DEFAULT_SPAN;
    let Some(next) = to_come.clone().map(|booking| booking.start).min() else {
        return from + EMPTY_SPAN;
    };
    let starts_by = (from + DEFAULT_STARTS).timestamp().max(next);
    let shown = to_come.filter(|booking| booking.start <= starts_by && booking.start < furthest.timestamp());
    let latest = shown
        .map(|booking| booking.occupied_until)
        .max()
        .and_then(|end| DateTime::from_timestamp(end, 0));
    let Some(latest) = latest else { return from + EMPTY_SPAN };
    let hour = TimeDelta::hours(1);
    let whole_hour = (latest + hour - TimeDelta::seconds(1))
        .duration_trunc(hour)
        .unwrap_or(latest);
    whole_hour.min(furthest)
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
    let member = |id: &str, name: &str| leases.get(id).map(|lease| text_of(lease, name));
    let other = |id: &str| if is_others(id) { OTHERS } else { id }.to_owned();
    let name = |id: &str| member(id, "name").unwrap_or_else(|| other(id));
    order.sort_by_key(|(id, window)| (window.0, window.1, name(id)));
    let index: BTreeMap<&str, usize> = order.iter().enumerate().map(|(index, (id, _))| (*id, index)).collect();
    let rows = hosts
        .iter()
        .map(|(label, host)| Row {
            label: Shown::new(label),
            out_of_service: host.get("reservable") == Some(&Value::Bool(false)),
            blocks: bookings
                .get(&text_of(host, "id"))
                .into_iter()
                .flatten()
                .filter_map(|booking| {
                    let lease = *index.get(booking.lease_id.as_str())?;
                    let block = Block {
                        lease,
                        start: booking.start,
                        end: booking.end,
                        tentative: booking.tentative,
                        places: booking.places,
                        cleaning: false,
                    };
                    let cleaning = Block {
                        start: booking.end,
                        end: booking.occupied_until,
                        cleaning: true,
                        ..block
                    };
                    Some([block, cleaning])
                })
                .flatten()
                .filter(|block| block.start < block.end)
                .collect(),
        })
        .collect();
    let labels = order
        .iter()
        .map(|(id, (start, end))| LeaseLabel {
            name: Shown::new(&name(id)),
            status: Shown::new(&member(id, "status").unwrap_or_default()),
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
                    let cleaned = booking.occupied_until > booking.end;
                    json!({
                        "lease_id": Some(&booking.lease_id).filter(|id| !is_others(id)),
                        "lease": leases.get(&booking.lease_id).map(|lease| text_of(lease, "name")),
                        "start": time(booking.start),
                        "end": time(booking.end),
                        "occupied_until": cleaned.then(|| time(booking.occupied_until)),
                        "tentative": booking.tentative,
                        "places": booking.places,
                    })
                })
                .collect();
            json!({"id": id, "name": name, "reservable": host.get("reservable"), "leases": blocks})
        })
        .collect();
    json!({"from": from.to_rfc3339(), "until": until.to_rfc3339(), "hosts": hosts})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_names() {
        for (name, pattern, matches) in [
            ("gpu01", "gpu01", true),
            ("gpu01", "gpu", false),
            ("gpu01", "gpu*", true),
            ("gpu01", "*01", true),
            ("gpu01", "g*0*", true),
            ("gpu01", "g*2*", false),
            ("aba", "ab*ba", false),
            ("gpu01", "*", true),
        ] {
            assert_eq!(matches_pattern(name, pattern), matches, "{name} {pattern}");
        }
    }

    #[test]
    fn c8_the_default_range_shows_what_is_near() {
        let from = DateTime::from_timestamp(1_893_492_000, 0).unwrap();
        let hours = |start: i64, end: i64| Booking {
            lease_id: String::new(),
            start: from.timestamp() + start * 3600,
            end: from.timestamp() + end * 3600,
            occupied_until: from.timestamp() + end * 3600,
            tentative: false,
            places: 1,
        };
        let end = |bookings: &[Booking]| (default_end(from, bookings.iter()) - from).num_hours();
        assert_eq!(end(&[]), 24);
        assert_eq!(end(&[hours(-5, -1)]), 24);
        assert_eq!(end(&[hours(-5, 3), hours(1, 8)]), 8);
        // A lease weeks ahead does not squeeze the one that runs.
        assert_eq!(end(&[hours(0, 2), hours(24 * 10, 24 * 11)]), 2);
        assert_eq!(end(&[hours(30, 40), hours(60, 70)]), 40);
        assert_eq!(end(&[hours(0, 24 * 300)]), 24 * 14);
        assert_eq!(end(&[hours(24 * 300, 24 * 301)]), 24);
    }
}
