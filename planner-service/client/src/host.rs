//! `berth host`: register, show, change and remove hosts.
//!
//! Invariant: everything given with `--property` is sent as text, as the API stores it.

use std::collections::BTreeSet;

use api_types::host::COLUMN_NAMES;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::ConnectionArguments;
use crate::answer::{list, member};
use crate::api::{Api, segment};
use crate::error::ClientError;
use crate::hint::{Hint, Kind};
use crate::key_values::{Property, distinct, nearest, question};
use crate::lease::only_one;
use crate::output::{Cell, Output, cell_of, counted, text_of};
use crate::several::{Target, each, targets};
use crate::size::{gibibytes, mebibytes};

/// `berth host`.
#[derive(Debug, Args)]
pub struct HostArguments {
    #[command(subcommand)]
    pub(crate) action: HostAction,
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HostAction {
    /// Register a host
    Create(CreateArguments),
    /// List hosts
    List,
    /// Show a host and its properties
    Show(ShowArguments),
    /// Set and remove properties of a host
    Update(UpdateArguments),
    /// Say that hosts have failed: what stands on them is chosen anew, in one decision for each
    Down(StateArguments),
    /// Say that hosts work again: what leases lack is found again
    Up(StateArguments),
    /// Remove hosts that serve no lease
    Delete(DeleteArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    /// Hypervisor host name
    name: String,
    /// A property of the host, repeatable
    #[arg(long = "property", alias = "extra", value_name = "NAME=VALUE")]
    properties: Vec<Property>,
    /// Number of virtual CPUs (standalone only, as the next ones; with OpenStack, Nova knows them)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    vcpus: Option<u32>,
    /// Memory in MiB
    #[arg(long, value_name = "MIB", allow_negative_numbers = true, value_parser = mebibytes)]
    memory_mb: Option<u32>,
    /// Disk in GiB
    #[arg(long, value_name = "GIB", allow_negative_numbers = true, value_parser = gibibytes)]
    local_gb: Option<u32>,
    /// e.g. QEMU
    #[arg(long)]
    hypervisor_type: Option<String>,
    /// Availability zone
    #[arg(long)]
    availability_zone: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// Id or hypervisor host name
    host: String,
    /// Print only this member
    #[arg(long, value_name = "NAME")]
    field: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArguments {
    /// Id or hypervisor host name
    host: String,
    /// A property to set, repeatable
    #[arg(long = "property", alias = "extra", value_name = "NAME=VALUE")]
    properties: Vec<Property>,
    /// A property to remove, repeatable
    #[arg(long = "remove", value_name = "NAME")]
    removals: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct StateArguments {
    /// Ids or hypervisor host names
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    /// Ids or hypervisor host names
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<String>,
}

pub(crate) async fn run(action: HostAction, api: &Api, output: &mut Output<'_>) -> Result<(), ClientError> {
    match action {
        HostAction::Create(arguments) => create(arguments, api, output).await,
        HostAction::List => show_all(api, output).await,
        HostAction::Show(arguments) => {
            let id = find(api, &arguments.host).await?;
            let answer = api.get(&format!("/v1/os-hosts/{}", segment(&id)), &[]).await?;
            match arguments.field {
                Some(field) => output.field(&member(answer, "host")?, &field),
                None => print(answer, output),
            }
        }
        HostAction::Update(arguments) => update(arguments, api, output).await,
        HostAction::Down(arguments) => set_reservable(&arguments.hosts, false, api, output).await,
        HostAction::Up(arguments) => set_reservable(&arguments.hosts, true, api, output).await,
        HostAction::Delete(arguments) => {
            let hosts = find_all(api, &arguments.hosts).await?;
            each(&hosts, &["deleted"], output, async |host, output| {
                let removed = api.delete(&format!("/v1/os-hosts/{}", segment(&host.id))).await;
                removed.map_err(|refusal| {
                    let hint = Hint::ShowAllocation(&host.id);
                    ClientError::conflict(refusal, hint, "shows which leases have it.", api)
                })?;
                output.change(&format!("Removed host {}.", host.name))?;
                Ok(("deleted", json!({"id": host.id})))
            })
            .await
        }
    }
}

async fn create(arguments: CreateArguments, api: &Api, output: &mut Output<'_>) -> Result<(), ClientError> {
    let mut body = distinct(&arguments.properties)?;
    let numbers = [
        ("vcpus", arguments.vcpus),
        ("memory_mb", arguments.memory_mb),
        ("local_gb", arguments.local_gb),
    ];
    for (name, value) in numbers {
        if let Some(value) = value {
            refuse_twice(body.insert(name.to_owned(), json!(value)).as_ref(), name)?;
        }
    }
    let texts = [
        ("hypervisor_type", arguments.hypervisor_type),
        ("availability_zone", arguments.availability_zone),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            refuse_twice(body.insert(name.to_owned(), json!(value)).as_ref(), name)?;
        }
    }
    refuse_twice(body.insert("name".to_owned(), json!(&arguments.name)).as_ref(), "name")?;
    let answer = api.post("/v1/os-hosts", &Value::Object(body)).await;
    let answer = answer.map_err(|refusal| {
        if refusal.to_string().contains("is already registered") {
            ClientError::conflict(refusal, Hint::UpdateHost, "says how to change it.", api)
        } else {
            refusal.into()
        }
    })?;
    output.note(format!("Host {} is registered.", arguments.name));
    let sizes = ["vcpus", "memory_mb", "local_gb"];
    let is_zero = |name: &&&str| answer.pointer(&format!("/host/{name}")) == Some(&json!(0));
    let zero: Vec<&str> = sizes.iter().filter(is_zero).copied().collect();
    print(answer, output)?;
    if !zero.is_empty() && !output.json {
        output.line(&format!(
            "Registered with 0 {}: it can be reserved whole, but no instances that need these fit on it.",
            zero.join(", 0 ")
        ))?;
    }
    Ok(())
}

/// Refuses a property that an option of its own says too.
fn refuse_twice(before: Option<&Value>, name: &str) -> Result<(), ClientError> {
    match before {
        None => Ok(()),
        Some(_) => Err(ClientError::Usage(format!(
            "--property {name}: the host's {name} is given besides"
        ))),
    }
}

async fn update(arguments: UpdateArguments, api: &Api, output: &mut Output<'_>) -> Result<(), ClientError> {
    let mut body = distinct(&arguments.properties)?;
    for name in arguments.removals {
        if body.insert(name.clone(), Value::Null).is_some() {
            return Err(ClientError::Usage(format!(
                "--remove {name}: it is set or removed besides"
            )));
        }
    }
    if body.is_empty() {
        return Err(ClientError::Usage(
            "nothing to change: give --property NAME=VALUE or --remove NAME".to_owned(),
        ));
    }
    let id = find(api, &arguments.host).await?;
    if body.values().any(Value::is_null) {
        let host = member(api.get(&format!("/v1/os-hosts/{}", segment(&id)), &[]).await?, "host")?;
        let known = capabilities(&host);
        let removed = body.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name);
        if let Some(unknown) = removed.into_iter().find(|name| !known.contains(name.as_str())) {
            return Err(ClientError::Usage(format!(
                "--remove {unknown}: the host has no such property{}",
                question(nearest(unknown, known))
            )));
        }
    }
    let answer = api
        .put(&format!("/v1/os-hosts/{}", segment(&id)), &Value::Object(body))
        .await?;
    output.note(format!("Host {} has been changed.", arguments.host));
    print(answer, output)
}

async fn set_reservable(
    hosts: &[String],
    reservable: bool,
    api: &Api,
    output: &mut Output<'_>,
) -> Result<(), ClientError> {
    let hosts = find_all(api, hosts).await?;
    each(&hosts, &["hosts"], output, async |host, output| {
        let path = format!("/capacity/v1/hosts/{}", segment(&host.id));
        let mut answer = api.patch(&path, &json!({"reservable": reservable})).await?;
        let count = |name: &str, one, many| counted(answer.get(name).and_then(Value::as_u64).unwrap_or(0), one, many);
        output.change(&format!(
            "Host {} is {}: {} moved, {} resources now, {} again.",
            host.name,
            if reservable { "up" } else { "down" },
            count("moved", "reservation", "reservations"),
            count("lost", "more lease lacks", "more leases lack"),
            count("refilled", "has its resources", "have their resources"),
        ))?;
        if let Value::Object(members) = &mut answer {
            members.insert("id".to_owned(), json!(host.id));
        }
        Ok(("hosts", answer))
    })
    .await
}

async fn show_all(api: &Api, output: &mut Output<'_>) -> Result<(), ClientError> {
    let answer = api.get("/v1/os-hosts", &[]).await?;
    if output.json {
        return output.value(&answer);
    }
    let mut hosts = list(answer, "hosts")?;
    hosts.sort_by_key(|host| text_of(host, "hypervisor_hostname"));
    let rows = hosts
        .iter()
        .map(|host| {
            let reservable = host.get("reservable") != Some(&Value::Bool(false));
            vec![
                cell_of(host, "id"),
                cell_of(host, "hypervisor_hostname"),
                cell_of(host, "vcpus"),
                cell_of(host, "memory_mb"),
                cell_of(host, "local_gb"),
                cell_of(host, "availability_zone"),
                Cell::new(if reservable { "yes" } else { "no" }),
                Cell::new(properties(host)),
            ]
        })
        .collect();
    let header = [
        "ID",
        "HOST",
        "VCPUS",
        "MEMORY MB",
        "DISK GB",
        "ZONE",
        "RESERVABLE",
        "PROPERTIES",
    ];
    let how = api.typed().hint(Hint::CreateHost);
    let how = how.map(|create| format!("; `{create}` says how operators register one"));
    let none = format!("No hosts are registered{}.", how.unwrap_or_default());
    output.table(&header, rows, &none)
}

fn print(answer: Value, output: &mut Output<'_>) -> Result<(), ClientError> {
    if output.json {
        return output.value(&answer);
    }
    let host = member(answer, "host")?;
    let mut rows: Vec<(&str, Cell)> = COLUMN_NAMES
        .iter()
        .filter(|name| host.get(**name).is_some())
        .map(|name| (*name, cell_of(&host, name)))
        .collect();
    rows.push(("properties", Cell::new(properties(&host))));
    output.object(rows)
}

/// The extra capabilities, `name=value` in alphabetical order.
fn properties(host: &Value) -> String {
    capabilities(host)
        .iter()
        .map(|name| format!("{name}={}", text_of(host, name)))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Their names.
fn capabilities(host: &Value) -> BTreeSet<&str> {
    let names = host.as_object().into_iter().flat_map(Map::keys).map(String::as_str);
    names.filter(|name| !COLUMN_NAMES.contains(name)).collect()
}

/// The id of the host that has this id or, alone, this name.
pub(crate) async fn find(api: &Api, reference: &str) -> Result<String, ClientError> {
    let hosts = list(api.get("/v1/os-hosts", &[]).await?, "hosts")?;
    only_one(&hosts, Kind::Host, "hypervisor_hostname", reference)
}

/// The hosts that these names and ids stand for.
async fn find_all(api: &Api, references: &[String]) -> Result<Vec<Target>, ClientError> {
    let hosts = list(api.get("/v1/os-hosts", &[]).await?, "hosts")?;
    let found = references.iter();
    let found = found.map(|reference| only_one(&hosts, Kind::Host, "hypervisor_hostname", reference));
    targets(references, found)
}
