//! When the hosts of a class are idle.
//!
//! The gaps between what the hosts carry, poor hosts apart from rich ones, sorted by start in blocks that know when
//! the last of their gaps ends. Asking for hosts that are idle throughout an interval, or for the one whose idleness
//! lasts longest, opens only blocks with such a gap and otherwise reads one number for each. Blocks are shared between
//! clones until they change.
//!
//! Invariant: for every host of the class the gaps are the time it is not in use, from the beginning of time to its
//! end; none is empty, no two of one host touch, and no block is empty.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::hosts::{Carried, HostNumber};
use crate::model::{Interval, Seconds};

/// Gaps beyond which a block is cut in two.
const MOST_GAPS: usize = 96;

/// Time in which a host is idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) idle: Interval,
    pub(crate) host: u32,
}

impl Gap {
    /// Later starts come later, of equal ones the first host: read backwards, the tightest gap before an instant comes
    /// first, then the first host.
    const fn key(&self) -> (Seconds, Reverse<u32>) {
        (self.idle.start, Reverse(self.host))
    }
}

#[derive(Debug, Clone)]
struct Block {
    first: (Seconds, Reverse<u32>),
    /// When the last of them ends.
    until: Seconds,
    gaps: Arc<Vec<Gap>>,
}

impl Block {
    fn new(gaps: Vec<Gap>) -> Self {
        Self {
            first: first(&gaps),
            until: latest(&gaps),
            gaps: Arc::new(gaps),
        }
    }
}

fn first(gaps: &[Gap]) -> (Seconds, Reverse<u32>) {
    gaps.first().map_or((Seconds::MAX, Reverse(0)), Gap::key)
}

fn latest(gaps: &[Gap]) -> Seconds {
    gaps.iter().map(|gap| gap.idle.end).max().unwrap_or(Seconds::MIN)
}

/// Gaps of hosts that are equally rich.
#[derive(Debug, Clone, Default)]
struct Stratum {
    richness: u64,
    blocks: Vec<Block>,
}

impl Stratum {
    fn of(richness: u64, mut gaps: Vec<Gap>) -> Self {
        gaps.sort_unstable_by_key(Gap::key);
        let parts = gaps.chunks(MOST_GAPS / 2);
        Self {
            richness,
            blocks: parts.map(|part| Block::new(part.to_vec())).collect(),
        }
    }

    /// The block a gap belongs to, if there is one.
    fn place(&self, gap: &Gap) -> usize {
        let after = self.blocks.partition_point(|block| block.first <= gap.key());
        after.saturating_sub(1)
    }

    fn add(&mut self, gap: Gap) {
        let place = self.place(&gap);
        let Some(block) = self.blocks.get_mut(place) else {
            self.blocks.push(Block::new(vec![gap]));
            return;
        };
        let gaps = Arc::make_mut(&mut block.gaps);
        gaps.insert(gaps.partition_point(|other| other.key() < gap.key()), gap);
        block.first = first(gaps);
        block.until = block.until.max(gap.idle.end);
        if gaps.len() > MOST_GAPS {
            let later = gaps.split_off(gaps.len() / 2);
            block.until = latest(gaps);
            self.blocks.insert(place + 1, Block::new(later));
        }
    }

    fn remove(&mut self, gap: Gap) {
        let place = self.place(&gap);
        let Some(block) = self.blocks.get_mut(place) else {
            return;
        };
        let Ok(position) = block.gaps.binary_search_by_key(&gap.key(), Gap::key) else {
            return;
        };
        let gaps = Arc::make_mut(&mut block.gaps);
        gaps.remove(position);
        if gaps.is_empty() {
            self.blocks.remove(place);
            return;
        }
        block.first = first(gaps);
        if gap.idle.end == block.until {
            block.until = latest(gaps);
        }
    }

    /// Blocks with a gap that begins no later than an instant, backwards.
    fn begun(&self, at: Seconds) -> impl Iterator<Item = &Block> {
        let after = self.blocks.partition_point(|block| block.first.0 <= at);
        self.blocks[..after].iter().rev()
    }
}

/// All gaps of a class.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gaps {
    /// Poorest first.
    strata: Vec<Stratum>,
}

