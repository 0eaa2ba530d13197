//! `berth what-if`: what would become of a lease, or of all leases if hosts came or went.
//!
//! Exit codes besides those of errors: 0 the lease would be accepted (without one: no promise would be
//! lost); 1 it would be refused, or promises would be lost; 4 the service could not tell in time.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;
use std::str::FromStr;

use api_types::capacity::Offer;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::ConnectionArguments;
use crate::answer::list;
use crate::api::{Api, offers_of};
use crate::error::ClientError;
use crate::key_values::{Property, distinct};
use crate::moment::{Moment, time_for_people, to_rfc3339};
use crate::output::{Cell, Output, counted, text_of, with_places};
use crate::request::{Request, accepted, at, option};
use crate::reservation::{ReservationArguments, noun};

/// The service could not tell in time.
const UNDECIDED: u8 = 4;

/// `berth what-if`.
#[derive(Debug, Clone, Args)]
pub struct WhatIfArguments {
    /// Start of the lease: now, +2h (from now), '2030-01-01 10:00' (UTC) [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, alias = "start-date")]
    start: Option<Moment>,
    /// End of the lease: +2h (from the start), '2030-01-01 12:00' (UTC) [default: +1d]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, alias = "end-date")]
    end: Option<Moment>,
    /// Latest start to look for; +30d counts from the start
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    latest_start: Option<Moment>,
    #[command(flatten)]
    reservation: ReservationArguments,
    /// As if so many hosts were added
    #[arg(long, value_name = "N", help_heading = "Changes of the fleet", allow_negative_numbers = true,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    add_hosts: Option<u32>,
    /// What added hosts are like: id or name of a host
    #[arg(
        long,
        value_name = "HOST",
        requires = "add_hosts",
        help_heading = "Changes of the fleet"
    )]
    like: Option<String>,
    /// A capability of added hosts, repeatable
    #[arg(
        long,
        value_name = "NAME=VALUE",
        requires = "add_hosts",
        help_heading = "Changes of the fleet"
    )]
    property: Vec<Property>,
    /// As if a host were down, repeatable: HOST, or HOST:FROM..UNTIL with times as for --start
    #[arg(long, value_name = "HOST[:FROM..UNTIL]", help_heading = "Changes of the fleet")]
    down: Vec<Down>,
    /// As if a host were gone for good, repeatable
    #[arg(long, value_name = "HOST", help_heading = "Changes of the fleet")]
    remove: Vec<String>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
}

/// A host that is down for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Down {
    host: String,
    from: Option<Moment>,
    until: Option<Moment>,
}

impl fmt::Display for Down {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.host)?;
        if self.from.is_none() && self.until.is_none() {
            return Ok(());
        }
        let time = |time: Option<Moment>| time.map(|time| time.to_string()).unwrap_or_default();
        write!(formatter, ":{}..{}", time(self.from), time(self.until))
    }
}

impl FromStr for Down {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write HOST, or HOST:FROM..UNTIL, e.g. gpu03:+1h..+5h or gpu03:..'2030-01-01 10:00'";
        let (host, times) = match text.split_once(':') {
            Some((host, times)) => (host, Some(times.split_once("..").ok_or_else(|| form.to_owned())?)),
            None => (text, None),
        };
        if host.is_empty() {
            return Err(form.to_owned());
        }
        let time = |text: &str| -> Result<Option<Moment>, String> {
            let text = text.trim();
            let given = (!text.is_empty()).then(|| text.parse::<Moment>());
            given.transpose().map_err(|error| error.to_string())
        };
        let (from, until) = times.unwrap_or_default();
        Ok(Self {
            host: host.to_owned(),
            from: time(from)?,
            until: time(until)?,
        })
    }
}

impl WhatIfArguments {
    fn start(&self) -> Moment {
        self.start.unwrap_or(Moment::Now)
    }

    fn end(&self) -> Moment {
        self.end.unwrap_or(Moment::Offset(TimeDelta::days(1)))
    }

