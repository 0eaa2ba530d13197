//! What a batch chooses from, in whole numbers.
//!
//! Invariant: values are divided by their greatest common divisor, so a bound in these units, rounded
//! down, is a bound in the original ones after multiplying by [`Model::unit`].

use std::collections::BTreeMap;

use super::timeline::{Need, Split, Timeline};
use super::world::World;
use crate::classes::Classes;
use crate::scene::{ClassNumber, DemandNumber};

/// An option of a group.
pub(crate) struct Offered {
    /// In units of [`Model::unit`].
    pub(crate) value: i64,
    pub(crate) demands: Vec<DemandNumber>,
}

/// Options that exclude each other; see [`super::world::Group`].
pub(crate) struct Alternatives {
    pub(crate) mandatory: bool,
    pub(crate) options: Vec<Offered>,
}

/// The choice and what limits it.
pub(crate) struct Model {
    pub(crate) timeline: Timeline,
    pub(crate) groups: Vec<Alternatives>,
    /// Greatest common divisor of all values, at least 1.
    pub(crate) unit: u64,
    /// What pending demands hold per fine class; empty for requested ones.
    pub(crate) held: Vec<BTreeMap<ClassNumber, u32>>,
    /// For every fine class the class that moves are counted between.
    move_class: Vec<ClassNumber>,
    /// Of every class: how much its hosts can do that others cannot.
    pub(crate) richness: Vec<u64>,
}

impl Model {
    pub(crate) fn new(world: &World<'_>, classes: &Classes) -> Self {
        let first_host = |class: usize| classes.fine[class].hosts[0];
        let held = world
            .scene
            .demands
            .iter()
            .map(|demand| {
                let mut held = BTreeMap::new();
                for &host in demand.holds.iter().filter(|_| !demand.requested) {
                    *held.entry(classes.fine_of[host]).or_insert(0) += 1;
                }
                held
            })
            .collect();
        let values = world.groups.iter().flat_map(|group| &group.options);
        let unit = values
            .map(|option| option.value)
            .fold(0, greatest_common_divisor)
            .max(1);
        let groups = world
            .groups
            .iter()
            .map(|group| Alternatives {
                mandatory: group.mandatory,
                options: group
                    .options
                    .iter()
                    .map(|option| Offered {
                        value: i64::try_from(option.value / unit).unwrap_or(i64::MAX),
                        demands: option.demands.clone(),
                    })
                    .collect(),
            })
            .collect();
        Self {
            timeline: Timeline::new(&world.scene, classes),
            groups,
            unit,
            held,
            move_class: (0..classes.fine.len())
                .map(|class| world.move_class_of[first_host(class)])
                .collect(),
            richness: (0..classes.fine.len())
                .map(|class| world.scene.richness[first_host(class)])
                .collect(),
        }
    }

    pub(crate) fn need(&self, demand: DemandNumber) -> &Need {
        &self.timeline.needs[demand]
    }

    /// Hosts that leave a pending demand for another class.
    pub(crate) fn moves(&self, demand: DemandNumber, split: &Split) -> i64 {
        let held = &self.held[demand];
        if held.is_empty() {
            return 0;
        }
        let mut balance: BTreeMap<ClassNumber, i64> = BTreeMap::new();
        for (&class, &count) in held {
            *balance.entry(self.move_class[class]).or_default() += i64::from(count);
        }
        for &(class, count) in split {
            *balance.entry(self.move_class[class]).or_default() -= i64::from(count);
        }
        balance.values().filter(|&&missing| missing > 0).sum()
    }

    /// Coarse classes a pending demand holds hosts of, with how many.
    pub(crate) fn held_for_moves(&self, demand: DemandNumber) -> BTreeMap<ClassNumber, u32> {
        let mut held = BTreeMap::new();
        for (&class, &count) in &self.held[demand] {
            *held.entry(self.move_class[class]).or_insert(0) += count;
        }
        held
    }

    /// The class that moves are counted between.
    pub(crate) fn move_class(&self, class: ClassNumber) -> ClassNumber {
        self.move_class[class]
    }
}

/// The greatest number that divides both; 0 divides nothing but is divided by all.
pub(crate) const fn greatest_common_divisor(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}
