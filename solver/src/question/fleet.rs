//! A fleet as it would be: hosts added, gone, or out of service for a time.
//!
//! Invariant: the promises of the changed snapshot are those of the one it was made from, also on hosts
//! that are gone; [`super::Question::consequences`] says what becomes of them.

use std::collections::BTreeSet;

use crate::model::{Host, HostId, Interval, Seconds};
use crate::planner::Planner;

/// A change of the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetChange {
    /// A host more, under an identifier that is not in use.
    Add(Host),
    /// The host is gone from now on.
    Remove(HostId),
    /// The host is out of service for a time.
    Down {
        /// The host.
        host: HostId,
        /// When.
        during: Interval,
    },
}

/// A change that contradicts the fleet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FleetError {
    /// There is no such host.
    #[error("host `{0}` does not exist")]
    Unknown(HostId),
    /// There is such a host already.
    #[error("host `{0}` exists already")]
    Exists(HostId),
    /// A time that is none.
    #[error("host `{0}` would be down for no time")]
    Never(HostId),
}

/// The snapshot with the changes made, and the hosts that they take work from.
pub fn changed(
    planner: &Planner,
    changes: &[FleetChange],
    now: Seconds,
) -> Result<(Planner, BTreeSet<HostId>), FleetError> {
    let mut next = planner.clone();
    let mut affected = BTreeSet::new();
    for change in changes {
        let (id, down, gone) = match change {
            FleetChange::Add(host) if next.host(&host.id).is_some() => {
                return Err(FleetError::Exists(host.id.clone()));
            }
            FleetChange::Add(host) => {
                next.put_host(host.clone());
                continue;
            }
            FleetChange::Remove(id) => (id, Interval::new(now, Seconds::MAX), true),
            FleetChange::Down { host, during } => (host, *during, false),
        };
        let mut host = next.host(id).cloned().ok_or_else(|| FleetError::Unknown(id.clone()))?;
        if down.start >= down.end {
            return Err(FleetError::Never(id.clone()));
        }
        host.reservable &= !gone;
        host.blocks = joined(&host.blocks, down);
        affected.insert(id.clone());
        next.put_host(host);
    }
    Ok((next, affected))
}

/// The blocks with one more, sorted and disjoint.
fn joined(blocks: &[Interval], down: Interval) -> Vec<Interval> {
    let touches = |block: &&Interval| block.start <= down.end && down.start <= block.end;
    let whole = blocks.iter().filter(touches).fold(down, |whole, block| {
        Interval::new(whole.start.min(block.start), whole.end.max(block.end))
    });
    let mut joined: Vec<Interval> = blocks.iter().filter(|block| !touches(block)).copied().collect();
    joined.push(whole);
    joined.sort_unstable();
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_stay_sorted_and_disjoint() {
        let interval = |(start, end)| Interval::new(start, end);
        for (blocks, down, expected) in [
            (vec![], (3, 5), vec![(3, 5)]),
            (vec![(1, 2), (8, 9)], (3, 5), vec![(1, 2), (3, 5), (8, 9)]),
            (vec![(1, 3), (5, 9)], (3, 5), vec![(1, 9)]),
            (vec![(1, 4), (6, 9)], (3, 5), vec![(1, 5), (6, 9)]),
            (vec![(1, 9)], (3, 5), vec![(1, 9)]),
        ] {
            let blocks: Vec<Interval> = blocks.into_iter().map(interval).collect();
            let expected: Vec<Interval> = expected.into_iter().map(interval).collect();
            assert_eq!(joined(&blocks, interval(down)), expected);
        }
    }
}