    pub(crate) fn body(&self, now: DateTime<Utc>) -> Result<Value, ClientError> {
        let mut body = Map::new();
        if self.reservation.is_empty() {
            let times = [
                ("--start", self.start),
                ("--end", self.end),
                ("--latest-start", self.latest_start),
            ];
            if let Some((option, _)) = times.iter().find(|(_, time)| time.is_some()) {
                return Err(ClientError::Usage(format!(
                    "{option}: it is a time of a lease; say what to reserve, e.g. --hosts 2"
                )));
            }
        } else {
            let start = self.start().resolve(now, now)?;
            let mut lease = Map::new();
            // The service's own clock decides what "now" is.
            if self.start() != Moment::Now {
                lease.insert("start".to_owned(), json!(to_rfc3339(start)));
            }
            lease.insert("end".to_owned(), json!(to_rfc3339(self.end().resolve(now, start)?)));
            if let Some(latest) = self.latest_start {
                lease.insert(
                    "latest_start".to_owned(),
                    json!(to_rfc3339(latest.resolve(now, start)?)),
                );
            }
            lease.insert("reservations".to_owned(), json!(self.reservation.for_creation()?));
            body.insert("lease".to_owned(), Value::Object(lease));
        }
        let hosts = self.hosts(now)?;
        if !hosts.is_empty() {
            body.insert("hosts".to_owned(), Value::Object(hosts));
        }
        if body.is_empty() {
            return Err(ClientError::Usage(
                "nothing is asked: say what to reserve, e.g. --hosts 2, or what happens to hosts, e.g. --down gpu03"
                    .to_owned(),
            ));
        }
        Ok(Value::Object(body))
    }

    fn hosts(&self, now: DateTime<Utc>) -> Result<Map<String, Value>, ClientError> {
        let mut hosts = Map::new();
        if let Some(count) = self.add_hosts {
            let mut added = Map::from_iter([("count".to_owned(), json!(count))]);
            added.extend(self.like.as_ref().map(|like| ("like".to_owned(), json!(like))));
            let properties = distinct(&self.property)?;
            if !properties.is_empty() {
                added.insert("properties".to_owned(), Value::Object(properties));
            }
            hosts.insert("add".to_owned(), json!([added]));
        }
        if !self.remove.is_empty() {
            hosts.insert("remove".to_owned(), json!(self.remove));
        }
        let mut down = Vec::new();
        for host in &self.down {
            let mut entry = Map::from_iter([("host".to_owned(), json!(host.host))]);
            let from = host.from.map(|from| from.resolve(now, now)).transpose()?;
            if let Some(from) = from {
                entry.insert("start".to_owned(), json!(to_rfc3339(from)));
            }
            if let Some(until) = host.until {
                entry.insert(
                    "end".to_owned(),
                    json!(to_rfc3339(until.resolve(now, from.unwrap_or(now))?)),
                );
            }
            down.push(Value::Object(entry));
        }
        if !down.is_empty() {
            hosts.insert("down".to_owned(), Value::Array(down));
        }
        Ok(hosts)
    }
}

/// A question and the time it is asked at.
struct Asked<'a> {
    arguments: Cow<'a, WhatIfArguments>,
    now: DateTime<Utc>,
}

impl Request for Asked<'_> {
    fn with(&self, offer: &Offer) -> Option<Self> {
        let mut changed = self.arguments.clone().into_owned();
        changed.reservation = self.arguments.reservation.with(offer)?;
        if let Offer::End { end, .. } = offer {
            changed.end = at(end.0);
        }
        if let Offer::Start { start, end, .. } = offer {
            (changed.start, changed.end) = (at(start.0), at(end.0));
            if let Some(latest) = self.arguments.latest_start {
                // As asked: one that counts from the start would move with it.
                let asked = self.arguments.start().resolve(self.now, self.now).ok()?;
                let latest = latest.resolve(self.now, asked).ok()?;
                if latest.timestamp() < start.0 {
                    return None;
                }
                changed.latest_start = Some(Moment::At(latest));
            }
        }
        Some(Self {
            arguments: Cow::Owned(changed),
            now: self.now,
        })
    }

    fn words(&self) -> Vec<String> {
        let asked = &self.arguments;
        let mut words = vec!["what-if".to_owned()];
        option(
            &mut words,
            "--start",
            Some(asked.start()).filter(|start| *start != Moment::Now),
        );
        option(&mut words, "--end", Some(asked.end()));
        option(&mut words, "--latest-start", asked.latest_start);
        asked.reservation.words(&mut words);
        option(&mut words, "--add-hosts", asked.add_hosts);
        option(&mut words, "--like", asked.like.as_ref());
        for property in &asked.property {
            option(&mut words, "--property", Some(property));
        }
        for down in &asked.down {
            option(&mut words, "--down", Some(down));
        }
        for host in &asked.remove {
            option(&mut words, "--remove", Some(host));
        }
        words
    }

    fn noun(&self, reservation: u32) -> (&'static str, &'static str) {
        self.arguments.reservation.noun(reservation)
    }
}

/// The question, asked at this time.
pub(crate) fn asked(arguments: &WhatIfArguments, now: DateTime<Utc>) -> impl Request + '_ {
    Asked {
        arguments: Cow::Borrowed(arguments),
        now,
    }
}

/// What leases and hosts of an answer are called, as far as the caller may read them.
#[derive(Default)]
struct Names {
    leases: Vec<Value>,
    hosts: Vec<Value>,
}

