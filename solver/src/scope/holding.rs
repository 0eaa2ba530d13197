//! Who holds hosts of a cell, fixed or pending; a pending promise becomes known when it is asked for.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{CellNumber, Demand, DemandNumber, Scope};
use crate::hosts::{HostNumber, ReservationNumber};
use crate::index::{Holder, PredicateNumber};
use crate::model::Seconds;
use crate::reach::Aside;

impl Scope<'_> {
    /// How many hosts of a cell pending demands hold at an instant, by expression. Only for groups that are one cell.
    pub(crate) fn pending_kinds(&self, cell: CellNumber, at: Seconds) -> BTreeMap<PredicateNumber, i64> {
        let mut kinds = BTreeMap::new();
        for &class in self.groups.classes(self.cells[cell].group) {
            for holder in self
                .index
                .holders(class)
                .at(at)
                .filter(|holder| self.is_pending(holder))
            {
                *kinds.entry(holder.predicate).or_default() += i64::from(holder.count);
            }
        }
        kinds
    }

    /// Everybody who holds hosts of a cell at an instant, and whether that is pending. Only for groups that are one cell.
    pub(crate) fn holders_at(&self, cell: CellNumber, at: Seconds) -> Vec<(Holder, bool)> {
        let classes = self.groups.classes(self.cells[cell].group).iter();
        let holders = classes.flat_map(|&class| self.index.holders(class).at(at));
        let holders = holders.filter(|holder| !self.is_aside(holder));
        holders.map(|holder| (*holder, self.is_pending(holder))).collect()
    }

    fn is_pending(&self, holder: &Holder) -> bool {
        self.may_move(holder) && (!holder.instances || self.aside.is_some() && !self.is_aside(holder))
    }

    /// Whether a holder is of instances that are left aside.
    pub(super) fn is_aside(&self, holder: &Holder) -> bool {
        let leaves_out = |aside: &Aside| {
            let held = self.index.held(holder.number);
            held.is_none_or(|held| aside.leaves_out(held))
        };
        holder.instances && self.may_move(holder) && self.aside.as_ref().is_some_and(leaves_out)
    }

    fn may_move(&self, holder: &Holder) -> bool {
        !holder.pinned
            && holder.interval.start >= self.planner.movable_from(self.now)
            && !self.freed.contains(&holder.number)
    }

    /// The demand that a pending reservation is.
    pub(crate) fn know(&mut self, number: ReservationNumber) -> Option<DemandNumber> {
        if let Some(&known) = self.known.get(&number) {
            return Some(known);
        }
        let held = self.index.held(number)?;
        let size = u32::try_from(held.hosts.len()).unwrap_or(u32::MAX);
        self.demands.push(Demand {
            reservation: &held.id,
            window: held.window,
            occupation: held.occupation,
            predicate: held.part.predicate,
            least: size,
            most: size,
            number: Some(number),
            likes: Vec::new(),
            held: None,
            eligible: None,
        });
        self.known.insert(number, self.demands.len() - 1);
        Some(self.demands.len() - 1)
    }

    /// The pending demands that hold hosts of a cell at an instant, and how many; by start, then identifier.
    pub(crate) fn pending_at(&mut self, cell: CellNumber, at: Seconds) -> Vec<(DemandNumber, u32)> {
        let mut pending: Vec<(DemandNumber, u32)> = Vec::new();
        if let Some(holders) = &self.cells[cell].holders {
            let here = holders
                .iter()
                .filter(|&&(number, _)| self.demands[number].occupation.contains(at));
            pending.extend(here);
        } else {
            let mut found: Vec<(ReservationNumber, u32)> = Vec::new();
            let classes = self.groups.classes(self.cells[cell].group);
            for &class in classes {
                let holders = self
                    .index
                    .holders(class)
                    .at(at)
                    .filter(|holder| self.is_pending(holder));
                found.extend(holders.map(|holder| (holder.number, holder.count)));
            }
            if classes.len() > 1 {
                found.sort_unstable();
            }
            for same in found.chunk_by(|one, other| one.0 == other.0) {
                let count = same.iter().map(|holder| holder.1).sum();
                pending.extend(self.know(same[0].0).map(|number| (number, count)));
            }
        }
        let order = |number: DemandNumber| (self.demands[number].occupation.start, self.demands[number].reservation);
        pending.sort_by(|one, other| order(one.0).cmp(&order(other.0)));
        pending
    }

    /// What a pending demand holds of each cell, as far as fixed work has not taken it.
    pub(crate) fn held(&mut self, number: DemandNumber) -> Rc<[(CellNumber, u32)]> {
        if let Some(held) = &self.demands[number].held {
            return Rc::clone(held);
        }
        let index = self.index;
        let standing = self.demands[number].number.and_then(|number| index.held(number));
        let mut cells: Vec<CellNumber> = Vec::new();
        for &host in standing.map_or(&[][..], |held| held.hosts.as_slice()) {
            cells.push(self.cell_of(host as HostNumber));
        }
        cells.sort_unstable();
        let occupation = self.demands[number].occupation;
        let counts = cells
            .chunk_by(|one, other| one == other)
            .filter(|same| !self.cells[same[0]].is_taken(occupation))
            .map(|same| (same[0], u32::try_from(same.len()).unwrap_or(u32::MAX)));
        let held: Rc<[(CellNumber, u32)]> = counts.collect();
        self.demands[number].held = Some(Rc::clone(&held));
        held
    }
}
