//! Which aggregates of a cloud are the freepool, one reservation's, and other reservations'.
//!
//! Invariant: an aggregate counts as a reservation's only if its availability zone or its metadata says so; the
//! operator's own aggregates are never touched. Reservations of whole hosts keep a host for themselves and out of the
//! freepool; reservations of instances share hosts that stay in it.

use cloud::{Aggregate, CloudError, Compute};
use plugin_api::PluginError;

/// Metadata key of the aggregates Berth has made; its value is the reservation's id.
pub const MARK: &str = "berth:reservation";

/// Metadata key of the aggregates of instance reservations, upstream's too; its value is the reservation's id.
pub const INSTANCES_OF: &str = "reservation";

/// The provider that holds a host's instance reservations.
pub fn provider_name(hypervisor_hostname: &str) -> String {
    format!("blazar_{hypervisor_hostname}")
}

/// The next call of the same method may succeed whatever the cause: an operator can mend a refusal too.
pub fn unavailable(error: CloudError) -> PluginError {
    let cloud::Failure {
        service,
        operation,
        reason,
        ..
    } = error.into_failure();
    PluginError::Unavailable {
        service,
        operation,
        reason,
    }
}

/// What aggregates are called, and what they say. The defaults are upstream's, which its scheduler filter expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Name of the aggregate that holds the hosts nobody has for himself.
    pub freepool: String,
    /// Availability zones of reservations of whole hosts are this and the reservation's id.
    pub az_prefix: String,
    /// Metadata key that names the project a reservation belongs to.
    pub blazar_owner: String,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            freepool: "freepool".to_owned(),
            az_prefix: "blazar_".to_owned(),
            blazar_owner: "blazar:owner".to_owned(),
        }
    }
}

/// The aggregates of a cloud at one moment, seen by one reservation (or by none: an empty id).
pub struct Pools {
    freepool: Option<Aggregate>,
    /// The reservation's own.
    pub own: Option<Aggregate>,
    of_hosts: Vec<Aggregate>,
    of_instances: Vec<Aggregate>,
}

impl Pools {
    /// Reads the aggregates.
    pub async fn read(compute: &dyn Compute, reservation_id: &str, names: &Names) -> Result<Self, CloudError> {
        let mut pools = Self {
            freepool: None,
            own: None,
            of_hosts: Vec::new(),
            of_instances: Vec::new(),
        };
        for aggregate in compute.aggregates().await? {
            let zoned = aggregate
                .availability_zone
                .as_deref()
                .is_some_and(|zone| zone.starts_with(&names.az_prefix));
            let shared = aggregate.metadata.get(INSTANCES_OF) == Some(&aggregate.name);
            if aggregate.name == names.freepool {
                pools.freepool = Some(aggregate);
            } else if aggregate.name == reservation_id {
                pools.own = Some(aggregate);
            } else if shared && !zoned {
                pools.of_instances.push(aggregate);
            } else if zoned || aggregate.metadata.contains_key(MARK) {
                pools.of_hosts.push(aggregate);
            }
        }
        Ok(pools)
    }

    /// The freepool, which only the operator makes.
    pub fn freepool(&self) -> Result<&Aggregate, PluginError> {
        self.freepool
            .as_ref()
            .ok_or_else(|| PluginError::Waiting("No Freepool found".to_owned()))
    }

    /// The freepool, if there is one.
    pub fn freepool_if_any(&self) -> Option<&Aggregate> {
        self.freepool.as_ref()
    }

    /// The other reservation that has a host for itself.
    pub fn host_holder(&self, service_host: &str) -> Option<&Aggregate> {
        self.of_hosts.iter().find(|aggregate| aggregate.contains(service_host))
    }

    /// Another reservation that uses a host, for itself or with others.
    pub fn holder(&self, service_host: &str) -> Option<&Aggregate> {
        self.host_holder(service_host).or_else(|| {
            self.of_instances
                .iter()
                .find(|aggregate| aggregate.contains(service_host))
        })
    }
}