impl Names {
    /// The answer is there; what cannot be read keeps its id.
    async fn of(answer: &Value, api: &Api) -> Self {
        let named = ["/hosts/moves/leases", "/hosts/lost_leases", "/lease/moves/leases"];
        if named.iter().all(|pointer| entries(answer, pointer).is_empty()) {
            return Self::default();
        }
        let listed = async |path: &str, name: &'static str| {
            let answer = api.get(path, &[]).await.ok();
            answer.and_then(|answer| list(answer, name).ok()).unwrap_or_default()
        };
        Self {
            leases: listed("/v1/leases", "leases").await,
            hosts: listed("/v1/os-hosts", "hosts").await,
        }
    }

    fn found(&self, entry: &Value) -> Option<&Value> {
        let id = text_of(entry, "lease_id");
        self.leases.iter().find(|lease| text_of(lease, "id") == id)
    }

    /// The name of the lease that an entry is about, else its id.
    fn lease(&self, entry: &Value) -> String {
        let name = self.found(entry).map(|lease| text_of(lease, "name"));
        name.unwrap_or_else(|| text_of(entry, "lease_id"))
    }

    /// What the reservation that an entry is about counts, as (one, many).
    fn noun(&self, entry: &Value) -> (&'static str, &'static str) {
        let id = text_of(entry, "reservation_id");
        let reservations = self.found(entry).map(|lease| entries(lease, "/reservations"));
        let mut reservations = reservations.into_iter().flatten();
        let found = reservations.find(|reservation| text_of(reservation, "id") == id);
        noun(found.and_then(|found| found.get("resource_type")?.as_str()))
    }

    /// The names of hosts; one that is there several times has so many places.
    fn hosts<'a>(&self, ids: impl Iterator<Item = &'a str>) -> String {
        let mut counted: BTreeMap<String, u64> = BTreeMap::new();
        for id in ids {
            let known = self.hosts.iter().find(|host| text_of(host, "id") == id);
            let name = known.map_or_else(|| id.to_owned(), |host| text_of(host, "hypervisor_hostname"));
            *counted.entry(name).or_default() += 1;
        }
        let named = counted.iter().map(|(name, places)| with_places(name, *places));
        named.collect::<Vec<_>>().join(" ")
    }
}

pub(crate) async fn run(
    arguments: &WhatIfArguments,
    api: &Api,
    output: &mut Output<'_>,
    now: DateTime<Utc>,
) -> Result<ExitCode, ClientError> {
    let answer = api.post("/capacity/v1/what-if", &arguments.body(now)?).await?;
    if output.json {
        output.value(&answer)?;
    } else {
        let names = Names::of(&answer, api).await;
        if let Some(hosts) = answer.get("hosts").filter(|hosts| !hosts.is_null()) {
            show_hosts(hosts, &names, output)?;
        }
        if let Some(lease) = answer.get("lease").filter(|lease| !lease.is_null()) {
            show_lease(lease, &asked(arguments, now), api, &names, output)?;
        }
    }
    Ok(exit_code(&answer))
}

