//! What the planner derives from its hosts and promises to answer fast: classes of hosts that no known
//! expression tells apart, which classes satisfy which expression, how many hosts of each class are in use at
//! every instant, when each of them is idle, and who holds them.
//!
//! Invariant: hosts of one class are equal in zone, rack, blocks, reservability and capacity and satisfy the
//! same known expressions; the profile of a class counts, at every instant, its hosts in use, its gaps are
//! the time in which each is not, and its holders are the reservations that use them. Known expressions are at least those of all promises, so a class may be
//! finer than a decision needs.

mod gaps;
mod groups;
mod held;
mod holders;
mod interner;
mod learnt;
mod partition;
mod profile;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use gaps::{Gap, Gaps};
pub(crate) use groups::Groups;
pub(crate) use held::{Held, Part, Stored};
pub(crate) use holders::{Holder, Holders};
use imbl::{OrdMap, Vector};
pub(crate) use interner::{Interner, PredicateNumber};
pub(crate) use learnt::Learnt;
use partition::{Alike, Partition};
pub(crate) use profile::{Profile, Steps};

use crate::columns::HostSet;
use crate::hosts::{HostNumber, Hosts, ReservationNumber};
use crate::model::{HostId, Interval, Seconds};
use crate::predicate::Predicate;

/// Expressions that may be forgotten, besides as many as there ever were, before classes are merged again.
const MOST_FORGOTTEN: usize = 64;

/// A class's number in the index.
pub(crate) type IndexClass = usize;

/// Which classes an expression admits new work on, aside from blocks: poor classes before rich ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Eligible {
    /// Whether each class satisfies the expression.
    truth: Vec<bool>,
    /// The reservable classes that do.
    pub(crate) classes: Vec<u32>,
}

impl Eligible {
    /// Whether the hosts of a class satisfy the expression.
    pub(crate) fn admits(&self, class: IndexClass) -> bool {
        self.truth.get(class).copied().unwrap_or(false)
    }
}

/// The derived facts. Clones share structure.
#[derive(Clone)]
pub(crate) struct Index {
    learnt: Arc<Learnt>,
    partition: Arc<Partition>,
    eligible: Vec<Option<Arc<Eligible>>>,
    profiles: Vec<Arc<Profile>>,
    gaps: Vec<Arc<Gaps>>,
    /// Hosts of each class that are free at every instant.
    always_free: Vec<i32>,
    holders: Vec<Arc<Holders>>,
    /// Every reservation of hosts or instances by its number.
    table: Vector<Option<Arc<Held>>>,
    /// Hosts that all of them hold together.
    allocations: usize,
    /// How many reservations with an expression end when.
    ends: OrdMap<(PredicateNumber, Seconds), u32>,
    /// Expressions forgotten since everything was derived.
    forgotten: usize,
}

