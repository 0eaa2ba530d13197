//! Changes of a profile.
//!
//! Invariant: as of the profile; an interval's ends become steps, what was added lies between them, and steps that are
//! no longer any are forgotten.

use std::sync::Arc;

use super::{Block, Head, MOST_STEPS, Profile};
use crate::model::{Interval, Seconds};

impl Profile {
    /// Adds to the value at every instant of an interval.
    pub(crate) fn add(&mut self, interval: Interval, change: i32) {
        if change == 0 || interval.start >= interval.end {
            return;
        }
        self.cut(interval.start);
        self.cut(interval.end);
        let first = self
            .heads
            .partition_point(|head| head.start <= interval.start)
            .saturating_sub(1);
        for number in first..self.heads.len() {
            if self.heads[number].start >= interval.end {
                break;
            }
            let whole = self.heads[number].start >= interval.start
                && self
                    .heads
                    .get(number + 1)
                    .is_some_and(|next| next.start <= interval.end);
            if whole {
                self.heads[number].raise += change;
                self.heads[number].greatest += change;
                continue;
            }
            let block = Arc::make_mut(&mut self.blocks[number]);
            let from = block.starts.partition_point(|&start| start < interval.start);
            let to = block.starts.partition_point(|&start| start < interval.end);
            for value in &mut block.values[from..to] {
                *value += change;
            }
            self.heads[number].greatest = block.greatest() + self.heads[number].raise;
        }
        self.join(interval.end);
        self.join(interval.start);
    }

    /// Makes a step begin at an instant.
    fn cut(&mut self, at: Seconds) {
        let after = self.heads.partition_point(|head| head.start <= at);
        let Some(number) = after.checked_sub(1) else {
            if self.heads.is_empty() {
                self.push(Block {
                    starts: vec![at],
                    values: vec![0],
                });
                return;
            }
            let raise = self.heads[0].raise;
            let block = Arc::make_mut(&mut self.blocks[0]);
            block.starts.insert(0, at);
            block.values.insert(0, -raise);
            self.heads[0].start = at;
            self.heads[0].greatest = self.heads[0].greatest.max(0);
            self.split(0);
            return;
        };
        let step = self.blocks[number].starts.partition_point(|&start| start <= at);
        if self.blocks[number].starts[step - 1] == at {
            return;
        }
        let block = Arc::make_mut(&mut self.blocks[number]);
        block.starts.insert(step, at);
        block.values.insert(step, block.values[step - 1]);
        self.split(number);
    }

    /// Cuts a block that has grown too long.
    fn split(&mut self, number: usize) {
        if self.blocks[number].starts.len() <= MOST_STEPS {
            return;
        }
        let block = Arc::make_mut(&mut self.blocks[number]);
        let half = block.starts.len() / 2;
        let later = Block {
            starts: block.starts.split_off(half),
            values: block.values.split_off(half),
        };
        let raise = self.heads[number].raise;
        self.heads[number].greatest = block.greatest() + raise;
        let head = Head {
            start: later.starts[0],
            raise,
            greatest: later.greatest() + raise,
        };
        self.heads.insert(number + 1, head);
        self.blocks.insert(number + 1, Arc::new(later));
    }

    /// Forgets the step at an instant if it has the value of the one before.
    fn join(&mut self, at: Seconds) {
        let after = self.heads.partition_point(|head| head.start <= at);
        let Some(number) = after.checked_sub(1) else { return };
        let step = self.blocks[number].starts.partition_point(|&start| start <= at) - 1;
        let value = self.blocks[number].values[step] + self.heads[number].raise;
        let before = match (step.checked_sub(1), number.checked_sub(1)) {
            (Some(step), _) => self.blocks[number].values[step] + self.heads[number].raise,
            (None, Some(earlier)) => {
                self.blocks[earlier].values.last().copied().unwrap_or(0) + self.heads[earlier].raise
            }
            (None, None) => 0,
        };
        if self.blocks[number].starts[step] != at || value != before {
            return;
        }
        let block = Arc::make_mut(&mut self.blocks[number]);
        block.starts.remove(step);
        block.values.remove(step);
        if block.starts.is_empty() {
            self.heads.remove(number);
            self.blocks.remove(number);
        } else {
            self.heads[number].start = block.starts[0];
            self.heads[number].greatest = block.greatest() + self.heads[number].raise;
        }
    }
}