fn exit_code(answer: &Value) -> ExitCode {
    let lost = number(answer, "/hosts/lost") > 0;
    let fewest = answer.pointer("/hosts/proved").and_then(Value::as_bool).unwrap_or(true);
    match answer.pointer("/lease/verdict").and_then(Value::as_str) {
        Some("refused") => ExitCode::FAILURE,
        Some("undecided") => ExitCode::from(UNDECIDED),
        _ if lost && fewest => ExitCode::FAILURE,
        _ if lost => ExitCode::from(UNDECIDED),
        _ => ExitCode::SUCCESS,
    }
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

fn show_hosts(hosts: &Value, names: &Names, output: &mut Output<'_>) -> Result<(), ClientError> {
    let displaced = counted(number(hosts, "/displaced"), "reservation stands", "reservations stand");
    let lost = counted(number(hosts, "/lost"), "reservation", "reservations");
    let fewest = if hosts.get("proved").and_then(Value::as_bool).unwrap_or(false) {
        "no fewer are possible"
    } else {
        "the best found in time"
    };
    output.line(&format!(
        "{displaced} on hosts that would be gone or down; {lost} would be lost ({fewest})."
    ))?;
    show_moves(hosts, names, output)?;
    let rows = entries(hosts, "/lost_leases").iter().map(|lost| {
        let text = lost
            .pointer("/conflict/text")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let (one, many) = names.noun(lost);
        let missing = counted(number(lost, "/hosts_missing"), one, many);
        vec![Cell::new(names.lease(lost)), Cell::new(missing), Cell::new(text)]
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    output.heading("Lost")?;
    output.table(&["LEASE", "LACKS", "WHY"], rows, "")
}

fn show_lease(
    lease: &Value,
    asked: &impl Request,
    api: &Api,
    names: &Names,
    output: &mut Output<'_>,
) -> Result<(), ClientError> {
    let verdict = text_of(lease, "verdict");
    let why = lease
        .pointer("/conflict/text")
        .and_then(Value::as_str)
        .unwrap_or_default();
    output.line(&match verdict.as_str() {
        "accepted" => "It would be accepted.".to_owned(),
        "refused" if why.ends_with('?') => format!("It would be refused: {why}"),
        "refused" => format!("It would be refused: {why}."),
        _ => "The service could not tell in time; this is no refusal. Ask for less at once, or again later.".to_owned(),
    })?;
    show_moves(lease, names, output)?;
    let slot = |which: &str| {
        let start = lease
            .pointer(&format!("/earliest_start/{which}/start"))
            .and_then(Value::as_str);
        let proved = lease
            .pointer(&format!("/earliest_start/{which}/proved"))
            .and_then(Value::as_bool);
        let unsure = if proved == Some(true) {
            ""
        } else {
            " (as far as was found in time)"
        };
        if let Some(start) = start {
            return format!("{}{unsure}", time_for_people(start));
        }
        let latest = lease.pointer("/earliest_start/latest").and_then(Value::as_str);
        format!("none until {}{unsure}", time_for_people(latest.unwrap_or_default()))
    };
    let mut rows = vec![
        ("Earliest start (UTC)", Cell::new(slot("without_moves"))),
        ("  with moves", Cell::new(slot("with_moves"))),
    ];
    let (mut names, mut amounts) = (Vec::new(), Vec::new());
    for most in entries(lease, "/most_hosts") {
        let amount = |which: &str| {
            let (hosts, at_most) = (
                number(most, &format!("/{which}/hosts")),
                number(most, &format!("/{which}/at_most")),
            );
            if hosts == at_most {
                hosts.to_string()
            } else {
                format!("{hosts} (at most {at_most})")
            }
        };
        let place = u32::try_from(number(most, "/reservation")).unwrap_or(u32::MAX);
        names.push(format!("Most {} then", asked.noun(place).1));
        amounts.push((amount("without_moves"), amount("with_moves")));
    }
    for (name, (without_moves, with_moves)) in names.iter().zip(amounts) {
        rows.push((name, Cell::new(without_moves)));
        rows.push(("  with moves", Cell::new(with_moves)));
    }
    output.object(rows)?;
    for line in accepted(asked, &offers_of(lease), api.typed()) {
        output.unbroken(&line)?;
    }
    Ok(())
}

fn show_moves(outcome: &Value, names: &Names, output: &mut Output<'_>) -> Result<(), ClientError> {
    let reservations = number(outcome, "/moves/reservations");
    if reservations > 0 {
        let earlier = counted(reservations, "earlier reservation", "earlier reservations");
        let hosts = counted(number(outcome, "/moves/hosts"), "host", "hosts");
        let must = number(outcome, "/moves/must");
        output.line(&format!(
            "{earlier} would get {hosts} of another class; {must} of them must."
        ))?;
    }
    let rows = entries(outcome, "/moves/leases").iter().map(|moved| {
        let hosts = |name: &str| {
            let hosts = moved.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            Cell::new(names.hosts(hosts.iter().filter_map(Value::as_str)))
        };
        vec![
            Cell::new(names.lease(moved)),
            hosts("from"),
            hosts("to"),
            Cell::new(text_of(moved, "necessity")),
        ]
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    output.heading("Changes of leases you may read")?;
    output.table(&["LEASE", "FROM", "TO", "MUST"], rows, "")
}

fn entries<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_down_for_good_or_for_a_time() {
        let down = |text: &str| text.parse::<Down>();
        let host = |from: Option<&str>, until: Option<&str>| Down {
            host: "gpu03".to_owned(),
            from: from.map(|text| text.parse().unwrap()),
            until: until.map(|text| text.parse().unwrap()),
        };
        assert_eq!(down("gpu03"), Ok(host(None, None)));
        assert_eq!(down("gpu03:+1h..+5h"), Ok(host(Some("+1h"), Some("+5h"))));
        assert_eq!(
            down("gpu03:..2030-01-01 10:00"),
            Ok(host(None, Some("2030-01-01 10:00")))
        );
        assert_eq!(
            down("gpu03:2030-01-01T10:00.."),
            Ok(host(Some("2030-01-01 10:00"), None))
        );
        for wrong in ["", ":+1h..+2h", "gpu03:+1h", "gpu03:soon..+1h"] {
            assert!(down(wrong).is_err(), "{wrong}");
        }
    }
}
