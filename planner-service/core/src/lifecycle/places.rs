//! How many leases are worked on at once, and whose.
//!
//! Invariants: what a project does with a resource type has places of its own, so that receivers that hang for one never
//! delay another; work that was tried before never takes all places of its kind, so that first attempts find one.

use std::collections::{BTreeMap, BTreeSet};

use crate::book::{Book, DueEntry};
use crate::domain::Lease;

/// Leases of one project and the same resource types worked on at once by one process.
const IN_A_LANE: usize = 32;

/// How many of these may have been tried before.
const REPEATED_IN_A_LANE: usize = 16;

/// Leases worked on at once by one process.
const IN_ALL: usize = 512;

/// How many of these may have been tried before.
const REPEATED_IN_ALL: usize = 256;

/// Those who share places: a project with the resource types of its lease.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    project_id: String,
    resource_types: BTreeSet<String>,
}

impl Lane {
    fn of(lease: &Lease) -> Self {
        let types = lease.reservations.iter().map(|reservation| &reservation.spec);
        Self {
            project_id: lease.project_id.clone(),
            resource_types: types.map(|spec| spec.resource_type().to_owned()).collect(),
        }
    }
}

/// The work with those whose places it needs and whether it was tried before; first attempts come first.
pub(super) fn in_order(book: &Book, ready: Vec<DueEntry>) -> Vec<(DueEntry, Lane, bool)> {
    let mut work: Vec<(DueEntry, Lane, bool)> = ready
        .into_iter()
        .filter_map(|entry| {
            let lease = book.lease(&entry.lease_id)?;
            let event = lease.events.iter().find(|event| event.id == entry.event_id)?;
            Some((entry, Lane::of(lease), event.attempts > 0))
        })
        .collect();
    work.sort_by_key(|(_, _, is_repeated)| *is_repeated);
    work
}

/// Work under way, by lease: whose it is, and whether it was tried before.
#[derive(Debug, Default)]
pub(super) struct Places {
    by_lease: BTreeMap<String, (Lane, bool)>,
    by_lane: BTreeMap<Lane, Count>,
    all: Count,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    taken: usize,
    repeated: usize,
}

impl Count {
    fn has_room(self, is_repeated: bool, most: usize, most_repeated: usize) -> bool {
        self.taken < most && !(is_repeated && self.repeated >= most_repeated)
    }

    fn add(&mut self, is_repeated: bool) {
        self.taken += 1;
        self.repeated += usize::from(is_repeated);
    }

    fn remove(&mut self, is_repeated: bool) {
        self.taken = self.taken.saturating_sub(1);
        self.repeated = self.repeated.saturating_sub(usize::from(is_repeated));
    }
}

impl Places {
    /// Whether the lease is worked on.
    pub(super) fn contains(&self, lease_id: &str) -> bool {
        self.by_lease.contains_key(lease_id)
    }

    /// Takes a place for a lease; `false` if there is none.
    pub(super) fn take(&mut self, lease_id: &str, lane: Lane, is_repeated: bool) -> bool {
        let count = self.by_lane.get(&lane).copied().unwrap_or_default();
        let has_room = !self.contains(lease_id)
            && count.has_room(is_repeated, IN_A_LANE, REPEATED_IN_A_LANE)
            && self.all.has_room(is_repeated, IN_ALL, REPEATED_IN_ALL);
        if has_room {
            self.all.add(is_repeated);
            self.by_lane.entry(lane.clone()).or_default().add(is_repeated);
            self.by_lease.insert(lease_id.to_owned(), (lane, is_repeated));
        }
        has_room
    }

    /// Gives the place of a lease back.
    pub(super) fn give_back(&mut self, lease_id: &str) {
        let Some((lane, is_repeated)) = self.by_lease.remove(lease_id) else {
            return;
        };
        self.all.remove(is_repeated);
        if let Some(count) = self.by_lane.get_mut(&lane) {
            count.remove(is_repeated);
            if count.taken == 0 {
                self.by_lane.remove(&lane);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{IN_A_LANE, IN_ALL, Lane, Places, REPEATED_IN_A_LANE, REPEATED_IN_ALL};

    fn lane(project: usize, resource_type: &str) -> Lane {
        Lane {
            project_id: project.to_string(),
            resource_types: BTreeSet::from([resource_type.to_owned()]),
        }
    }

    fn taken(places: &mut Places, prefix: &str, lane: &Lane, is_repeated: bool) -> usize {
        let tries = (0..2 * IN_ALL).map(|number| format!("{prefix}{number}"));
        tries
            .filter(|lease| places.take(lease, lane.clone(), is_repeated))
            .count()
    }

    #[test]
    fn v7_each_project_and_resource_type_has_places_of_its_own() {
        let mut places = Places::default();
        assert_eq!(taken(&mut places, "a", &lane(1, "host"), false), IN_A_LANE);
        assert_eq!(taken(&mut places, "b", &lane(2, "host"), false), IN_A_LANE);
        assert_eq!(taken(&mut places, "c", &lane(1, "licence"), false), IN_A_LANE);
        assert!(!places.take("a0", lane(3, "host"), false), "it is being worked on");
        places.give_back("a0");
        assert!(places.take("a0", lane(1, "host"), false));
        places.give_back("a0");
        places.give_back("a0");
        assert!(places.take("a0", lane(1, "host"), false) && !places.take("z", lane(1, "host"), false));
    }

    #[test]
    fn v7_repetitions_leave_room_for_first_attempts() {
        let mut places = Places::default();
        assert_eq!(taken(&mut places, "r", &lane(1, "host"), true), REPEATED_IN_A_LANE);
        assert_eq!(
            taken(&mut places, "f", &lane(1, "host"), false),
            IN_A_LANE - REPEATED_IN_A_LANE
        );
        let mut places = Places::default();
        let repeated: usize = (0..IN_ALL)
            .map(|project| taken(&mut places, &format!("{project}-"), &lane(project, "host"), true))
            .sum();
        assert_eq!(repeated, REPEATED_IN_ALL);
        assert!(places.take("first", lane(0, "licence"), false));
    }
}
