//! Hosts and reservations of a few groups as a scene, to choose hosts in or to show why there are none.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Counts;
use super::{CellNumber, DemandNumber, Scope};
use crate::classes::Classes;
use crate::hosts::ReservationNumber;
use crate::index::IndexClass;
use crate::scene::{ClassNumber, Extent, Part, Scene};

/// Some groups with their hosts.
pub(crate) struct Opened<'a> {
    pub(crate) scene: Scene<'a>,
    pub(crate) classes: Classes,
    /// The class of the scene that each cell of the groups is.
    class_of: HashMap<CellNumber, ClassNumber>,
    /// The demand of the scene that each reservation is.
    demand_of: HashMap<ReservationNumber, crate::scene::DemandNumber>,
}

impl Opened<'_> {
    /// The class of the scene that a cell is.
    pub(crate) fn class(&self, cell: CellNumber) -> Option<ClassNumber> {
        self.class_of.get(&cell).copied()
    }
}

impl<'a> Scope<'a> {
    /// The groups that counts change, with everybody who holds hosts of them, and the counts there.
    pub(crate) fn changed(&mut self, counts: &Counts) -> (Opened<'a>, Counts) {
        // Where the request keeps hosts, pending demands may stand on them.
        let mut groups: BTreeSet<usize> = self.keeping.iter().copied().collect();
        for (&number, counts) in counts {
            let before: BTreeMap<CellNumber, u32> = self.held(number).iter().copied().collect();
            let both = before.keys().chain(counts.keys());
            let changed = both.filter(|cell| before.get(cell) != counts.get(cell));
            groups.extend(changed.map(|&cell| self.cells[cell].group));
        }
        let groups: Vec<usize> = groups.into_iter().collect();
        let opened = self.opened_scene(&groups, None, None);
        let mut there = Counts::new();
        for (&number, counts) in counts {
            let local = match self.demands[number].number {
                None => Some(number),
                Some(number) => opened.demand_of.get(&number).copied(),
            };
            let Some(local) = local else { continue };
            let entry = there.entry(local).or_default();
            for (&cell, &count) in counts {
                if let Some(class) = opened.class(cell) {
                    *entry.entry(class).or_default() += count;
                }
            }
        }
        (opened, there)
    }

    /// The groups of these cells, and of the demands only these and the requested ones that are `asked`.
    pub(crate) fn confined(
        &mut self,
        cells: impl IntoIterator<Item = CellNumber>,
        demands: &[DemandNumber],
    ) -> Opened<'a> {
        let groups: BTreeSet<usize> = cells.into_iter().map(|cell| self.cells[cell].group).collect();
        let groups: Vec<usize> = groups.into_iter().collect();
        let pending = demands.iter().filter_map(|&number| self.demands[number].number);
        let pending: BTreeSet<ReservationNumber> = pending.collect();
        let asked: Vec<bool> = self.requested().map(|number| demands.contains(&number)).collect();
        self.opened_scene(&groups, Some(&pending), Some(&asked))
    }

    fn opened_scene(
        &mut self,
        groups: &[usize],
        pending: Option<&BTreeSet<ReservationNumber>>,
        asked: Option<&[bool]>,
    ) -> Opened<'a> {
        let classes: Vec<Vec<IndexClass>> = groups
            .iter()
            .map(|&group| self.groups.classes(group).to_vec())
            .collect();
        let extent = Extent {
            groups: &classes,
            pending,
            asked,
            silent: groups.iter().any(|&group| self.uneven[group]),
            reached: self.reached,
            aside: self.aside.as_ref(),
        };
        let Part {
            scene,
            hosts,
            reservations,
        } = Scene::part(self.planner, self.asks, self.request, self.now, &extent);
        let classes = Classes::from(&scene, self.earliest, |place| self.until(groups[place]));
        let mut class_of = HashMap::new();
        for &group in groups {
            for &cell in self.open(group).iter() {
                if let Ok(host) = hosts.binary_search(&self.cells[cell].first) {
                    class_of.insert(cell, classes.fine_of[host]);
                }
            }
        }
        let requested = self.asks.len();
        Opened {
            scene,
            classes,
            class_of,
            demand_of: reservations.into_iter().zip(requested..).collect(),
        }
    }
}
