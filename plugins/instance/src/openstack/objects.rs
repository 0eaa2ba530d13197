//! What a reservation's objects are called and what is in them.
//!
//! Invariant: everything follows from the reservation, so that it is found again by its name. Only a server group,
//! whose name anybody may take, is also looked for in the aggregate's metadata.

use std::collections::BTreeMap;

use cloud::{Aggregate, Flavor, Policy, Provider, ServerGroup};
use plugin_api::{AssignedHost, AssignedInstances, Assignment, PluginError};
use pools::{INSTANCES_OF, MARK, provider_name, unavailable};

use super::OpenStackInstances;

/// Extra spec and metadata key that names the server group.
pub(super) const AFFINITY_ID: &str = "affinity_id";

/// Names of flavors and server groups.
pub(super) fn name_of(reservation_id: &str) -> String {
    format!("reservation:{reservation_id}")
}

/// The resource class one instance takes one of.
pub(super) fn class_of(reservation_id: &str) -> String {
    let allowed = reservation_id.chars().map(|letter| match letter.to_ascii_uppercase() {
        letter if letter.is_ascii_alphanumeric() => letter,
        _ => '_',
    });
    format!("CUSTOM_RESERVATION_{}", allowed.collect::<String>())
}

/// The flavor of the reservation's instances.
pub(super) fn flavor_of(reservation_id: &str, instances: &AssignedInstances) -> Flavor {
    Flavor {
        id: reservation_id.to_owned(),
        name: name_of(reservation_id),
        vcpus: instances.vcpus,
        memory_mb: instances.memory_mb,
        disk_gb: instances.disk_gb,
        ephemeral_gb: instances.ephemeral_gb,
    }
}

/// Extra specs of the flavor: those it is to have, and those that bind it to the reservation.
pub(super) fn extra_specs_of(
    reservation_id: &str,
    instances: &AssignedInstances,
    affinity_id: Option<&str>,
) -> BTreeMap<String, String> {
    let mut specs = instances.extra_specs.clone();
    specs.extend([
        (
            format!("aggregate_instance_extra_specs:{INSTANCES_OF}"),
            reservation_id.to_owned(),
        ),
        (format!("resources:{}", class_of(reservation_id)), "1".to_owned()),
    ]);
    if let Some(id) = affinity_id {
        specs.insert(AFFINITY_ID.to_owned(), id.to_owned());
    }
    specs
}

/// The rule the server group has to have; `None`: there is to be no group.
pub(super) fn policy_of(instances: &AssignedInstances) -> Option<Policy> {
    instances.affinity.map(|together| {
        if together {
            Policy::Affinity
        } else {
            Policy::AntiAffinity
        }
    })
}

/// Of the groups that could be the reservation's the one that is: the one its aggregate names, else the first.
pub(super) fn own_group(groups: Vec<ServerGroup>, policy: Policy, own: Option<&Aggregate>) -> Option<ServerGroup> {
    let named = own.and_then(|own| own.metadata.get(AFFINITY_ID));
    let mut fitting: Vec<_> = groups
        .into_iter()
        .filter(|group| group.policies == [policy.as_str()])
        .collect();
    fitting.sort_by_key(|group| (Some(&group.id) != named, group.id.clone()));
    fitting.into_iter().next()
}

impl OpenStackInstances {
    /// Metadata the aggregate must have and, as `None`, must not have.
    pub(super) fn metadata_of(
        &self,
        assignment: &Assignment,
        affinity_id: Option<&str>,
    ) -> BTreeMap<String, Option<String>> {
        let reservation = Some(assignment.reservation_id.clone());
        let project = Some(assignment.project_id.clone());
        BTreeMap::from([
            (INSTANCES_OF.to_owned(), reservation.clone()),
            (MARK.to_owned(), reservation),
            ("filter_tenant_id".to_owned(), project.clone()),
            (self.names.blazar_owner.clone(), project),
            (AFFINITY_ID.to_owned(), affinity_id.map(str::to_owned)),
        ])
    }

    /// Whether some of the metadata is missing or different.
    pub(super) fn metadata_differs(own: &Aggregate, wanted: &BTreeMap<String, Option<String>>) -> bool {
        wanted
            .iter()
            .any(|(key, value)| own.metadata.get(key) != value.as_ref())
    }

    /// Creates the aggregate. If somebody was faster, takes theirs.
    pub(super) async fn create_own(&self, reservation_id: &str) -> Result<Aggregate, PluginError> {
        match self.compute.create_aggregate(reservation_id, None).await {
            Ok(aggregate) => Ok(aggregate),
            Err(error) if error.is_conflict() => {
                self.pools(reservation_id).await?.own.ok_or_else(|| unavailable(error))
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Creates the flavor. If somebody was faster, theirs is as good.
    pub(super) async fn create_flavor(&self, flavor: &Flavor) -> Result<(), PluginError> {
        match self.flavors.create_flavor(flavor).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_conflict() => match self.flavors.find_flavor(&flavor.id).await {
                Ok(Some(_)) => Ok(()),
                Ok(None) => Err(unavailable(error)),
                Err(error) => Err(unavailable(error)),
            },
            Err(error) => Err(unavailable(error)),
        }
    }

    /// The provider of a host's reservations, made if it is missing; `None` if the host itself has none.
    pub(super) async fn provider_of(
        &self,
        host: &AssignedHost,
        created: &'static str,
    ) -> Result<Option<Provider>, PluginError> {
        let name = provider_name(&host.hypervisor_hostname);
        if let Some(found) = self.placement.find_provider(&name).await.map_err(unavailable)? {
            return Ok(Some(found));
        }
        let parent = self
            .placement
            .find_provider(&host.hypervisor_hostname)
            .await
            .map_err(unavailable)?;
        let Some(parent) = parent else { return Ok(None) };
        match self.placement.create_provider(&name, &parent).await {
            Ok(provider) => {
                self.steps.reached(created);
                Ok(Some(provider))
            }
            Err(error) if error.is_conflict() => self.placement.find_provider(&name).await.map_err(unavailable),
            Err(error) => Err(unavailable(error)),
        }
    }
}
