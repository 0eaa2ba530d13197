//! What Berth needs from Nova's server groups.
//!
//! Invariant: names of server groups are anybody's, so a group is only ever answered if it belongs to
//! the project it was made for or to the service's own.

use async_trait::async_trait;

use crate::CloudError;

/// Where the servers of a group may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// All on one host.
    Affinity,
    /// All on different hosts.
    AntiAffinity,
}

impl Policy {
    /// The word for it on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Affinity => "affinity",
            Self::AntiAffinity => "anti-affinity",
        }
    }
}

/// A server group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerGroup {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The project it belongs to.
    pub project_id: String,
    /// Its rules, in the words of the wire.
    pub policies: Vec<String>,
}

/// Server groups of the compute service.
#[async_trait]
pub trait ServerGroups: Send + Sync {
    /// Groups of exactly this name that belong to the project or to the service's own, by id.
    async fn find_server_groups(&self, name: &str, project_id: &str) -> Result<Vec<ServerGroup>, CloudError>;

    /// Creates a group. With a trust it belongs to the project the trust is for, without one, or if Keystone does
    /// not accept the trust any more, to the service's own.
    async fn create_server_group(
        &self,
        name: &str,
        policy: Policy,
        trust_id: Option<&str>,
    ) -> Result<ServerGroup, CloudError>;

    /// Deletes a group; its servers stay. [`CloudError::NotFound`] if there is none.
    async fn delete_server_group(&self, id: &str) -> Result<(), CloudError>;
}
