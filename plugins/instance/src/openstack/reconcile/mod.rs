//! Auditing a running reservation.
//!
//! Invariant: repairs only what cannot hurt anybody: no server is deleted, no access is taken, and no host is taken
//! from a reservation that has it for itself. Access is given back last, when there is what it gives access to.
//! Whatever disagreed is reported.

mod hosts;
mod servers;

use cloud::Aggregate;
use plugin_api::{AssignedInstances, Assignment, Finding, PluginError};
use pools::{Pools, unavailable};

use super::OpenStackInstances;
use super::objects::{AFFINITY_ID, class_of, extra_specs_of, flavor_of, own_group, policy_of};
use crate::instances_of;

/// What an audit compares, and what it has found so far.
struct Audit<'a> {
    assignment: &'a Assignment,
    instances: &'a AssignedInstances,
    pools: Pools,
    class: String,
    findings: Vec<Finding>,
}

impl Audit<'_> {
    fn reservation(&self) -> &str {
        &self.assignment.reservation_id
    }

    fn report(&mut self, kind: &str, host: &str, detail: String, repaired: bool) {
        self.findings.push(Finding::new(kind, host, detail, repaired));
    }

    fn has_reported(&self, kind: &str) -> bool {
        self.findings.iter().any(|found| found.kind == kind)
    }
}

impl OpenStackInstances {
    pub(super) async fn reconcile_reservation(&self, assignment: &Assignment) -> Result<Vec<Finding>, PluginError> {
        let mut audit = Audit {
            assignment,
            instances: instances_of(assignment)?,
            pools: self.pools(&assignment.reservation_id).await?,
            class: class_of(&assignment.reservation_id),
            findings: Vec::new(),
        };
        let group = self.audit_group(&mut audit).await?;
        self.audit_flavor(&mut audit, group.as_deref()).await?;
        let own = self.audit_aggregate(&mut audit, group.as_deref()).await?;
        self.audit_hosts(&mut audit, &own).await?;
        self.audit_access(&mut audit).await?;
        self.audit_servers(&mut audit).await?;
        Ok(audit.findings)
    }

    /// The group the other objects have to name. One that is gone is not made again, because its servers, and those
    /// who were told its id, would not follow.
    async fn audit_group(&self, audit: &mut Audit<'_>) -> Result<Option<String>, PluginError> {
        let Some(policy) = policy_of(audit.instances) else {
            return Ok(None);
        };
        let groups = self.groups_of(audit.assignment).await?;
        if let Some(group) = own_group(groups, policy, audit.pools.own.as_ref()) {
            return Ok(Some(group.id));
        }
        let detail = format!("the server group of reservation {} is gone", audit.reservation());
        audit.report("server_group_missing", "", detail, false);
        let own = audit.pools.own.as_ref();
        Ok(own.and_then(|own| own.metadata.get(AFFINITY_ID)).cloned())
    }

    async fn audit_flavor(&self, audit: &mut Audit<'_>, group: Option<&str>) -> Result<(), PluginError> {
        let reservation = audit.reservation().to_owned();
        let wanted = flavor_of(&reservation, audit.instances);
        match self.flavors.find_flavor(&reservation).await.map_err(unavailable)? {
            None => {
                self.create_flavor(&wanted).await?;
                self.steps.reached("reconcile:flavor_created");
                let detail = format!("the flavor of reservation {reservation} was gone and was made again");
                audit.report("flavor_missing", "", detail, true);
            }
            Some(found) if found != wanted => {
                let detail = format!(
                    "flavor {reservation} has {} vCPUs, {} MiB and {} GiB; reserved are {}, {} and {}",
                    found.vcpus, found.memory_mb, found.disk_gb, wanted.vcpus, wanted.memory_mb, wanted.disk_gb
                );
                audit.report("flavor_differs", "", detail, false);
            }
            Some(_) => {}
        }
        let specs = extra_specs_of(&reservation, audit.instances, group);
        let found = self.flavors.extra_specs(&reservation).await.map_err(unavailable)?;
        if specs.iter().any(|(key, value)| found.get(key) != Some(value)) {
            self.flavors
                .set_extra_specs(&reservation, &specs)
                .await
                .map_err(unavailable)?;
            self.steps.reached("reconcile:specs_set");
            // A new flavor has none; that is no second thing to report.
            if !audit.has_reported("flavor_missing") {
                let detail = format!("the extra specs of flavor {reservation} did not bind it to its reservation");
                audit.report("specs_differ", "", detail, true);
            }
        }
        Ok(())
    }

    async fn audit_aggregate(&self, audit: &mut Audit<'_>, group: Option<&str>) -> Result<Aggregate, PluginError> {
        let own = if let Some(own) = &audit.pools.own {
            own.clone()
        } else {
            let created = self.create_own(audit.reservation()).await?;
            self.steps.reached("reconcile:aggregate_created");
            let detail = format!(
                "the aggregate of reservation {} was gone and was made again",
                created.name
            );
            audit.report("aggregate_missing", "", detail, true);
            created
        };
        let wanted = self.metadata_of(audit.assignment, group);
        if Self::metadata_differs(&own, &wanted) {
            self.compute.set_metadata(&own, &wanted).await.map_err(unavailable)?;
            self.steps.reached("reconcile:metadata_set");
            if !audit.has_reported("aggregate_missing") {
                let detail = format!("the metadata of aggregate {} did not name its reservation", own.name);
                audit.report("metadata_differs", "", detail, true);
            }
        }
        Ok(own)
    }

    async fn audit_access(&self, audit: &mut Audit<'_>) -> Result<(), PluginError> {
        let reservation = audit.reservation().to_owned();
        let project = audit.assignment.project_id.as_str();
        let access = self.flavors.flavor_access(&reservation).await.map_err(unavailable)?;
        for other in access.iter().filter(|other| other.as_str() != project) {
            let detail =
                format!("project {other} has access to the flavor of reservation {reservation} of project {project}");
            audit.report("foreign_access", "", detail, false);
        }
        if access.contains(project) {
            return Ok(());
        }
        match self.flavors.add_flavor_access(&reservation, project).await {
            Ok(()) => self.steps.reached("reconcile:access_given"),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(unavailable(error)),
        }
        if !audit.has_reported("flavor_missing") {
            let detail = format!("project {project} had no access to the flavor of its reservation {reservation}");
            audit.report("access_missing", "", detail, true);
        }
        Ok(())
    }
}
