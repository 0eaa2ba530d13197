//! Hosts, units and everything a mixed batch may put on them, with small numbers for names.
//!
//! Invariant: of each group at most one option is taken; every need of an option is served in full or the
//! option is not taken. What no option of a group frees stands on its spot as a load.

use std::sync::Arc;

use crate::model::{HostId, Interval, PoolId, Seconds};

/// A spot's number: hosts by identifier first, then the units of each pool.
pub(super) type SpotNumber = usize;
/// A need's number.
pub(super) type NeedNumber = usize;
/// Amounts by the number of the resource class.
pub(super) type Amounts = Arc<[u64]>;

/// What something takes of a spot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Takes {
    /// All of it.
    Whole,
    /// These amounts, once for each instance.
    Part(Amounts),
}

/// Something on a spot for a while.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Load {
    pub(super) interval: Interval,
    pub(super) takes: Takes,
    pub(super) count: u32,
    /// Whose it is; `None` if it stays whatever is chosen.
    pub(super) need: Option<NeedNumber>,
}

/// A host or a unit.
pub(super) struct Spot {
    /// Amounts a host has; nothing for a unit.
    pub(super) capacity: Amounts,
    pub(super) richness: u64,
    /// What stays.
    pub(super) loads: Vec<Load>,
    /// Which expressions it satisfies and whether it takes new work; for a unit its pool.
    pub(super) kind: Kind,
}

/// What decides for which needs a spot is suitable, times aside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Host(Vec<bool>, Vec<Interval>),
    Unit(PoolId),
}

/// A reservation to be served.
pub(super) struct Need {
    pub(super) occupation: Interval,
    pub(super) takes: Takes,
    /// How many it needs besides what it keeps.
    pub(super) least: u32,
    /// Each spot at most once.
    pub(super) single: bool,
    /// All on one spot.
    pub(super) together: bool,
    /// Suitable spots, ascending.
    pub(super) options: Arc<[SpotNumber]>,
    /// Spots that must be among them.
    pub(super) required: Vec<SpotNumber>,
    /// What it keeps whatever else is chosen.
    pub(super) kept: Vec<(SpotNumber, u32)>,
    /// What a pending promise holds; it may stay there whether it suits or not.
    pub(super) holds: Vec<(SpotNumber, u32)>,
    /// Spots it would rather have, ascending.
    pub(super) likes: Vec<SpotNumber>,
}

/// One way to serve a group.
pub(super) struct Choice {
    /// The last accepted candidate for the lease, `None` if what is promised stays as it is.
    pub(super) candidate: Option<usize>,
    pub(super) value: u64,
    pub(super) needs: Vec<NeedNumber>,
}

/// Options that exclude each other.
pub(super) struct Group {
    /// Whether one of them must be taken.
    pub(super) mandatory: bool,
    pub(super) options: Vec<Choice>,
}

/// Everything the batch depends on.
pub(super) struct World {
    pub(super) now: Seconds,
    pub(super) names: Vec<HostId>,
    /// Names of the resource classes, by number.
    pub(super) resources: Vec<Arc<str>>,
    pub(super) hosts: usize,
    pub(super) spots: Vec<Spot>,
    pub(super) needs: Vec<Need>,
    pub(super) groups: Vec<Group>,
}

impl World {
    /// Whether something of the group is for a candidate to decide.
    pub(super) fn is_open(&self, group: usize) -> bool {
        self.groups[group]
            .options
            .iter()
            .any(|option| option.candidate.is_some())
    }
}
