//! The units of resource types that the operator names.
//!
//! Invariant: they are what the configuration says; the id of a unit holds the name of its type, so that it is nobody
//! else's.

use std::collections::BTreeMap;
use std::sync::Arc;

use solver::model::{HostId, Pool, PoolWords};
use solver::planner::Planner;

use crate::domain::Allocation;

/// Names of units by resource type.
pub type Countables = BTreeMap<String, Vec<String>>;

/// Tells the planner which units there are.
pub(super) fn put_pools(planner: &mut Planner, countables: &Countables) {
    for (resource_type, units) in countables {
        let mut ids: Vec<HostId> = units
            .iter()
            .map(|unit| Arc::from(unit_id(resource_type, unit)))
            .collect();
        ids.sort();
        planner.put_pool(Pool {
            id: pool_id(resource_type),
            units: ids,
            words: Some(PoolWords {
                one: "unit".into(),
                more: "units".into(),
                pool: resource_type.as_str().into(),
            }),
        });
    }
}

/// How ids of the planner's pools of units begin. Ids of networks, the other pools, do not.
const SCOPE: &str = "resource type ";

/// The planner's pool of a resource type.
pub(crate) fn pool_id(resource_type: &str) -> Arc<str> {
    Arc::from(format!("{SCOPE}{resource_type}"))
}

/// Whether a pool of the planner is of a resource type that the operator has named.
pub(crate) fn is_countable(pool: &str) -> bool {
    pool.starts_with(SCOPE)
}

/// The id under which the book holds a unit.
fn unit_id(resource_type: &str, unit: &str) -> String {
    format!("{resource_type}/{unit}")
}

/// Names of the units that a reservation of this type has.
pub fn unit_names(resource_type: &str, held: &[Allocation]) -> Vec<String> {
    let names = held
        .iter()
        .map(|allocation| unit_name(resource_type, &allocation.host_id));
    names.map(str::to_owned).collect()
}

/// The name of the unit that the book holds under this id.
pub(crate) fn unit_name<'a>(resource_type: &str, id: &'a str) -> &'a str {
    let name = id.strip_prefix(resource_type).and_then(|rest| rest.strip_prefix('/'));
    name.unwrap_or(id)
}
