//! Which reservations hold hosts of a class, and when.
//!
//! Sorted by start in blocks that know when the last of their holders ends, so that asking who holds hosts at
//! an instant opens only blocks with somebody who may. Blocks are shared between clones until they change.
//!
//! Invariant: holders are sorted by start and number, no block is empty, and the counters are those of all
//! blocks together.

use std::sync::Arc;

use super::PredicateNumber;
use crate::hosts::ReservationNumber;
use crate::model::{Interval, Seconds};

/// Holders beyond which a block is cut in two.
const MOST_HOLDERS: usize = 96;

/// What a reservation holds of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) interval: Interval,
    pub(crate) number: ReservationNumber,
    pub(crate) predicate: PredicateNumber,
    /// Hosts of the class it holds.
    pub(crate) count: u32,
    /// It says itself that it may not move.
    pub(crate) pinned: bool,
    /// It is of instances, several of which may share a host.
    pub(crate) instances: bool,
    /// The class would take it as new work.
    pub(crate) suits: bool,
}

impl Holder {
    /// Whether it keeps its hosts where whole hosts are exchanged.
    const fn stays(&self) -> bool {
        self.pinned || self.instances
    }
}

#[derive(Debug, Clone)]
struct Block {
    /// When the last of them ends.
    until: Seconds,
    holders: Arc<Vec<Holder>>,
}

impl Block {
    fn new(holders: Vec<Holder>) -> Self {
        Self {
            until: latest(&holders),
            holders: Arc::new(holders),
        }
    }

    fn first(&self) -> (Seconds, ReservationNumber) {
        self.holders.first().map_or((Seconds::MIN, 0), key)
    }
}

fn latest(holders: &[Holder]) -> Seconds {
    let ends = holders.iter().map(|holder| holder.interval.end);
    ends.max().unwrap_or(Seconds::MIN)
}

const fn key(holder: &Holder) -> (Seconds, ReservationNumber) {
    (holder.interval.start, holder.number)
}

/// Everybody who holds hosts of a class.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holders {
    blocks: Vec<Block>,
    staying: usize,
    unsuited: usize,
}

impl Holders {
    /// In any order.
    pub(super) fn of(mut holders: Vec<Holder>) -> Self {
        holders.sort_unstable_by_key(key);
        Self {
            staying: holders.iter().filter(|holder| holder.stays()).count(),
            unsuited: holders.iter().filter(|holder| !holder.suits).count(),
            blocks: holders
                .chunks(MOST_HOLDERS / 2)
                .map(|part| Block::new(part.to_vec()))
                .collect(),
        }
    }

    pub(super) fn add(&mut self, holder: Holder) {
        self.staying += usize::from(holder.stays());
        self.unsuited += usize::from(!holder.suits);
        let after = self.blocks.partition_point(|block| block.first() <= key(&holder));
        let place = after.saturating_sub(1);
        let Some(block) = self.blocks.get_mut(place) else {
            self.blocks.push(Block::new(vec![holder]));
            return;
        };
        block.until = block.until.max(holder.interval.end);
        let holders = Arc::make_mut(&mut block.holders);
        holders.insert(holders.partition_point(|other| key(other) < key(&holder)), holder);
        if holders.len() > MOST_HOLDERS {
            let later = holders.split_off(holders.len() / 2);
            block.until = latest(holders);
            self.blocks.insert(place + 1, Block::new(later));
        }
    }

    pub(super) fn remove(&mut self, start: Seconds, number: ReservationNumber) {
        let after = self.blocks.partition_point(|block| block.first() <= (start, number));
        let Some(place) = after.checked_sub(1) else { return };
        let block = &mut self.blocks[place];
        let Ok(position) = block.holders.binary_search_by_key(&(start, number), key) else {
            return;
        };
        let holders = Arc::make_mut(&mut block.holders);
        let removed = holders.remove(position);
        self.staying -= usize::from(removed.stays());
        self.unsuited -= usize::from(!removed.suits);
        if holders.is_empty() {
            self.blocks.remove(place);
        } else if removed.interval.end == block.until {
            block.until = latest(holders);
        }
    }

