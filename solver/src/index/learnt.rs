//! Which hosts satisfy each known expression, and how that outlives a change of the hosts.
//!
//! Invariant: the set of an expression is of the hosts the index was derived from. When hosts change, only those that did
//! are looked at again.

use std::sync::Arc;

use super::{Interner, PredicateNumber};
use crate::columns::{Columns, HostSet};
use crate::hosts::Hosts;
use crate::model::Host;
use crate::predicate::Predicate;

/// Most changed hosts that are looked at one by one; more are sorted into columns.
const MOST_SINGLY: usize = 64;

#[derive(Debug, Clone)]
struct Known {
    predicate: Arc<Predicate>,
    admitted: Arc<HostSet>,
}

/// The known expressions with the hosts that satisfy them. Clones share what is large.
#[derive(Debug, Clone, Default)]
pub(crate) struct Learnt {
    hosts: Arc<[Arc<Host>]>,
    columns: Columns,
    /// By the number of the expression.
    known: Vec<Option<Known>>,
}

/// Where the hosts of an earlier list are in a later one.
struct Renumbered {
    /// The later number of each earlier host that is the same; `None` if the numbers are those of before.
    moved: Option<Vec<Option<usize>>>,
    /// Hosts of the later list that are new or have changed.
    changed: Vec<usize>,
}

impl Renumbered {
    fn new(before: &[Arc<Host>], after: &[Arc<Host>]) -> Self {
        let mut moved = vec![None; before.len()];
        let mut changed = Vec::new();
        let mut earlier = before.iter().enumerate().peekable();
        for (number, host) in after.iter().enumerate() {
            while earlier.next_if(|(_, old)| old.id < host.id).is_some() {}
            match earlier.next_if(|(_, old)| old.id == host.id) {
                Some((place, old)) if Arc::ptr_eq(old, host) => moved[place] = Some(number),
                Some(_) | None => changed.push(number),
            }
        }
        let as_before = |(place, &number): (usize, &Option<usize>)| number.is_none_or(|number| number == place);
        let stays = before.len() == after.len() && moved.iter().enumerate().all(as_before);
        Self {
            moved: (!stays).then_some(moved),
            changed,
        }
    }

    /// The set in the later numbers; the same one if no changed host makes it another.
    fn set(&self, before: &Known, hosts: &[Arc<Host>]) -> Arc<HostSet> {
        let mut admitted = Arc::clone(&before.admitted);
        if let Some(moved) = &self.moved {
            let mut set = HostSet::with_capacity(hosts.len());
            set.extend(before.admitted.ones().filter_map(|place| moved[place]));
            admitted = Arc::new(set);
        }
        for &number in &self.changed {
            let matches = hosts[number].matches(&before.predicate);
            if admitted.contains(number) != matches {
                Arc::make_mut(&mut admitted).set(number, matches);
            }
        }
        admitted
    }
}

impl Learnt {
    /// What is known of these hosts. What was known of the hosts before is taken over.
    pub(super) fn new(hosts: &Hosts, interner: &Interner, before: Option<&Self>) -> Self {
        let mut learnt = Self {
            hosts: hosts.values().map(|carried| Arc::clone(&carried.host)).collect(),
            columns: Columns::default(),
            known: Vec::new(),
        };
        let taken = before.map(|before| (before, Renumbered::new(&before.hosts, &learnt.hosts)));
        let taken = taken.filter(|(_, renumbered)| renumbered.changed.len() <= MOST_SINGLY);
        let mut missing = Vec::new();
        for (number, predicate) in interner.known() {
            let same = taken.as_ref().and_then(|(before, renumbered)| {
                let known = before.get(number).filter(|known| known.predicate == *predicate)?;
                Some(renumbered.set(known, &learnt.hosts))
            });
            match same {
                Some(admitted) => learnt.note(number, predicate, admitted),
                None => missing.push((number, Arc::clone(predicate))),
            }
        }
        learnt.learn(&missing);
        learnt
    }

    fn get(&self, number: PredicateNumber) -> Option<&Known> {
        self.known.get(number as usize)?.as_ref()
    }