impl Index {
    /// Derives everything; what expressions admit is taken over from the hosts before, where they are the same.
    pub(crate) fn new<'a>(
        hosts: &Hosts,
        interner: &Interner,
        before: Option<&Learnt>,
        leases: impl Iterator<Item = &'a Arc<Stored>>,
        numbers: ReservationNumber,
    ) -> Self {
        let learnt = Learnt::new(hosts, interner, before);
        let partition = Partition::new(hosts, &learnt);
        let profiles: Vec<Arc<Profile>> = partition
            .classes
            .iter()
            .map(|class| profile(hosts, &class.hosts))
            .collect();
        let classes = partition.classes.iter();
        let gaps = classes.map(|class| gaps(hosts, &class.hosts)).collect();
        let mut index = Self {
            learnt: Arc::new(learnt),
            partition: Arc::new(partition),
            eligible: Vec::new(),
            profiles,
            gaps,
            always_free: Vec::new(),
            holders: Vec::new(),
            table: Vector::new(),
            allocations: 0,
            ends: OrdMap::new(),
            forgotten: 0,
        };
        index.always_free = (0..index.profiles.len()).map(|class| index.least_free(class)).collect();
        index.admit_all();
        index.fill(hosts, leases, numbers);
        index
    }

    fn least_free(&self, class: IndexClass) -> i32 {
        size(&self.partition.classes[class].hosts) - self.profiles[class].greatest()
    }

    /// Notes which classes each known expression admits.
    fn admit_all(&mut self) {
        let learnt = Arc::clone(&self.learnt);
        for (number, admitted) in learnt.known() {
            self.admit(number, admitted);
        }
    }

    /// Notes which classes satisfy an expression that splits none.
    fn admit(&mut self, number: PredicateNumber, admitted: &HostSet) {
        let satisfies = |class: &Alike| {
            class
                .hosts
                .first()
                .is_some_and(|&host| admitted.contains(host as HostNumber))
        };
        let truth: Vec<bool> = self.partition.classes.iter().map(satisfies).collect();
        let reservable = |class: u32| self.partition.classes[class as usize].reservable && truth[class as usize];
        let classes: Vec<u32> = self
            .partition
            .poorest_first
            .iter()
            .copied()
            .filter(|&class| reservable(class))
            .collect();
        let number = number as usize;
        if self.eligible.len() <= number {
            self.eligible.resize(number + 1, None);
        }
        self.eligible[number] = Some(Arc::new(Eligible { truth, classes }));
    }

    /// Takes new expressions in, all of them in one go; classes they split are split.
    pub(crate) fn learn(&mut self, hosts: &Hosts, new: &[(PredicateNumber, Arc<Predicate>)]) {
        Arc::make_mut(&mut self.learnt).learn(new);
        let learnt = Arc::clone(&self.learnt);
        let admitted = || {
            new.iter()
                .filter_map(|(number, _)| Some((*number, learnt.admitted(*number)?)))
        };
        let sets = admitted().map(|(_, set)| set.as_ref());
        let parted = Arc::make_mut(&mut self.partition).split(hosts, sets);
        if parted.is_empty() {
            admitted().for_each(|(number, set)| self.admit(number, set));
            return;
        }
        for &class in &parted {
            let members = &self.partition.classes[class].hosts;
            let (derived, idle) = (profile(hosts, members), gaps(hosts, members));
            if class < self.profiles.len() {
                self.profiles[class] = derived;
                self.gaps[class] = idle;
                self.always_free[class] = self.least_free(class);
            } else {
                self.profiles.push(derived);
                self.gaps.push(idle);
                self.always_free.push(self.least_free(class));
            }
        }
        self.admit_all();
        self.split_holders(hosts, &parted);
    }

    /// Forgets an expression that no promise has any more. Classes stay as fine as they are until that
    /// has gone on for long: `true` if the index had better be derived anew.
    pub(crate) fn forget(&mut self, number: PredicateNumber) -> bool {
        if let Some(eligible) = self.eligible.get_mut(number as usize) {
            *eligible = None;
        }
        Arc::make_mut(&mut self.learnt).forget(number);
        self.forgotten += 1;
        self.forgotten > MOST_FORGOTTEN + self.eligible.len()
    }

    /// What expressions admit.
    pub(crate) const fn learnt(&self) -> &Arc<Learnt> {
        &self.learnt
    }

    /// How many classes there are.
    pub(crate) fn classes(&self) -> usize {
        self.partition.classes.len()
    }

    /// The class of a host.
    pub(crate) fn class_of(&self, host: HostNumber) -> IndexClass {
        self.partition.class_of[host] as IndexClass
    }

    /// The hosts of a class by number.
    pub(crate) fn hosts_of(&self, class: IndexClass) -> &[u32] {
        &self.partition.classes[class].hosts
    }

    /// The identifiers of the hosts of a class, in the order of their numbers.
    pub(crate) fn ids_of(&self, class: IndexClass) -> &[HostId] {
        &self.partition.classes[class].ids
    }

    /// What the hosts of a class have in common besides the expressions they satisfy: equal numbers mean
    /// equal zone, rack, blocks, reservability and capacity.
    pub(crate) fn kind_of(&self, class: IndexClass) -> u32 {
        self.partition.classes[class].kind
    }

    /// The classes an expression admits; `None` if the expression is not known.
    pub(crate) fn eligible(&self, number: PredicateNumber) -> Option<&Arc<Eligible>> {
        self.eligible.get(number as usize)?.as_ref()
    }

    /// When the hosts of a class are out of service.
    pub(crate) fn blocks_of(&self, class: IndexClass) -> &[Interval] {
        &self.partition.classes[class].blocks
    }

    /// Whether no block of a class meets the window.
    #[inline]
    pub(crate) fn in_service(&self, class: IndexClass, window: Interval) -> bool {
        let blocks = &self.partition.classes[class].blocks;
        blocks.is_empty() || !blocks.iter().any(|block| block.overlaps(&window))
    }

    /// How many hosts of a class are free during the whole interval if the promises on it may be shifted
    /// between its hosts.
    #[inline]
    pub(crate) fn room(&self, class: IndexClass, occupation: Interval) -> u32 {
        let used = self.profiles[class].greatest_in(occupation);
        u32::try_from(size(&self.partition.classes[class].hosts) - used).unwrap_or(0)
    }

    /// How many hosts of a class are in use over time.
    pub(crate) fn profile(&self, class: IndexClass) -> &Profile {
        &self.profiles[class]
    }

    /// When the hosts of a class are idle.
    pub(crate) fn gaps(&self, class: IndexClass) -> &Gaps {
        &self.gaps[class]
    }

    /// The least richness of the hosts of a class.
    pub(crate) fn richness(&self, class: IndexClass) -> u64 {
        self.partition.classes[class].richness
    }

    /// How much of a resource class each host of a class has.
    fn capacity_of(&self, class: IndexClass, name: &str) -> u64 {
        let capacity = &self.partition.classes[class].capacity;
        capacity.get(name).copied().unwrap_or(0)
    }

    /// Whether a class takes new work at all.
    pub(crate) fn is_reservable(&self, class: IndexClass) -> bool {
        self.partition.classes[class].reservable
    }

    /// How many hosts, at most `wanted`, the classes have free during the whole occupation.
    #[inline]
    pub(crate) fn free(&self, eligible: &Eligible, window: Interval, occupation: Interval, wanted: u32) -> u32 {
        // Hosts that are free at every instant are known without looking at the profile.
        let mut found = 0_i64;
        for &class in &eligible.classes {
            let class = class as IndexClass;
            if self.always_free[class] > 0 && self.in_service(class, window) {
                found += i64::from(self.always_free[class]);
                if found >= i64::from(wanted) {
                    return wanted;
                }
            }
        }
        for &class in &eligible.classes {
            let class = class as IndexClass;
            if self.in_service(class, window) {
                found += i64::from(self.room(class, occupation)) - i64::from(self.always_free[class].max(0));
                if found >= i64::from(wanted) {
                    return wanted;
                }
            }
        }
        u32::try_from(found).unwrap_or(0)
    }

    /// Counts the hosts of a class as used, or no longer used, during an interval.
    pub(crate) fn use_hosts(&mut self, class: IndexClass, interval: Interval, change: i32) {
        Arc::make_mut(&mut self.profiles[class]).add(interval, change);
        self.always_free[class] = self.least_free(class);
    }

    /// A host of a class, with its richness, becomes idle in a gap.
    pub(crate) fn open_gap(&mut self, class: IndexClass, richness: u64, gap: Gap) {
        Arc::make_mut(&mut self.gaps[class]).add(richness, gap);
    }

    /// A host of a class, with its richness, is no longer idle in just this gap.
    pub(crate) fn close_gap(&mut self, class: IndexClass, richness: u64, gap: Gap) {
        Arc::make_mut(&mut self.gaps[class]).remove(richness, gap);
    }
}

fn size(hosts: &[u32]) -> i32 {
    i32::try_from(hosts.len()).unwrap_or(i32::MAX)
}

/// Counts the hosts in use from what each carries.
fn profile(hosts: &Hosts, members: &[u32]) -> Arc<Profile> {
    let carried = members.iter().filter_map(|&host| hosts.at(host as HostNumber));
    Arc::new(Profile::of(carried.flat_map(|carried| carried.used())))
}

/// When hosts are idle from what each carries.
fn gaps(hosts: &Hosts, members: &[u32]) -> Arc<Gaps> {
    let carried = members
        .iter()
        .filter_map(|&host| Some((host, hosts.at(host as HostNumber)?.as_ref())));
    Arc::new(Gaps::of(carried))
}
