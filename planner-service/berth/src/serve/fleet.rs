//! Filling an empty standalone inventory from a problem document.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use planner_core::authority::Caller;
use planner_core::service::Service;
use plugin_api::HostRegistration;
use solver::document::Problem;

/// Registers the document's hosts, unless hosts are registered already.
pub(super) async fn load(service: &Service, path: &Path) -> anyhow::Result<()> {
    let operator = Caller {
        is_admin: true,
        project_id: "admin".to_owned(),
        user_id: "admin".to_owned(),
        ..Caller::default()
    };
    let known = service.hosts(&operator).await?().count();
    if known > 0 {
        tracing::info!(
            hosts = known,
            "hosts are registered already; the fleet is not loaded again"
        );
        return Ok(());
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("--fleet {}: the file cannot be read", path.display()))?;
    let problem = Problem::parse(&text).with_context(|| format!("--fleet {}", path.display()))?;
    for host in &problem.hosts {
        if !host.blocks.is_empty() || !host.reservable {
            bail!(
                "--fleet {}: host {}: blocks and reservable=false cannot be loaded",
                path.display(),
                host.id
            );
        }
        let mut values: BTreeMap<String, String> = host
            .properties
            .0
            .iter()
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect();
        let columns = [
            ("vcpus", host.capacity.0.get("VCPU").map(ToString::to_string)),
            ("memory_mb", host.capacity.0.get("MEMORY_MB").map(ToString::to_string)),
            ("local_gb", host.capacity.0.get("DISK_GB").map(ToString::to_string)),
            ("availability_zone", host.zone.clone()),
            ("rack", host.rack.clone()),
        ];
        for (name, value) in columns {
            if let Some(value) = value {
                values.insert(name.to_owned(), value);
            }
        }
        let registration = HostRegistration {
            reference: host.id.to_string(),
            values,
        };
        service
            .register_host(&operator, registration)
            .await
            .with_context(|| format!("--fleet {}: host {}", path.display(), host.id))?;
    }
    tracing::info!(hosts = problem.hosts.len(), "the fleet is loaded");
    Ok(())
}
