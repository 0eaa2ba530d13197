//! Resource classes by number.
//!
//! Invariant: every class of which an instance that is to be placed takes something has a number, in the order of names.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Host, Instances, Resource};

/// Amounts by the number of the resource class.
pub(super) type Amounts = Vec<u64>;

/// What is demanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whole hosts.
    Whole,
    /// Instances that take these amounts each.
    Instances {
        amounts: Amounts,
        /// As in [`crate::model::Instances`].
        affinity: Option<bool>,
    },
}

/// Numbers for the resource classes that any instance takes something of.
pub(super) struct ResourceClasses<'a> {
    pub(super) names: Vec<&'a str>,
    /// How many instances there are at most, if some take nothing at all: they still keep whole-host work
    /// away, so each takes 1 of this.
    instances: Option<u64>,
}

impl<'a> ResourceClasses<'a> {
    /// Those that what is to be placed takes something of, each resource with how many there are of it: no others can run
    /// out. Besides, so many instances stay where they are.
    pub(super) fn new(placed: impl Iterator<Item = (&'a Resource, u64)>, staying: u64) -> Self {
        let mut names: BTreeSet<&'a str> = BTreeSet::new();
        let (mut count, mut weightless) = (staying, false);
        for (resource, size) in placed {
            if let Resource::Instances(instances) = resource {
                let mut taken = instances.resources.iter().filter(|(_, amount)| **amount > 0).peekable();
                weightless |= taken.peek().is_none();
                names.extend(taken.map(|(name, _)| name.as_str()));
                count = count.saturating_add(size);
            }
        }
        let mut names: Vec<&'a str> = names.into_iter().collect();
        if weightless {
            names.push("");
        }
        Self {
            names,
            instances: weightless.then_some(count),
        }
    }

    fn named(&self, amounts: &BTreeMap<String, u64>, instances: u64) -> Amounts {
        let amount = |name: &&str| amounts.get(*name).copied().unwrap_or(0);
        if self.instances.is_none() {
            return self.names.iter().map(amount).collect();
        }
        let named = self.names.len() - 1;
        self.names[..named].iter().map(amount).chain([instances]).collect()
    }

    pub(super) fn amounts(&self, instances: &Instances) -> Amounts {
        self.named(&instances.resources, 1)
    }

    pub(super) fn capacity(&self, host: &Host) -> Amounts {
        self.named(&host.capacity, self.instances.unwrap_or(0))
    }

    pub(super) fn kind(&self, resource: &Resource) -> Kind {
        match resource {
            Resource::Instances(instances) => Kind::Instances {
                amounts: self.amounts(instances),
                affinity: instances.affinity,
            },
            Resource::Host | Resource::Units(_) => Kind::Whole,
        }
    }
}
