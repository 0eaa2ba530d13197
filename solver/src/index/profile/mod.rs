//! How many hosts of a class are in use at every instant.
//!
//! A step function of time in two levels: blocks of neighbouring steps, and over them the greatest value of
//! each block and what has been added to the block as a whole. Asking for the greatest value in an interval
//! reads the two blocks at its ends and one number for every block between; adding to an interval changes
//! just as much. Blocks are shared between clones until they change.
//!
//! Invariant: no two neighbouring steps have the same value, so the size follows what is in use now and not
//! what ever was.

mod change;

use std::sync::Arc;

use crate::model::{Interval, Seconds};

/// Steps beyond which a block is cut in two.
const MOST_STEPS: usize = 128;

/// A run of steps. Values lack what was added to the whole block.
#[derive(Debug, Clone, Default)]
struct Block {
    /// When each step begins, ascending.
    starts: Vec<Seconds>,
    /// The value from there to the next step.
    values: Vec<i32>,
}

impl Block {
    fn greatest(&self) -> i32 {
        self.values.iter().copied().max().unwrap_or(0)
    }
}

/// What is known of a block without opening it.
#[derive(Debug, Clone, Copy)]
struct Head {
    /// When its first step begins.
    start: Seconds,
    /// Added to all of its values.
    raise: i32,
    /// Its greatest value, with `raise`.
    greatest: i32,
}

/// The step function. Before its first step it is 0.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    heads: Vec<Head>,
    blocks: Vec<Arc<Block>>,
}

impl Profile {
    /// The function that counts, at every instant, the intervals it lies in.
    pub(crate) fn of(intervals: impl Iterator<Item = Interval>) -> Self {
        let mut changes: Vec<(Seconds, i32)> = Vec::new();
        for interval in intervals {
            changes.push((interval.start, 1));
            changes.push((interval.end, -1));
        }
        Self::of_changes(changes)
    }

