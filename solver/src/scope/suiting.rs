//! Which cells suit a demand.

use std::rc::Rc;

use super::{CellNumber, Demand, DemandNumber, Scope};
use crate::hosts::HostNumber;
use crate::index::PredicateNumber;

impl Scope<'_> {
    /// The groups whose hosts satisfy an expression and take new work, blocks aside.
    fn satisfying(&mut self, predicate: PredicateNumber) -> Rc<[usize]> {
        let (index, groups) = (self.index, &self.groups);
        let all = || {
            let Some(eligible) = index.eligible(predicate) else {
                return Rc::default();
            };
            let first = |group: usize| groups.classes(group)[0];
            let satisfies = |&group: &usize| eligible.admits(first(group)) && index.is_reservable(first(group));
            (0..groups.len()).filter(satisfies).collect()
        };
        Rc::clone(self.satisfying.entry(predicate).or_insert_with(all))
    }

    /// Cells a demand may use as far as the other demands are left aside, sorted.
    pub(crate) fn eligible(&mut self, number: DemandNumber) -> Rc<[CellNumber]> {
        if let Some(eligible) = &self.demands[number].eligible {
            return Rc::clone(eligible);
        }
        let predicate = self.demands[number].predicate;
        let eligible = if let Some(cells) = self.at_all_times(predicate) {
            cells
        } else {
            let occupation = self.demands[number].occupation;
            let mut cells = self.suitable(number).to_vec();
            cells.retain(|&cell| !self.cells[cell].is_taken(occupation));
            cells.into()
        };
        self.demands[number].eligible = Some(Rc::clone(&eligible));
        eligible
    }

    /// Cells whose hosts suit a demand, all other work aside, sorted.
    pub(crate) fn suitable(&mut self, number: DemandNumber) -> Rc<[CellNumber]> {
        let Demand { predicate, window, .. } = self.demands[number];
        if let Some(cells) = self.at_all_times(predicate) {
            return cells;
        }
        let mut suitable: Vec<CellNumber> = Vec::new();
        for &group in self.satisfying(predicate).iter() {
            if self.index.in_service(self.groups.classes(group)[0], window) {
                suitable.extend(self.open(group).iter());
            }
        }
        // Where it stands it may stay.
        let held = self.demands[number].number.and_then(|number| self.index.held(number));
        let mut standing: Vec<usize> = Vec::new();
        for &host in held.map_or(&[][..], |held| held.hosts.as_slice()) {
            standing.push(self.group_of(host as HostNumber));
        }
        standing.sort_unstable();
        standing.dedup();
        for group in standing {
            let cells = self.open(group);
            suitable.extend(
                cells
                    .iter()
                    .filter(|&&cell| self.cells[cell].exceptions.contains(&number)),
            );
        }
        suitable.sort_unstable();
        suitable.dedup();
        suitable.into()
    }

    /// The cells for an expression, if they are the same at all times and for all who have it; sorted.
    pub(crate) fn at_all_times(&mut self, predicate: PredicateNumber) -> Option<Rc<[CellNumber]>> {
        if let Some(known) = self.always.get(&predicate) {
            return known.clone();
        }
        let groups = self.satisfying(predicate);
        let in_service = |group: &usize| self.index.blocks_of(self.groups.classes(*group)[0]).is_empty();
        let plain = self.is_even() && groups.iter().all(in_service);
        let cells = plain.then(|| {
            let mut cells: Vec<CellNumber> = groups.iter().flat_map(|&group| self.open(group).to_vec()).collect();
            cells.sort_unstable();
            Rc::from(cells)
        });
        self.always.insert(predicate, cells.clone());
        cells
    }
}
