//! The hosts in the order of their values of each property: a comparison is a search in a sorted list, not a look at
//! every host.
//!
//! Invariant: what is admitted is exactly the hosts for which [`Predicate::matches`] holds.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use fixedbitset::FixedBitSet;
use solver_format::decimal;

use crate::model::Host;
use crate::predicate::{Operator, Predicate};

/// Hosts by their numbers.
pub(crate) type HostSet = FixedBitSet;

/// The columns of the properties that were asked about so far. They are of one list of hosts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns(HashMap<String, Arc<Column>>);

/// The hosts that have a property.
#[derive(Debug, Default)]
struct Column {
    /// By text.
    values: Vec<Value>,
    /// Places in `values` of plain decimal numbers, by number.
    numbers: Vec<usize>,
}

#[derive(Debug)]
struct Value {
    text: String,
    is_number: bool,
    hosts: Vec<u32>,
}

impl Column {
    fn new(mut hosts: Vec<(&str, u32)>) -> Self {
        hosts.sort_unstable();
        let values: Vec<Value> = hosts
            .chunk_by(|one, other| one.0 == other.0)
            .map(|same| Value {
                text: same[0].0.to_owned(),
                is_number: decimal::is_number(same[0].0),
                hosts: same.iter().map(|&(_, host)| host).collect(),
            })
            .collect();
        let mut numbers: Vec<usize> = (0..values.len()).filter(|&place| values[place].is_number).collect();
        numbers.sort_by(|&one, &other| order(&values[one].text, &values[other].text));
        Self { values, numbers }
    }

    /// Adds the hosts whose value compares like this.
    fn admit(&self, operator: Operator, value: &str, admitted: &mut HostSet) {
        let mut add = |found: &Value| found.hosts.iter().for_each(|&host| admitted.insert(host as usize));
        let by_text = accepted(&self.values, operator, |found| found.text.as_str().cmp(value));
        if !decimal::is_number(value) {
            by_text.into_iter().flatten().for_each(add);
            return;
        }
        let texts = by_text.into_iter().flatten().filter(|found| !found.is_number);
        texts.for_each(&mut add);
        let numbers = accepted(&self.numbers, operator, |&place| order(&self.values[place].text, value));
        numbers
            .into_iter()
            .flatten()
            .for_each(|&place| add(&self.values[place]));
    }
}

/// The order of two numbers.
fn order(one: &str, other: &str) -> Ordering {
    decimal::compare(one, other).unwrap_or_else(|| one.cmp(other))
}

/// The parts of a sorted list that an operator accepts, where `order` says how an item compares.
fn accepted<T>(sorted: &[T], operator: Operator, order: impl Fn(&T) -> Ordering) -> [&[T]; 2] {
    let (first, after) = (
        sorted.partition_point(|item| order(item).is_lt()),
        sorted.partition_point(|item| order(item).is_le()),
    );
    match operator {
        Operator::Equal => [&sorted[first..after], &[]],
        Operator::NotEqual => [&sorted[..first], &sorted[after..]],
        Operator::AtLeast => [&sorted[first..], &[]],
        Operator::AtMost => [&sorted[..after], &[]],
        Operator::Greater => [&sorted[after..], &[]],
        Operator::Less => [&sorted[..first], &[]],
    }
}

impl Columns {
    /// The hosts that satisfy each predicate. The hosts must be the same in every call.
    pub(crate) fn admitted<H: Borrow<Host>>(&mut self, hosts: &[H], predicates: &[&Predicate]) -> Vec<HostSet> {
        self.gather(hosts, predicates);
        let sets = predicates.iter().map(|predicate| self.admits(hosts.len(), predicate));
        sets.collect()
    }