    /// The sum of functions.
    pub(crate) fn sum<'a>(profiles: impl Iterator<Item = &'a Self>) -> Self {
        let mut changes: Vec<(Seconds, i32)> = Vec::new();
        for profile in profiles {
            let mut before = 0;
            for (head, block) in profile.heads.iter().zip(&profile.blocks) {
                for (&start, &value) in block.starts.iter().zip(&block.values) {
                    changes.push((start, value + head.raise - before));
                    before = value + head.raise;
                }
            }
        }
        Self::of_changes(changes)
    }

    fn of_changes(mut changes: Vec<(Seconds, i32)>) -> Self {
        changes.sort_unstable();
        let mut profile = Self::default();
        let mut value = 0;
        let mut block = Block::default();
        for at in changes.chunk_by(|one, other| one.0 == other.0) {
            let change: i32 = at.iter().map(|(_, change)| change).sum();
            if change == 0 {
                continue;
            }
            value += change;
            block.starts.push(at[0].0);
            block.values.push(value);
            if block.starts.len() == MOST_STEPS / 2 {
                profile.push(std::mem::take(&mut block));
            }
        }
        if !block.starts.is_empty() {
            profile.push(block);
        }
        profile
    }

    fn push(&mut self, block: Block) {
        self.heads.push(Head {
            start: block.starts[0],
            raise: 0,
            greatest: block.greatest(),
        });
        self.blocks.push(Arc::new(block));
    }

    /// The greatest value at any instant.
    pub(crate) fn greatest(&self) -> i32 {
        self.heads.iter().map(|head| head.greatest).max().unwrap_or(0).max(0)
    }

    /// The greatest value within an interval.
    #[inline]
    pub(crate) fn greatest_in(&self, interval: Interval) -> i32 {
        let after = self.heads.partition_point(|head| head.start < interval.end);
        // The block that holds the step at the interval's start; none if it lies before the first step.
        let first = self.heads[..after].partition_point(|head| head.start <= interval.start);
        let Some(first) = first.checked_sub(1) else {
            return self.across(0, after, interval).max(0);
        };
        self.across(first, after, interval)
    }

    /// The greatest value of the blocks `first..after` within an interval, the step at its start included.
    #[inline]
    fn across(&self, first: usize, after: usize, interval: Interval) -> i32 {
        let mut greatest = i32::MIN;
        for number in first..after {
            let head = self.heads[number];
            if head.greatest <= greatest {
                continue;
            }
            let whole = head.start >= interval.start
                && self
                    .heads
                    .get(number + 1)
                    .is_some_and(|next| next.start <= interval.end);
            if whole {
                greatest = head.greatest;
                continue;
            }
            let block = &self.blocks[number];
            let from = block
                .starts
                .partition_point(|&start| start <= interval.start)
                .saturating_sub(1);
            let to = block.starts.partition_point(|&start| start < interval.end);
            for &value in &block.values[from..to] {
                greatest = greatest.max(value + head.raise);
            }
        }
        greatest
    }

    /// The greatest value within an interval, and when the last step there that has it ends.
    pub(crate) fn peak_in(&self, interval: Interval) -> (i32, Seconds) {
        let after = self.heads.partition_point(|head| head.start < interval.end);
        let first = self.heads[..after].partition_point(|head| head.start <= interval.start);
        let (mut peak, mut until) = if first == 0 {
            (0, self.heads.first().map_or(Seconds::MAX, |head| head.start))
        } else {
            (i32::MIN, Seconds::MAX)
        };
        for number in first.saturating_sub(1)..after {
            let head = self.heads[number];
            if head.greatest < peak {
                continue;
            }
            let block = &self.blocks[number];
            let from = block.starts.partition_point(|&start| start <= interval.start);
            let from = from.saturating_sub(1);
            let to = block.starts.partition_point(|&start| start < interval.end);
            let values = &block.values[from..to];
            let Some(greatest) = values.iter().max().map(|value| value + head.raise) else {
                continue;
            };
            if greatest < peak {
                continue;
            }
            let last = values.iter().rposition(|value| value + head.raise == greatest);
            (peak, until) = (greatest, self.end_of(number, from + last.unwrap_or(0)));
        }
        (peak, until)
    }

    /// When a step ends.
    fn end_of(&self, number: usize, step: usize) -> Seconds {
        let next = self.blocks[number].starts.get(step + 1).copied();
        next.or_else(|| self.heads.get(number + 1).map(|head| head.start))
            .unwrap_or(Seconds::MAX)
    }

    /// The steps that begin after an instant.
    pub(crate) fn steps_after(&self, at: Seconds) -> Steps<'_> {
        let after = self.heads.partition_point(|head| head.start <= at);
        let number = after.saturating_sub(1);
        let step = self
            .blocks
            .get(number)
            .map_or(0, |block| block.starts.partition_point(|&start| start <= at));
        Steps {
            profile: self,
            number,
            step,
        }
    }

    /// The value at an instant.
    pub(crate) fn value_at(&self, at: Seconds) -> i32 {
        let after = self.heads.partition_point(|head| head.start <= at);
        let Some(number) = after.checked_sub(1) else { return 0 };
        let block = &self.blocks[number];
        let step = block.starts.partition_point(|&start| start <= at);
        block.values[step.saturating_sub(1)] + self.heads[number].raise
    }

    /// Visits the parts of an interval in which the value is greater than a limit, step by step in order of time:
    /// each with its value. Blocks that are nowhere so great are not opened.
    pub(crate) fn each_above(&self, interval: Interval, limit: i32, mut visit: impl FnMut(Interval, i32)) {
        let after = self.heads.partition_point(|head| head.start < interval.end);
        let first = self.heads[..after].partition_point(|head| head.start <= interval.start);
        if limit < 0 && interval.start < interval.end {
            let begins = self
                .heads
                .first()
                .map_or(interval.end, |head| head.start.min(interval.end));
            if interval.start < begins {
                visit(Interval::new(interval.start, begins), 0);
            }
        }
        for number in first.saturating_sub(1)..after {
            let head = self.heads[number];
            if head.greatest <= limit {
                continue;
            }
            let next_block = self.heads.get(number + 1).map_or(Seconds::MAX, |next| next.start);
            let block = &self.blocks[number];
            let from = block
                .starts
                .partition_point(|&start| start <= interval.start)
                .saturating_sub(1);
            for (step, (&start, &value)) in block.starts.iter().zip(&block.values).enumerate().skip(from) {
                if start >= interval.end {
                    break;
                }
                let next = block.starts.get(step + 1).copied().unwrap_or(next_block);
                let (begins, ends) = (start.max(interval.start), next.min(interval.end));
                if value + head.raise > limit && begins < ends {
                    visit(Interval::new(begins, ends), value + head.raise);
                }
            }
        }
    }
}

