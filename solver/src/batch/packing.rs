//! A choice of options with hosts counted per class: what the search changes step by step.
//!
//! Invariant: the load never exceeds the room at any instant, every taken option has all of its demands
//! served with their least count, and value and moves are those of what is taken.

use super::model::Model;
use super::timeline::Split;
use crate::scene::{ClassNumber, DemandNumber};

/// Value, then fewest moves: greater is better.
pub(crate) type Worth = (i64, std::cmp::Reverse<i64>);

/// What was taken of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) option: usize,
    /// Per demand of the option, in its order.
    pub(crate) splits: Vec<Split>,
}

/// The state of the search.
#[derive(Clone)]
pub(crate) struct Packing<'m> {
    model: &'m Model,
    /// Hosts left per class and instant.
    free: Vec<Vec<i32>>,
    taken: Vec<Option<Taken>>,
    value: i64,
    moves: i64,
}

impl<'m> Packing<'m> {
    /// Nothing taken.
    pub(crate) fn new(model: &'m Model) -> Self {
        let free = model.timeline.room.iter();
        let whole = |room: &u32| i32::try_from(*room).unwrap_or(i32::MAX);
        Self {
            model,
            free: free.map(|room| room.iter().map(whole).collect()).collect(),
            taken: vec![None; model.groups.len()],
            value: 0,
            moves: 0,
        }
    }

    pub(crate) const fn worth(&self) -> Worth {
        (self.value, std::cmp::Reverse(self.moves))
    }

    pub(crate) fn taken(&self, group: usize) -> Option<&Taken> {
        self.taken[group].as_ref()
    }

    /// Whether every group that must be served is.
    pub(crate) fn is_complete(&self) -> bool {
        let groups = self.model.groups.iter().zip(&self.taken);
        groups
            .filter(|(group, _)| group.mandatory)
            .all(|(_, taken)| taken.is_some())
    }

    /// Hosts of a class that are free during all of a demand.
    pub(crate) fn room(&self, demand: DemandNumber, class: ClassNumber) -> i32 {
        let need = self.model.need(demand);
        let free = &self.free[class][need.first..need.after];
        free.iter().copied().min().unwrap_or(i32::MAX)
    }

    /// Hosts of a class that are free at each instant.
    pub(crate) fn free(&self, class: ClassNumber) -> &[i32] {
        &self.free[class]
    }

    fn shift(&mut self, demand: DemandNumber, split: &Split, by: i32) {
        let need = self.model.need(demand);
        for &(class, count) in split {
            let count = i32::try_from(count).unwrap_or(i32::MAX) * by;
            for free in &mut self.free[class][need.first..need.after] {
                *free += count;
            }
        }
    }

    /// Takes an option of a group of which nothing is taken, each demand from its classes in the order
    /// given; `false`, and nothing is changed, if they do not have room.
    pub(crate) fn insert(&mut self, group: usize, option: usize, orders: &[Vec<ClassNumber>]) -> bool {
        let model = self.model;
        let demands = &model.groups[group].options[option].demands;
        let mut splits: Vec<Split> = Vec::with_capacity(demands.len());
        for &demand in demands {
            let mut left = model.need(demand).least;
            let mut split = Split::new();
            for &class in &orders[demand] {
                if left == 0 {
                    break;
                }
                let given = left.min(u32::try_from(self.room(demand, class)).unwrap_or(0));
                if given > 0 {
                    split.push((class, given));
                    left -= given;
                }
            }
            if left > 0 {
                for (&demand, split) in demands.iter().zip(&splits) {
                    self.shift(demand, split, 1);
                }
                return false;
            }
            split.sort_unstable();
            self.shift(demand, &split, -1);
            splits.push(split);
        }
        for (&demand, split) in demands.iter().zip(&splits) {
            self.moves += model.moves(demand, split);
        }
        self.value += model.groups[group].options[option].value;
        self.taken[group] = Some(Taken { option, splits });
        true
    }

    /// Gives up what is taken of a group.
    pub(crate) fn remove(&mut self, group: usize) -> Option<Taken> {
        let taken = self.taken[group].take()?;
        let option = &self.model.groups[group].options[taken.option];
        for (&demand, split) in option.demands.iter().zip(&taken.splits) {
            self.shift(demand, split, 1);
            self.moves -= self.model.moves(demand, split);
        }
        self.value -= option.value;
        Some(taken)
    }

    /// Takes what was taken before, into room that is known to be there.
    pub(crate) fn restore(&mut self, group: usize, taken: Taken) {
        let option = &self.model.groups[group].options[taken.option];
        for (&demand, split) in option.demands.iter().zip(&taken.splits) {
            self.shift(demand, split, -1);
            self.moves += self.model.moves(demand, split);
        }
        self.value += option.value;
        self.taken[group] = Some(taken);
    }

    /// Whether every class has room for what is taken: [`Packing::restore`] does not look.
    pub(crate) fn is_sound(&self) -> bool {
        self.free.iter().flatten().all(|&free| free >= 0)
    }

    /// Whether the classes have room for what is taken of a group: [`Packing::restore`] does not look.
    pub(crate) fn is_sound_for(&self, group: usize) -> bool {
        let Some(taken) = &self.taken[group] else { return true };
        let demands = &self.model.groups[group].options[taken.option].demands;
        let mut splits = demands.iter().zip(&taken.splits);
        splits.all(|(&demand, split)| split.iter().all(|&(class, _)| self.room(demand, class) >= 0))
    }

    /// Gives demands more than the least as long as it costs nothing: first option, first served.
    pub(crate) fn fill(&mut self, orders: &[Vec<ClassNumber>]) {
        let model = self.model;
        for group in 0..model.groups.len() {
            let Some(mut taken) = self.taken[group].take() else {
                continue;
            };
            let option = &model.groups[group].options[taken.option];
            for (&demand, split) in option.demands.iter().zip(&mut taken.splits) {
                let need = model.need(demand);
                let given: u32 = split.iter().map(|&(_, count)| count).sum();
                let mut left = need.most.saturating_sub(given);
                for &class in &orders[demand] {
                    let more = left.min(u32::try_from(self.room(demand, class)).unwrap_or(0));
                    if more == 0 {
                        continue;
                    }
                    self.shift(demand, &vec![(class, more)], -1);
                    left -= more;
                    match split.binary_search_by_key(&class, |&(class, _)| class) {
                        Ok(place) => split[place].1 += more,
                        Err(place) => split.insert(place, (class, more)),
                    }
                }
            }
            self.taken[group] = Some(taken);
        }
    }
}
