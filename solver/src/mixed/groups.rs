//! Hosts that a program does not tell apart.
//!
//! Invariant: every host is in exactly one group, and all hosts of a group are of one class, so they have
//! the same capacity and moves between them do not count. What a program demands of a group, the sum of
//! what each of its hosts can do, is necessary; it is exact once the group is a single host.

use std::collections::{BTreeMap, BTreeSet};

use super::measure::{Measure, Rooms};
use super::world::{DemandNumber, Takes, World};
use crate::hosts::HostNumber;
use crate::model::Interval;

/// A group's number.
pub(super) type GroupNumber = usize;

/// When fixed work takes which amounts of a host, or all of it.
type FixedWork<'w> = Vec<(Interval, Option<&'w [u64]>)>;

/// The groups, what each demand holds in them and what it could have.
pub(super) struct Groups<'w, 'a> {
    world: &'w World<'a>,
    measures: &'w [Measure],
    /// Hosts of each group, sorted.
    pub(super) hosts: Vec<Vec<HostNumber>>,
    group_of: Vec<GroupNumber>,
    /// Per demand: hosts or instances held in each group.
    pub(super) held: Vec<BTreeMap<GroupNumber, u32>>,
    /// Pending demands that hold something in a group.
    pub(super) holders: Vec<BTreeSet<DemandNumber>>,
    /// Room of each group, once it was needed.
    rooms: Vec<Option<Rooms>>,
}

impl<'w, 'a> Groups<'w, 'a> {
    /// One group for each class.
    pub(super) fn new(world: &'w World<'a>, measures: &'w [Measure]) -> Self {
        let mut numbers = BTreeMap::new();
        let mut hosts: Vec<Vec<HostNumber>> = Vec::new();
        for (host, class) in world.class_of.iter().enumerate() {
            let group = *numbers.entry(class).or_insert_with(|| {
                hosts.push(Vec::new());
                hosts.len() - 1
            });
            hosts[group].push(host);
        }
        let mut groups = Self {
            world,
            measures,
            hosts,
            group_of: Vec::new(),
            held: Vec::new(),
            holders: Vec::new(),
            rooms: Vec::new(),
        };
        groups.number();
        groups
    }

    fn number(&mut self) {
        self.group_of = vec![0; self.world.places.len()];
        for (group, hosts) in self.hosts.iter().enumerate() {
            for &host in hosts {
                self.group_of[host] = group;
            }
        }
        self.holders = vec![BTreeSet::new(); self.hosts.len()];
        self.held = Vec::with_capacity(self.world.demands.len());
        for (number, demand) in self.world.demands.iter().enumerate() {
            let mut held = BTreeMap::new();
            for (&host, &count) in &demand.holds {
                *held.entry(self.group_of[host]).or_insert(0) += count;
                self.holders[self.group_of[host]].insert(number);
            }
            self.held.push(held);
        }
        self.rooms.resize_with(self.hosts.len(), || None);
    }

    /// Tells the hosts of a group apart: by their fixed work, or one by one if that is the same.
    pub(super) fn split(&mut self, group: GroupNumber) {
        let mut parts: BTreeMap<FixedWork<'_>, Vec<HostNumber>> = BTreeMap::new();
        for &host in &self.hosts[group] {
            let fixed = self.world.places[host].fixed.iter();
            let mut key: Vec<_> = fixed
                .map(|fixed| match &fixed.takes {
                    Takes::Whole => (fixed.interval, None),
                    Takes::Part(amounts) => (fixed.interval, Some(amounts.as_slice())),
                })
                .collect();
            key.sort_unstable();
            parts.entry(key).or_default().push(host);
        }
        let mut parts: Vec<Vec<HostNumber>> = if parts.len() > 1 {
            parts.into_values().collect()
        } else {
            self.hosts[group].iter().map(|&host| vec![host]).collect()
        };
        parts.sort_unstable();
        let mut parts = parts.into_iter();
        if let Some(first) = parts.next() {
            self.hosts[group] = first;
        }
        self.hosts.extend(parts);
        self.rooms[group] = None;
        self.number();
    }

    /// The group of a host.
    pub(super) fn of(&self, host: HostNumber) -> GroupNumber {
        self.group_of[host]
    }

    /// The class of a group's hosts.
    pub(super) fn class(&self, group: GroupNumber) -> usize {
        self.hosts[group].first().map_or(0, |&host| self.world.class_of[host])
    }

    /// The capacity of each of a group's hosts.
    pub(super) fn capacity(&self, group: GroupNumber) -> &'w [u64] {
        let world = self.world;
        self.hosts[group]
            .first()
            .map_or(&[], |&host| world.places[host].capacity.as_slice())
    }

    /// Units of choice that a demand could have in a group at most.
    pub(super) fn room_alone(&self, number: DemandNumber, group: GroupNumber) -> u32 {
        let demand = &self.world.demands[number];
        let rooms = self.hosts[group]
            .iter()
            .map(|&host| self.world.room_alone(number, host));
        if demand.is_together() {
            u32::from(rooms.into_iter().any(|room| room > 0))
        } else {
            rooms.fold(0, u32::saturating_add).min(demand.most)
        }
    }

    /// Units of choice that a demand holds in a group.
    pub(super) fn units_held(&self, number: DemandNumber, group: GroupNumber) -> u32 {
        let held = self.held[number].get(&group).copied().unwrap_or(0);
        held.checked_div(self.world.demands[number].unit()).unwrap_or(0)
    }

    /// The room that fixed work leaves in a group.
    pub(super) fn rooms(&mut self, group: GroupNumber) -> &Rooms {
        let (world, hosts) = (self.world, &self.hosts[group]);
        let measures = self.measures;
        self.rooms[group].get_or_insert_with(|| Rooms::new(world, hosts, measures))
    }
}