/// Steps in order of time, each with its value.
#[derive(Clone)]
pub(crate) struct Steps<'a> {
    profile: &'a Profile,
    number: usize,
    step: usize,
}

impl Iterator for Steps<'_> {
    type Item = (Seconds, i32);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let mut block = self.profile.blocks.get(self.number)?;
        if self.step == block.starts.len() {
            self.number += 1;
            self.step = 0;
            block = self.profile.blocks.get(self.number)?;
        }
        let step = self.step;
        self.step += 1;
        Some((
            block.starts[step],
            block.values[step] + self.profile.heads[self.number].raise,
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a plain array of values.
        #[test]
        fn counts_like_an_array(changes in prop::collection::vec((0i64..600, 1i64..200, -3i32..4), 1..400)) {
            let mut array = [0i32; 800];
            let mut profile = Profile::default();
            for (start, length, change) in changes {
                let interval = Interval::new(start, start + length);
                profile.add(interval, change);
                for value in &mut array[usize::try_from(start).unwrap()..usize::try_from(start + length).unwrap()] {
                    *value += change;
                }
                let probe = Interval::new(start / 2, start / 2 + 3 * length);
                let values = &array[usize::try_from(probe.start).unwrap()..usize::try_from(probe.end).unwrap().min(800)];
                let greatest = *values.iter().max().unwrap();
                prop_assert_eq!(profile.greatest_in(probe), greatest);
                prop_assert_eq!(profile.greatest(), (*array.iter().max().unwrap()).max(0));
                prop_assert_eq!(profile.value_at(start), array[usize::try_from(start).unwrap()]);
                for limit in [greatest - 2, greatest - 1, greatest] {
                    let mut above: Vec<i64> = Vec::new();
                    profile.each_above(probe, limit, |part, value| {
                        above.extend(part.start..part.end);
                        assert!((part.start..part.end).all(|at| array.get(usize::try_from(at).unwrap()).is_none_or(|&v| v == value)));
                    });
                    let expected = (probe.start..probe.end)
                        .filter(|&at| array.get(usize::try_from(at).unwrap()).copied().unwrap_or(0) > limit);
                    prop_assert!(above.into_iter().eq(expected));
                }
                let last = values.iter().rposition(|&value| value == greatest).unwrap();
                let peak = usize::try_from(probe.start).unwrap() + last;
                let until = array[peak..].iter().position(|&value| value != greatest).map(|steps| peak + steps);
                let until = until.map_or(Seconds::MAX, |until| Seconds::try_from(until).unwrap());
                prop_assert_eq!(profile.peak_in(probe), (greatest, until));
                let at = usize::try_from(start / 2).unwrap();
                let changes = (at..799).filter(|&at| array[at] != array[at + 1]);
                let after = changes.map(|at| (Seconds::try_from(at + 1).unwrap(), array[at + 1]));
                prop_assert!(profile.steps_after(start / 2).eq(after));
            }
            let steps = profile.steps_after(-1).count();
            let changes = std::iter::once(array[0] != 0).chain(array.windows(2).map(|pair| pair[0] != pair[1]));
            prop_assert_eq!(steps, changes.filter(|&changed| changed).count());
        }

        #[test]
        fn starts_like_it_grows(intervals in prop::collection::vec((0i64..500, 1i64..300), 0..300)) {
            let intervals: Vec<_> = intervals.iter().map(|&(start, length)| Interval::new(start, start + length)).collect();
            let mut grown = Profile::default();
            for &interval in &intervals {
                grown.add(interval, 1);
            }
            let made = Profile::of(intervals.iter().copied());
            prop_assert!(made.steps_after(-1).eq(grown.steps_after(-1)));
            let (some, others) = intervals.split_at(intervals.len() / 3);
            let parts = [some, others].map(|part| Profile::of(part.iter().copied()));
            prop_assert!(made.steps_after(-1).eq(Profile::sum(parts.iter()).steps_after(-1)));
        }
    }
}
