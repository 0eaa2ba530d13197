//! Everything that can be seen of the cloud at one moment, for comparing.
//!
//! Invariant: two clouds in which the same was done in another order, or with repetitions, look the same: ids the
//! cloud has chosen are replaced by what they stand for.

use std::collections::{BTreeMap, BTreeSet};

use super::{FakeCloud, FakeFlavor};
use crate::{Aggregate, ProjectAddress};

/// The cloud at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Aggregates by name, without ids, hosts sorted.
    pub aggregates: BTreeMap<String, Aggregate>,
    /// Flavors by id.
    pub flavors: BTreeMap<String, FakeFlavor>,
    /// Server groups: name, project, policies.
    pub server_groups: Vec<(String, String, Vec<String>)>,
    /// Resource classes made.
    pub classes: BTreeSet<String>,
    /// Amounts by name of the provider and class; providers without any are there too.
    pub inventories: BTreeMap<String, BTreeMap<String, i64>>,
    /// Servers: name, host, project.
    pub servers: Vec<(String, String, String)>,
    /// Images: name, owner.
    pub images: Vec<(String, Option<String>)>,
    /// Floating IPs without ids, by network and address.
    pub addresses: Vec<ProjectAddress>,
}

impl Snapshot {
    /// Without what no reservation makes or takes back: servers, images, and providers that hold nothing.
    #[must_use]
    pub fn of_reservations(mut self) -> Self {
        self.servers.clear();
        self.images.clear();
        self.inventories.retain(|_, classes| !classes.is_empty());
        self
    }
}

impl FakeCloud {
    /// The cloud as it is.
    pub fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        let groups: BTreeMap<&str, &str> = state
            .server_groups
            .iter()
            .map(|group| (group.id.as_str(), group.name.as_str()))
            .collect();
        let without_ids = |values: &BTreeMap<String, String>| {
            let named = |value: &String| {
                groups
                    .get(value.as_str())
                    .map_or(value.clone(), |&name| name.to_owned())
            };
            values.iter().map(|(key, value)| (key.clone(), named(value))).collect()
        };
        let aggregates = state.aggregates.iter().map(|aggregate| {
            let mut seen = aggregate.clone();
            seen.id = 0;
            seen.hosts.sort();
            seen.metadata = without_ids(&aggregate.metadata);
            (seen.name.clone(), seen)
        });
        let flavors = state.flavors.iter().map(|(id, found)| {
            let seen = FakeFlavor {
                extra_specs: without_ids(&found.extra_specs),
                ..found.clone()
            };
            (id.clone(), seen)
        });
        let mut server_groups: Vec<_> = state
            .server_groups
            .iter()
            .map(|group| (group.name.clone(), group.project_id.clone(), group.policies.clone()))
            .collect();
        server_groups.sort();
        let inventories = state.providers.iter().map(|provider| {
            let classes = state.inventories.get(&provider.id).into_iter().flatten();
            let totals = classes.map(|(class, inventory)| (class.clone(), inventory.total));
            (provider.name.clone(), totals.collect())
        });
        let mut servers: Vec<_> = state
            .servers
            .iter()
            .map(|entry| &entry.server)
            .map(|server| (server.name.clone(), server.host.clone(), server.project_id.clone()))
            .collect();
        servers.sort();
        let mut images: Vec<_> = state
            .images
            .iter()
            .map(|(image, _)| (image.name.clone(), image.owner.clone()))
            .collect();
        images.sort();
        let without_id = |address: &ProjectAddress| ProjectAddress {
            id: String::new(),
            ..address.clone()
        };
        let mut addresses: Vec<_> = state.addresses.iter().map(without_id).collect();
        addresses.sort();
        Snapshot {
            aggregates: aggregates.collect(),
            flavors: flavors.collect(),
            server_groups,
            classes: state.classes.clone(),
            inventories: inventories.collect(),
            servers,
            images,
            addresses,
        }
    }
}
