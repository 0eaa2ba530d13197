//! A choice with everything on its spot: what the search changes step by step.
//!
//! Invariant: at every instant a spot carries one load that takes all of it, or loads that together take no
//! more than it has; every taken option has all of its needs served in full; promises that no request
//! replaces stay where they are.

use std::cmp::Reverse;

use super::super::packing::Worth;
use super::super::search::Changing;
use super::world::{Load, Need, NeedNumber, Spot, SpotNumber, Takes, World};
use crate::model::{Interval, Seconds, times_fitting};

/// What was taken of a group, and where each need of it stands.
#[derive(Clone)]
pub(super) struct Taken {
    pub(super) option: usize,
    /// Per need of the option, in its order, what it keeps included.
    pub(super) places: Vec<Vec<(SpotNumber, u32)>>,
}

/// The state of the search.
#[derive(Clone)]
pub(super) struct Yard<'w> {
    world: &'w World,
    loads: Vec<Vec<Load>>,
    taken: Vec<Option<Taken>>,
    value: u64,
}

impl<'w> Yard<'w> {
    /// Only what is promised, where it is; `None` if that does not fit.
    pub(super) fn new(world: &'w World) -> Option<Self> {
        let mut yard = Self {
            world,
            loads: world.spots.iter().map(|spot| spot.loads.clone()).collect(),
            taken: vec![None; world.groups.len()],
            value: 0,
        };
        for (group, _) in world.groups.iter().enumerate().filter(|(_, group)| group.mandatory) {
            if !yard.insert(group, 0) {
                return None;
            }
        }
        Some(yard)
    }

    pub(super) fn taken(&self, group: usize) -> Option<&Taken> {
        self.taken[group].as_ref()
    }

    fn put(&mut self, number: NeedNumber, spot: SpotNumber, count: u32) {
        let need = &self.world.needs[number];
        self.loads[spot].push(Load {
            interval: need.occupation,
            takes: need.takes.clone(),
            count,
            need: Some(number),
        });
    }

    fn clear(&mut self, number: NeedNumber, places: &[(SpotNumber, u32)]) {
        for &(spot, _) in places {
            self.loads[spot].retain(|load| load.need != Some(number));
        }
    }

    /// How many of a need, at most `most`, fit on a spot beside what is there.
    fn room(&self, need: &Need, spot: SpotNumber, most: u32) -> u32 {
        room(&self.world.spots[spot], &self.loads[spot], need, most)
    }

    /// Serves a need, best spots first; `None`, and nothing is changed, if that does not work.
    fn serve_need(&mut self, number: NeedNumber) -> Option<Vec<(SpotNumber, u32)>> {
        let world = self.world;
        let need = &world.needs[number];
        let mut places: Vec<(SpotNumber, u32)> = Vec::new();
        let mut left = need.least;
        let required = need.required.iter().map(|&spot| (spot, 1));
        let given = need.kept.iter().copied().chain(required.clone());
        let holds = need.holds.iter().copied();
        let mut fits = u64::from(left) >= required.len() as u64;
        for (spot, count) in given.chain(holds) {
            if places.iter().any(|&(other, _)| other == spot) {
                continue;
            }
            fits = fits && self.room(need, spot, count) == count;
            if fits {
                self.put(number, spot, count);
                places.push((spot, count));
            }
        }
        let kept: u32 = need.kept.iter().map(|&(_, count)| count).sum();
        let all: u32 = places.iter().map(|&(_, count)| count).sum();
        left = left.saturating_sub(all.saturating_sub(kept));
        if fits && left > 0 {
            for (spot, room) in self.candidates(need, left, &places) {
                let count = room.min(left);
                self.put(number, spot, count);
                match places.iter_mut().find(|(other, _)| *other == spot) {
                    Some((_, there)) => *there += count,
                    None => places.push((spot, count)),
                }
                left -= count;
                if left == 0 {
                    break;
                }
            }
        }
        if fits && left == 0 {
            return Some(places);
        }
        self.clear(number, &places);
        None
    }

    /// Spots with room for a need, best first, with how many of it each can take.
    fn candidates(&self, need: &Need, left: u32, has: &[(SpotNumber, u32)]) -> Vec<(SpotNumber, u32)> {
        let most = if need.single { 1 } else { left };
        let mut found: Vec<(Order, SpotNumber, u32)> = Vec::new();
        for &spot in need.options.iter() {
            if need.single && has.iter().any(|&(other, _)| other == spot) {
                continue;
            }
            let room = self.room(need, spot, most);
            if room > 0 && (!need.together || room == left) {
                found.push((self.order(need, spot), spot, room));
            }
        }
        found.sort_unstable();
        found.into_iter().map(|(_, spot, room)| (spot, room)).collect()
    }

