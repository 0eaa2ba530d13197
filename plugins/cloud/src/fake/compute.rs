//! Hypervisors, aggregates and servers.
//!
//! Invariant: a host is in one availability zone, does not change it while servers run on it, and an aggregate with
//! hosts cannot be deleted.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{Answer, FakeCloud, SERVICE_PROJECT, State};
use crate::{Aggregate, CloudError, Compute, Hypervisor, HypervisorName, HypervisorState, Image, Server};

impl State {
    /// Shows the servers that are meant; every list brings those being deleted nearer to their end.
    fn list_servers(&mut self, meant: impl Fn(&Server) -> bool) -> Vec<Server> {
        let mut shown = Vec::new();
        for entry in &mut self.servers {
            if !meant(&entry.server) {
                continue;
            }
            shown.push(entry.server.clone());
            if let Some(lists) = &mut entry.lists_until_gone {
                *lists = lists.saturating_sub(1);
            }
        }
        self.servers.retain(|entry| entry.lists_until_gone != Some(0));
        shown
    }
}

#[async_trait]
impl Compute for FakeCloud {
    async fn search_hypervisors(&self, pattern: &str) -> Result<Vec<HypervisorName>, CloudError> {
        self.call("nova", format!("search hypervisors by {pattern}"), |state| {
            Ok(state
                .hypervisors
                .iter()
                .filter(|hypervisor| hypervisor.hostname.contains(pattern))
                .map(|hypervisor| HypervisorName {
                    id: hypervisor.id.clone(),
                    hostname: hypervisor.hostname.clone(),
                })
                .collect())
        })
    }

    async fn hypervisor(&self, id: &str) -> Result<Hypervisor, CloudError> {
        self.call("nova", format!("show hypervisor {id}"), |state| {
            let mut found = state
                .hypervisors
                .iter()
                .find(|hypervisor| hypervisor.id == id)
                .cloned()
                .ok_or(Answer(404, "Hypervisor could not be found."))?;
            if state.sizes_hidden {
                (found.vcpus, found.memory_mb, found.local_gb) = (None, None, None);
                found.cpu_info.clear();
            }
            Ok(found)
        })
    }

    async fn hypervisor_states(&self) -> Result<Vec<HypervisorState>, CloudError> {
        self.call("nova", "list the states of hypervisors".to_owned(), |state| {
            let hypervisors = state.hypervisors.iter();
            let states = hypervisors.map(|hypervisor| HypervisorState {
                id: hypervisor.id.clone(),
                is_up: !state.hosts_down.contains(&hypervisor.hostname),
            });
            Ok(states.collect())
        })
    }

    async fn availability_zone(&self, service_host: &str) -> Result<Option<String>, CloudError> {
        self.call(
            "nova",
            format!("find the availability zone of {service_host}"),
            |state| {
                Ok(state
                    .zone_by_aggregates(service_host)
                    .map(str::to_owned)
                    .or_else(|| state.zones.get(service_host).cloned()))
            },
        )
    }

    async fn aggregates(&self) -> Result<Vec<Aggregate>, CloudError> {
        self.call("nova", "list aggregates", |state| Ok(state.aggregates.clone()))
    }

    async fn create_aggregate(&self, name: &str, availability_zone: Option<&str>) -> Result<Aggregate, CloudError> {
        self.call("nova", format!("create aggregate {name}"), |state| {
            if state.aggregates.iter().any(|aggregate| aggregate.name == name) {
                return Err(Answer(409, "Aggregate already exists."));
            }
            let aggregate = Aggregate {
                id: state.new_id(),
                name: name.to_owned(),
                availability_zone: availability_zone.map(str::to_owned),
                ..Aggregate::default()
            };
            state.aggregates.push(aggregate.clone());
            Ok(aggregate)
        })
    }

    async fn set_availability_zone(&self, aggregate: &Aggregate, availability_zone: &str) -> Result<(), CloudError> {
        self.call(
            "nova",
            format!("set the availability zone of aggregate {}", aggregate.name),
            |state| {
                let hosts = state.aggregate(aggregate.id)?.hosts.clone();
                if hosts.iter().any(|host| state.has_servers(host)) {
                    return Err(Answer(409, "One or more hosts contain instances in this zone."));
                }
                let elsewhere = state.aggregates.iter().any(|other| {
                    other.id != aggregate.id
                        && other
                            .availability_zone
                            .as_deref()
                            .is_some_and(|zone| zone != availability_zone)
                        && hosts.iter().any(|host| other.contains(host))
                });
                if elsewhere {
                    return Err(Answer(409, "A host is in another availability zone."));
                }
                state.aggregate(aggregate.id)?.availability_zone = Some(availability_zone.to_owned());
                Ok(())
            },
        )
    }

