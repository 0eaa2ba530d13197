//! Server groups.
//!
//! Invariant: a group belongs to the project that made it; names may repeat.

use async_trait::async_trait;

use super::{Answer, FakeCloud, SERVICE_PROJECT};
use crate::{CloudError, Policy, ServerGroup, ServerGroups};

#[async_trait]
impl ServerGroups for FakeCloud {
    async fn find_server_groups(&self, name: &str, project_id: &str) -> Result<Vec<ServerGroup>, CloudError> {
        self.call("nova", format!("find server groups named {name}"), |state| {
            let groups = state.server_groups.iter().filter(|group| group.name == name);
            let mut found: Vec<_> = groups
                .filter(|group| group.project_id == project_id || group.project_id == SERVICE_PROJECT)
                .cloned()
                .collect();
            found.sort();
            Ok(found)
        })
    }

    async fn create_server_group(
        &self,
        name: &str,
        policy: Policy,
        trust_id: Option<&str>,
    ) -> Result<ServerGroup, CloudError> {
        self.call("nova", format!("create server group {name}"), |state| {
            let number = trust_id
                .and_then(|id| id.strip_prefix("trust-"))
                .and_then(|number| number.parse::<usize>().ok());
            let trust = number.and_then(|number| state.trusts.get(number.checked_sub(1)?));
            let project_id = trust.and_then(|trust| trust.project_id.clone());
            let group = ServerGroup {
                project_id: project_id.unwrap_or_else(|| SERVICE_PROJECT.to_owned()),
                id: format!("group-{}", state.new_id()),
                name: name.to_owned(),
                policies: vec![policy.as_str().to_owned()],
            };
            state.server_groups.push(group.clone());
            Ok(group)
        })
    }

    async fn delete_server_group(&self, id: &str) -> Result<(), CloudError> {
        self.call("nova", format!("delete server group {id}"), |state| {
            let before = state.server_groups.len();
            state.server_groups.retain(|group| group.id != id);
            if state.server_groups.len() == before {
                Err(Answer(404, "Instance group could not be found."))
            } else {
                Ok(())
            }
        })
    }
}
