//! Hosts grouped by everything that known expressions and the rules of classes can tell apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::learnt::Learnt;
use crate::columns::HostSet;
use crate::hosts::Hosts;
use crate::model::{Host, HostId, Interval};

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
    pub(super) capacity: BTreeMap<String, u64>,
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
    pub(super) fn new(hosts: &Hosts, learnt: &Learnt) -> Self {
        let mut partition = Self::default();
        // Which expressions each host satisfies, 64 to a word.
        let words = learnt.known().count().div_ceil(64);
        let mut truths = vec![0_u64; words * hosts.len()];
        for (place, (_, admitted)) in learnt.known().enumerate() {
            for host in admitted.ones() {
                truths[host * words + place / 64] |= 1 << (place % 64);
            }
        }
        let mut kinds: HashMap<Kind<'_>, u32> = HashMap::new();
        let mut classes: HashMap<(u32, &[u64]), u32> = HashMap::new();
        for (number, carried) in (0_u32..).zip(hosts.values()) {
            let host = carried.host.as_ref();
            let next = u32::try_from(kinds.len()).unwrap_or(u32::MAX);
            let kind_number = *kinds.entry(kind(host)).or_insert(next);
            let first = number as usize * words;
            let truth = &truths[first..first + words];
            let next = u32::try_from(partition.classes.len()).unwrap_or(u32::MAX);
            let class = *classes.entry((kind_number, truth)).or_insert(next);
            if class == next {
                partition.classes.push(Alike {
                    hosts: Vec::new(),
                    ids: Arc::default(),
                    kind: kind_number,
                    reservable: host.reservable,
                    blocks: host.blocks.clone(),
                    capacity: host.capacity.clone(),
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

    /// Splits the classes in which only some hosts satisfy one of the expressions. Gives the classes that changed
    /// and the new ones, ascending.
    pub(super) fn split<'a>(&mut self, hosts: &Hosts, expressions: impl Iterator<Item = &'a HostSet>) -> Vec<usize> {
        let mut changed = BTreeSet::new();
        for admitted in expressions {
            for number in 0..self.classes.len() {
                let members = &self.classes[number].hosts;
                let admits = |host: &u32| admitted.contains(*host as usize);
                let some = members.first().map(admits);
                if members.iter().all(|host| Some(admits(host)) == some) {
                    continue;
                }
                let (yes, no): (Vec<u32>, Vec<u32>) = members.iter().copied().partition(admits);
                let new = self.classes.len();
                for &host in &yes {
                    self.class_of[host as usize] = u32::try_from(new).unwrap_or(u32::MAX);
                }
                let mut split = self.classes[number].clone();
                split.hosts = yes;
                self.classes[number].hosts = no;
                self.classes.push(split);
                changed.extend([number, new]);
            }
        }
        for &number in &changed {
            let class = &mut self.classes[number];
            let members = class.hosts.iter().filter_map(|&host| hosts.at(host as usize));
            class.richness = members.map(|carried| carried.richness).min().unwrap_or(0);
            class.ids = identifiers(hosts, &class.hosts);
        }
        if !changed.is_empty() {
            self.order();
        }
        changed.into_iter().collect()
    }
}