    async fn set_metadata(
        &self,
        aggregate: &Aggregate,
        metadata: &BTreeMap<String, Option<String>>,
    ) -> Result<(), CloudError> {
        self.call(
            "nova",
            format!("set metadata of aggregate {}", aggregate.name),
            |state| {
                let aggregate = state.aggregate(aggregate.id)?;
                for (key, value) in metadata {
                    match value {
                        Some(value) => aggregate.metadata.insert(key.clone(), value.clone()),
                        None => aggregate.metadata.remove(key),
                    };
                }
                Ok(())
            },
        )
    }

    async fn add_host(&self, aggregate: &Aggregate, service_host: &str) -> Result<(), CloudError> {
        self.call(
            "nova",
            format!("add host {service_host} to aggregate {}", aggregate.name),
            |state| {
                if !state
                    .hypervisors
                    .iter()
                    .any(|hypervisor| hypervisor.service_host == service_host)
                {
                    return Err(Answer(404, "Compute host could not be found."));
                }
                let wanted = state.aggregate(aggregate.id)?.availability_zone.clone();
                if state.aggregate(aggregate.id)?.contains(service_host) {
                    return Err(Answer(409, "Aggregate already has the host."));
                }
                let current = state.zone_by_aggregates(service_host).map(str::to_owned);
                if let Some(wanted) = wanted {
                    if current.as_ref().is_some_and(|current| *current != wanted) {
                        return Err(Answer(409, "Host already in another availability zone."));
                    }
                    if current.is_none() && state.has_servers(service_host) {
                        return Err(Answer(
                            409,
                            "The host contains instances and would change its availability zone.",
                        ));
                    }
                }
                state.aggregate(aggregate.id)?.hosts.push(service_host.to_owned());
                Ok(())
            },
        )
    }

    async fn remove_host(&self, aggregate: &Aggregate, service_host: &str) -> Result<(), CloudError> {
        self.call(
            "nova",
            format!("remove host {service_host} from aggregate {}", aggregate.name),
            |state| {
                let zoned = state.aggregate(aggregate.id)?.availability_zone.is_some();
                if !state.aggregate(aggregate.id)?.contains(service_host) {
                    return Err(Answer(404, "Aggregate does not have the host."));
                }
                if zoned && state.has_servers(service_host) {
                    return Err(Answer(
                        409,
                        "The host contains instances and would change its availability zone.",
                    ));
                }
                state.aggregate(aggregate.id)?.hosts.retain(|host| host != service_host);
                Ok(())
            },
        )
    }

    async fn delete_aggregate(&self, aggregate: &Aggregate) -> Result<(), CloudError> {
        self.call("nova", format!("delete aggregate {}", aggregate.name), |state| {
            if !state.aggregate(aggregate.id)?.hosts.is_empty() {
                return Err(Answer(
                    400,
                    "Cannot remove host from aggregate: Host aggregate is not empty.",
                ));
            }
            state.aggregates.retain(|other| other.id != aggregate.id);
            Ok(())
        })
    }

    async fn servers_on(&self, service_host: &str) -> Result<Vec<Server>, CloudError> {
        self.call("nova", format!("list servers on {service_host}"), |state| {
            Ok(state.list_servers(|server| server.host == service_host))
        })
    }

    async fn servers_of_flavor(&self, flavor_id: &str) -> Result<Vec<Server>, CloudError> {
        self.call("nova", format!("list servers of flavor {flavor_id}"), |state| {
            // Nova looks for the flavor itself: what was made of one that is gone is not found.
            if !state.flavors.contains_key(flavor_id) {
                return Ok(Vec::new());
            }
            Ok(state.list_servers(|server| server.flavor_id == flavor_id))
        })
    }

    async fn delete_server(&self, id: &str) -> Result<(), CloudError> {
        self.call("nova", format!("delete server {id}"), |state| {
            let lists = state.lists_until_gone;
            let entry = state
                .servers
                .iter_mut()
                .find(|entry| entry.server.id == id)
                .ok_or(Answer(404, "Instance could not be found."))?;
            let left = *entry.lists_until_gone.get_or_insert(lists);
            if left == 0 {
                state.servers.retain(|entry| entry.server.id != id);
            }
            Ok(())
        })
    }

    async fn create_image(
        &self,
        server_id: &str,
        name: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<(), CloudError> {
        self.call("nova", format!("create image {name} of server {server_id}"), |state| {
            if !state.servers.iter().any(|entry| entry.server.id == server_id) {
                return Err(Answer(404, "Instance could not be found."));
            }
            let image = Image {
                id: format!("image-{}", state.new_id()),
                name: name.to_owned(),
                owner: Some(SERVICE_PROJECT.to_owned()),
            };
            state.images.push((image, properties.clone()));
            Ok(())
        })
    }
}
