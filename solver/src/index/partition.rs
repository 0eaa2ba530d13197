//! Hosts grouped by everything that known expressions and the rules of classes can tell apart.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Interner;
use crate::hosts::Hosts;
use crate::model::{Host, HostId, Interval};
use crate::predicate::Predicate;

/// Hosts that are alike.
#[derive(Debug, Clone)]
pub(super) struct Alike {
    /// Their numbers, ascending; never empty.
    pub(super) hosts: Vec<u32>,
    /// Their identifiers in the same order.
    pub(super) ids: Arc<[HostId]>,
    /// See [`super::Index::kind_of`].
    pub(super) kind: u32,
    pub(super) reservable: bool,
    pub(super) blocks: Vec<Interval>,
    /// The least richness of the hosts.
    pub(super) richness: u64,
}

/// All classes.
#[derive(Debug, Clone, Default)]
pub(super) struct Partition {
    pub(super) class_of: Vec<u32>,
    pub(super) classes: Vec<Alike>,
    /// The classes by richness, then by their first host.
    pub(super) poorest_first: Vec<u32>,
}

fn identifiers(hosts: &Hosts, members: &[u32]) -> Arc<[HostId]> {
    let carried = members.iter().filter_map(|&host| hosts.at(host as usize));
    carried.map(|carried| carried.host.id.clone()).collect()
}

type Kind<'a> = (
    Option<&'a str>,
    Option<&'a str>,
    &'a [Interval],
    bool,
    &'a BTreeMap<String, u64>,
);

fn kind(host: &Host) -> Kind<'_> {
    (
        host.zone.as_deref(),
        host.rack.as_deref(),
        &host.blocks,
        host.reservable,
        &host.capacity,
    )
}

impl Partition {
    /// Groups all hosts by all known expressions.
    pub(super) fn new(hosts: &Hosts, interner: &Interner) -> Self {
        let mut partition = Self::default();
        let predicates: Vec<&Predicate> = interner.known().map(|(_, predicate)| predicate).collect();
        let (named, general): (Vec<&Predicate>, Vec<&Predicate>) = predicates
            .into_iter()
            .partition(|predicate| predicate.properties().contains("id"));
        let mut properties: Vec<&str> = general.iter().flat_map(|predicate| predicate.properties()).collect();
        properties.sort_unstable();
        properties.dedup();
        // Hosts with equal values of all properties that are asked for satisfy the same expressions, so
        // each combination is looked at once.
        let mut kinds: HashMap<Kind<'_>, u32> = HashMap::new();
        let mut truths: HashMap<Vec<Option<&str>>, usize> = HashMap::new();
        let mut distinct: HashMap<Vec<bool>, usize> = HashMap::new();
        let mut classes: HashMap<(u32, usize, Vec<bool>), u32> = HashMap::new();
        for (number, carried) in (0_u32..).zip(hosts.values()) {
            let host = carried.host.as_ref();
            let next = u32::try_from(kinds.len()).unwrap_or(u32::MAX);
            let kind_number = *kinds.entry(kind(host)).or_insert(next);
            let values: Vec<Option<&str>> = properties.iter().map(|name| host.lookup(name)).collect();
            let truth = *truths.entry(values).or_insert_with(|| {
                let truth: Vec<bool> = general.iter().map(|predicate| host.matches(predicate)).collect();
                let next = distinct.len();
                *distinct.entry(truth).or_insert(next)
            });
            let by_name = named.iter().map(|predicate| host.matches(predicate)).collect();
            let next = u32::try_from(partition.classes.len()).unwrap_or(u32::MAX);
            let class = *classes.entry((kind_number, truth, by_name)).or_insert(next);
            if class == next {
                partition.classes.push(Alike {
                    hosts: Vec::new(),
                    ids: Arc::default(),
                    kind: kind_number,
                    reservable: host.reservable,
                    blocks: host.blocks.clone(),
                    richness: carried.richness,
                });
            }
            let class_entry = &mut partition.classes[class as usize];
            class_entry.hosts.push(number);
            class_entry.richness = class_entry.richness.min(carried.richness);
            partition.class_of.push(class);
        }
        for class in &mut partition.classes {
            class.ids = identifiers(hosts, &class.hosts);
        }
        partition.order();
        partition
    }

    fn order(&mut self) {
        self.poorest_first = (0_u32..).zip(&self.classes).map(|(number, _)| number).collect();
        let classes = &self.classes;
        self.poorest_first.sort_by_key(|&class| {
            let class = &classes[class as usize];
            (class.richness, class.hosts.first().copied())
        });
    }

    /// Splits the classes in which only some hosts satisfy the expression. Gives the classes that changed
    /// and the new ones, ascending.
    pub(super) fn split(&mut self, hosts: &Hosts, predicate: &Predicate) -> Vec<usize> {
        let mut changed = Vec::new();
        let mut seen: HashMap<Vec<Option<&str>>, bool> = HashMap::new();
        let properties: Vec<&str> = predicate.properties().into_iter().collect();
        let mut parts: Vec<(usize, Vec<u32>, Vec<u32>)> = Vec::new();
        for (number, class) in self.classes.iter().enumerate() {
            let matches = |host: &u32| {
                hosts.at(*host as usize).is_some_and(|carried| {
                    let host = carried.host.as_ref();
                    let values = properties.iter().map(|name| host.lookup(name)).collect();
                    *seen.entry(values).or_insert_with(|| host.matches(predicate))
                })
            };
            let (yes, no): (Vec<u32>, Vec<u32>) = class.hosts.iter().copied().partition(matches);
            if !yes.is_empty() && !no.is_empty() {
                parts.push((number, no, yes));
            }
        }
        let least = |members: &[u32]| {
            let richness = members
                .iter()
                .filter_map(|&host| hosts.at(host as usize))
                .map(|carried| carried.richness);
            richness.min().unwrap_or(0)
        };
        for (number, no, yes) in parts {
            let new = self.classes.len();
            for &host in &yes {
                self.class_of[host as usize] = u32::try_from(new).unwrap_or(u32::MAX);
            }
            let mut split = self.classes[number].clone();
            split.richness = least(&yes);
            split.ids = identifiers(hosts, &yes);
            split.hosts = yes;
            self.classes[number].ids = identifiers(hosts, &no);
            self.classes[number].richness = least(&no);
            self.classes[number].hosts = no;
            self.classes.push(split);
            changed.push(number);
            changed.push(new);
        }
        changed.sort_unstable();
        if !changed.is_empty() {
            self.order();
        }
        changed
    }
}
