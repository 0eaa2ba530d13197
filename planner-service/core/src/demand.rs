//! What a reservation asks of the planner.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugin_api::SourceFlavor;
use solver::model::{HostId, Instances, Resource, Units};
use solver::predicate::{Operator, Predicate};

use crate::book::countables::pool_id;
use crate::domain::{
    FlavorReservation, FloatingIpReservation, HostReservation, InstanceReservation, InstanceSize, ReservationSpec,
};
use crate::properties::{self, DISK_GB, HYPERVISOR, MEMORY_MB, VCPU, max_unit, trait_property};

/// Resource class of CPUs that an instance has for itself.
const PCPU: &str = "PCPU";

/// A reservation in the planner's terms, times aside.
pub(crate) struct Demand {
    pub(crate) resource: Resource,
    /// Fewest hosts, instances or units.
    pub(crate) min: u32,
    /// Most of them.
    pub(crate) max: u32,
    pub(crate) predicate: Arc<Predicate>,
}

/// The id of a floating IP by its network and address, if it is registered.
pub(crate) type AddressIds<'a> = &'a dyn Fn(&str, &str) -> Option<HostId>;

/// What a reservation asks.
///
/// # Errors
/// Says which expression or extra spec is wrong, and how.
pub(crate) fn demand(spec: &ReservationSpec, addresses: AddressIds<'_>) -> Result<Demand, String> {
    let predicate = Arc::new(properties::requirement(&spec.expressions())?);
    Ok(match spec {
        ReservationSpec::Host(HostReservation { min, max, .. }) => Demand {
            resource: Resource::Host,
            min: *min,
            max: *max,
            predicate,
        },
        ReservationSpec::Instance(spec) => Demand {
            resource: Resource::Instances(Arc::new(instances(spec))),
            min: spec.amount,
            max: spec.amount,
            predicate,
        },
        ReservationSpec::Flavor(spec) => flavored(spec)?,
        ReservationSpec::FloatingIp(spec) => Demand {
            resource: Resource::Units(Arc::new(units(spec, addresses))),
            min: spec.amount,
            max: spec.amount,
            predicate,
        },
        ReservationSpec::Countable(spec) => Demand {
            resource: Resource::Units(Arc::new(Units {
                pool: pool_id(&spec.resource_type),
                required: Vec::new(),
            })),
            min: spec.amount,
            max: spec.amount,
            predicate,
        },
    })
}

fn instances(spec: &InstanceReservation) -> Instances {
    let InstanceSize {
        vcpus,
        memory_mb,
        disk_gb,
    } = spec.size;
    let amounts = [vcpus, memory_mb, disk_gb];
    let classes = HYPERVISOR.into_iter().zip(amounts);
    let classes = classes.chain([VCPU, MEMORY_MB, DISK_GB].into_iter().zip(amounts));
    Instances {
        resources: classes
            .map(|(class, amount)| (class.to_owned(), u64::from(amount)))
            .collect(),
        affinity: spec.affinity,
    }
}

fn flavored(spec: &FlavorReservation) -> Result<Demand, String> {
    let resources = resources_of(&spec.flavor)?;
    let mut conditions: Vec<Predicate> = resources
        .iter()
        .map(|(class, amount)| Predicate::Compare {
            operator: Operator::AtLeast,
            property: max_unit(class),
            value: amount.to_string(),
        })
        .collect();
    conditions.extend(traits_of(&spec.flavor)?);
    Ok(Demand {
        resource: Resource::Instances(Arc::new(Instances {
            resources,
            affinity: None,
        })),
        min: spec.amount,
        max: spec.amount,
        predicate: Arc::new(Predicate::All(conditions)),
    })
}

/// Refuses a flavor of which nothing can be counted.
///
/// # Errors
/// Says which extra spec is wrong, with upstream's text where it has one.
pub(crate) fn check_flavor(flavor: &SourceFlavor) -> Result<(), String> {
    traits_of(flavor)?;
    if resources_of(flavor)?.is_empty() {
        return Err(format!(
            "Flavor {} asks for no resources, so nothing of it can be reserved",
            flavor.id
        ));
    }
    Ok(())
}

/// What one instance of a flavor takes, by resource class, as Nova asks Placement for it: its own sizes, which
/// `resources:CLASS` overrides. Classes of which it takes nothing are left out.
fn resources_of(flavor: &SourceFlavor) -> Result<BTreeMap<String, u64>, String> {
    let dedicated = flavor
        .extra_specs
        .get("hw:cpu_policy")
        .is_some_and(|policy| policy == "dedicated");
    let cpus = if dedicated { PCPU } else { VCPU };
    let mut resources = BTreeMap::from([
        (cpus.to_owned(), u64::from(flavor.vcpus)),
        (MEMORY_MB.to_owned(), u64::from(flavor.memory_mb)),
        (DISK_GB.to_owned(), u64::from(flavor.disk) + u64::from(flavor.ephemeral)),
    ]);
    for (key, value) in &flavor.extra_specs {
        let Some(class) = key.strip_prefix("resources:") else {
            continue;
        };
        let amount = value
            .trim()
            .parse::<u32>()
            .map_err(|_| format!("Invalid value for resource class {class}"))?;
        resources.insert(class.to_owned(), amount.into());
    }
    resources.retain(|_, amount| *amount > 0);
    Ok(resources)
}

/// What hosts must and must not be able to do for the instances of a flavor.
fn traits_of(flavor: &SourceFlavor) -> Result<Vec<Predicate>, String> {
    let specs = flavor.extra_specs.iter();
    let traits = specs.filter_map(|(key, value)| Some((key.strip_prefix("trait:")?, value.as_str())));
    traits
        .map(|(name, value)| match value {
            "required" => Ok(Predicate::Compare {
                operator: Operator::Equal,
                property: trait_property(name),
                value: value.to_owned(),
            }),
            "forbidden" => Ok(Predicate::Lacks(trait_property(name))),
            _ => Err(format!("Invalid value for trait {name}")),
        })
        .collect()
}

/// An address that is not registered stands for itself: no pool has a unit of that name.
fn units(spec: &FloatingIpReservation, addresses: AddressIds<'_>) -> Units {
    let unit = |address: &String| addresses(&spec.network_id, address).unwrap_or_else(|| Arc::from(address.as_str()));
    let mut required: Vec<HostId> = spec.required_floatingips.iter().map(unit).collect();
    required.sort();
    Units {
        pool: Arc::from(spec.network_id.as_str()),
        required,
    }
}