impl Gaps {
    /// The gaps of hosts by number.
    pub(super) fn of<'a>(hosts: impl Iterator<Item = (u32, &'a Carried)>) -> Self {
        let mut gaps: Vec<(u64, Gap)> = Vec::new();
        for (host, carried) in hosts {
            let idle = carried.idle().into_iter();
            gaps.extend(idle.map(|idle| (carried.richness, Gap { idle, host })));
        }
        gaps.sort_by_key(|gap| gap.0);
        let strata = gaps.chunk_by(|one, other| one.0 == other.0);
        Self {
            strata: strata
                .map(|same| Stratum::of(same[0].0, same.iter().map(|gap| gap.1).collect()))
                .collect(),
        }
    }

    /// A host of some richness becomes idle.
    pub(super) fn add(&mut self, richness: u64, gap: Gap) {
        let place = match self.strata.binary_search_by_key(&richness, |stratum| stratum.richness) {
            Ok(place) => place,
            Err(place) => {
                self.strata.insert(place, Stratum::of(richness, Vec::new()));
                place
            }
        };
        self.strata[place].add(gap);
    }

    /// A host of some richness is idle no more.
    pub(super) fn remove(&mut self, richness: u64, gap: Gap) {
        if let Ok(place) = self.strata.binary_search_by_key(&richness, |stratum| stratum.richness) {
            self.strata[place].remove(gap);
        }
    }

    /// Hosts that are idle throughout an interval, with their richness: poor ones first, then those that fell idle last
    /// before it, then by number.
    pub(crate) fn throughout(&self, during: Interval) -> impl Iterator<Item = (u64, &Gap)> {
        self.strata.iter().flat_map(move |stratum| {
            let blocks = stratum
                .begun(during.start)
                .filter(move |block| block.until >= during.end);
            let gaps = blocks.flat_map(|block| block.gaps.iter().rev());
            let idle = gaps.filter(move |gap| gap.idle.start <= during.start && gap.idle.end >= during.end);
            idle.map(|gap| (stratum.richness, gap))
        })
    }

    /// Of the admitted hosts that are idle at an instant the one that is idle longest from there; of equal ones the
    /// first as [`Gaps::throughout`] orders them.
    pub(crate) fn longest(&self, at: Seconds, admits: impl Fn(HostNumber) -> bool) -> Option<(u64, Gap)> {
        let mut best: Option<(u64, Gap)> = None;
        for stratum in &self.strata {
            for block in stratum.begun(at) {
                let beaten = |end: Seconds| end <= best.map_or(at, |best| best.1.idle.end);
                if beaten(block.until) {
                    continue;
                }
                let gaps = block.gaps.iter().rev().filter(|gap| gap.idle.start <= at);
                for gap in gaps {
                    let longer = gap.idle.end > best.map_or(at, |best| best.1.idle.end);
                    if longer && admits(gap.host as HostNumber) {
                        best = Some((stratum.richness, *gap));
                    }
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a list of the time each host is in use says.
    fn listed(used: &[Vec<Interval>]) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for (host, used) in (0_u32..).zip(used) {
            let mut start = Seconds::MIN;
            for taken in used {
                if start < taken.start {
                    gaps.push(Gap {
                        idle: Interval::new(start, taken.start),
                        host,
                    });
                }
                start = taken.end;
            }
            gaps.push(Gap {
                idle: Interval::new(start, Seconds::MAX),
                host,
            });
        }
        gaps
    }

    const HOSTS: usize = 40;

    const fn richness(host: u32) -> u64 {
        (host % 3) as u64
    }

    proptest! {
        /// Against a plain list, through puts and removals on some hosts.
        #[test]
        fn finds_what_a_list_finds(
            changes in prop::collection::vec((0..HOSTS, 0i64..300, 1i64..60, any::<bool>()), 1..600),
            probes in prop::collection::vec((-5i64..370, 1i64..60), 20),
        ) {
            let mut used: Vec<Vec<Interval>> = vec![Vec::new(); HOSTS];
            let mut gaps = Gaps::default();
            for gap in listed(&used) {
                gaps.add(richness(gap.host), gap);
            }
            for (host, start, length, remove) in changes {
                let before = listed(&used);
                let interval = Interval::new(start, start + length);
                if remove && !used[host].is_empty() {
                    let place = usize::try_from(start).unwrap() % used[host].len();
                    used[host].remove(place);
                } else if used[host].iter().all(|taken| !taken.overlaps(&interval)) {
                    used[host].push(interval);
                    used[host].sort();
                }
                let after = listed(&used);
                for &gap in before.iter().filter(|gap| !after.contains(gap)) {
                    gaps.remove(richness(gap.host), gap);
                }
                for &gap in after.iter().filter(|gap| !before.contains(gap)) {
                    gaps.add(richness(gap.host), gap);
                }
            }
            let mut list = listed(&used);
            list.sort_by_key(|gap| (richness(gap.host), Reverse(gap.idle.start), gap.host));
            for (at, length) in probes {
                let during = Interval::new(at, at + length);
                let spans = |gap: &&Gap| gap.idle.start <= during.start && gap.idle.end >= during.end;
                let expected = list.iter().filter(spans).map(|gap| (richness(gap.host), gap));
                prop_assert!(gaps.throughout(during).eq(expected));
                let admits = |host: HostNumber| i64::try_from(host).unwrap() % 5 != at % 5;
                let idle = list.iter().filter(|gap| gap.idle.contains(at) && admits(gap.host as HostNumber));
                let mut expected: Option<&Gap> = None;
                for gap in idle {
                    if expected.is_none_or(|best| gap.idle.end > best.idle.end) {
                        expected = Some(gap);
                    }
                }
                let expected = expected.map(|&gap| (richness(gap.host), gap));
                prop_assert_eq!(gaps.longest(at, admits), expected);
            }
        }
    }
}
