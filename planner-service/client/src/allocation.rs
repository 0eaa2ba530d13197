//! `berth allocation`: what every host is promised to.
//!
//! Invariant: hosts that serve nothing are listed too; a host without leases is an answer.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::ConnectionArguments;
use crate::answer::{list, member};
use crate::api::{Api, segment};
use crate::error::ClientError;
use crate::hint::Kind;
use crate::moment::time_for_people;
use crate::output::{Cell, Output, counted, text_of};
use crate::{host, lease};

/// `berth allocation`.
#[derive(Debug, Args)]
pub struct AllocationArguments {
    #[command(subcommand)]
    pub(crate) action: AllocationAction,
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AllocationAction {
    /// List what every host is promised to
    List {
        /// Only for this lease, by id or name
        #[arg(long)]
        lease: Option<String>,
        /// Only for this reservation, by id
        #[arg(long, value_name = "ID")]
        reservation: Option<String>,
    },
    /// Show what one host is promised to
    Show {
        /// Id or hypervisor host name
        host: String,
    },
}

pub(crate) async fn run(action: AllocationAction, api: &Api, output: &mut Output<'_>) -> Result<(), ClientError> {
    match action {
        AllocationAction::List { lease, reservation } => {
            let lease = match lease {
                Some(lease) => Some(lease::find(api, &lease).await?),
                None => None,
            };
            let mut query = Vec::new();
            if let Some(lease) = &lease {
                query.push(("lease_id", lease.as_str()));
            }
            if let Some(reservation) = &reservation {
                query.push(("reservation_id", reservation.as_str()));
            }
            let answer = api.get("/v1/os-hosts/allocations", &query).await?;
            if let Some(reservation) = &reservation {
                known(reservation, &answer, api).await?;
            }
            if output.json {
                return output.value(&answer);
            }
            print(&list(answer, "allocations")?, !query.is_empty(), api, output).await
        }
        AllocationAction::Show { host } => {
            let id = host::find(api, &host).await?;
            let answer = api
                .get(&format!("/v1/os-hosts/{}/allocation", segment(&id)), &[])
                .await?;
            if output.json {
                return output.value(&answer);
            }
            print(&[member(answer, "allocation")?], false, api, output).await
        }
    }
}

/// That there is such a reservation: it holds a host, or is one of a lease that the caller may read.
async fn known(id: &str, answer: &Value, api: &Api) -> Result<(), ClientError> {
    let entries = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let is_it = |of: &Value| {
        entries(of, "reservations")
            .iter()
            .any(|entry| text_of(entry, "id") == id)
    };
    if entries(answer, "allocations").iter().any(is_it) {
        return Ok(());
    }
    let leases = list(api.get("/v1/leases", &[]).await?, "leases")?;
    if leases.iter().any(is_it) {
        return Ok(());
    }
    Err(ClientError::no_such(Kind::Reservation, id, []))
}

async fn print(allocations: &[Value], only_used: bool, api: &Api, output: &mut Output<'_>) -> Result<(), ClientError> {
    let names = names(
        list(api.get("/v1/os-hosts", &[]).await?, "hosts")?,
        "hypervisor_hostname",
    );
    let leases = names_of_leases(api).await?;
    // By host, lease and reservation, how many places.
    let mut rows: BTreeMap<Row, u64> = BTreeMap::new();
    for allocation in allocations {
        let id = text_of(allocation, "resource_id");
        let name = names.get(&id).cloned().unwrap_or(id);
        let reservations = allocation
            .get("reservations")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        if reservations.is_empty() && !only_used {
            rows.insert(
                Row {
                    host: name.clone(),
                    ..Row::default()
                },
                0,
            );
        }
        for reservation in reservations {
            let lease_id = text_of(reservation, "lease_id");
            let row = Row {
                host: name.clone(),
                start: text_of(reservation, "start_date"),
                end: text_of(reservation, "end_date"),
                lease: match leases.get(&lease_id) {
                    Some(name) => name.clone(),
                    None if lease_id.is_empty() => "(another project's)".to_owned(),
                    None => lease_id,
                },
                reservation: text_of(reservation, "id"),
                tentative: reservation.get("tentative") == Some(&Value::Bool(true)),
            };
            *rows.entry(row).or_default() += 1;
        }
    }
    let rows = rows.into_iter().map(|(row, places)| {
        if places == 0 {
            return vec![Cell::new(&row.host), Cell::new("(free)")];
        }
        let mut notes: Vec<String> = Vec::new();
        notes.extend(row.tentative.then(|| "tentative".to_owned()));
        notes.extend((places > 1).then(|| counted(places, "place", "places")));
        vec![
            Cell::new(&row.host),
            Cell::new(&row.lease),
            Cell::new(time_for_people(&row.start)),
            Cell::new(time_for_people(&row.end)),
            Cell::new(notes.join(", ")),
            Cell::new(&row.reservation),
        ]
    });
    let header = ["HOST", "LEASE", "START (UTC)", "END (UTC)", "", "RESERVATION"];
    output.table(&header, rows.collect(), "No host is held.")
}

/// What a lease has of a host; the service lists each place of an instance.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    host: String,
    start: String,
    end: String,
    lease: String,
    reservation: String,
    tentative: bool,
}

async fn names_of_leases(api: &Api) -> Result<BTreeMap<String, String>, ClientError> {
    Ok(names(list(api.get("/v1/leases", &[]).await?, "leases")?, "name"))
}

fn names(items: Vec<Value>, name: &str) -> BTreeMap<String, String> {
    items
        .into_iter()
        .map(|item| (text_of(&item, "id"), text_of(&item, name)))
        .collect()
}
