//! Auditing the servers made of a reservation's flavor.
//!
//! Invariant: servers are only ever reported.

use plugin_api::PluginError;
use pools::unavailable;

use super::{Audit, OpenStackInstances};

impl OpenStackInstances {
    pub(super) async fn audit_servers(&self, audit: &mut Audit<'_>) -> Result<(), PluginError> {
        let reservation = audit.reservation().to_owned();
        let assignment = audit.assignment;
        let mut servers = self
            .compute
            .servers_of_flavor(&reservation)
            .await
            .map_err(unavailable)?;
        servers.sort_by(|left, right| left.id.cmp(&right.id));
        for server in &servers {
            let host = assignment.hosts.iter().find(|host| host.service_name == server.host);
            let name = host.map_or(server.host.as_str(), |host| &host.hypervisor_hostname);
            if server.project_id != assignment.project_id {
                let detail = format!(
                    "server {} ({}) of project {} uses reservation {reservation} of project {}",
                    server.id, server.name, server.project_id, assignment.project_id
                );
                audit.report("foreign_server", name, detail, false);
            }
            // One that is on no host yet, or failed to get one, is in nobody's way.
            if host.is_none() && !server.host.is_empty() {
                let detail = format!(
                    "server {} ({}) of reservation {reservation} runs on host {name}, which is not reserved for it",
                    server.id, server.name
                );
                audit.report("server_outside", name, detail, false);
            }
        }
        Ok(())
    }
}
