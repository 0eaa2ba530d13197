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
use crate::moment::time_for_people;
use crate::output::{Cell, Output, text_of};
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

async fn print(allocations: &[Value], only_used: bool, api: &Api, output: &mut Output<'_>) -> Result<(), ClientError> {
    let names = names(
        list(api.get("/v1/os-hosts", &[]).await?, "hosts")?,
        "hypervisor_hostname",
    );
    let leases = names_of_leases(api).await?;
    let mut rows: Vec<(String, String, Vec<Cell>)> = Vec::new();
    for allocation in allocations {
        let id = text_of(allocation, "resource_id");
        let name = names.get(&id).cloned().unwrap_or(id);
        let reservations = allocation
            .get("reservations")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        if reservations.is_empty() && !only_used {
            rows.push((name.clone(), String::new(), vec![Cell::new(&name), Cell::new("(free)")]));
        }
        for reservation in reservations {
            let lease_id = text_of(reservation, "lease_id");
            let start = text_of(reservation, "start_date");
            let tentative = reservation.get("tentative") == Some(&Value::Bool(true));
            let cells = vec![
                Cell::new(&name),
                Cell::new(match leases.get(&lease_id) {
                    Some(name) => name,
                    None if lease_id.is_empty() => "(another project's)",
                    None => &lease_id,
                }),
                Cell::new(time_for_people(&start)),
                Cell::new(time_for_people(&text_of(reservation, "end_date"))),
                Cell::new(if tentative { "tentative" } else { "" }),
                Cell::new(text_of(reservation, "id")),
            ];
            rows.push((name.clone(), start, cells));
        }
    }
    rows.sort_by(|left, right| (&left.0, &left.1).cmp(&(&right.0, &right.1)));
    let rows = rows.into_iter().map(|(_, _, cells)| cells).collect();
    let header = ["HOST", "LEASE", "START (UTC)", "END (UTC)", "", "RESERVATION"];
    output.table(&header, rows, "No host is held.")
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
