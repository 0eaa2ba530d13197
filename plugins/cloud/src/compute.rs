//! What Berth needs from Nova.
//!
//! Invariant: every call is one request towards the service (lists may page), has no hidden retries
//! with an effect, and is safe to repeat after its answer was lost.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::CloudError;

/// A hypervisor as a search finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HypervisorName {
    /// Nova's id as text.
    pub id: String,
    /// Name of the hypervisor.
    pub hostname: String,
}

/// A hypervisor with its details. Sizes are absent where the API version no longer tells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hypervisor {
    /// Nova's id as text.
    pub id: String,
    /// Name of the hypervisor.
    pub hostname: String,
    /// Host of its compute service: the name aggregates take.
    pub service_host: String,
    /// Number of virtual CPUs.
    pub vcpus: Option<i64>,
    /// Memory in MiB.
    pub memory_mb: Option<i64>,
    /// Disk in GiB.
    pub local_gb: Option<i64>,
    /// A JSON object as text, empty if unknown.
    pub cpu_info: String,
    /// e.g. `QEMU`
    pub kind: String,
    /// e.g. `2010001`
    pub version: i64,
}

/// Whether a hypervisor's compute service works and may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HypervisorState {
    /// Nova's id as text.
    pub id: String,
    /// Neither down nor disabled.
    pub is_up: bool,
}

/// A host aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aggregate {
    /// Nova's id.
    pub id: i64,
    /// Its name, unique in the cloud.
    pub name: String,
    /// The availability zone its hosts are in, if it makes one.
    pub availability_zone: Option<String>,
    /// Compute service hosts.
    pub hosts: Vec<String>,
    /// Metadata, without the availability zone.
    pub metadata: BTreeMap<String, String>,
}

impl Aggregate {
    /// Whether the host is a member.
    pub fn contains(&self, service_host: &str) -> bool {
        self.hosts.iter().any(|host| host == service_host)
    }
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The project it belongs to.
    pub project_id: String,
    /// e.g. `ACTIVE`
    pub status: String,
    /// The compute service host it runs on, empty while it is on none.
    pub host: String,
    /// The id of the flavor it was made of.
    pub flavor_id: String,
}

/// The compute service.
#[async_trait]
pub trait Compute: Send + Sync {
    /// Hypervisors whose name contains the pattern; none is an empty list.
    async fn search_hypervisors(&self, pattern: &str) -> Result<Vec<HypervisorName>, CloudError>;

    /// Details of a hypervisor by its id. [`CloudError::NotFound`] if there is none.
    async fn hypervisor(&self, id: &str) -> Result<Hypervisor, CloudError>;

    /// The state of every hypervisor of which Nova says one.
    async fn hypervisor_states(&self) -> Result<Vec<HypervisorState>, CloudError>;

    /// The availability zone that lists the host's compute service.
    async fn availability_zone(&self, service_host: &str) -> Result<Option<String>, CloudError>;

    /// All aggregates.
    async fn aggregates(&self) -> Result<Vec<Aggregate>, CloudError>;

    /// Creates an aggregate. [`CloudError::Conflict`] if the name is taken.
    async fn create_aggregate(&self, name: &str, availability_zone: Option<&str>) -> Result<Aggregate, CloudError>;

    /// Changes the availability zone. Refused while servers run on its hosts.
    async fn set_availability_zone(&self, aggregate: &Aggregate, availability_zone: &str) -> Result<(), CloudError>;

    /// Sets the given metadata keys; `None` removes a key, other keys stay.
    async fn set_metadata(
        &self,
        aggregate: &Aggregate,
        metadata: &BTreeMap<String, Option<String>>,
    ) -> Result<(), CloudError>;

    /// Adds a host. [`CloudError::Conflict`] if it is a member already, is in another availability
    /// zone or has servers; [`CloudError::NotFound`] if there is no such host.
    async fn add_host(&self, aggregate: &Aggregate, service_host: &str) -> Result<(), CloudError>;

    /// Removes a host. [`CloudError::NotFound`] if it is no member.
    async fn remove_host(&self, aggregate: &Aggregate, service_host: &str) -> Result<(), CloudError>;

    /// Deletes an aggregate. Refused while it has hosts.
    async fn delete_aggregate(&self, aggregate: &Aggregate) -> Result<(), CloudError>;

    /// Servers of all projects on a host. Never contains a server of another host.
    async fn servers_on(&self, service_host: &str) -> Result<Vec<Server>, CloudError>;

    /// Servers of all projects that were made of a flavor, wherever they are. Never contains a server of another
    /// flavor; empty if there is no such flavor.
    async fn servers_of_flavor(&self, flavor_id: &str) -> Result<Vec<Server>, CloudError>;

    /// Begins to delete a server; it is gone when lists no longer show it.
    async fn delete_server(&self, id: &str) -> Result<(), CloudError>;

    /// Begins to make an image of a server, with these properties.
    async fn create_image(
        &self,
        server_id: &str,
        name: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<(), CloudError>;
}
