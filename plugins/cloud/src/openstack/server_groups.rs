//! Nova's server groups over HTTP.
//!
//! Invariant: lists are read at microversion 2.13, the first that tells whose a group is.

use async_trait::async_trait;
use http_client::Method;
use http_client::header::HeaderValue;
use serde::Deserialize;
use serde_json::json;

use super::OpenStack;
use super::session::{Call, Service, segment};
use crate::{CloudError, Policy, ServerGroup, ServerGroups};

const WITH_PROJECTS: HeaderValue = HeaderValue::from_static("compute 2.13");

#[derive(Deserialize)]
struct Groups {
    server_groups: Vec<WireGroup>,
}

#[derive(Deserialize)]
struct OneGroup {
    server_group: WireGroup,
}

#[derive(Deserialize)]
struct WireGroup {
    id: String,
    name: String,
    project_id: String,
    policies: Vec<String>,
}

impl From<WireGroup> for ServerGroup {
    fn from(wire: WireGroup) -> Self {
        Self {
            id: wire.id,
            name: wire.name,
            project_id: wire.project_id,
            policies: wire.policies,
        }
    }
}

#[async_trait]
impl ServerGroups for OpenStack {
    async fn find_server_groups(&self, name: &str, project_id: &str) -> Result<Vec<ServerGroup>, CloudError> {
        let operation = format!("find server groups named {name}");
        let first = Call::new(Service::Nova, Method::GET, "os-server-groups", operation)
            .query("all_projects", "True")
            .header("OpenStack-API-Version", WITH_PROJECTS);
        let own_project = self.session.login(None, &first).await?.project_id.clone();
        let mut found = Vec::new();
        let mut seen = 0;
        loop {
            // Nova has no links here and cuts lists at a length of its own.
            let call = first.clone().query("offset", seen.to_string());
            let page: Groups = self.session.send(&call).await?.read(&call)?;
            if page.server_groups.is_empty() {
                break;
            }
            seen += page.server_groups.len();
            found.extend(
                page.server_groups
                    .into_iter()
                    .map(ServerGroup::from)
                    .filter(|group| group.name == name)
                    .filter(|group| group.project_id == project_id || own_project.as_ref() == Some(&group.project_id)),
            );
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    async fn create_server_group(
        &self,
        name: &str,
        policy: Policy,
        trust_id: Option<&str>,
    ) -> Result<ServerGroup, CloudError> {
        let operation = format!("create server group {name}");
        let call = Call::new(Service::Nova, Method::POST, "os-server-groups", operation)
            .header("OpenStack-API-Version", WITH_PROJECTS)
            .json(json!({"server_group": {"name": name, "policies": [policy.as_str()]}}));
        let owner = match trust_id {
            None => None,
            Some(trust_id) => match self.session.trusted(trust_id, &call).await {
                Ok(owner) => Some(owner),
                // The owner has lost the role or was removed: the reservation need not fail for that.
                Err(error @ (CloudError::Unauthorized(_) | CloudError::NotFound(_))) => {
                    tracing::warn!(trust_id, %error, "the trust cannot be used; the server group is the service's own");
                    None
                }
                Err(error) => return Err(error),
            },
        };
        let answer = match owner {
            Some(owner) => self.session.send_for(&owner, &call).await?,
            None => self.session.send(&call).await?,
        };
        let created: OneGroup = answer.read(&call)?;
        Ok(created.server_group.into())
    }

    async fn delete_server_group(&self, id: &str) -> Result<(), CloudError> {
        let path = format!("os-server-groups/{}", segment(id));
        let operation = format!("delete server group {id}");
        self.session
            .send(&Call::new(Service::Nova, Method::DELETE, path, operation))
            .await
            .map(drop)
    }
}
