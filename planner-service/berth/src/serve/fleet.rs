//! Filling an empty standalone inventory from a problem document.
//!
//! Invariant: all hosts of the document are registered, or none.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use planner_core::service::Service;
use plugin_api::HostRegistration;
use regular_file::RegularFile;
use solver_format::{HostEntry, MAX_BYTES, Problem};

/// Registers the document's hosts, unless hosts are registered already.
///
/// # Errors
/// When the document cannot be read, or one of its hosts cannot be registered.
pub(super) async fn load(service: &Service, path: &Path) -> anyhow::Result<()> {
    let known = service.number_of_hosts().await;
    if known > 0 {
        tracing::info!(
            hosts = known,
            "hosts are registered already; the fleet is not loaded again"
        );
        return Ok(());
    }
    let text = RegularFile::open(path)
        .and_then(|file| file.text(MAX_BYTES as u64))
        .with_context(|| format!("--fleet {}: the file cannot be read", path.display()))?;
    let problem = Problem::parse(&text).with_context(|| format!("--fleet {}", path.display()))?;
    if let Some(host) = problem
        .hosts
        .iter()
        .find(|host| !host.blocks.is_empty() || !host.reservable)
    {
        bail!(
            "--fleet {}: host {}: blocks and reservable=false cannot be loaded",
            path.display(),
            host.id
        );
    }
    let registrations: Vec<HostRegistration> = problem.hosts.iter().map(registration).collect();
    service
        .register_fleet(&registrations)
        .await
        .with_context(|| format!("--fleet {}: no host is loaded", path.display()))?;
    tracing::info!(hosts = registrations.len(), "the fleet is loaded");
    Ok(())
}

fn registration(host: &HostEntry) -> HostRegistration {
    let properties = host.properties.0.iter();
    let mut values: BTreeMap<String, String> = properties
        .map(|(name, value)| (name.to_string(), value.clone()))
        .collect();
    let columns = [
        ("vcpus", host.capacity.0.get("VCPU").map(ToString::to_string)),
        ("memory_mb", host.capacity.0.get("MEMORY_MB").map(ToString::to_string)),
        ("local_gb", host.capacity.0.get("DISK_GB").map(ToString::to_string)),
        ("availability_zone", host.zone.clone()),
        ("rack", host.rack.clone()),
    ];
    let known = columns
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    values.extend(known);
    HostRegistration {
        reference: host.id.to_string(),
        values,
    }
}