    /// Those that hold hosts at an instant, by start and number.
    pub(crate) fn at(&self, at: Seconds) -> impl Iterator<Item = &Holder> {
        self.within(Interval::new(at, at.saturating_add(1)))
    }

    /// Those that hold hosts some time within an interval, by start and number.
    pub(crate) fn within(&self, during: Interval) -> impl Iterator<Item = &Holder> {
        let begun = self.blocks.partition_point(|block| block.first().0 < during.end);
        let blocks = self.blocks[..begun]
            .iter()
            .filter(move |block| block.until > during.start);
        blocks
            .flat_map(|block| block.holders.iter())
            .filter(move |holder| holder.interval.overlaps(&during))
    }

    /// Whether every one of them that does not move starts no later than `start` or no earlier than `until`, and the
    /// class suits all: of those that may move, those do not that start before `fixed`. With instances `aside`, those of
    /// them that may move are not looked at.
    pub(crate) fn is_even(&self, start: Seconds, fixed: Seconds, until: Seconds, aside: bool) -> bool {
        if self.unsuited > 0 {
            return false;
        }
        let later = |block: &Block| block.holders.last().is_some_and(|last| last.interval.start > start);
        let first = self.blocks.partition_point(|block| !later(block));
        for block in &self.blocks[first..] {
            if block.first().0 >= until || self.staying == 0 && block.first().0 >= fixed {
                break;
            }
            let uneven = |holder: &Holder| {
                let begins = holder.interval.start;
                let stays = if aside { holder.pinned } else { holder.stays() };
                start < begins && begins < until && (stays || begins < fixed)
            };
            if block.holders.iter().any(uneven) {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a plain list.
        #[test]
        fn finds_what_a_list_finds(
            changes in prop::collection::vec((0i64..300, 1i64..120, any::<bool>(), 0..20_u8), 1..400),
            probes in prop::collection::vec(-5i64..430, 20),
        ) {
            let mut list: Vec<Holder> = Vec::new();
            let mut holders = Holders::default();
            for (number, (start, length, remove, kind)) in (0_u32..).zip(changes) {
                if remove && !list.is_empty() {
                    let gone = list.remove(usize::try_from(start).unwrap() % list.len());
                    holders.remove(gone.interval.start, gone.number);
                    continue;
                }
                let holder = Holder {
                    interval: Interval::new(start, start + length),
                    number,
                    predicate: 0,
                    count: 1,
                    pinned: kind == 0,
                    instances: kind == 2,
                    suits: kind != 1,
                };
                holders.add(holder);
                list.push(holder);
            }
            list.sort_by_key(key);
            let made = Holders::of(list.clone());
            for at in probes {
                let expected: Vec<&Holder> = list.iter().filter(|holder| holder.interval.contains(at)).collect();
                prop_assert!(holders.at(at).eq(expected.iter().copied()));
                prop_assert!(made.at(at).eq(expected));
                let during = Interval::new(at, at + 25);
                let expected = list.iter().filter(|holder| holder.interval.overlaps(&during));
                prop_assert!(holders.within(during).eq(expected));
                for (fixed, until) in [(at, Seconds::MAX), (at + 1, at + 60), (at + 30, at + 20)] {
                    let even = list.iter().all(|holder| {
                        let begins = holder.interval.start;
                        let moves = !holder.stays() && begins >= fixed;
                        holder.suits && (moves || begins <= at || begins >= until)
                    });
                    prop_assert_eq!(holders.is_even(at, fixed, until, false), even);
                    prop_assert_eq!(made.is_even(at, fixed, until, false), even);
                    let even = list.iter().all(|holder| {
                        let begins = holder.interval.start;
                        let moves = !holder.pinned && begins >= fixed;
                        holder.suits && (moves || begins <= at || begins >= until)
                    });
                    prop_assert_eq!(holders.is_even(at, fixed, until, true), even);
                }
            }
        }
    }
}
