//! The server group of a reservation with a rule of affinity, which clients name when they boot servers.
//!
//! Invariant: the group is found by its name, so that a group that was made but never recorded is used or deleted later.

use cloud::{Aggregate, Policy, ServerGroup};
use plugin_api::{Assignment, Created, PluginError};
use pools::unavailable;

use super::OpenStackInstances;
use super::objects::{name_of, own_group, policy_of};
use crate::instances_of;

impl OpenStackInstances {
    /// The group that the rule asks for, and none of a rule that the reservation had before.
    pub(super) async fn prepare_reservation(&self, assignment: &Assignment) -> Result<Created, PluginError> {
        let policy = policy_of(instances_of(assignment)?);
        self.delete_groups(assignment, policy).await?;
        Ok(Created {
            aggregate_id: None,
            server_group_id: self.ensure_group(assignment, policy, None).await?,
        })
    }

    /// The id of the server group, created if there is none yet; `None` if there is no rule.
    pub(super) async fn ensure_group(
        &self,
        assignment: &Assignment,
        policy: Option<Policy>,
        own: Option<&Aggregate>,
    ) -> Result<Option<String>, PluginError> {
        let Some(policy) = policy else {
            return Ok(None);
        };
        let name = name_of(&assignment.reservation_id);
        let groups = self.groups_of(assignment).await?;
        if let Some(group) = own_group(groups, policy, own) {
            return Ok(Some(group.id));
        }
        let group = self
            .server_groups
            .create_server_group(&name, policy, assignment.trust_id.as_deref())
            .await
            .map_err(unavailable)?;
        self.steps.reached("group:created");
        Ok(Some(group.id))
    }

    /// The server groups under the reservation's name.
    pub(super) async fn groups_of(&self, assignment: &Assignment) -> Result<Vec<ServerGroup>, PluginError> {
        let name = name_of(&assignment.reservation_id);
        let found = self.server_groups.find_server_groups(&name, &assignment.project_id);
        found.await.map_err(unavailable)
    }

    /// Deletes the reservation's server groups, except those of the rule `kept`.
    pub(super) async fn delete_groups(&self, assignment: &Assignment, kept: Option<Policy>) -> Result<(), PluginError> {
        for group in self.groups_of(assignment).await? {
            if kept.is_some_and(|policy| group.policies == [policy.as_str()]) {
                continue;
            }
            let deleted = self.server_groups.delete_server_group(&group.id).await;
            self.removed(deleted, "group:deleted")?;
        }
        Ok(())
    }
}
