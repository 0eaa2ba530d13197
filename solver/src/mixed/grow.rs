//! What a program lacks: room that its answer exceeds.
//!
//! Invariant: a pending demand that could relieve a row is part of the program as soon as the row is.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::GroupNumber;
use super::relax;
use super::search::{Chosen, Search};
use super::world::DemandNumber;
use crate::model::Seconds;

impl Search<'_, '_> {
    /// Groups in which an answer may differ from what is held.
    pub(super) fn touched(&self, chosen: &Chosen) -> BTreeSet<GroupNumber> {
        let mut touched: BTreeSet<GroupNumber> = chosen.values().flat_map(|counts| counts.keys().copied()).collect();
        touched.extend(
            self.included
                .iter()
                .flat_map(|&number| self.groups.held[number].keys().copied()),
        );
        let requested = &self.world.demands[..self.world.requested];
        let kept = requested.iter().flat_map(|demand| demand.kept.keys());
        touched.extend(kept.map(|&host| self.groups.of(host)));
        touched
    }

    /// Units of choice of every demand that has some in a group.
    pub(super) fn standing(&self, chosen: &Chosen, group: GroupNumber) -> BTreeMap<DemandNumber, f64> {
        let others = self.groups.holders[group]
            .iter()
            .filter(|number| !chosen.contains_key(number));
        let mut standing: BTreeMap<DemandNumber, f64> = others
            .map(|&number| (number, f64::from(self.groups.units_held(number, group))))
            .collect();
        for (&number, counts) in chosen {
            if let Some(&count) = counts.get(&group) {
                standing.insert(number, count);
            }
        }
        standing
    }

    /// Makes rows of room that is exceeded and includes every demand that could relieve them; `false` if
    /// there is none by more than the tolerance.
    pub(super) fn grow(&mut self, chosen: &Chosen, tolerance: f64) -> bool {
        let mut grown = false;
        for group in self.touched(chosen) {
            let standing = self.standing(chosen, group);
            for (at, measure) in self.exceeded(&standing, group, tolerance) {
                grown |= self.rows.entry(group).or_default().insert((at, measure));
                let capacity = self.groups.capacity(group);
                for &number in &self.groups.holders[group] {
                    let demand = &self.world.demands[number];
                    if demand.occupation.contains(at)
                        && self.measures[measure].used_by(self.world, number, capacity) > 0
                    {
                        grown |= self.included.insert(number);
                    }
                }
            }
        }
        grown
    }

    /// Instants at which most is missing, between one at which less is and another.
    fn exceeded(
        &mut self,
        standing: &BTreeMap<DemandNumber, f64>,
        group: GroupNumber,
        tolerance: f64,
    ) -> Vec<(Seconds, usize)> {
        let capacity = self.groups.capacity(group);
        let mut loads: BTreeMap<Seconds, Vec<f64>> = BTreeMap::new();
        for (&number, &count) in standing {
            let demand = &self.world.demands[number];
            let uses = self
                .measures
                .iter()
                .map(|measure| relax::float(measure.used_by(self.world, number, capacity)) * count);
            let uses: Vec<f64> = uses.collect();
            let (start, end) = (demand.occupation.start, demand.occupation.end);
            for (at, sign) in [(start, 1.0), (end, -1.0)] {
                let load = loads.entry(at).or_insert_with(|| vec![0.0; uses.len()]);
                load.iter_mut().zip(&uses).for_each(|(load, used)| *load += sign * used);
            }
        }
        let (Some(&first), Some(&last)) = (loads.keys().next(), loads.keys().next_back()) else {
            return Vec::new();
        };
        let measures = self.measures.len();
        let rooms = self.groups.rooms(group);
        for at in rooms.instants().filter(|&at| first < at && at < last) {
            loads.entry(at).or_insert_with(|| vec![0.0; measures]);
        }
        let mut load = vec![0.0_f64; measures];
        let mut before = vec![f64::MAX; measures];
        let mut lowest: Vec<Option<Seconds>> = vec![None; measures];
        let mut exceeded = Vec::new();
        for (at, change) in loads {
            load.iter_mut().zip(change).for_each(|(load, change)| *load += change);
            for (measure, &room) in rooms.at(at).iter().enumerate() {
                let slack = relax::float(room) - load[measure];
                if slack < before[measure] {
                    lowest[measure] = Some(at);
                } else if slack > before[measure]
                    && let Some(at) = lowest[measure].take()
                    && before[measure] < -tolerance
                {
                    exceeded.push((at, measure));
                }
                before[measure] = slack;
            }
        }
        exceeded
    }
}