    /// Makes the columns that are missing, all in one look at the hosts.
    fn gather<H: Borrow<Host>>(&mut self, hosts: &[H], predicates: &[&Predicate]) {
        let asked: BTreeSet<&str> = predicates.iter().flat_map(|predicate| predicate.properties()).collect();
        let mut missing: HashMap<&str, Vec<(&str, u32)>> = HashMap::new();
        missing.extend(
            asked
                .into_iter()
                .filter(|name| !self.0.contains_key(*name))
                .map(|name| (name, Vec::new())),
        );
        if missing.is_empty() {
            return;
        }
        for (number, host) in (0..).zip(hosts) {
            let host: &Host = host.borrow();
            if missing.len() <= host.properties.len() {
                for (name, column) in &mut missing {
                    column.extend(host.lookup(name).map(|value| (value, number)));
                }
                continue;
            }
            let own = host
                .properties
                .keys()
                .map(String::as_str)
                .filter(|name| !Host::NAMED.contains(name));
            for name in own.chain(Host::NAMED) {
                if let (Some(column), Some(value)) = (missing.get_mut(name), host.lookup(name)) {
                    column.push((value, number));
                }
            }
        }
        let made = missing
            .into_iter()
            .map(|(name, hosts)| (name.to_owned(), Arc::new(Column::new(hosts))));
        self.0.extend(made);
    }

    fn admits(&self, hosts: usize, predicate: &Predicate) -> HostSet {
        let mut admitted = HostSet::with_capacity(hosts);
        match predicate {
            Predicate::All(parts) => {
                admitted.insert_range(..);
                for part in parts {
                    admitted.intersect_with(&self.admits(hosts, part));
                }
            }
            Predicate::Any(parts) => {
                for part in parts {
                    admitted.union_with(&self.admits(hosts, part));
                }
            }
            Predicate::Compare {
                operator,
                property,
                value,
            } => {
                if let Some(column) = self.0.get(property) {
                    column.admit(*operator, value, &mut admitted);
                }
            }
            Predicate::Lacks(property) => {
                admitted.insert_range(..);
                let values = self.0.get(property).into_iter().flat_map(|column| &column.values);
                for &host in values.flat_map(|value| &value.hosts) {
                    admitted.remove(host as usize);
                }
            }
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 5] = ["id", "zone", "rack", "memory", "nobody_has_it"];

    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            (-12i32..12).prop_map(|number| number.to_string()),
            (0u32..4, 0u32..4).prop_map(|(whole, part)| format!("0{whole}.{part}0")),
            "[a-c1-2]{0,2}".prop_map(|text| text),
        ]
    }

    fn predicate() -> impl Strategy<Value = Predicate> {
        let operators = prop::sample::select(vec![
            Operator::Equal,
            Operator::NotEqual,
            Operator::AtLeast,
            Operator::AtMost,
            Operator::Greater,
            Operator::Less,
        ]);
        let name = || prop::sample::select(NAMES.to_vec());
        let leaf = prop_oneof![
            4 => (operators, name(), value()).prop_map(|(operator, property, value)| Predicate::Compare {
                operator,
                property: property.to_owned(),
                value,
            }),
            1 => name().prop_map(|property| Predicate::Lacks(property.to_owned())),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            let parts = prop::collection::vec(inner, 0..4);
            prop_oneof![parts.clone().prop_map(Predicate::All), parts.prop_map(Predicate::Any)]
        })
    }

    fn host() -> impl Strategy<Value = Host> {
        let some = || prop::option::of(value());
        (value(), some(), some(), some(), some()).prop_map(|(id, zone, rack, memory, hidden)| {
            let named = [("memory", memory), ("zone", hidden)];
            let properties = named
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)));
            Host {
                id: Arc::from(id),
                properties: properties.collect(),
                zone,
                rack,
                capacity: BTreeMap::new(),
                blocks: Vec::new(),
                reservable: true,
            }
        })
    }

    proptest! {
        /// Against a look at every host.
        #[test]
        fn admits_what_matches(
            hosts in prop::collection::vec(host(), 0..20),
            predicates in prop::collection::vec(predicate(), 1..6),
        ) {
            let mut columns = Columns::default();
            let (first, rest) = predicates.split_at(1);
            for asked in [first, rest, &predicates[..]] {
                let asked: Vec<&Predicate> = asked.iter().collect();
                for (predicate, set) in asked.iter().zip(columns.admitted(&hosts, &asked)) {
                    let expected: Vec<bool> = hosts.iter().map(|host| host.matches(predicate)).collect();
                    let found: Vec<bool> = (0..hosts.len()).map(|host| set.contains(host)).collect();
                    prop_assert_eq!(found, expected, "{}", predicate);
                }
            }
        }
    }
}