    fn note(&mut self, number: PredicateNumber, predicate: &Arc<Predicate>, admitted: Arc<HostSet>) {
        let number = number as usize;
        if self.known.len() <= number {
            self.known.resize(number + 1, None);
        }
        self.known[number] = Some(Known {
            predicate: Arc::clone(predicate),
            admitted,
        });
    }

    /// Takes expressions in.
    pub(super) fn learn(&mut self, new: &[(PredicateNumber, Arc<Predicate>)]) {
        let predicates: Vec<&Predicate> = new.iter().map(|(_, predicate)| predicate.as_ref()).collect();
        let admitted = self.columns.admitted(&self.hosts, &predicates);
        for ((number, predicate), admitted) in new.iter().zip(admitted) {
            self.note(*number, predicate, Arc::new(admitted));
        }
    }

    pub(super) fn forget(&mut self, number: PredicateNumber) {
        if let Some(known) = self.known.get_mut(number as usize) {
            *known = None;
        }
    }

    /// The hosts that satisfy each known expression, by number.
    pub(super) fn known(&self) -> impl Iterator<Item = (PredicateNumber, &HostSet)> {
        let known = (0..).zip(&self.known);
        known.filter_map(|(number, known)| known.as_ref().map(|known| (number, known.admitted.as_ref())))
    }

    /// The hosts that satisfy an expression; `None` if it is not known.
    pub(super) fn admitted(&self, number: PredicateNumber) -> Option<&Arc<HostSet>> {
        self.get(number).map(|known| &known.admitted)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::hosts::Carried;
    use crate::predicate::Operator;

    fn fleet(hosts: &BTreeMap<u8, u8>, before: Option<&Hosts>) -> Hosts {
        let mut fleet = Hosts::default();
        for (id, size) in hosts {
            let host = Host {
                id: Arc::from(format!("{id:03}")),
                properties: BTreeMap::from([("size".to_owned(), size.to_string())]),
                zone: None,
                rack: None,
                capacity: BTreeMap::new(),
                blocks: Vec::new(),
                reservable: true,
            };
            let known = before
                .and_then(|fleet| fleet.get(&host.id))
                .filter(|known| *known.host == host);
            fleet.insert(known.map_or_else(|| Carried::empty(host), |known| Carried::clone(known)));
        }
        fleet
    }

    fn interner() -> Interner {
        let mut interner = Interner::default();
        for value in 0..6 {
            interner.take(&Arc::new(Predicate::Compare {
                operator: Operator::AtLeast,
                property: "size".to_owned(),
                value: value.to_string(),
            }));
        }
        interner
    }

    fn sets(learnt: &Learnt) -> Vec<Vec<usize>> {
        learnt.known().map(|(_, set)| set.ones().collect()).collect()
    }

    proptest! {
        /// What is taken over from before is what deriving it anew gives.
        #[test]
        fn survives_hosts_that_come_go_and_change(
            before in prop::collection::btree_map(0u8..40, 0u8..6, 0..30),
            after in prop::collection::btree_map(0u8..40, 0u8..6, 0..30),
        ) {
            let interner = interner();
            let first = fleet(&before, None);
            let second = fleet(&after, Some(&first));
            let learnt = Learnt::new(&first, &interner, None);
            let taken_over = Learnt::new(&second, &interner, Some(&learnt));
            prop_assert_eq!(sets(&taken_over), sets(&Learnt::new(&second, &interner, None)));
        }
    }

    #[test]
    fn v4_a_changed_host_leaves_what_it_does_not_change_as_it_was_learnt() {
        let interner = interner();
        let mut hosts: BTreeMap<u8, u8> = (0..100).map(|id| (id, id % 6)).collect();
        let first = fleet(&hosts, None);
        let learnt = Learnt::new(&first, &interner, None);
        // From 2 to 4: only "at least 3" and "at least 4" change.
        hosts.insert(50, 4);
        let next = Learnt::new(&fleet(&hosts, Some(&first)), &interner, Some(&learnt));
        let same = |number| Arc::ptr_eq(learnt.admitted(number).unwrap(), next.admitted(number).unwrap());
        let same: Vec<bool> = (0..6).map(same).collect();
        assert_eq!(same, [true, true, true, false, false, true]);
    }
}