    fn order(&self, need: &Need, spot: SpotNumber) -> Order {
        let loads = &self.loads[spot];
        let richness = self.world.spots[spot].richness;
        let is_part = |load: &&Load| matches!(load.takes, Takes::Part(_));
        let shared = loads.iter().any(|load| is_part(&load));
        let before = loads.iter().map(|load| load.interval.end);
        let idle = Reverse(before.filter(|&end| end <= need.occupation.start).max());
        let elsewhere = need.likes.binary_search(&spot).is_err();
        let Takes::Part(amounts) = &need.takes else {
            return (elsewhere, shared, false, richness, 0, idle);
        };
        let during = |load: &&Load| load.interval.overlaps(&need.occupation);
        let used = loads.iter().filter(is_part).any(|load| during(&load));
        let capacity = &self.world.spots[spot].capacity;
        let scarcest =
            (0..amounts.len()).max_by_key(|&class| amounts[class].saturating_mul(1 << 20) / capacity[class].max(1));
        let left = scarcest.map_or(0, |class| {
            capacity[class].saturating_sub(most_used(loads, need.occupation, class))
        });
        let price = if used { 0 } else { richness };
        (elsewhere, !used, !shared, price, left, idle)
    }

    fn insert(&mut self, group: usize, option: usize) -> bool {
        let choice = &self.world.groups[group].options[option];
        let mut places: Vec<Vec<(SpotNumber, u32)>> = Vec::with_capacity(choice.needs.len());
        for (place, &need) in choice.needs.iter().enumerate() {
            let Some(served) = self.serve_need(need) else {
                for (&need, places) in choice.needs[..place].iter().zip(&places) {
                    self.clear(need, places);
                }
                return false;
            };
            places.push(served);
        }
        self.value += choice.value;
        self.taken[group] = Some(Taken { option, places });
        true
    }
}

/// What makes a spot a good choice, the smallest being best.
type Order = (bool, bool, bool, u64, u64, Reverse<Option<Seconds>>);

/// How many of a need, at most `most`, fit on a spot beside these loads.
fn room(spot: &Spot, loads: &[Load], need: &Need, most: u32) -> u32 {
    let window = need.occupation;
    let mut beside = loads.iter().filter(|load| load.interval.overlaps(&window)).peekable();
    if beside.peek().is_none() && need.takes == Takes::Whole {
        return most.min(1);
    }
    let Takes::Part(amounts) = &need.takes else { return 0 };
    if beside.any(|load| load.takes == Takes::Whole) {
        return 0;
    }
    let left = |class: usize| spot.capacity[class].saturating_sub(most_used(loads, window, class));
    let taken = amounts.iter().enumerate().filter(|(_, amount)| **amount > 0);
    let times = times_fitting(taken.map(|(class, &amount)| (left(class), amount)));
    times.map_or(most, |times| u32::try_from(times).unwrap_or(most).min(most))
}

/// The most of a resource class that is in use at one instant of a window.
fn most_used(loads: &[Load], window: Interval, class: usize) -> u64 {
    let during = || loads.iter().filter(|load| load.interval.overlaps(&window));
    let amount = |load: &Load| match &load.takes {
        Takes::Whole => u64::MAX,
        Takes::Part(amounts) => amounts[class].saturating_mul(u64::from(load.count)),
    };
    let starts = during().map(|load| load.interval.start.max(window.start));
    let used = starts.map(|at| {
        let there = during().filter(|load| load.interval.contains(at));
        there.map(amount).fold(0, u64::saturating_add)
    });
    used.max().unwrap_or(0)
}

impl Changing for Yard<'_> {
    type Taken = Taken;

    fn worth(&self) -> Worth {
        (i64::try_from(self.value).unwrap_or(i64::MAX), Reverse(0))
    }

    fn is_taken(&self, group: usize) -> bool {
        self.taken[group].is_some()
    }

    /// Promises that nothing replaces are not given up.
    fn remove(&mut self, group: usize) -> Option<Taken> {
        if !self.world.is_open(group) {
            return None;
        }
        let taken = self.taken[group].take()?;
        let choice = &self.world.groups[group].options[taken.option];
        for (&need, places) in choice.needs.iter().zip(&taken.places) {
            self.clear(need, places);
        }
        self.value -= choice.value;
        Some(taken)
    }

    fn restore(&mut self, group: usize, taken: Taken) {
        let choice = &self.world.groups[group].options[taken.option];
        for (&need, places) in choice.needs.iter().zip(&taken.places) {
            for &(spot, count) in places {
                self.put(need, spot, count);
            }
        }
        self.value += choice.value;
        self.taken[group] = Some(taken);
    }

    fn serve(&mut self, group: usize) -> bool {
        if self.is_taken(group) {
            return false;
        }
        let mut options: Vec<usize> = (0..self.world.groups[group].options.len()).collect();
        options.sort_by_key(|&option| Reverse(self.world.groups[group].options[option].value));
        options.into_iter().any(|option| self.insert(group, option))
    }
}
